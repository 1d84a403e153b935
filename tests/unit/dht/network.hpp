// Many DHT nodes in one process, in virtual time: datagrams take a random time or get lost, nodes
// can be cut off. Sealing is imitated: a datagram for one node id is not read by another.
// Everything follows from the seed.
#pragma once

#include <map>
#include <memory>
#include <vector>

#include "dht/node.hpp"
#include "proto/crypto/random.hpp"

namespace kith::dht {

class Network {
 public:
  struct Options {
    std::uint64_t seed = 1;
    std::size_t nodes = 2;
    Duration delay_min = std::chrono::milliseconds(5);
    Duration delay_max = std::chrono::milliseconds(60);
    std::uint64_t loss_percent = 0;
    bool swarm_mode = true;
  };
  explicit Network(const Options& options);

  [[nodiscard]] Node& node(std::size_t i) { return *hosts_[i].node; }
  [[nodiscard]] const NodeId& id(std::size_t i) const { return hosts_[i].id; }
  [[nodiscard]] static Endpoint endpoint(std::size_t i);
  [[nodiscard]] static Endpoint tcp_endpoint(std::size_t i) { return endpoint(i).with_port(5484); }
  [[nodiscard]] std::size_t size() const { return hosts_.size(); }
  [[nodiscard]] TimePoint now() const { return now_; }

  /// Every node learns the address of one that stands before it in the list.
  void join_all(Duration between);
  void join(std::size_t newcomer, std::size_t known);
  void run_for(Duration time);
  void set_down(std::size_t i, bool down) { hosts_[i].down = down; }

  void announce(std::size_t i, const InfoHash& info_hash);
  LookupId find_providers(std::size_t i, const InfoHash& info_hash);
  LookupId find_node(std::size_t i, const NodeId& target);

  struct Found {
    std::vector<Endpoint> peers;
    std::optional<TimePoint> first;
    std::optional<TimePoint> done;
    std::size_t responders = 0;
  };
  [[nodiscard]] const Found& found(std::size_t i, LookupId lookup) {
    return hosts_[i].found[lookup];
  }
  [[nodiscard]] std::size_t sent() const { return sent_; }
  /// A hash of everything that was sent, in order, with its time.
  [[nodiscard]] std::uint64_t trace() const { return trace_; }
  void check_invariants() const;

 private:
  struct Host {
    NodeId id;
    std::unique_ptr<SeededRng> rng;
    std::unique_ptr<Node> node;
    std::map<LookupId, Found> found;
    bool down = false;
    TimePoint timer = TimePoint::max();
  };
  struct Packet {
    std::size_t from;
    std::size_t to;
    Datagram datagram;  // empty: the timer of `to`
  };
  void apply(std::size_t i, Outbox&& out);
  void post(std::size_t from, Datagram&& datagram);
  void deliver(const Packet& packet);
  void note(const Datagram& datagram);

  Options options_;
  SeededRng rng_;
  TimePoint now_{std::chrono::hours(1)};
  std::vector<Host> hosts_;
  std::map<std::pair<TimePoint, std::uint64_t>, Packet> queue_;
  std::uint64_t sequence_ = 0;
  std::size_t sent_ = 0;
  std::uint64_t trace_ = 14695981039346656037ULL;
};

}  // namespace kith::dht
