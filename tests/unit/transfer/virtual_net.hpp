// Several Managers wired together in memory, in virtual time: links with delay and rate, jobs that
// take a while, nodes that lie or fail. Content is made up: every record carries its share, index
// and place, so that a store job sees whether a chunk was put together rightly.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <variant>
#include <vector>

#include "proto/crypto/random.hpp"
#include "proto/limits.hpp"
#include "transfer/manager.hpp"

namespace kith::transfer::test {

using namespace std::chrono_literals;

/// Lengths of a share's chunks and which page describes which.
struct ModelShare {
  ShareId id;
  std::uint8_t swarm = 0;  // as LinkOptions::swarm
  std::uint32_t root_length = 0;
  std::vector<std::uint32_t> page_lengths;
  std::vector<std::uint32_t> chunk_lengths;

  /// Random lengths from 1 to `max_length`.
  static ModelShare make(Rng& rng, std::uint32_t pages, std::uint32_t chunks,
                         std::uint32_t max_length);
  [[nodiscard]] ChunkIndex total() const {
    return static_cast<ChunkIndex>(1 + page_lengths.size() + chunk_lengths.size());
  }
  [[nodiscard]] std::uint32_t length(ChunkIndex index) const;
  [[nodiscard]] std::uint64_t bytes() const;
  /// Content chunks [first, last) that page `page` describes.
  [[nodiscard]] std::pair<std::uint32_t, std::uint32_t> chunks_of(std::uint32_t page) const;
};

/// How a node behaves.
struct Behaviour {
  std::set<ChunkIndex> rotten;      // sends these wrong
  bool lies = false;                // sends every content chunk wrong
  bool never_reads = false;         // takes in nothing
  std::uint32_t seal_failures = 0;  // this many section jobs fail, each tenth
  Duration seal_time = 200us;
  Duration store_time = 200us;
  /// The nth store job (from 0) ends so, whatever came.
  std::optional<std::pair<std::size_t, StoreOutcome>> store_outcome{};
  bool heals = true;  // checks its copy when told `bad`, and withdraws
};

struct LinkOptions {
  Duration delay = 1ms;
  std::uint64_t rate = 200'000'000;  // bytes per second, each direction
  std::uint32_t stall_chance = 0;    // of 1,000 items: stalls for up to 300 ms
  std::uint8_t swarm = 0;            // whose connection it is
  bool lan = false;                  // it is on the local network
};

class VirtualNet {
 public:
  explicit VirtualNet(std::uint64_t seed);
  ~VirtualNet();

  /// The invariants of a node are checked after every so many calls: they cost far more than a
  /// call.
  void check_every(std::uint64_t calls) { check_every_ = calls; }
  std::size_t add_node(Behaviour behaviour = {}, Config config = {32 << 20, 32 << 20});
  /// The node holds all of it and serves.
  void seed_share(std::size_t node, const ModelShare& share);
  void fetch(std::size_t node, const ModelShare& share);
  void remove(std::size_t node, const ModelShare& share);
  void stop_fetching(std::size_t node, const ModelShare& share);
  /// Fetches again what was stopped, as the engine does after a restart: the shape is known.
  void resume(std::size_t node, const ModelShare& share);
  void stop_reading(std::size_t node) { nodes_[node]->behaviour.never_reads = true; }
  void set_limits(std::size_t node, const LimitRules& rules);
  [[nodiscard]] SwarmId swarm(std::uint8_t number = 0) const;
  /// Returns the link's number.
  std::size_t connect(std::size_t a, std::size_t b, LinkOptions options = {});
  void close(std::size_t link);
  /// Closes it and connects the same two nodes anew.
  std::size_t reconnect(std::size_t link, LinkOptions options);
  void at(Duration from_now, std::function<void()> what);

  /// Runs until nothing is left to happen, `done` holds, or virtual time passed `limit`.
  void run(
      Duration limit, const std::function<bool()>& done = [] { return false; });
  /// Runs until every fetch is complete. Returns whether that was reached.
  bool run_fetches(Duration limit);

  [[nodiscard]] bool complete(std::size_t node, const ShareId& share) const;
  [[nodiscard]] Manager& manager(std::size_t node) { return *nodes_[node]->manager; }
  [[nodiscard]] const std::vector<std::string>& trace() const { return trace_; }
  [[nodiscard]] TimePoint now() const { return now_; }
  [[nodiscard]] std::size_t nodes() const { return nodes_.size(); }
  [[nodiscard]] std::size_t links_open() const;
  [[nodiscard]] std::size_t slabs_in_use() const { return pool_.in_use(); }
  [[nodiscard]] const DeviceId& device(std::size_t node) const { return nodes_[node]->device; }
  /// Content and manifest bytes that left the node in sections.
  [[nodiscard]] std::uint64_t bytes_sent(std::size_t node) const { return nodes_[node]->sent; }
  /// Calls of the node's manager.
  [[nodiscard]] std::uint64_t calls(std::size_t node) const { return nodes_[node]->calls; }
  [[nodiscard]] std::size_t events_run() const { return events_run_; }
  [[nodiscard]] std::size_t peak_reserved(std::size_t node) const { return nodes_[node]->peak; }
  [[nodiscard]] bool rotten(std::size_t node) const {
    return !nodes_[node]->behaviour.rotten.empty();
  }
  [[nodiscard]] bool failed(std::size_t node) const { return nodes_[node]->failed; }
  [[nodiscard]] std::size_t unavailable(std::size_t node) const {
    return nodes_[node]->unavailable;
  }
  /// Called before every event; what it returns true for ends the run.
  std::function<bool(std::size_t)> before_event;

 private:
  struct Node {
    DeviceId device;
    Behaviour behaviour;
    std::unique_ptr<SeededRng> rng;
    std::unique_ptr<Manager> manager;
    std::set<ShareId> completed;
    std::set<ShareId> fetching;
    std::uint64_t sent = 0;
    std::uint64_t calls = 0;
    std::size_t peak = 0;
    std::size_t unavailable = 0;
    std::size_t seals = 0;
    std::size_t stores = 0;
    bool failed = false;
    Section next_section = 0;
    std::optional<TimePoint> timer;
  };
  struct Item {
    Buffer frame;                        // a control frame, or
    std::optional<SendSection> section;  // a section
    std::size_t bytes = 0;
  };
  struct Direction {
    std::size_t from = 0;
    std::size_t to = 0;
    ConnId from_conn{};
    ConnId to_conn{};
    std::deque<Item> queue;
    std::size_t unsent = 0;
    bool writing = false;
  };
  struct Link {
    LinkOptions options;
    Direction there, back;
    bool open = true;
  };

  template <class F>
  void drive(std::size_t node, F&& call);
  void apply(std::size_t node, Outbox out);
  void apply_event(std::size_t node, const Event& event);
  void seal(std::size_t node, const SealRequest& request);
  void store(std::size_t node, StoreRequest request);
  void on_stored_index(std::size_t node, const ChunkStored& event);
  Direction* direction(std::size_t node, ConnId conn, Link** link);
  void push(std::size_t node, ConnId conn, Item item);
  void write_next(Link& link, Direction& dir);
  void deliver(Link& link, Direction& dir, Item item);
  void rearm(std::size_t node);
  StoreOutcome inspect(StoreRequest& request) const;

  SlabPool pool_;
  SeededRng rng_;
  TimePoint now_{};
  std::uint64_t sequence_ = 0;
  std::uint64_t next_conn_ = 1;
  std::size_t events_run_ = 0;
  std::uint64_t check_every_ = 1;
  SwarmId swarm_;
  std::multimap<std::pair<TimePoint, std::uint64_t>, std::function<void()>> events_;
  std::vector<std::unique_ptr<Node>> nodes_;
  std::vector<std::unique_ptr<Link>> links_;
  std::map<ConnId, std::size_t> link_of_;
  std::map<ShareId, ModelShare> shares_;
  std::vector<std::string> trace_;
};

}  // namespace kith::transfer::test
