#include "tools/kith/client.hpp"

#include <algorithm>
#include <array>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/error.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>
#include <cerrno>
#include <charconv>
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

/// Bytes that follow behind a line; 0 behind most.
std::size_t data_behind(std::string_view line) {
  constexpr std::string_view kData = R"({"v":1,"event":"data","length":)";
  std::size_t out = 0;
  if (line.starts_with(kData)) {
    (void)std::from_chars(line.data() + kData.size(), line.data() + line.size(), out);
  }
  return out;
}

/// Cuts a stream of bytes into lines, and the data behind some of them.
class Lines {
 public:
  Lines(const OnLine& on_line, const OnData& on_data) : on_line_(on_line), on_data_(on_data) {}
  void add(std::string_view bytes) {
    while (!bytes.empty()) {
      if (data_ > 0) {
        take_data(bytes);
      } else {
        take_line(bytes);
      }
    }
  }

 private:
  void take_data(std::string_view& bytes) {
    const std::string_view data = bytes.substr(0, data_);
    data_ -= data.size();
    bytes.remove_prefix(data.size());
    if (on_data_) on_data_(data);
  }
  void take_line(std::string_view& bytes) {
    const std::size_t end = std::min(bytes.find('\n'), bytes.size() - 1);
    pending_ += bytes.substr(0, end + 1);
    bytes.remove_prefix(end + 1);
    if (pending_.back() != '\n') return;
    data_ = data_behind(pending_);
    if (data_ == 0) on_line_(pending_);
    pending_.clear();
  }

  const OnLine& on_line_;
  const OnData& on_data_;
  std::string pending_;
  std::size_t data_ = 0;  // bytes of it that are still to come
};

class Answer {
 public:
  Answer(const OnLine& on_line, const OnData& on_data) : lines_(on_line, on_data) {
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
                     const std::string& arguments, int signal_fd, const OnLine& on_line,
                     const OnData& on_data) {
  send_request(connection.get(), command, arguments);
  Answer answer(on_line, on_data);
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
