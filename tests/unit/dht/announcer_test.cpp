#include "dht/announcer.hpp"

#include <gtest/gtest.h>

#include "proto/crypto/random.hpp"
#include "proto/limits.hpp"

namespace kith::dht {
namespace {

using namespace std::chrono_literals;

const TimePoint kStart{1h};

NodeId id_of(std::uint8_t last) {
  NodeId id;
  id.bytes.back() = last;
  return id;
}

/// k nodes, the farthest of them at distance `farthest` from zero.
std::vector<Lookup::Responder> stored(std::size_t count, std::uint8_t farthest = 100) {
  std::vector<Lookup::Responder> out(count);
  for (auto& responder : out) responder.node.id = id_of(1);
  if (!out.empty()) out.back().node.id = id_of(farthest);
  return out;
}

class AnnouncerTest : public ::testing::Test {
 protected:
  void announced(TimePoint now, std::size_t count = limits::kBucketSize) {
    EXPECT_EQ(announcer_.take_due(now), zero_);
    announcer_.on_done(now, zero_, stored(count));
    announcer_.check_invariants();
  }
  InfoHash zero_;
  Announcer announcer_;
};

TEST_F(AnnouncerTest, IsDueAtOnceAndEveryQuarterOfAnHour) {
  EXPECT_FALSE(announcer_.next());
  announcer_.add(kStart, zero_);
  EXPECT_EQ(announcer_.next(), kStart);
  announced(kStart);
  EXPECT_EQ(announcer_.next(), kStart + limits::kAnnounceEvery);
  EXPECT_FALSE(announcer_.take_due(kStart + limits::kAnnounceEvery - 1ns));
  announced(kStart + limits::kAnnounceEvery);
}

TEST_F(AnnouncerTest, AddingTwiceIsOnce) {
  announcer_.add(kStart, zero_);
  announced(kStart);
  announcer_.add(kStart, zero_);
  EXPECT_EQ(announcer_.next(), kStart + limits::kAnnounceEvery);
  EXPECT_EQ(announcer_.size(), 1U);
}

TEST_F(AnnouncerTest, ComesAgainSoonIfNobodyStoredIt) {
  announcer_.add(kStart, zero_);
  announced(kStart, 0);
  EXPECT_EQ(announcer_.next(), kStart + limits::kAnnounceRetry);
}

TEST_F(AnnouncerTest, ANearContactMakesItDueSoon) {
  announcer_.add(kStart, zero_);
  announced(kStart);
  announcer_.on_contact(kStart + 1min, id_of(101));
  EXPECT_EQ(announcer_.next(), kStart + limits::kAnnounceEvery) << "too far to store it";
  announcer_.on_contact(kStart + 1min, id_of(99));
  EXPECT_EQ(announcer_.next(), kStart + 1min + 2s);
  announcer_.on_contact(kStart + 1min + 1s, id_of(98));
  EXPECT_EQ(announcer_.next(), kStart + 1min + 2s) << "newcomers do not put it off";
}

TEST_F(AnnouncerTest, AnyContactCountsWhileFewStoreIt) {
  announcer_.add(kStart, zero_);
  announced(kStart, limits::kBucketSize - 1);
  announcer_.on_contact(kStart + 1min, id_of(200));
  EXPECT_EQ(announcer_.next(), kStart + 1min + 2s);
}

TEST_F(AnnouncerTest, KeepsADistanceBetweenAnnouncements) {
  announcer_.add(kStart, zero_);
  announced(kStart);
  announcer_.on_contact(kStart + 1s, id_of(1));
  EXPECT_EQ(announcer_.next(), kStart + limits::kAnnounceGap);
}

TEST_F(AnnouncerTest, AContactDuringAnAnnouncementCausesAnother) {
  announcer_.add(kStart, zero_);
  (void)announcer_.take_due(kStart);
  announcer_.on_contact(kStart, id_of(1));
  announcer_.on_done(kStart + 1s, zero_, stored(8));
  EXPECT_EQ(announcer_.next(), kStart + 1s + limits::kAnnounceGap);
}

TEST_F(AnnouncerTest, FewRunAtATime) {
  for (std::uint8_t i = 0; i < 20; ++i) announcer_.add(kStart, id_of(i));
  for (std::size_t i = 0; i < limits::kAnnouncingMax; ++i) {
    EXPECT_TRUE(announcer_.take_due(kStart));
  }
  EXPECT_FALSE(announcer_.take_due(kStart));
  EXPECT_FALSE(announcer_.next());
  announcer_.on_done(kStart, id_of(0), stored(8));
  EXPECT_FALSE(announcer_.take_due(kStart));
  EXPECT_TRUE(announcer_.take_due(kStart + 50ms));
  announcer_.check_invariants();
}

TEST_F(AnnouncerTest, TheyAreSpread) {
  for (std::uint8_t i = 0; i < 100; ++i) announcer_.add(kStart, id_of(i));
  std::size_t begun = 0;
  for (TimePoint now = kStart; now < kStart + 1s; now += 1ms) {
    while (const auto next = announcer_.take_due(now)) {
      announcer_.on_done(now, *next, stored(8));
      ++begun;
    }
    ASSERT_TRUE(announcer_.next());
    ASSERT_GT(*announcer_.next(), now);
  }
  EXPECT_EQ(begun, limits::kAnnouncingMax + 19);
}

TEST_F(AnnouncerTest, WithdrawnIsGone) {
  announcer_.add(kStart, zero_);
  announcer_.remove(zero_);
  EXPECT_FALSE(announcer_.next());
  announcer_.add(kStart, zero_);
  (void)announcer_.take_due(kStart);
  announcer_.remove(zero_);
  announcer_.on_done(kStart, zero_, stored(8));
  EXPECT_FALSE(announcer_.next());
  EXPECT_FALSE(announcer_.contains(zero_));
  announcer_.remove(zero_);
  announcer_.check_invariants();
}

TEST_F(AnnouncerTest, RestartMakesEverythingDue) {
  announcer_.add(kStart, zero_);
  announced(kStart);
  announcer_.restart();
  announced(kStart + 1s);
}

TEST_F(AnnouncerTest, IsBounded) {
  SeededRng rng(1);
  for (std::size_t i = 0; i < limits::kAnnouncementsMax + 5; ++i) {
    announcer_.add(kStart, rng.random<InfoHash>());
  }
  EXPECT_EQ(announcer_.size(), limits::kAnnouncementsMax);
}

}  // namespace
}  // namespace kith::dht
