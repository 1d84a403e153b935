// How the devices of a swarm find each other: remembered addresses, invite hints, --bootstrap,
// `peers` frames, LAN beacons and the swarm's DHT. Everything found is a hint that ends in an
// AddressBook; the engine dials, and the handshake proves. Pure; part of the engine.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <vector>

#include "dht/node.hpp"
#include "node/engine/address_book.hpp"
#include "node/engine/swarms.hpp"
#include "node/engine/turn.hpp"

namespace kith::node {

class Discovery {
 public:
  Discovery(Swarms& swarms, Rng& rng) : swarms_(swarms), rng_(rng) {}

  /// The port that we listen on, UDP and TCP. Before anything else.
  void configure(std::uint16_t port, bool lan, std::vector<Endpoint> bootstrap);
  /// Begins to look for its members.
  void add_swarm(Turn& turn, Swarm& swarm);
  /// Forgets everything about it.
  void remove_swarm(const SwarmId& swarm);
  /// Of every swarm.
  void add_bootstrap(Turn& turn, const Endpoint& endpoint);

  // --- addresses ---
  /// `told_by`: the device whose word it is. It may tell some at once, then one a second.
  void add_address(Turn& turn, const SwarmId& swarm, const Endpoint& endpoint,
                   std::optional<DeviceId> device, FoundBy found_by,
                   std::optional<DeviceId> told_by = {});
  /// As in AddressBook; forget() and hurry() in every swarm.
  void succeeded(Turn& turn, const SwarmId& swarm, const Endpoint& endpoint,
                 const DeviceId& device);
  void failed(Turn& turn, const SwarmId& swarm, const Endpoint& endpoint, std::string why,
              bool silent);
  void forget(const Endpoint& endpoint);
  void hurry(Turn& turn);
  /// Nullptr: no such swarm.
  [[nodiscard]] AddressBook* book(const SwarmId& swarm);

  // --- who is connected ---
  /// A member is connected. `dialled`: it listens at `remote`, which is remembered.
  void connected(Turn& turn, const SwarmId& swarm, const DeviceId& device, const Endpoint& remote,
                 bool dialled);
  void disconnected(Turn& turn, const SwarmId& swarm, const DeviceId& device);
  /// Members may be others now.
  void roster_changed(Turn& turn, Swarm& swarm);

  // --- datagrams ---
  /// One datagram, from anybody; what no secret of ours opens is dropped.
  void handle_datagram(Turn& turn, const Endpoint& from, Bytes bytes);
  /// Beacons of members, of whoever slept through an epoch, and of joiners, which are answered.
  void handle_beacon(Turn& turn, const Endpoint& from, Bytes bytes);

  // --- shares ---
  /// What this device provides and looks for in a swarm, as it is now.
  void set_shares(Turn& turn, Swarm& swarm, const std::vector<ShareId>& provided,
                  const std::vector<ShareId>& looked_for);

  void on_timeout(Turn& turn);
  [[nodiscard]] std::optional<TimePoint> next_timeout() const;
  [[nodiscard]] std::uint16_t port() const { return port_; }
  /// Nodes in the routing table of the swarm.
  [[nodiscard]] std::size_t dht_contacts(const SwarmId& swarm) const;
  /// Datagrams that a secret of ours opened, ever.
  [[nodiscard]] std::uint64_t datagrams_opened() const { return datagrams_opened_; }
  /// Addresses that other members see us under.
  [[nodiscard]] const std::set<Endpoint>& seen_as() const { return seen_as_; }

 private:
  struct Local {
    explicit Local(Rng& rng) : book(rng) {}
    AddressBook book;
    std::unique_ptr<dht::Node> dht;
    NodeId self;
    std::map<NodeId, DeviceId> devices;  // of the roster
    std::set<DeviceId> connected;
    std::map<DeviceId, dht::TokenBucket> tellers;
    std::set<ShareId> provided;
    std::set<ShareId> looked_for;
    TimePoint next_search{};
    TimePoint next_beacon{};
    TimePoint alone_since{};
    std::size_t beacons = 0;
  };

  void apply(Turn& turn, Swarm& swarm, Local& local, dht::Outbox& out);
  void on_event(Turn& turn, Swarm& swarm, Local& local, const dht::ProvidersFound& event);
  void on_event(Turn& turn, Swarm& swarm, Local& local, const dht::LookupDone& event);
  void on_event(Turn& turn, Swarm& swarm, Local& local, const dht::ContactSeen& event);
  [[nodiscard]] static bool may_tell(TimePoint now, Local& local, const DeviceId& teller);
  bool open_for(Turn& turn, Swarm& swarm, const Endpoint& from, Bytes bytes);
  [[nodiscard]] bool is_answer(const Swarm& swarm, const SignPublic& invite,
                               const DeviceId& device);
  void send_beacons(Turn& turn, Swarm& swarm, Local& local);
  void search(Turn& turn, Swarm& swarm, Local& local);
  [[nodiscard]] static InfoHash provider_hash(const Swarm& swarm, const ShareId& share);

  Swarms& swarms_;
  Rng& rng_;
  std::uint16_t port_ = 0;
  bool lan_ = true;
  std::vector<Endpoint> bootstrap_;
  std::map<SwarmId, std::unique_ptr<Local>> locals_;
  std::set<Endpoint> seen_as_;
  std::uint64_t datagrams_opened_ = 0;
  TimePoint joiner_answered_{};
  Buffer scratch_;
};

}  // namespace kith::node
