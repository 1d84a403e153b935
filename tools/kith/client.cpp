#include "tools/kith/client.hpp"

#include <array>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/error.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>
#include <cerrno>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

namespace kith::cli {
namespace {

namespace http = boost::beast::http;
using Ec = boost::system::error_code;

constexpr std::size_t kReadSize = 64 * 1024;

/// A node that refuses a request closes while the rest of it is still being sent: what it said is
/// read all the same, so a failed write is no error here.
void send_request(int fd, std::string_view command, const std::string& arguments) {
  std::string text = "POST /v1/" + std::string(command) +
                     " HTTP/1.1\r\nHost: kith\r\nContent-Type: application/json\r\n"
                     "Content-Length: " +
                     std::to_string(arguments.size()) + "\r\n\r\n" + arguments;
  std::string_view rest = text;
  while (!rest.empty()) {
    const ssize_t sent = ::send(fd, rest.data(), rest.size(), MSG_NOSIGNAL);
    if (sent < 0 && errno == EINTR) continue;
    if (sent <= 0) return;
    rest.remove_prefix(static_cast<std::size_t>(sent));
  }
}

/// Cuts a stream of bytes into lines.
class Lines {
 public:
  explicit Lines(const OnLine& on_line) : on_line_(on_line) {}
  void add(std::string_view bytes) {
    std::size_t searched = pending_.size();
    pending_ += bytes;
    std::size_t begin = 0;
    for (;;) {
      const std::size_t end = pending_.find('\n', searched);
      if (end == std::string::npos) break;
      on_line_(std::string_view(pending_).substr(begin, end + 1 - begin));
      begin = searched = end + 1;
    }
    pending_.erase(0, begin);
  }

 private:
  const OnLine& on_line_;
  std::string pending_;
};

class Answer {
 public:
  explicit Answer(const OnLine& on_line) : lines_(on_line) {
    parser_.eager(true);
    parser_.body_limit(boost::none);
    parser_.on_chunk_body(on_chunk_);
  }
  [[nodiscard]] bool done() const { return parser_.is_done(); }
  [[nodiscard]] Result<void> add(std::string_view bytes) {
    const auto room = buffer_.prepare(bytes.size());
    std::copy(bytes.begin(), bytes.end(), static_cast<char*>(room.data()));
    buffer_.commit(bytes.size());
    while (buffer_.size() > 0 && !parser_.is_done()) {
      Ec error;
      const std::size_t used = parser_.put(buffer_.data(), error);
      buffer_.consume(used);
      if (parser_.is_header_done()) KITH_CHECK(check_status());
      if (error == http::error::need_more) return {};
      if (error) return local_error(Errc::kUnsupported, "the node's answer is not understood");
    }
    return {};
  }

 private:
  Result<void> check_status() const {
    const unsigned status = parser_.get().result_int();
    if (status == 200) return {};
    if (status == 503) {
      return local_error(Errc::kConflict, "the node has too many clients", {}, "try again later");
    }
    return local_error(Errc::kUnsupported, "the node refuses this command", std::to_string(status),
                       "it may be of another version: kith stop, then kith start");
  }

  Lines lines_;
  boost::beast::flat_buffer buffer_;
  http::response_parser<http::string_body> parser_;
  std::function<std::size_t(std::uint64_t, boost::beast::string_view, Ec&)> on_chunk_ =
      [this](std::uint64_t, boost::beast::string_view body, Ec&) {
        lines_.add({body.data(), body.size()});
        return body.size();
      };
};

}  // namespace

Result<CallEnd> call(const node::UniqueFd& connection, std::string_view command,
                     const std::string& arguments, int signal_fd, const OnLine& on_line) {
  send_request(connection.get(), command, arguments);
  Answer answer(on_line);
  std::array<char, kReadSize> bytes;
  while (!answer.done()) {
    std::array<pollfd, 2> wait{pollfd{connection.get(), POLLIN, 0}, pollfd{signal_fd, POLLIN, 0}};
    if (::poll(wait.data(), wait.size(), -1) < 0 && errno != EINTR) {
      return os_error(errno, "cannot wait for the node");
    }
    if (wait[1].revents != 0) return CallEnd::kSignal;
    if (wait[0].revents == 0) continue;
    const ssize_t size = ::read(connection.get(), bytes.data(), bytes.size());
    if (size < 0 && errno == EINTR) continue;
    if (size <= 0) return CallEnd::kLost;
    KITH_CHECK(answer.add({bytes.data(), static_cast<std::size_t>(size)}));
  }
  return CallEnd::kComplete;
}

}  // namespace kith::cli
