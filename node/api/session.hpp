// One connection to the API: a request comes, lines go back, the connection ends.
//
// Rules: one request per connection; what is not HTTP of the form in docs/api.md gets a plain
// status and the end. The request has a deadline, the answer has none. What the client does not
// read waits in memory up to a bound, then the client is dropped; progress never waits in line: the
// newest one replaces it, at most one every `progress_every`. A client that closes, or only its
// sending side, or sends more than its request, has left.
//
// Everything here runs on the API thread.
#pragma once

#include <boost/asio/local/stream_protocol.hpp>
#include <memory>
#include <string>

#include "node/api/json.hpp"
#include "node/api/session_limits.hpp"

namespace kith::node {

/// A session as the server sees it.
class Session {
 public:
  virtual ~Session() = default;
  /// Begins to read the request, and its deadline.
  virtual void start() = 0;
  /// One line of the answer; after the last one, and after the end, nothing is written. Where no
  /// request has come yet, nobody can be answered: the connection ends.
  virtual void write(Line line) = 0;
  /// Ends the connection now.
  virtual void close() = 0;
};

/// What a session tells the server. Called from the event loop, never from inside write().
class SessionHandler {
 public:
  virtual ~SessionHandler() = default;
  /// A request came whole: the command, and its arguments as JSON, not looked at.
  virtual void on_command(Session& session, const std::string& name, const std::string& body) = 0;
  /// GET /v1/events
  virtual void on_events(Session& session) = 0;
  /// The connection is over. Once per session, the last call for it.
  virtual void on_end(Session& session) = 0;
};

/// `handler` must live as long as the io_context of `socket` runs.
[[nodiscard]] std::shared_ptr<Session> make_session(
    boost::asio::local::stream_protocol::socket socket, const SessionLimits& limits,
    SessionHandler& handler);

}  // namespace kith::node
