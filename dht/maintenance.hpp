// When to look after the table: ping what is questionable, refresh what no lookup has visited, look
// for the own neighbourhood, and knock again where the network was entered.
//
// A tick every 5 s. In the first minute after the network was entered every half second: lookups go
// to every bucket again and again until they bring nobody new, so that the members of a small swarm
// soon know each other. It begins with the first address that is remembered: a node that knows
// nobody sleeps.
#pragma once

#include <optional>
#include <vector>

#include "dht/routing_table.hpp"
#include "proto/rng.hpp"

namespace kith::dht {

class Maintenance {
 public:
  explicit Maintenance(Rng& rng) : rng_(rng) {}

  /// An address from outside: an invite, a beacon, a remembered peer. Of too many, the oldest go.
  void remember(TimePoint now, const Endpoint& endpoint, std::optional<NodeId> node);

  struct Bootstrap {
    Endpoint endpoint;
    std::optional<NodeId> node;
    bool operator==(const Bootstrap&) const = default;
  };
  struct Work {
    std::vector<krpc::Node> pings;
    std::vector<Bootstrap> bootstrap;  // pings too, of whom the table does not hold
    std::vector<NodeId> lookups;       // find_node for each
    bool expire_records = false;
  };
  /// What is due. Call when next() has come; earlier it is nothing.
  [[nodiscard]] Work run(TimePoint now, RoutingTable& table);
  /// Nothing before anybody is remembered.
  [[nodiscard]] std::optional<TimePoint> next() const { return next_; }
  /// The table got its first contact: the next tick, at once, looks for the neighbourhood.
  void on_first_contact(TimePoint now);

 private:
  static constexpr Duration kKnockFirst = std::chrono::seconds(5);
  void plan_bootstrap(TimePoint now, const RoutingTable& table, Work& work);
  void plan_lookups(TimePoint now, RoutingTable& table, Work& work);
  [[nodiscard]] bool is_filling(TimePoint now) const { return now < fill_until_; }

  Rng& rng_;
  std::vector<Bootstrap> remembered_;
  std::optional<TimePoint> next_;
  std::optional<TimePoint> knock_;      // when to ping the remembered again
  Duration knock_pause_ = kKnockFirst;  // doubles while nobody answers
  bool knows_somebody_ = false;         // the table held somebody at the last tick
  std::optional<TimePoint> self_look_;  // when to look for the own id
  TimePoint fill_until_;                // how long buckets are filled
  TimePoint swept_;                     // when records were expired last
};

}  // namespace kith::dht
