// Which addresses might lead to members of a swarm, and when to try them. All discovery gives
// hints, never authority: whoever answers proves itself in the handshake. Pure and bounded.
//
// An address is known under a device id where the source named one (invite, remembered, peers
// frames, beacons); otherwise it stands alone (--bootstrap, DHT providers). Failed attempts back
// off: 1 s, 2 s, 4 s … at most 5 min, with a random quarter added, so that nodes do not meet in
// step.
#pragma once

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
[[nodiscard]] std::string to_string(FoundBy found_by);

class AddressBook {
 public:
  struct Address {
    std::optional<DeviceId> device;
    FoundBy found_by = FoundBy::kDht;
    TimePoint next_try{};
    std::uint32_t failures = 0;
    bool dialling = false;
    bool confirmed = false;    // a handshake was completed on it
    bool silent = false;       // the last attempt met somebody who did not answer
    std::string last_failure;  // why it is not connected, for `peers` and `doctor`
  };

  explicit AddressBook(Rng& rng) : rng_(rng) {}

  /// Adds or refreshes; a device's address that is new may be tried at once. Unusable addresses are
  /// ignored. Bounded: kAddressesMax, of which the one with the most failures goes first.
  void add(TimePoint now, const Endpoint& endpoint, std::optional<DeviceId> device,
           FoundBy found_by);

  /// The next address to dial now, or nothing. `wanted(address)` says whether its device is worth a
  /// connection (not ourselves, not connected already). The address is then marked as dialling.
  template <class Wanted>
  [[nodiscard]] std::optional<std::pair<Endpoint, Address>> next(TimePoint now, Wanted&& wanted) {
    for (auto& [endpoint, address] : addresses_) {
      if (address.dialling || address.next_try > now || !wanted(endpoint, address)) continue;
      address.dialling = true;
      return std::pair(endpoint, address);
    }
    return std::nullopt;
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
  [[nodiscard]] const std::map<Endpoint, Address>& all() const { return addresses_; }

 private:
  static constexpr std::size_t kAddressesMax = 4'096;
  void make_room();
  Rng& rng_;
  std::map<Endpoint, Address> addresses_;
};

}  // namespace kith::node
