// Whose chunk goes next, on either side: what was begun, whoever waits for a limit, and what waits
// at one connection while another has it.
#include <gtest/gtest.h>

#include "tests/unit/transfer/session_fixture.hpp"

namespace kith::transfer::test {
namespace {

class Turns : public Session {
 protected:
  /// Peers 1 to `n` watch what is served.
  void serve_to(std::uint8_t n) {
    serve_all();
    for (std::uint8_t i = 1; i <= n; ++i) {
      connect(ConnId{i}, i);
      ASSERT_TRUE(feed(WatchFrame{0, share_}, ConnId{i}));
    }
  }
  /// Time passes until the core wants to be called.
  void wait() {
    ASSERT_TRUE(manager_.next_timeout());
    now_ = *manager_.next_timeout();
    manager_.on_timeout(now_, out_);
    manager_.check_invariants();
  }
  /// The section job that was started last, done and sent at once; they come one at a time.
  SealRequest next_seal(std::uint32_t chunk = kLength) {
    for (int i = 0; i < 10 && out_.seals.empty(); ++i) wait();
    EXPECT_EQ(out_.seals.size(), 1U);
    const SealRequest request = out_.seals.at(0);
    clear();
    seal(request, chunk);
    manager_.on_wrote(now_, request.to, request.length, 0, out_);
    return request;
  }

  /// Connection 1 holds everything, connection 2 nothing yet; all that fits is asked of 1.
  void fetch_from_one() {
    fetch();
    for (std::uint8_t i = 1; i <= 2; ++i) connect(ConnId{i}, i);
    ASSERT_TRUE(feed(everything(), ConnId{1}));
    ASSERT_TRUE(feed(HaveSetFrame{0, 0, kTotal, {0, 0, 0}}, ConnId{2}));
    const auto wants = sent<WantFrame>(FrameType::kWant, ConnId{1});
    ASSERT_GE(wants.size(), 3U);
    for (const WantFrame& want : wants) asked_.push_back(want.index);
    now_ += 700ms;  // they wait long enough
    clear();
  }
  std::vector<ChunkIndex> wants(std::uint64_t conn) {
    std::vector<ChunkIndex> out;
    for (const auto& want : sent<WantFrame>(FrameType::kWant, ConnId{conn})) {
      out.push_back(want.index);
    }
    return out;
  }
  std::vector<ChunkIndex> asked_;  // of connection 1
};

// --- sending ---

TEST_F(Turns, AChunkThatWasBegunGoesToItsEndAndThenAnotherPeerHasItsTurn) {
  constexpr std::uint32_t kSection = 4 * kRecordBytes;
  constexpr std::uint32_t kChunk = 4 * kSection;
  serve_to(3);
  limit({.up = 10 * kSection});  // what goes in 100 ms is a section
  for (std::uint8_t i = 1; i <= 3; ++i) {
    ASSERT_TRUE(feed(WantFrame{0, 4U + i}, ConnId{i}));
    ASSERT_TRUE(feed(WantFrame{0, 10U + i}, ConnId{i}));
  }
  std::vector<ChunkIndex> order;
  for (std::uint32_t i = 0; i < 24; ++i) {
    const SealRequest request = next_seal(kChunk);
    EXPECT_EQ(request.offset, i % 4 * kSection) << i;
    if (i % 4 == 0) order.push_back(request.index);
    EXPECT_EQ(request.index, order.back()) << i;
  }
  EXPECT_EQ(order, (std::vector<ChunkIndex>{5, 6, 7, 11, 12, 13}));
}

TEST_F(Turns, ALimitThatIsLiftedLetsAllGoAtOnce) {
  serve_to(2);
  limit({.up = 1});
  for (std::uint8_t i = 1; i <= 2; ++i) ASSERT_TRUE(feed(WantFrame{0, 4U + i}, ConnId{i}));
  EXPECT_EQ(out_.seals.size(), 1U);
  limit({});
  EXPECT_EQ(out_.seals.size(), 2U);
}

// --- asking ---

TEST_F(Turns, WhatWaitsMovesToAPeerThatGotIt) {
  fetch_from_one();
  ASSERT_TRUE(feed(HaveFrame{0, {asked_[1]}}, ConnId{2}));
  EXPECT_EQ(wants(2), std::vector{asked_[1]});
  const auto cancels = sent<CancelFrame>(FrameType::kCancel, ConnId{1});
  ASSERT_EQ(cancels.size(), 1U);
  EXPECT_EQ(cancels[0].index, asked_[1]);
  const std::size_t reserved = manager_.reserved();
  // The want that was taken back ends, and its room is used for another chunk.
  clear();
  ASSERT_TRUE(feed(RefuseFrame{0, asked_[1]}, ConnId{1}));
  EXPECT_EQ(wants(1).size(), 1U);
  EXPECT_EQ(manager_.reserved(), reserved);
}

TEST_F(Turns, WhatIsComingStays) {
  fetch_from_one();
  ChunkFrame frame = whole(asked_[0]);
  frame.length = kRecordBytes;
  ASSERT_TRUE(section(frame, ConnId{1}));
  clear();
  ASSERT_TRUE(feed(HaveFrame{0, {asked_[0]}}, ConnId{2}));
  EXPECT_TRUE(wants(2).empty());
  EXPECT_TRUE(sent<CancelFrame>(FrameType::kCancel, ConnId{1}).empty());
}

TEST_F(Turns, OneThatWasToldTwiceIsNoNews) {
  fetch_from_one();
  ASSERT_TRUE(feed(HaveFrame{0, {asked_[0]}}, ConnId{2}));
  ASSERT_EQ(wants(2), std::vector{asked_[0]});
  clear();
  // Connection 2 is busy with it; when it is refused there, and 1 still waits, nothing moves back.
  ASSERT_TRUE(feed(HaveFrame{0, {asked_[0]}}, ConnId{2}));
  EXPECT_TRUE(wants(1).empty());
  EXPECT_TRUE(wants(2).empty());
}

TEST_F(Turns, ABusyConnectionTakesOverWhenItIsIdle) {
  fetch_from_one();
  ASSERT_TRUE(feed(HaveFrame{0, {asked_[0], asked_[1]}}, ConnId{2}));
  ASSERT_EQ(wants(2).size(), 1U);
  const ChunkIndex first = wants(2)[0];
  const ChunkIndex second = first == asked_[0] ? asked_[1] : asked_[0];
  ASSERT_TRUE(feed(RefuseFrame{0, first}, ConnId{1}));
  clear();
  ASSERT_TRUE(section(whole(first), ConnId{2}));
  EXPECT_EQ(wants(2), std::vector{second});
}

// The share is small: before it is known that nothing of the first comes twice, nothing else moves.
TEST_F(Turns, WhatMayComeTwiceIsBounded) {
  fetch_from_one();
  ASSERT_TRUE(feed(HaveFrame{0, {asked_[0], asked_[1]}}, ConnId{2}));
  ASSERT_EQ(wants(2).size(), 1U);
  const ChunkIndex first = wants(2)[0];
  clear();
  ASSERT_TRUE(section(whole(first), ConnId{2}));
  EXPECT_TRUE(wants(2).empty());
  // It comes twice, so that was all.
  ASSERT_TRUE(section(whole(first), ConnId{1}));
  now_ += 60ms;
  manager_.on_timeout(now_, out_);
  EXPECT_TRUE(wants(2).empty());
}

TEST_F(Turns, ItMovesToAnyIdleHolderWhenThereIsNews) {
  fetch_from_one();
  connect(ConnId{3}, 3);
  ASSERT_TRUE(feed(HaveSetFrame{0, 0, kTotal, {0, 0, 0}}, ConnId{3}));
  ASSERT_TRUE(feed(HaveFrame{0, {asked_[0], asked_[1]}}, ConnId{3}));
  ASSERT_EQ(wants(3).size(), 1U);
  const ChunkIndex taken = wants(3)[0];
  const ChunkIndex other = taken == asked_[0] ? asked_[1] : asked_[0];
  ASSERT_TRUE(feed(RefuseFrame{0, taken}, ConnId{1}));
  clear();
  // 3 is busy with one of them when 2 tells of the same: it may move on.
  now_ += 700ms;
  ASSERT_TRUE(feed(HaveFrame{0, {taken}}, ConnId{2}));
  EXPECT_EQ(wants(2), std::vector{taken});
  ASSERT_TRUE(feed(RefuseFrame{0, taken}, ConnId{3}));
  EXPECT_EQ(wants(3), std::vector{other});
}

TEST_F(Turns, AfterALongSilenceAConnectionIsNotTakenForStalled) {
  serve_to(1);  // the have-set is not written yet
  ASSERT_TRUE(feed(WantFrame{0, 5}));
  seal(out_.seals.at(0));
  manager_.on_timeout(now_, out_);
  EXPECT_TRUE(events<CloseConnection>().empty());
  now_ += limits::kWriteStall;
  manager_.on_timeout(now_, out_);
  EXPECT_EQ(events<CloseConnection>().size(), 1U);
}

TEST_F(Turns, WhatDoesNotComeIsNotCountedAgainstALimit) {
  fetch();
  limit({.down = 10 * kLength});  // a burst of one chunk
  connect(ConnId{1}, 1);
  ASSERT_TRUE(feed(everything(), ConnId{1}));
  for (int i = 0; i < 5; ++i) {
    const auto asked = wants(1);
    ASSERT_EQ(asked.size(), 1U) << i;
    clear();
    ASSERT_TRUE(feed(RefuseFrame{0, asked[0]}, ConnId{1}));
  }
}

}  // namespace
}  // namespace kith::transfer::test
