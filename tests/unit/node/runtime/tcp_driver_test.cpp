#include "node/runtime/tcp_driver.hpp"

#include <boost/asio/io_context.hpp>
#include <gtest/gtest.h>

namespace kith::node {
namespace {

// Has endless bytes to send until it is told to stop, and says "writable" whenever some were
// written, as the engine does when it has more.
class Source : public TcpEvents {
 public:
  std::optional<ConnId> on_accepted(const Endpoint&) override { return std::nullopt; }
  void on_connected(ConnId, const Endpoint&) override { connected = true; }
  void on_closed(ConnId, const Error& why) override { ADD_FAILURE() << to_string(why); }
  void read_plan(ConnId, std::vector<MutableBytes>& out) override { out.emplace_back(room_); }
  void on_read(ConnId, std::size_t) override {}
  void write_plan(ConnId, std::vector<Bytes>& out) override {
    if (!stopped) out.emplace_back(bytes_);
  }
  void on_wrote(ConnId conn, std::size_t n) override {
    written += n;
    driver->writable(conn);
  }

  TcpDriver* driver = nullptr;
  bool connected = false;
  bool stopped = false;
  std::size_t written = 0;

 private:
  Buffer room_ = Buffer(1'024);
  Buffer bytes_ = Buffer(8 << 20);
};

TEST(TcpDriver, WaitsOnceForRoomHoweverOftenItIsToldThatThereIsMore) {
  asio::io_context context;
  asio::ip::tcp::acceptor acceptor(context, {asio::ip::address_v4::loopback(), 0});
  Source source;
  TcpDriver driver(context, source);
  source.driver = &driver;
  const ConnId conn{1};
  driver.connect(conn, from_asio(acceptor.local_endpoint()));
  asio::ip::tcp::socket peer = acceptor.accept();
  while (!source.connected) context.run_one();

  driver.writable(conn);
  driver.writable(conn);
  source.stopped = true;
  ASSERT_GT(source.written, 0U);
  Buffer read(1 << 20);
  for (std::size_t left = source.written; left > 0;) left -= peer.read_some(asio::buffer(read));
  // Nothing else can happen on this context but that waits for room end.
  EXPECT_EQ(context.run_one() + context.poll(), 1U);
  driver.close_all();
}

}  // namespace
}  // namespace kith::node
