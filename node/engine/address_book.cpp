#include "node/engine/address_book.hpp"

#include <algorithm>

namespace kith::node {
namespace {

using namespace std::chrono_literals;

constexpr Duration kFirstRetry = 1s;
constexpr Duration kLastRetry = 5min;
// A connection that ends sooner may have been closed by whoever wants none.
constexpr Duration kShortLife = 5s;
// Of a source that told too much, what failed so often makes room for the next.
constexpr std::uint32_t kTriesOfMany = 3;

}  // namespace

std::string to_string(FoundBy found_by) {
  switch (found_by) {
    case FoundBy::kInvite:
      return "invite";
    case FoundBy::kRemembered:
      return "remembered";
    case FoundBy::kLan:
      return "lan";
    case FoundBy::kPeers:
      return "peers";
    case FoundBy::kDht:
      return "dht";
    case FoundBy::kBootstrap:
      return "bootstrap";
    case FoundBy::kIncoming:
      return "incoming";
  }
  return "unknown";
}

// What this device saw itself, or its user said, comes before what it was told.
AddressBook::Rank AddressBook::rank_of(TimePoint now, const Address& address) {
  const bool own = address.found_by == FoundBy::kInvite ||
                   address.found_by == FoundBy::kRemembered ||
                   address.found_by == FoundBy::kBootstrap;
  if (address.confirmed || own) return Rank::kProven;
  return address.provides_until > now ? Rank::kProvider : Rank::kHearsay;
}

// Contacts of the DHT that are known by their device have answered: only what it names is counted.
bool AddressBook::is_counted(const Address& address) {
  const bool named = address.found_by == FoundBy::kDht && !address.device;
  return !address.confirmed && (address.told_by || named);
}

bool AddressBook::is_full(const Address& of_source) const {
  if (!is_counted(of_source)) return false;
  const auto it = unproven_.find(of_source.told_by);
  return it != unproven_.end() && it->second >= (of_source.told_by ? kToldMax : kFoundMax);
}

void AddressBook::count(const Address& address, int change) {
  if (!is_counted(address)) return;
  std::size_t& unproven = unproven_[address.told_by];
  unproven += static_cast<std::size_t>(change);
  if (unproven == 0) unproven_.erase(address.told_by);
}

void AddressBook::erase(Addresses::iterator it) {
  count(it->second, -1);
  addresses_.erase(it);
}

void AddressBook::add(TimePoint now, const Endpoint& endpoint, std::optional<DeviceId> device,
                      FoundBy found_by, std::optional<DeviceId> told_by) {
  if (!endpoint.is_usable()) return;
  const auto it = addresses_.find(endpoint);
  if (it == addresses_.end()) {
    Address fresh;
    fresh.device = device;
    fresh.found_by = found_by;
    fresh.told_by = told_by;
    fresh.next_try = now;
    if (is_full(fresh)) return;
    if (addresses_.size() >= kAddressesMax) make_room();
    count(fresh, 1);
    addresses_[endpoint] = std::move(fresh);
    return;
  }
  Address& address = it->second;
  if (device && address.device != device && !address.confirmed) {
    count(address, -1);
    address.device = device;
    count(address, 1);
  }
  // A beacon is heard only from a node that runs now: an address that failed before is worth a try.
  if (found_by == FoundBy::kLan && address.failures > 0 && !address.dialling) {
    address.next_try = std::min(address.next_try, now + kFirstRetry);
  }
}

void AddressBook::provides(const Endpoint& endpoint, TimePoint until) {
  const auto it = addresses_.find(endpoint);
  if (it != addresses_.end()) it->second.provides_until = until;
}

void AddressBook::make_room() {
  auto worst = addresses_.end();
  for (auto it = addresses_.begin(); it != addresses_.end(); ++it) {
    if (it->second.dialling || it->second.confirmed) continue;
    if (worst == addresses_.end() || it->second.failures > worst->second.failures) worst = it;
  }
  if (worst == addresses_.end()) worst = addresses_.begin();
  erase(worst);
}

void AddressBook::succeeded(TimePoint now, const Endpoint& endpoint, const DeviceId& device) {
  const auto it = addresses_.find(endpoint);
  if (it == addresses_.end()) return;
  count(it->second, -1);
  it->second.device = device;
  it->second.confirmed = true;
  it->second.dialling = false;
  it->second.failures = 0;
  it->second.silent = false;
  it->second.next_try = now;
  it->second.opened = now;
  it->second.last_failure.clear();
}

void AddressBook::failed(TimePoint now, const Endpoint& endpoint, std::string why, bool silent) {
  const auto it = addresses_.find(endpoint);
  if (it == addresses_.end()) return;
  Address& address = it->second;
  address.dialling = false;
  address.silent = silent;
  if (address.opened) {
    address.short_lived = now - *address.opened < kShortLife ? address.short_lived + 1 : 0;
    address.opened.reset();
  }
  // One may end so: it was made to catch up, or both sides dialled.
  const std::uint32_t unwanted = std::max(address.short_lived, 1U) - 1;
  const std::uint32_t doublings = std::min(std::max(address.failures, unwanted), 9U);
  const Duration wait = std::min<Duration>(kFirstRetry * (1LL << doublings), kLastRetry);
  const auto quarter = static_cast<std::uint64_t>(wait.count() / 4);
  address.next_try = now + wait + Duration(static_cast<std::int64_t>(rng_.uniform(quarter + 1)));
  ++address.failures;
  address.last_failure = std::move(why);
  if (address.failures >= kTriesOfMany && is_full(address)) erase(it);
}

void AddressBook::forget(const Endpoint& endpoint) {
  const auto it = addresses_.find(endpoint);
  if (it != addresses_.end()) erase(it);
}

void AddressBook::hurry(TimePoint now) {
  for (auto& [endpoint, address] : addresses_) {
    if (!address.dialling) address.next_try = std::min(address.next_try, now);
  }
}

std::vector<Endpoint> AddressBook::addresses_of(const DeviceId& device) const {
  std::vector<Endpoint> out;
  for (const auto& [endpoint, address] : addresses_) {
    if (address.device == device && address.confirmed) out.push_back(endpoint);
  }
  return out;
}

bool AddressBook::knows(const DeviceId& device) const {
  return std::any_of(addresses_.begin(), addresses_.end(),
                     [&device](const auto& item) { return item.second.device == device; });
}

}  // namespace kith::node
