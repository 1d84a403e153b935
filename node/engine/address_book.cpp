#include "node/engine/address_book.hpp"

#include <algorithm>

namespace kith::node {
namespace {

using namespace std::chrono_literals;

constexpr Duration kFirstRetry = 1s;
constexpr Duration kLastRetry = 5min;

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

void AddressBook::add(TimePoint now, const Endpoint& endpoint, std::optional<DeviceId> device,
                      FoundBy found_by) {
  if (!endpoint.is_usable()) return;
  const auto it = addresses_.find(endpoint);
  if (it == addresses_.end()) {
    if (addresses_.size() >= kAddressesMax) make_room();
    addresses_[endpoint] = {
        .device = device, .found_by = found_by, .next_try = now, .last_failure = {}};
    return;
  }
  Address& address = it->second;
  const bool moved = device && address.device != device && !address.confirmed;
  if (moved) address.device = device;
  // A beacon is heard only from a node that runs now: an address that failed before is worth a try.
  if (found_by == FoundBy::kLan && address.failures > 0 && !address.dialling) {
    address.next_try = std::min(address.next_try, now + kFirstRetry);
  }
}

void AddressBook::make_room() {
  auto worst = addresses_.end();
  for (auto it = addresses_.begin(); it != addresses_.end(); ++it) {
    if (it->second.dialling || it->second.confirmed) continue;
    if (worst == addresses_.end() || it->second.failures > worst->second.failures) worst = it;
  }
  if (worst == addresses_.end()) worst = addresses_.begin();
  addresses_.erase(worst);
}

void AddressBook::succeeded(TimePoint now, const Endpoint& endpoint, const DeviceId& device) {
  const auto it = addresses_.find(endpoint);
  if (it == addresses_.end()) return;
  it->second.device = device;
  it->second.confirmed = true;
  it->second.dialling = false;
  it->second.failures = 0;
  it->second.silent = false;
  it->second.next_try = now;
  it->second.last_failure.clear();
}

void AddressBook::failed(TimePoint now, const Endpoint& endpoint, std::string why, bool silent) {
  const auto it = addresses_.find(endpoint);
  if (it == addresses_.end()) return;
  Address& address = it->second;
  address.dialling = false;
  address.silent = silent;
  const std::uint32_t doublings = std::min<std::uint32_t>(address.failures, 9);
  const Duration wait = std::min<Duration>(kFirstRetry * (1LL << doublings), kLastRetry);
  const auto quarter = static_cast<std::uint64_t>(wait.count() / 4);
  address.next_try = now + wait + Duration(static_cast<std::int64_t>(rng_.uniform(quarter + 1)));
  ++address.failures;
  address.last_failure = std::move(why);
}

void AddressBook::forget(const Endpoint& endpoint) { addresses_.erase(endpoint); }

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

}  // namespace kith::node
