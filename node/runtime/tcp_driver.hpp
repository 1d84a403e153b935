// The TCP sockets. The driver moves bytes between sockets and the engine's plans with readv and
// writev, at most 1 MiB per connection and turn, and says when a connection opened or ended. It
// decides nothing: deadlines, limits and order belong to the engine.
#pragma once

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <memory>
#include <sys/uio.h>
#include <unordered_map>
#include <vector>

#include "node/runtime/net.hpp"
#include "proto/ids.hpp"

namespace kith::node {

/// What the driver asks and tells; the runtime passes it to the engine.
class TcpEvents {
 public:
  virtual ~TcpEvents() = default;
  /// A connection came in. Nothing: it is refused, and closed without a word.
  virtual std::optional<ConnId> on_accepted(const Endpoint& from) = 0;
  /// A dial succeeded. `local`: our end of it.
  virtual void on_connected(ConnId conn, const Endpoint& local) = 0;
  /// It ended, or could not be made. The last event of a connection.
  virtual void on_closed(ConnId conn, const Error& why) = 0;
  /// Where to read to, and how much came; what to write, and how much left. Runs stay valid until
  /// the answer.
  virtual void read_plan(ConnId conn, std::vector<MutableBytes>& out) = 0;
  virtual void on_read(ConnId conn, std::size_t n) = 0;
  virtual void write_plan(ConnId conn, std::vector<Bytes>& out) = 0;
  virtual void on_wrote(ConnId conn, std::size_t n) = 0;
};

class TcpDriver {
 public:
  TcpDriver(asio::io_context& context, TcpEvents& events);
  /// Errors as the system reports them, with the address.
  [[nodiscard]] Result<void> listen(const Endpoint& endpoint);
  /// Begins to accept.
  void start();
  /// Dials; on_connected or on_closed follows.
  void connect(ConnId conn, const Endpoint& to);
  /// The engine has something to write.
  void writable(ConnId conn);
  /// At once, and no event follows; or, with `flush`, after what is planned was written, and then
  /// on_closed follows.
  void close(ConnId conn, bool flush);
  /// For the end: no new ones; then all that are open, without events.
  void stop_accepting();
  void close_all();
  [[nodiscard]] std::size_t connections() const { return links_.size(); }

 private:
  struct Link {
    explicit Link(asio::io_context& context) : socket(context) {}
    asio::ip::tcp::socket socket;
    bool open = false;
    bool writing = false;  // in write(), or waiting for room
    bool closing = false;  // close when nothing is left to write
  };
  using LinkPtr = std::shared_ptr<Link>;

  void accept();
  void accepted(const error_code& ec, asio::ip::tcp::socket socket);
  void begin(ConnId conn, const LinkPtr& link);
  void wait_read(ConnId conn, LinkPtr link);
  void read(ConnId conn, const LinkPtr& link);
  void write(ConnId conn, const LinkPtr& link);
  void wait_write(ConnId conn, LinkPtr link);
  void lost(ConnId conn, const Error& why);
  [[nodiscard]] bool is_live(ConnId conn, const LinkPtr& link) const;

  asio::io_context& context_;
  TcpEvents& events_;
  asio::ip::tcp::acceptor acceptor_;
  asio::steady_timer accept_pause_;
  std::unordered_map<ConnId, LinkPtr> links_;
  std::vector<MutableBytes> read_runs_;
  std::vector<Bytes> write_runs_;
  std::vector<iovec> iovecs_;
};

}  // namespace kith::node
