// What a client may send over the API's socket, in pieces whose size is the first byte. The session
// answers with HTTP or not at all, and ends exactly once, whatever came.
#include <algorithm>
#include <boost/asio/io_context.hpp>
#include <cstdint>
#include <string>
#include <string_view>
#include <sys/socket.h>
#include <unistd.h>

#include "node/api/routes.hpp"
#include "node/api/session.hpp"
#include "node/api/unique_fd.hpp"
#include "proto/assert.hpp"
#include "proto/bytes.hpp"

namespace {

using namespace kith;
using namespace kith::node;
using Protocol = boost::asio::local::stream_protocol;

class Handler final : public SessionHandler {
 public:
  void on_command(Session& session, const std::string& name, const std::string& body) override {
    begin();
    session.write({LineKind::kProgress, done_line()});
    const auto arguments = parse_arguments(body);
    const bool good = arguments && parse_request(name, *arguments);
    session.write({LineKind::kItem, done_line()});
    session.write({LineKind::kLast, good ? done_line() : to_json(local_error(Errc::kUsage, "no"))});
    session.write({LineKind::kLast, done_line()});
  }
  void on_events(Session& session) override {
    begin();
    session.write({LineKind::kItem, to_json(NodeEvent{"kind", "what", "subject"})});
  }
  void on_end(Session&) override {
    KITH_ASSERT(!ended_);
    ended_ = true;
  }
  [[nodiscard]] bool ended() const { return ended_; }

 private:
  void begin() {
    KITH_ASSERT(!begun_ && !ended_);
    begun_ = true;
  }
  bool begun_ = false;
  bool ended_ = false;
};

std::string read_all(int fd) {
  std::string out;
  char bytes[4096];
  for (;;) {
    const ssize_t size = ::recv(fd, bytes, sizeof bytes, MSG_DONTWAIT);
    if (size <= 0) return out;
    out.append(bytes, static_cast<std::size_t>(size));
  }
}

void send_in_pieces(boost::asio::io_context& io, int fd, std::string_view text, std::size_t piece) {
  while (!text.empty()) {
    const std::size_t size = std::min(piece, text.size());
    if (::send(fd, text.data(), size, MSG_NOSIGNAL | MSG_DONTWAIT) <= 0) return;
    text.remove_prefix(size);
    io.poll();
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  int ends[2];
  KITH_ASSERT(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0);
  UniqueFd client(ends[0]);
  Handler handler;
  boost::asio::io_context io(1);
  auto session = make_session(Protocol::socket(io, Protocol(), ends[1]), {}, handler);
  session->start();
  send_in_pieces(io, client.get(), as_text({data + 1, size - 1}), std::size_t{data[0]} * 8 + 1);
  io.poll();
  const std::string answer = read_all(client.get());
  constexpr std::string_view kHttp = "HTTP/1.1 ";
  KITH_ASSERT(answer.empty() || answer.compare(0, kHttp.size(), kHttp) == 0);
  client.reset();
  io.poll();
  KITH_ASSERT(handler.ended());
  return 0;
}
