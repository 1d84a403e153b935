#include <gtest/gtest.h>

#include "tests/unit/proto/content/share_model.hpp"

namespace kith {
namespace {

using test::directory;
using test::file;
using test::row;

// For each byte of the page's chunks, who holds it: computed one byte at a time.
struct Owner {
  std::uint32_t entry = UINT32_MAX;
  std::uint64_t file_offset = 0;
};

std::vector<Owner> owners(const Page& page) {
  std::vector<Owner> out(page.row_bytes());
  std::size_t at = page.skip;
  for (std::uint32_t i = 0; i < page.entries.size(); ++i) {
    const Entry& entry = page.entries[i];
    for (std::uint64_t b = entry.offset; b < entry.size && at < out.size(); ++b) out[at++] = {i, b};
  }
  return out;
}

void expect_layout(const Page& page) {
  const PageLayout layout(page);
  const std::vector<Owner> expected = owners(page);
  std::vector<Owner> actual(expected.size());
  std::vector<std::pair<std::uint32_t, std::uint32_t>> rows(page.entries.size(), {0, 0});
  std::size_t start = 0;
  for (std::uint32_t r = 0; r < page.rows.size(); ++r) {
    std::uint32_t last_end = 0;
    for (const Extent& extent : layout.extents(page, r)) {
      ASSERT_GT(extent.length, 0u);
      ASSERT_GE(extent.chunk_offset, last_end);
      last_end = extent.chunk_offset + extent.length;
      ASSERT_LE(last_end, page.rows[r].length);
      for (std::uint32_t b = 0; b < extent.length; ++b) {
        actual[start + extent.chunk_offset + b] = {extent.entry, extent.file_offset + b};
      }
      auto& range = rows[extent.entry];
      if (range.second == 0) range.first = r;
      range.second = r + 1;
    }
    start += page.rows[r].length;
  }
  for (std::size_t b = 0; b < expected.size(); ++b) {
    ASSERT_EQ(actual[b].entry, expected[b].entry) << b;
    ASSERT_EQ(actual[b].file_offset, expected[b].file_offset) << b;
  }
  for (std::uint32_t i = 0; i < page.entries.size(); ++i) {
    EXPECT_EQ(layout.rows_of(page, i), rows[i]) << i;
  }
}

TEST(PageLayout, PlacesFilesInChunks) {
  Page page;
  page.rows = {row(10), row(10)};
  page.entries = {directory("a"), file("a/x", 4), file("a/y", 0), file("b", 11)};
  const PageLayout layout(page);
  const std::vector<Extent> first{{1, 0, 0, 4}, {3, 0, 4, 6}};
  const std::vector<Extent> second{{3, 6, 0, 5}};
  EXPECT_EQ(layout.extents(page, 0), first);
  EXPECT_EQ(layout.extents(page, 1), second);
  EXPECT_TRUE(layout.extents(page, 2).empty());
  EXPECT_TRUE(layout.extents(page, UINT32_MAX).empty());
  EXPECT_EQ(layout.rows_of(page, 0), std::pair(0u, 0u));
  EXPECT_EQ(layout.rows_of(page, 1), std::pair(0u, 1u));
  EXPECT_EQ(layout.rows_of(page, 3), std::pair(0u, 2u));
}

TEST(PageLayout, HonoursSkipAndOffset) {
  Page page;
  page.skip = 3;
  page.rows = {row(10)};
  page.entries = {file("a", 2), file("b", 4)};
  const std::vector<Extent> skipped{{0, 0, 3, 2}, {1, 0, 5, 4}};
  EXPECT_EQ(PageLayout(page).extents(page, 0), skipped);
  page.skip = 0;
  page.entries = {file("a", 1000, 600)};
  const std::vector<Extent> inside{{0, 600, 0, 10}};
  EXPECT_EQ(PageLayout(page).extents(page, 0), inside);
  EXPECT_EQ(PageLayout(page).rows_of(page, 0), std::pair(0u, 1u));
}

TEST(PageLayout, OfAPageWithoutRowsIsEmpty) {
  Page page;
  page.entries = {directory(""), file("a", 0)};
  const PageLayout layout(page);
  EXPECT_TRUE(layout.extents(page, 0).empty());
  EXPECT_EQ(layout.rows_of(page, 1), std::pair(0u, 0u));
}

TEST(PageLayout, EqualsAByteByByteModel) {
  for (std::uint64_t seed = 0; seed < 300; ++seed) {
    SCOPED_TRACE(seed);
    SeededRng rng(seed);
    Page page;
    for (std::uint64_t n = 1 + rng.uniform(6); n > 0; --n) {
      page.rows.push_back(row(static_cast<std::uint32_t>(1 + rng.uniform(50))));
    }
    const std::uint64_t total = page.row_bytes();
    if (rng.chance(1, 3)) page.skip = static_cast<std::uint32_t>(rng.uniform(page.rows[0].length));
    std::uint64_t at = page.skip;
    if (page.skip == 0 && rng.chance(1, 3)) {
      page.entries.push_back(file("0", 7 + 1 + rng.uniform(40), 7));
      at += page.entries.back().remaining();
    }
    for (int i = 1; at < total; ++i) {
      const std::uint64_t size = rng.chance(1, 3) ? 0 : rng.uniform(40);
      page.entries.push_back(file("f" + std::to_string(1000 + i), size));
      at += size;
    }
    if (page.entries.empty()) continue;
    expect_layout(page);
  }
}

TEST(PageLayout, CoversRealPagesExactly) {
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    SCOPED_TRACE(seed);
    SeededRng rng(seed);
    Chunking chunking = Chunking::tiny(4096);
    chunking.mode = seed % 2 == 0 ? ChunkingMode::kCdc : ChunkingMode::kFixed;
    const test::Built built = test::build(test::random_tree(chunking, 200, 30, rng));
    for (const Page& page : built.pages) expect_layout(page);
  }
}

}  // namespace
}  // namespace kith
