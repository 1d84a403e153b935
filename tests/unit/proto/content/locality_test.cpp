// A change touches few chunks and few pages, wherever it is.
#include <gtest/gtest.h>
#include <set>

#include "tests/unit/proto/content/share_model.hpp"

namespace kith {
namespace {

using test::Built;
using test::directory;
using test::file;
using test::Share;

Share many_small_files(std::size_t count, std::uint64_t largest, Rng& rng) {
  Share share;
  share.items.push_back({directory(""), 0});
  const std::size_t per_directory = 1000;
  for (std::size_t i = 0; i < count; ++i) {
    const std::string dir = "d" + std::to_string(1000 + i / per_directory);
    if (i % per_directory == 0) share.items.push_back({directory(dir), 0});
    share.items.push_back(
        {file(dir + "/file" + std::to_string(100'000 + i) + ".dat", 1 + rng.uniform(largest)),
         rng.next_u64()});
  }
  return share;
}

std::size_t pages_that_differ(const Built& a, const Built& b) {
  std::set<Buffer> known(a.encoded.begin(), a.encoded.end());
  std::size_t count = 0;
  for (const Buffer& page : b.encoded) count += known.contains(page) ? 0u : 1u;
  return count;
}

std::size_t chunks_that_differ(const Built& a, const Built& b) {
  std::set<ChunkId> known;
  for (const Page& page : a.pages) {
    for (const ChunkRow& row : page.rows) known.insert(row.id);
  }
  std::set<ChunkId> changed;
  for (const Page& page : b.pages) {
    for (const ChunkRow& row : page.rows) {
      if (!known.contains(row.id)) changed.insert(row.id);
    }
  }
  return changed.size();
}

TEST(Locality, OneChangedFileOfAHundredThousandTouchesFewPagesAndChunks) {
  SeededRng rng(1);
  for (const std::uint64_t largest : {200ULL, 20'000ULL}) {
    SCOPED_TRACE(largest);
    const Share share = many_small_files(100'000, largest, rng);
    const Built before = test::build(share);
    ASSERT_GT(before.pages.size(), 15u);
    for (std::uint64_t i = 0; i < 5; ++i) {
      Share after = share;
      test::Item& item = after.items[rng.uniform(after.items.size())];
      if (item.entry.kind != EntryKind::kFile) continue;
      item.content += 1;
      item.entry.size += i;
      item.entry.mtime_ns += 1;
      const Built changed = test::build(after);
      EXPECT_LE(pages_that_differ(before, changed), 3u);
      EXPECT_LE(chunks_that_differ(before, changed), i == 0 ? 1u : 6u);
    }
  }
}

TEST(Locality, AnInsertedFileTouchesFewPagesAndChunks) {
  SeededRng rng(2);
  for (const std::uint64_t largest : {200ULL, 20'000ULL}) {
    SCOPED_TRACE(largest);
    const Share share = many_small_files(60'000, largest, rng);
    const Built before = test::build(share);
    std::size_t pages = 0;
    std::size_t chunks = 0;
    for (std::uint64_t i = 0; i < 5; ++i) {
      Share after = share;
      const std::size_t at = 2 + rng.uniform(300);  // near the front: all that follows could shift
      const std::string path = share.items[at].entry.path + "-new";
      after.items.insert(after.items.begin() + static_cast<std::ptrdiff_t>(at) + 1,
                         {file(path, 1 + rng.uniform(largest)), rng.next_u64()});
      const Built changed = test::build(after);
      pages += pages_that_differ(before, changed);
      chunks += chunks_that_differ(before, changed);
    }
    EXPECT_LE(pages, 5 * 4u);
    EXPECT_LE(chunks, 5 * 12u);
  }
}

TEST(Locality, ALargeFileHasTheSameChunksAloneAndInATree) {
  SeededRng rng(3);
  Share alone;
  alone.single_file = true;
  alone.name = "big";
  alone.items = {{file("big", 50'000'000), 42}};
  Share tree = many_small_files(500, 10'000, rng);
  tree.items.push_back({file("m", 50'000'000), 42});
  for (int i = 0; i < 100; ++i)
    tree.items.push_back({file("n" + std::to_string(100 + i), 5000), 7});
  EXPECT_EQ(chunks_that_differ(test::build(tree), test::build(alone)), 0u);
}

TEST(Locality, AChangeAtTheFrontOfAHugeFileTouchesTheFirstPage) {
  Share share;
  share.single_file = true;
  share.name = "huge";
  share.items = {{file("huge", std::uint64_t{60} << 30), 1}};
  std::vector<test::Step> steps = test::steps_of(share);
  const Built before = test::build(share, steps);
  ASSERT_GT(before.pages.size(), 5u);
  steps[1].row.id.bytes[31] ^= 1;
  EXPECT_EQ(pages_that_differ(before, test::build(share, steps)), 1u);
}

}  // namespace
}  // namespace kith
