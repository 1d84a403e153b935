// A node: the engine, its threads and sockets, behind one object. `kith node` has one for its life;
// a command that finds no node has one for as long as it runs.
//
// Threads: T0 network and engine · the pool · the catalog · sync · the API · the logger. T0 never
// blocks: every blocking seam of storage asserts that it is not on it.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "node/engine/command.hpp"
#include "proto/endpoint.hpp"
#include "proto/result.hpp"

namespace kith::node {

struct RuntimeOptions {
  std::string home;  // absolute, exists, 0700; its lock is held by the caller
  /// Where to listen, UDP and TCP. Nothing: all addresses, the port of the last run or 5484, and
  /// another one if it is taken, which is then remembered.
  std::optional<Endpoint> listen;
  std::optional<Endpoint> advertise;  // how others reach us, for invites
  std::vector<Endpoint> bootstrap;
  std::uint64_t limit = 0;  // bytes per second, each direction; 0: none
  ScrubSettings scrub{};
  /// Bytes of a file system that fetches leave free; nothing: a hundredth, at most 1 GiB.
  std::optional<std::uint64_t> min_free;
  std::string device_name;     // empty: the host's
  bool lan = true;             // multicast beacons
  bool log_to_stderr = false;  // else HOME/log/kith.log
  int log_level = 2;           // 0 errors, 1 warnings, 2 information, 3 everything
};

class Runtime {
 public:
  /// Opens the home (key file, catalog), binds sockets, starts threads, the API socket last. Errors
  /// say what is wrong with the home or the address, and nothing was changed.
  [[nodiscard]] static Result<std::unique_ptr<Runtime>> start(RuntimeOptions options);
  /// stop() and wait().
  ~Runtime();

  /// Any thread, also a signal-waiting one. Ends connections and fetches in order, keeps what is
  /// verified, closes the API last.
  void stop();
  /// Returns when the node has ended, by stop() or by a `stop` command of the API.
  void wait();

  /// As bound: ports are never 0.
  [[nodiscard]] std::vector<Endpoint> listening() const;

 private:
  struct Impl;
  explicit Runtime(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace kith::node
