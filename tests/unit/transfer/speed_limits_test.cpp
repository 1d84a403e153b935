// Whom a limit is about. How exactly a rate is kept is in flow_test.cpp and fetch_test.cpp.
#include <algorithm>
#include <gtest/gtest.h>

#include "proto/crypto/random.hpp"
#include "transfer/manager.hpp"

namespace kith::transfer::test {
namespace {

constexpr ConnId kConn{1};
constexpr ChunkIndex kTotal = 20;  // root, one page, 18 chunks
constexpr std::uint32_t kLength = 100'000;

class SpeedLimitsTest : public testing::Test {
 protected:
  SpeedLimitsTest() {
    share_.bytes[0] = 1;
    manager_.add_share(now_, share_, swarm_, false, out_);
    manager_.set_shape(now_, share_, kTotal, std::vector<std::uint32_t>{kLength}, Buffer(3, 0xff),
                       out_);
  }
  static DeviceId device_of(std::uint8_t n) {
    DeviceId id;
    id.bytes[0] = n;
    return id;
  }
  void connect(ConnId conn, std::uint8_t device, bool lan = false) {
    manager_.on_connected(now_, conn, device_of(device), swarm_, lan, out_);
    ASSERT_TRUE(feed(WatchFrame{0, share_}, conn));
  }
  template <class Frame>
  Result<void> feed(const Frame& frame, ConnId conn = kConn) {
    const Buffer bytes = frame.encode();
    auto result = manager_.on_frame(now_, conn, static_cast<FrameType>(bytes[0]),
                                    Bytes(bytes).subspan(1), out_);
    manager_.check_invariants();
    return result;
  }
  void limit(const LimitRule& rule, bool lan_exempt = false) {
    manager_.set_limits(now_, {{rule}, lan_exempt}, out_);
  }

  SeededRng rng_{1};
  Manager manager_{{32 << 20, 32 << 20}, rng_};
  TimePoint now_{};
  Outbox out_;
  ShareId share_;
  SwarmId swarm_;
};

TEST_F(SpeedLimitsTest, ALimitHoldsForThoseWhomItIsAbout) {
  SwarmId other_swarm;
  other_swarm.bytes[3] = 77;
  const LimitRule everybody{.up = 1}, swarm{.swarm = swarm_, .up = 1},
      other{.swarm = other_swarm, .up = 1}, device{.device = device_of(1), .up = 1},
      nobody{.device = device_of(9), .up = 1};
  struct Expected {
    LimitRule rule;
    std::size_t first, second;  // sections for devices 1 and 2
  };
  std::uint64_t next_conn = 1;
  for (const Expected& expected :
       {Expected{everybody, 1, 0}, Expected{swarm, 1, 0}, Expected{other, 2, 2},
        Expected{device, 1, 2}, Expected{nobody, 2, 2},
        Expected{LimitRule{.swarm = {}, .device = {}, .up = 0, .down = 1}, 2, 2}}) {
    const ConnId first{next_conn++}, second{next_conn++};
    for (const ConnId conn : {first, second}) {
      connect(conn, conn == first ? 1 : 2);
    }
    limit(expected.rule);
    out_ = Outbox();
    for (const ConnId conn : {first, second}) {
      ASSERT_TRUE(feed(WantFrame{0, 5}, conn));
      ASSERT_TRUE(feed(WantFrame{0, 6}, conn));
    }
    const auto sections = [&](ConnId conn) {
      return static_cast<std::size_t>(std::ranges::count(out_.seals, conn, &SealRequest::to));
    };
    EXPECT_EQ(sections(first), expected.first);
    EXPECT_EQ(sections(second), expected.second);
    for (const ConnId conn : {first, second}) manager_.on_closed(now_, conn, out_);
  }
}

// Whoever waits for a limit is told at once what has nothing to do with content.
TEST_F(SpeedLimitsTest, ControlFramesPass) {
  limit(LimitRule{.up = 1, .down = 1});
  connect(kConn, 1);
  ASSERT_TRUE(feed(WantFrame{0, 5}));
  ASSERT_TRUE(feed(WantFrame{0, 6}));
  ASSERT_EQ(out_.seals.size(), 1U);
  out_ = Outbox();
  const auto sent = [&](FrameType type) {
    return std::ranges::count_if(out_.frames, [type](const SendFrame& frame) {
      return frame.frame[0] == static_cast<std::uint8_t>(type);
    });
  };
  ASSERT_TRUE(feed(CancelFrame{0, ChunkIndex{6}}));
  EXPECT_EQ(sent(FrameType::kRefuse), 1);
  ShareId other = share_;
  other.bytes[1] = 1;
  ASSERT_TRUE(feed(WatchFrame{1, other}));
  EXPECT_EQ(sent(FrameType::kHaveSet), 1);
  manager_.drop_have(now_, share_, 7, out_);
  EXPECT_EQ(sent(FrameType::kHaveSet), 2);
}

TEST_F(SpeedLimitsTest, TheLocalNetworkIsExemptOnRequest) {
  connect(kConn, 1, true);
  manager_.set_limits(now_, {{LimitRule{.swarm = {}, .device = {}, .up = 1}}, true}, out_);
  ASSERT_TRUE(feed(WantFrame{0, 5}));
  ASSERT_TRUE(feed(WantFrame{0, 6}));
  EXPECT_EQ(out_.seals.size(), 2U);
  // One that names the device holds there, too.
  manager_.set_limits(now_, {{LimitRule{.device = device_of(1), .up = 1}}, true}, out_);
  ASSERT_TRUE(feed(WantFrame{0, 7}));
  ASSERT_TRUE(feed(WantFrame{0, 8}));
  EXPECT_EQ(out_.seals.size(), 3U);
  ASSERT_TRUE(manager_.next_timeout());
}

}  // namespace
}  // namespace kith::transfer::test
