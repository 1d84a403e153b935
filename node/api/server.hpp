// The local API of a node (docs/api.md): HTTP over the Unix socket of the home, on a thread of its
// own. It parses commands, hands them to the backend and writes what comes back as JSON lines.
//
// Who may connect: processes of the same user. Bounds: limits::kApi… and SessionLimits. Whatever
// arrives on the socket costs bounded work and never ends the process.
#pragma once

#include <memory>
#include <string>

#include "node/api/session_limits.hpp"
#include "node/api/share_request.hpp"
#include "node/engine/command.hpp"
#include "proto/result.hpp"

namespace kith::node {

/// What the API asks of the node. Called on the API's thread; must not block.
class ApiBackend {
 public:
  virtual ~ApiBackend() = default;
  /// A command of the engine. Its replies come back through ApiServer::deliver.
  virtual void submit(Command command) = 0;
  /// Import a path and share it. Updates come back through ApiServer::deliver.
  virtual void start_share(RequestId request, ShareRequest share) = 0;
  /// The client of a command that has not ended went away. Replies to it are ignored from now on.
  virtual void cancel(RequestId request) = 0;
  /// `kith stop`.
  virtual void request_stop() = 0;
};

struct ApiOptions {
  std::string home;  // its lock is held
  std::size_t connections = limits::kApiConnections;
  SessionLimits session;
};

class ApiServer {
 public:
  /// `backend` must live until stop() returned.
  ApiServer(ApiBackend& backend, ApiOptions options);
  /// stop().
  ~ApiServer();

  /// Binds the socket, then serves on a new thread. Errors: the socket cannot be made. Once.
  [[nodiscard]] Result<void> start();
  /// Any thread. Never blocks. An answer to an unknown request is ignored.
  void deliver(Reply reply);
  /// The same for what an import tells.
  void deliver(RequestId request, ShareUpdate update);
  /// Any thread. Never blocks. For every client of GET /v1/events.
  void publish(NodeEvent event);
  /// Any thread but the API's and T0. Ends what is still asked with an error (kClosed), lets
  /// clients read their last lines for limits::kApiFlushTime, removes the socket.
  void stop();

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace kith::node
