#include "node/runtime/tcp_driver.hpp"

#include <algorithm>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include "proto/limits.hpp"

namespace kith::node {
namespace {

using namespace std::chrono_literals;

// The kernel says "writable" only while less than this is unsent: so the engine, not the socket
// buffer, decides the order of what leaves.
constexpr int kNotSentLowAt = 256 * 1024;
constexpr std::size_t kRunsPerCall = 64;
// How many full reads or writes one readiness may do before others have their turn.
constexpr int kCallsPerTurn = 4;
// At a close, at most this many reads: a stranger that sends without end gets its RST after all.
constexpr int kReadsAtClose = 16;
// Accepting stops this long when the process has no descriptors left: the backlog waits.
constexpr auto kAcceptPause = 100ms;

void set_options(asio::ip::tcp::socket& socket) {
  error_code ec;
  socket.non_blocking(true, ec);
  socket.set_option(asio::ip::tcp::no_delay(true), ec);
  socket.set_option(asio::socket_base::keep_alive(true), ec);
  setsockopt(socket.native_handle(), IPPROTO_TCP, TCP_NOTSENT_LOWAT, &kNotSentLowAt,
             sizeof kNotSentLowAt);
}

}  // namespace

TcpDriver::TcpDriver(asio::io_context& context, TcpEvents& events)
    : context_(context), events_(events), acceptor_(context), accept_pause_(context) {}

Result<void> TcpDriver::listen(const Endpoint& listen) {
  error_code ec;
  const auto endpoint = to_asio<asio::ip::tcp::endpoint>(listen);
  acceptor_.open(endpoint.protocol(), ec);
  if (ec) return net_error(ec, "cannot open a TCP socket", listen.to_string());
  acceptor_.set_option(asio::ip::tcp::acceptor::reuse_address(true), ec);
  if (listen.is_v6()) acceptor_.set_option(asio::ip::v6_only(false), ec);
  acceptor_.bind(endpoint, ec);
  if (!ec) acceptor_.listen(asio::socket_base::max_listen_connections, ec);
  if (ec) {
    const Error error = net_error(ec, "cannot listen on this TCP address", listen.to_string());
    acceptor_.close(ec);
    return error;
  }
  return {};
}

void TcpDriver::start() { accept(); }

void TcpDriver::accept() {
  if (!acceptor_.is_open()) return;
  acceptor_.async_accept([this](const error_code& ec, asio::ip::tcp::socket socket) {
    accepted(ec, std::move(socket));
  });
}

void TcpDriver::accepted(const error_code& ec, asio::ip::tcp::socket socket) {
  if (!acceptor_.is_open()) return;
  const bool exhausted = ec == boost::system::errc::too_many_files_open ||
                         ec == boost::system::errc::too_many_files_open_in_system ||
                         ec == boost::system::errc::no_buffer_space ||
                         ec == boost::system::errc::not_enough_memory;
  if (exhausted) {
    accept_pause_.expires_after(kAcceptPause);
    accept_pause_.async_wait([this](const error_code& cancelled) {
      if (!cancelled) accept();
    });
    return;
  }
  if (!ec) {
    error_code gone;
    const auto remote = socket.remote_endpoint(gone);
    const auto conn = gone ? std::nullopt : events_.on_accepted(from_asio(remote));
    if (conn) {
      const auto link = std::make_shared<Link>(context_);
      link->socket = std::move(socket);
      links_[*conn] = link;
      begin(*conn, link);
    }
  }
  accept();
}

void TcpDriver::connect(ConnId conn, const Endpoint& to) {
  const auto link = std::make_shared<Link>(context_);
  links_[conn] = link;
  link->socket.async_connect(to_asio<asio::ip::tcp::endpoint>(to),
                             [this, conn, link](const error_code& ec) {
                               if (!is_live(conn, link)) return;
                               if (ec) return lost(conn, net_error(ec, "cannot connect", {}));
                               begin(conn, link);
                             });
}

void TcpDriver::begin(ConnId conn, const LinkPtr& link) {
  set_options(link->socket);
  link->open = true;
  error_code ec;
  const auto local = link->socket.local_endpoint(ec);
  events_.on_connected(conn, ec ? Endpoint() : from_asio(local));
  if (!is_live(conn, link)) return;
  wait_read(conn, link);
}

bool TcpDriver::is_live(ConnId conn, const LinkPtr& link) const {
  const auto it = links_.find(conn);
  return it != links_.end() && it->second == link;
}

void TcpDriver::wait_read(ConnId conn, LinkPtr link) {
  auto& socket = link->socket;
  socket.async_wait(asio::ip::tcp::socket::wait_read,
                    [this, conn, link = std::move(link)](const error_code& ec) {
                      if (!is_live(conn, link)) return;
                      if (ec) return lost(conn, net_error(ec, "the connection broke", {}));
                      read(conn, link);
                    });
}

void TcpDriver::read(ConnId conn, const LinkPtr& link) {
  for (int call = 0; call < kCallsPerTurn; ++call) {
    read_runs_.clear();
    events_.read_plan(conn, read_runs_);
    iovecs_.clear();
    std::size_t room = 0;
    for (const MutableBytes run : read_runs_) {
      if (iovecs_.size() == kRunsPerCall) break;
      iovecs_.push_back({run.data(), run.size()});
      room += run.size();
    }
    const ssize_t n =
        ::readv(link->socket.native_handle(), iovecs_.data(), static_cast<int>(iovecs_.size()));
    if (n == 0) return lost(conn, network_error(Errc::kClosed, "the other side closed"));
    if (n < 0) {
      if (errno == EAGAIN || errno == EINTR) break;
      return lost(conn, net_error(error_code(errno, boost::system::system_category()),
                                  "the connection broke", {}));
    }
    events_.on_read(conn, static_cast<std::size_t>(n));
    if (!is_live(conn, link)) return;
    if (static_cast<std::size_t>(n) < room) break;
  }
  wait_read(conn, link);
}

void TcpDriver::writable(ConnId conn) {
  const auto it = links_.find(conn);
  if (it == links_.end() || !it->second->open || it->second->writing) return;
  write(conn, LinkPtr(it->second));
}

// Goes on by itself while there is something to write: telling the engine of what was written often
// leads back to writable() or close(), which must not begin a second one.
void TcpDriver::write(ConnId conn, const LinkPtr& link) {
  link->writing = true;
  for (int call = 0; call < kCallsPerTurn; ++call) {
    write_runs_.clear();
    events_.write_plan(conn, write_runs_);
    iovecs_.clear();
    std::size_t planned = 0;
    for (const Bytes run : write_runs_) {
      if (iovecs_.size() == kRunsPerCall) break;
      iovecs_.push_back({const_cast<std::uint8_t*>(run.data()), run.size()});
      planned += run.size();
    }
    if (planned == 0) {
      link->writing = false;
      if (link->closing) {
        close(conn, false);
        events_.on_closed(conn, network_error(Errc::kClosed, "closed"));
      }
      return;
    }
    msghdr message{};
    message.msg_iov = iovecs_.data();
    message.msg_iovlen = iovecs_.size();
    const ssize_t n = ::sendmsg(link->socket.native_handle(), &message, MSG_NOSIGNAL);
    if (n < 0) {
      if (errno == EAGAIN || errno == EINTR) break;
      return lost(conn, net_error(error_code(errno, boost::system::system_category()),
                                  "the connection broke", {}));
    }
    events_.on_wrote(conn, static_cast<std::size_t>(n));
    if (!is_live(conn, link)) return;
    if (static_cast<std::size_t>(n) < planned) break;
  }
  wait_write(conn, link);
}

void TcpDriver::wait_write(ConnId conn, LinkPtr link) {
  auto& socket = link->socket;
  socket.async_wait(asio::ip::tcp::socket::wait_write,
                    [this, conn, link = std::move(link)](const error_code& ec) {
                      if (!is_live(conn, link)) return;
                      if (ec) return lost(conn, net_error(ec, "the connection broke", {}));
                      write(conn, link);
                    });
}

void TcpDriver::lost(ConnId conn, const Error& why) {
  links_.erase(conn);
  events_.on_closed(conn, why);
}

void TcpDriver::close(ConnId conn, bool flush) {
  const auto it = links_.find(conn);
  if (it == links_.end()) return;
  const LinkPtr link = it->second;
  if (flush && link->open) {
    link->closing = true;
    if (!link->writing) write(conn, link);
    return;
  }
  links_.erase(conn);
  // A socket closed with unread bytes answers RST, which would tell a stranger that somebody read
  // on and refused. So what came is read off first, and the end is an ordinary one.
  std::array<std::uint8_t, 16 * 1024> rest;
  const int fd = link->socket.native_handle();
  for (int i = 0; i < kReadsAtClose && link->open; ++i) {
    if (::recv(fd, rest.data(), rest.size(), MSG_DONTWAIT) <= 0) break;
  }
  error_code ec;
  link->socket.shutdown(asio::ip::tcp::socket::shutdown_both, ec);
  link->socket.close(ec);
}

void TcpDriver::stop_accepting() {
  error_code ec;
  acceptor_.close(ec);
  accept_pause_.cancel();
}

void TcpDriver::close_all() {
  stop_accepting();
  while (!links_.empty()) close(links_.begin()->first, false);
}

}  // namespace kith::node
