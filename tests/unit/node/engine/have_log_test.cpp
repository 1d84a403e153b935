#include "node/engine/have_log.hpp"

#include <gtest/gtest.h>
#include <set>

#include "proto/crypto/random.hpp"

namespace kith::node {
namespace {

constexpr CopyId kCopy{7};

std::set<ChunkIndex> members(const HaveLog& log) {
  std::set<ChunkIndex> out;
  for (ChunkIndex i = 0; i < log.total(); ++i) {
    if (log.has(i)) out.insert(i);
  }
  return out;
}

TEST(HaveLog, AllSetHasNoBitsPastTheEnd) {
  for (const ChunkIndex total : {1u, 7u, 8u, 9u, 32'768u, 32'769u}) {
    HaveLog log;
    log.reset(total, true);
    EXPECT_EQ(log.count(), total);
    EXPECT_TRUE(log.has(total - 1));
    EXPECT_FALSE(log.has(total));
    unsigned ones = 0;
    for (const std::uint8_t byte : log.bits())
      ones += static_cast<unsigned>(__builtin_popcount(byte));
    EXPECT_EQ(ones, total);
  }
}

TEST(HaveLog, WritesOnlyTouchedRows) {
  HaveLog log;
  log.reset(3 * HaveLog::kBitsPerRow, false);
  EXPECT_FALSE(log.changed());
  log.add(5);
  log.add(2 * HaveLog::kBitsPerRow);
  const auto rows = log.take_changes(kCopy);
  ASSERT_EQ(rows.size(), 2u);
  EXPECT_EQ(rows[0].first, 0u);
  EXPECT_EQ(rows[1].first, 2 * HaveLog::kBitsPerRow);
  EXPECT_EQ(rows[0].bits.size(), HaveLog::kBitsPerRow / 8);
  EXPECT_FALSE(rows[0].durable);
  EXPECT_TRUE(log.take_changes(kCopy).empty());
}

TEST(HaveLog, AddingTwiceIsNoChange) {
  HaveLog log;
  log.reset(10, false);
  log.add(3);
  static_cast<void>(log.take_changes(kCopy));
  log.add(3);
  EXPECT_FALSE(log.changed());
  EXPECT_EQ(log.count(), 1u);
}

TEST(HaveLog, OnlyWhatWasHadWhenTheSyncBeganBecomesDurable) {
  HaveLog log;
  log.reset(100, false);
  log.add(1);
  const std::uint64_t mark = log.begin_sync();
  log.add(2);
  ASSERT_EQ(log.commit_durable(kCopy, mark).size(), 1u);
  EXPECT_TRUE(log.is_durable(1));
  EXPECT_FALSE(log.is_durable(2));
  EXPECT_TRUE(log.needs_sync());
}

TEST(HaveLog, AnOldMarkCommitsNothing) {
  HaveLog log;
  log.reset(100, false);
  log.add(1);
  const std::uint64_t old = log.begin_sync();
  static_cast<void>(log.begin_sync());
  EXPECT_TRUE(log.commit_durable(kCopy, old).empty());
  EXPECT_FALSE(log.is_durable(1));
}

TEST(HaveLog, WhatIsDroppedDuringASyncDoesNotBecomeDurable) {
  HaveLog log;
  log.reset(100, false);
  log.add(1);
  log.add(2);
  const std::uint64_t mark = log.begin_sync();
  log.drop(1);
  static_cast<void>(log.commit_durable(kCopy, mark));
  EXPECT_FALSE(log.is_durable(1));
  EXPECT_TRUE(log.is_durable(2));
}

// Had again it is not durable, whatever was saved of it before.
TEST(HaveLog, WhatIsDroppedIsDurableNoMoreInTheCatalog) {
  HaveLog log;
  log.reset(100, false);
  log.add(1);
  log.add_durable(2);
  EXPECT_FALSE(log.is_durable(1));
  EXPECT_TRUE(log.is_durable(2));
  static_cast<void>(log.take_changes(kCopy));
  HaveLog saved;
  saved.reset(100, false);
  saved.load(log.commit_durable(kCopy, log.begin_sync()).front());
  EXPECT_TRUE(saved.is_durable(1));
  log.drop(1);
  const auto rows = log.take_changes(kCopy);
  ASSERT_EQ(rows.size(), 2U);
  EXPECT_TRUE(rows[0].durable) << "the other one alone would be believed";
  for (const PutHave& row : rows) saved.load(row);
  EXPECT_FALSE(saved.is_durable(1));
  EXPECT_TRUE(saved.is_durable(2));
  EXPECT_FALSE(log.changed());
}

TEST(HaveLog, SavedRowsGiveTheSameSet) {
  SeededRng rng(11);
  for (int round = 0; round < 50; ++round) {
    const auto total = static_cast<ChunkIndex>(1 + rng.uniform(3 * HaveLog::kBitsPerRow));
    HaveLog log, loaded;
    log.reset(total, false);
    loaded.reset(total, false);
    std::set<ChunkIndex> model;
    std::vector<PutHave> written;
    for (int i = 0; i < 200; ++i) {
      const auto index = static_cast<ChunkIndex>(rng.uniform(total));
      if (rng.chance(1, 4)) {
        log.drop(index);
        model.erase(index);
      } else {
        log.add(index);
        model.insert(index);
      }
      if (rng.chance(1, 10)) {
        for (PutHave& row : log.take_changes(kCopy)) written.push_back(std::move(row));
      }
    }
    for (PutHave& row : log.take_changes(kCopy)) written.push_back(std::move(row));
    for (const PutHave& row : written) loaded.load(row);
    ASSERT_EQ(members(log), model) << "round " << round;
    ASSERT_EQ(members(loaded), model) << "round " << round;
    ASSERT_EQ(loaded.count(), model.size());
  }
}

TEST(HaveLog, RowsOfALargerShareAreCutOff) {
  HaveLog log;
  log.reset(5, false);
  log.load({kCopy, 0, Buffer(4096, 0xff), false});
  EXPECT_EQ(log.count(), 5u);
  log.load({kCopy, 3, Buffer(1, 0xff), false});  // not a whole byte: passed over
  EXPECT_EQ(log.count(), 5u);
}

}  // namespace
}  // namespace kith::node
