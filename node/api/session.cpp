#include "node/api/session.hpp"

#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/basic_stream.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/error.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/string_body.hpp>
#include <cstdio>
#include <optional>
#include <string_view>
#include <utility>

namespace kith::node {
namespace {

namespace net = boost::asio;
namespace http = boost::beast::http;
using Protocol = net::local::stream_protocol;
using Clock = std::chrono::steady_clock;
using Ec = boost::system::error_code;

constexpr std::string_view kAnswerHead =
    "HTTP/1.1 200 OK\r\n"
    "Content-Type: application/x-ndjson\r\n"
    "Cache-Control: no-store\r\n"
    "Transfer-Encoding: chunked\r\n"
    "Connection: close\r\n\r\n";
constexpr std::size_t kLineRoom = 4'096;  // for what follows the content
constexpr std::string_view kLastChunk = "0\r\n\r\n";
constexpr std::string_view kRoot = "/v1/";

void append_chunk(std::string& to, std::string_view bytes) {
  char size[24];
  const int length = std::snprintf(size, sizeof size, "%zx\r\n", bytes.size());
  to.append(size, static_cast<std::size_t>(length)).append(bytes).append("\r\n");
}

/// The status for a request that did not parse; 0 where nobody is left to read one.
int status_of(const Ec& error) {
  if (error == http::error::body_limit) return 413;
  if (error == http::error::header_limit) return 431;
  if (error.category() != http::make_error_code(http::error::bad_method).category()) return 0;
  return error == http::error::end_of_stream || error == http::error::partial_message ? 0 : 400;
}

std::string_view reason_of(int status) {
  switch (status) {
    case 404:
      return "Not Found";
    case 405:
      return "Method Not Allowed";
    case 413:
      return "Content Too Large";
    case 431:
      return "Request Header Fields Too Large";
    case 505:
      return "HTTP Version Not Supported";
    default:
      return "Bad Request";
  }
}

class HttpSession final : public Session, public std::enable_shared_from_this<HttpSession> {
 public:
  HttpSession(Protocol::socket socket, const SessionLimits& session_limits, SessionHandler& handler)
      : stream_(std::move(socket)),
        progress_timer_(stream_.get_executor()),
        limits_(session_limits),
        handler_(handler) {}

  void start() override {
    parser_.header_limit(limits::kApiHeaderMax);
    parser_.body_limit(limits::kApiBodyMax);
    stream_.expires_after(limits_.request_time);
    http::async_read(
        stream_, buffer_, parser_,
        [self = shared_from_this()](const Ec& error, std::size_t) { self->on_request(error); });
  }

  void write(Line line) override {
    if (ended_ || last_) return;
    if (!answering_) return end();
    if (line.kind == LineKind::kProgress) {
      progress_ = std::move(line.json);
      offer_progress();
      return;
    }
    if (waiting_.size() + sending_.size() > limits_.backlog) return end();
    if (!line.data.empty()) {
      append_chunk(waiting_, dump_line(data_line(line.data.size())));
      waiting_.reserve(waiting_.size() + line.data.size() + kLineRoom);
      append_chunk(waiting_, line.data);
    }
    append_chunk(waiting_, dump_line(line.json));
    if (line.kind == LineKind::kLast) {
      last_ = true;
      progress_.reset();
      waiting_ += kLastChunk;
    }
    send();
  }

  void close() override { end(); }

 private:
  void on_request(const Ec& error) {
    if (ended_) return;
    if (error) return refuse(status_of(error));
    const auto& request = parser_.get();
    if (request.version() != 11) return refuse(505);
    if (buffer_.size() != 0) return refuse(400);
    const std::string target(request.target());
    if (target.substr(0, kRoot.size()) != kRoot) return refuse(404);
    const std::string name = target.substr(kRoot.size());
    const bool events = name == "events";
    if (request.method() != (events ? http::verb::get : http::verb::post)) return refuse(405);
    begin_answer();
    if (events) {
      handler_.on_events(*this);
    } else {
      handler_.on_command(*this, name, request.body());
    }
  }

  void begin_answer() {
    stream_.expires_never();
    answering_ = true;
    waiting_ = kAnswerHead;
    watch_for_end();
    send();
  }

  /// A plain status instead of an answer; 0: just the end.
  void refuse(int status) {
    if (status == 0) return end();
    const std::string text(reason_of(status));
    stream_.expires_after(limits_.request_time);
    last_ = true;
    waiting_ = "HTTP/1.1 " + std::to_string(status) + " " + text +
               "\r\nContent-Type: text/plain\r\nConnection: close\r\nContent-Length: " +
               std::to_string(text.size() + 1) + "\r\n\r\n" + text + "\n";
    send();
  }

  void watch_for_end() {
    stream_.socket().async_wait(Protocol::socket::wait_read,
                                [self = shared_from_this()](const Ec&) { self->end(); });
  }

  void send() {
    if (!sending_.empty() || waiting_.empty() || ended_) return;
    sending_.swap(waiting_);
    net::async_write(
        stream_, net::buffer(sending_),
        [self = shared_from_this()](const Ec& error, std::size_t) { self->on_sent(error); });
  }

  void on_sent(const Ec& error) {
    if (ended_) return;
    sending_.clear();
    if (error || (last_ && waiting_.empty())) return end();
    send();
    offer_progress();
  }

  /// Sends the newest progress if the line is free and the last one is old enough.
  void offer_progress() {
    if (!progress_ || !sending_.empty()) return;
    const auto now = Clock::now();
    if (now < next_progress_) return arm_progress_timer();
    next_progress_ = now + limits_.progress_every;
    append_chunk(waiting_, dump_line(*progress_));
    progress_.reset();
    send();
  }

  void arm_progress_timer() {
    if (std::exchange(timer_armed_, true)) return;
    progress_timer_.expires_at(next_progress_);
    progress_timer_.async_wait([self = shared_from_this()](const Ec& error) {
      self->timer_armed_ = false;
      if (!error && !self->ended_) self->offer_progress();
    });
  }

  void end() {
    if (std::exchange(ended_, true)) return;
    progress_timer_.cancel();
    stream_.close();
    net::post(stream_.get_executor(),
              [self = shared_from_this()] { self->handler_.on_end(*self); });
  }

  boost::beast::basic_stream<Protocol> stream_;
  net::steady_timer progress_timer_;
  const SessionLimits limits_;
  SessionHandler& handler_;
  boost::beast::flat_buffer buffer_;
  http::request_parser<http::string_body> parser_;

  std::string waiting_;  // framed, not yet given to the socket
  std::string sending_;  // given to it; empty if no write is under way
  std::optional<Json> progress_;
  Clock::time_point next_progress_{};
  bool timer_armed_ = false;
  bool answering_ = false;
  bool last_ = false;  // the last line is in waiting_, or gone
  bool ended_ = false;
};

}  // namespace

std::shared_ptr<Session> make_session(Protocol::socket socket, const SessionLimits& limits,
                                      SessionHandler& handler) {
  return std::make_shared<HttpSession>(std::move(socket), limits, handler);
}

}  // namespace kith::node
