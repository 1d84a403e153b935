// Whole swarms in one process, in virtual time, from a seed. Every node is the engine that ships,
// with the jobs that ship, over a disk in memory and a catalog in memory; only sockets, threads and
// clocks are replaced, by one queue of events ordered by (time, number).
//
// The network loses, delays, reorders and duplicates datagrams; streams are delayed and delivered
// in random portions, and stall while a partition stands between their ends. A crash takes away
// whatever was not written (process) or not synced (system). A node may sleep, its wall clock may
// jump, and it may read as slowly as a test likes.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <queue>
#include <set>
#include <string>
#include <vector>

#include "node/engine/engine.hpp"
#include "proto/crypto/random.hpp"
#include "tests/sim/backing.hpp"

namespace kith::sim {

struct NetworkFaults {
  std::uint32_t loss_percent = 0;  // of datagrams
  std::uint32_t duplicate_percent = 0;
  Duration delay_min = std::chrono::milliseconds(1);
  Duration delay_max = std::chrono::milliseconds(40);
};

class World;

class Node {
 public:
  using Crash = storage::MemoryFileIo::Crash;

  /// `lan`: with an address of a local network; else each in a /24 of its own, as over the
  /// Internet.
  Node(World& world, std::size_t number, bool lan);

  void start();
  /// The process ends at once. kSystem: the machine too, and what was not synced is lost.
  void crash(Crash kind);
  /// The same in the middle of a job, before the n-th call from now that it makes on the disk.
  void crash_at(std::uint64_t call, Crash kind);
  [[nodiscard]] bool is_up() const { return engine_ != nullptr; }

  /// Nothing happens here for so long, as on a machine that is suspended; what arrives waits.
  void sleep(Duration duration);
  /// The wall clock of this node jumps by so much.
  void shift_clock(std::chrono::milliseconds by) { clock_shift_ += by; }
  /// It does not mind what is wrong on its disk: told of it, it goes on sending it.
  void see_no_damage() { backing_.see_no_damage(); }
  /// From now on it reads so many bytes a second of each stream; nothing: as fast as they come.
  void read_slowly(std::optional<std::size_t> bytes_per_second);

  /// Sends a command; `done` gets its final answer.
  node::RequestId command(node::CommandBody body, std::function<void(Result<node::Done>)> done);
  /// The client of a command goes away.
  void hang_up(node::RequestId request);
  [[nodiscard]] const node::Engine& engine() const { return *engine_; }
  /// What happened here in this life that no command asked for.
  [[nodiscard]] const std::vector<node::NodeEvent>& events() const { return events_; }
  /// Imports a path of this node's disk and shares it in the swarm. The link.
  [[nodiscard]] Result<std::string> share(const std::string& path, const Chunking& chunking);

  [[nodiscard]] storage::MemoryFileIo& disk() { return backing_.disk(); }
  /// Slabs that are in use: everything of chunks that is in memory.
  [[nodiscard]] std::size_t slabs_in_use() { return backing_.slabs().in_use(); }
  [[nodiscard]] const Endpoint& address() const { return address_; }
  [[nodiscard]] std::size_t number() const { return number_; }

 private:
  friend class World;
  // A stream's bytes on their way to this node, and the other end of it.
  struct Stream {
    Node* peer = nullptr;
    ConnId peer_conn{};
    std::size_t in_flight = 0;  // towards the peer: sent and not read
    bool writable_pending = false;
    Buffer arrived{};  // and not read
    bool reading = false;
  };

  [[nodiscard]] Now now() const;
  template <class F>
  void turn(F&& input);
  /// In this life of the node, and not while it sleeps.
  void later(Duration delay, std::function<void()> event);
  void run_in_life(std::uint64_t life, const std::function<void()>& event);
  void apply(node::Outbox& out);
  void answer(node::Reply& reply);
  void connect(const node::OutConnect& connect);
  void close(const node::OutClose& close);
  void pump(ConnId conn);
  void read_more(ConnId conn);
  void deliver(ConnId conn, Bytes bytes);
  void run_job(node::Job job);
  void save(std::vector<node::CatalogWrite> writes);
  void arm();
  void closed(ConnId conn, const std::string& why);

  World& world_;
  std::size_t number_;
  Endpoint address_;
  SeededRng rng_;
  DeviceKeys keys_;
  Backing backing_;
  std::unique_ptr<node::Engine> engine_;
  std::uint64_t life_ = 0;  // of the present engine: late events of an earlier one find nothing
  std::map<ConnId, Stream> streams_;
  std::map<node::RequestId, std::function<void(Result<node::Done>)>> waiting_;
  std::uint64_t next_request_ = 1;
  std::uint64_t turns_ = 0;
  std::optional<TimePoint> armed_;
  TimePoint asleep_until_{};
  std::chrono::milliseconds clock_shift_{};
  std::optional<std::size_t> reading_rate_;
  Crash planned_crash_{};
  std::vector<node::NodeEvent> events_;
};

class World {
 public:
  explicit World(std::uint64_t seed, NetworkFaults faults = {});
  ~World();

  Node& add_node(bool lan = false);
  [[nodiscard]] Node& node(std::size_t number) { return *nodes_[number]; }
  [[nodiscard]] std::size_t size() const { return nodes_.size(); }

  /// Runs events until `done()` or until `limit` of virtual time has passed. True: done.
  bool run_until(const std::function<bool()>& done, Duration limit);
  void run_for(Duration duration);
  void at(TimePoint time, std::function<void()> event);
  void after(Duration delay, std::function<void()> event) {
    at(now_.mono + delay, std::move(event));
  }

  /// Nodes of different groups do not hear each other.
  void partition(const std::set<std::size_t>& one_side) { cut_off_ = one_side; }
  void heal() { cut_off_.clear(); }

  [[nodiscard]] Now now() const { return now_; }
  [[nodiscard]] SeededRng& rng() { return rng_; }
  /// Writes that a catalog refused: always a bug.
  [[nodiscard]] const std::vector<std::string>& catalog_errors() const { return catalog_errors_; }
  /// A hash of everything that happened so far: same seed, same trace.
  [[nodiscard]] std::string trace() const;

 private:
  friend class Node;
  struct Event {
    TimePoint time;
    std::uint64_t number;
    std::function<void()> run;
    bool operator>(const Event& other) const {
      return std::tie(time, number) > std::tie(other.time, other.number);
    }
  };
  [[nodiscard]] bool connected(const Node& a, const Node& b) const;
  [[nodiscard]] Duration delay();
  [[nodiscard]] Node* find(const Endpoint& address);
  void note(std::string_view what, std::uint64_t a, std::uint64_t b);

  SeededRng rng_;
  NetworkFaults faults_;
  static constexpr std::int64_t kWallStart = 1'700'000'000'000;
  Now now_{TimePoint(std::chrono::hours(1)), UnixMillis(kWallStart)};
  Duration nanos_{};  // passed since the beginning
  std::priority_queue<Event, std::vector<Event>, std::greater<>> events_;
  std::uint64_t next_event_ = 0;
  std::vector<std::unique_ptr<Node>> nodes_;
  std::set<std::size_t> cut_off_;
  std::vector<std::string> catalog_errors_;
  std::array<std::uint8_t, 32> trace_{};
};

}  // namespace kith::sim
