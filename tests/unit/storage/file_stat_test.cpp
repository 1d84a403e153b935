#include "storage/file_stat.hpp"

#include "tests/unit/storage/support.hpp"

namespace kith::storage::test {
namespace {

constexpr std::int64_t kSecond = 1'000'000'000;

FileStat stat_at_second(std::int64_t second) { return {1, 2, 3, 4, second * kSecond}; }

TEST(FileStat, EveryDifferenceCounts) {
  const FileStat recorded = stat_at_second(1000);
  const UnixMillis later{2'000'000};
  EXPECT_EQ(trust(recorded, later, recorded), FileTrust::kUnchanged);
  for (const auto member : {&FileStat::dev, &FileStat::inode, &FileStat::size}) {
    FileStat now = recorded;
    now.*member += 1;
    EXPECT_EQ(trust(recorded, later, now), FileTrust::kChanged);
  }
  for (const auto member : {&FileStat::mtime_ns, &FileStat::ctime_ns}) {
    FileStat now = recorded;
    now.*member += 1;
    EXPECT_EQ(trust(recorded, later, now), FileTrust::kChanged);
  }
}

TEST(FileStat, ARecentChangeIsRacy) {
  const FileStat recorded = stat_at_second(1000);
  EXPECT_EQ(trust(recorded, UnixMillis(1'059'999), recorded), FileTrust::kRacy);
  EXPECT_EQ(trust(recorded, UnixMillis(1'060'000), recorded), FileTrust::kUnchanged);
  EXPECT_EQ(trust(recorded, UnixMillis(0), recorded), FileTrust::kRacy);  // a clock set back
}

TEST(FileStat, WhatWasFoundRightAfterItWasWrittenBackCountsAsRecordedThen) {
  PageStats stats{UnixMillis(1'030'000), {stat_at_second(900), stat_at_second(1000)}};
  EXPECT_FALSE(is_written_back(stats));
  const PageStats after = as_written_back(stats);
  EXPECT_EQ(after, (PageStats{UnixMillis(1'060'000), stats.files}));
  EXPECT_TRUE(is_written_back(after));
  EXPECT_EQ(as_written_back(after), after);
  stats.recorded_at = UnixMillis(2'000'000);
  EXPECT_EQ(as_written_back(stats), stats);
  stats.read_at = UnixMillis(1'059'999);
  EXPECT_FALSE(is_written_back(stats)) << "it was not read later than that";
  EXPECT_EQ(as_written_back(stats), (PageStats{UnixMillis(2'000'000), stats.files}));
}

TEST(FileStat, BlobsRoundTrip) {
  PageStats stats{UnixMillis(-5), {}};
  EXPECT_EQ(*PageStats::decode(stats.encode()), stats);
  stats.files = {{1, 2, 3, -4, 5}, {UINT64_MAX, UINT64_MAX, 0, INT64_MIN, INT64_MAX}};
  EXPECT_EQ(*PageStats::decode(stats.encode()), stats);
  stats.read_at = UnixMillis(-7);
  EXPECT_EQ(*PageStats::decode(stats.encode()), stats);
}

TEST(FileStat, DamagedBlobsAreRefused) {
  const Buffer good = PageStats{UnixMillis(1), {{1, 2, 3, 4, 5}}}.encode();
  for (std::size_t size = 0; size < good.size(); ++size) {
    if (size == 9) continue;  // a page without files
    EXPECT_FALSE(PageStats::decode(Bytes(good).first(size))) << size;
  }
  Buffer version = good;
  version[0] = 3;
  EXPECT_FALSE(PageStats::decode(version));
  version[0] = 2;
  EXPECT_FALSE(PageStats::decode(Bytes(version).first(16)));
}

TEST(FileStat, PositionsCountFilesOnly) {
  Page page;
  for (const EntryKind kind :
       {EntryKind::kDirectory, EntryKind::kFile, EntryKind::kSymlink, EntryKind::kFile}) {
    page.entries.emplace_back().kind = kind;
  }
  const auto positions = stat_positions(page);
  EXPECT_EQ(positions[1], 0U);
  EXPECT_EQ(positions[3], 1U);
}

}  // namespace
}  // namespace kith::storage::test
