// Which addresses might lead to members of a swarm, and when to try them. All discovery gives
// hints, never authority: whoever answers proves itself in the handshake. Pure and bounded.
//
// An address is known under a device id where the source named one (invite, remembered, peers
// frames, beacons); otherwise it stands alone (--bootstrap, DHT providers). Failed attempts back
// off: 1 s, 2 s, 4 s … at most 5 min, with a random quarter added, so that nodes do not meet in
// step.
//
// Most of it is hearsay, and who tells lies may tell many. So what one source told is bounded until
// it is proven, and of the addresses that are due one is taken at random, proven ones first in half
// of the cases: no flood keeps an honest address waiting for long.
#pragma once

#include <array>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "proto/endpoint.hpp"
#include "proto/ids.hpp"
#include "proto/rng.hpp"
#include "proto/time.hpp"

namespace kith::node {

enum class FoundBy : std::uint8_t {
  kInvite,
  kRemembered,
  kLan,
  kPeers,
  kDht,
  kBootstrap,
  kIncoming
};
/// As docs/cli.md names them: "invite", "remembered", …
[[nodiscard]] std::string to_string(FoundBy found_by);

class AddressBook {
 public:
  struct Address {
    std::optional<DeviceId> device;
    FoundBy found_by = FoundBy::kDht;
    std::optional<DeviceId> told_by;  // the device whose word it is, where it is one's
    TimePoint provides_until{};       // until then: somebody there has what is looked for
    TimePoint next_try{};
    std::uint32_t failures = 0;
    std::optional<TimePoint> opened;  // a connection stands since then
    std::uint32_t short_lived = 0;    // connections in a row that ended at once
    bool dialling = false;
    bool confirmed = false;    // a handshake was completed on it
    bool silent = false;       // the last attempt met somebody who did not answer
    std::string last_failure;  // why it is not connected, for `peers` and `doctor`
  };

  explicit AddressBook(Rng& rng) : rng_(rng) {}

  /// Adds or refreshes; a device's address that is new may be tried at once. Unusable addresses are
  /// ignored, and so is what is new from a source that told too much which is not proven.
  /// Bounded: kAddressesMax, of which the one with the most failures goes first.
  void add(TimePoint now, const Endpoint& endpoint, std::optional<DeviceId> device,
           FoundBy found_by, std::optional<DeviceId> told_by = {});
  /// Somebody there is said to have what is looked for. Of an address that is known.
  void provides(const Endpoint& endpoint, TimePoint until);

  /// An address to dial now, or nothing. `wanted(address)` says whether its device is worth a
  /// connection (not ourselves, not connected already). The address is then marked as dialling.
  template <class Wanted>
  [[nodiscard]] std::optional<std::pair<Endpoint, Address>> next(TimePoint now, Wanted&& wanted) {
    // While all three wait: half of the dials go to what is proven, a quarter each to providers and
    // to hearsay.
    static constexpr std::array kFirst{Rank::kProven, Rank::kProvider, Rank::kProven,
                                       Rank::kHearsay};
    const Rank first = kFirst[picks_ % kFirst.size()];
    std::pair<const Endpoint, Address>* chosen = nullptr;
    Rank best{};
    std::uint64_t equals = 0;
    for (auto& item : addresses_) {
      const auto& [endpoint, address] = item;
      if (address.dialling || address.next_try > now || !wanted(endpoint, address)) continue;
      const Rank rank = rank_of(now, address);
      const bool better = rank != best && (rank == first || (best != first && rank < best));
      if (chosen == nullptr || better) {
        best = rank;
        equals = 0;
      }
      if (rank == best && rng_.uniform(++equals) == 0) chosen = &item;
    }
    if (chosen == nullptr) return std::nullopt;
    ++picks_;
    chosen->second.dialling = true;
    return std::pair(chosen->first, chosen->second);
  }
  /// When an address that is not being dialled may be tried, at the earliest.
  template <class Wanted>
  [[nodiscard]] std::optional<TimePoint> next_try(Wanted&& wanted) const {
    std::optional<TimePoint> at;
    for (const auto& [endpoint, address] : addresses_) {
      if (address.dialling || !wanted(endpoint, address)) continue;
      if (!at || address.next_try < *at) at = address.next_try;
    }
    return at;
  }

  /// A handshake was completed: the address leads to this device.
  void succeeded(TimePoint now, const Endpoint& endpoint, const DeviceId& device);
  /// The attempt failed, or the connection ended.
  void failed(TimePoint now, const Endpoint& endpoint, std::string why, bool silent = false);
  /// Never try again in this run: it is ourselves.
  void forget(const Endpoint& endpoint);
  /// Try everything that is known at once: a network came back, or a user is waiting.
  void hurry(TimePoint now);

  /// Confirmed addresses of a device, best first.
  [[nodiscard]] std::vector<Endpoint> addresses_of(const DeviceId& device) const;
  /// Whether any address is said to be this device's.
  [[nodiscard]] bool knows(const DeviceId& device) const;
  /// For `peers` and `doctor`.
  [[nodiscard]] const std::map<Endpoint, Address>& all() const { return addresses_; }

 private:
  enum class Rank : std::uint8_t { kProven, kProvider, kHearsay };
  static constexpr std::size_t kAddressesMax = 4'096;
  /// Not proven, of one device's telling: what it may make us dial in vain takes under a minute.
  static constexpr std::size_t kToldMax = 128;
  /// Not proven, out of the DHT, where nobody signs: twice the providers of one share.
  static constexpr std::size_t kFoundMax = 1'024;

  using Addresses = std::map<Endpoint, Address>;
  [[nodiscard]] static Rank rank_of(TimePoint now, const Address& address);
  [[nodiscard]] static bool is_counted(const Address& address);
  [[nodiscard]] bool is_full(const Address& of_source) const;
  void count(const Address& address, int change);
  void erase(Addresses::iterator it);
  void make_room();

  Rng& rng_;
  Addresses addresses_;
  std::map<std::optional<DeviceId>, std::size_t> unproven_;  // by told_by; nobody: the DHT
  std::uint64_t picks_ = 0;
};

}  // namespace kith::node
