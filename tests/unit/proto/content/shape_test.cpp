#include <gtest/gtest.h>

#include "tests/unit/proto/content/share_model.hpp"

namespace kith {
namespace {

Root root_with(const std::vector<std::pair<std::uint32_t, bool>>& pages) {
  Root root;
  for (const auto& [chunks, shares] : pages) {
    PageRef ref;
    ref.chunks = chunks;
    ref.shares_first = shares;
    root.pages.push_back(ref);
  }
  return root;
}

TEST(ShareShape, NumbersRootPagesAndChunks) {
  const ShareShape shape(root_with({{3, false}, {2, false}}));
  EXPECT_EQ(shape.total(), 8u);
  EXPECT_EQ(shape.pages(), 2u);
  EXPECT_EQ(shape.chunks(), 5u);
  EXPECT_EQ(shape.index_of_page(1), 2u);
  EXPECT_EQ(shape.index_of_chunk(0), 3u);
  EXPECT_FALSE(shape.is_page(0));
  EXPECT_FALSE(shape.is_content(0));
  EXPECT_TRUE(shape.is_page(2));
  EXPECT_FALSE(shape.is_content(2));
  EXPECT_FALSE(shape.is_page(3));
  EXPECT_TRUE(shape.is_content(3));
  EXPECT_TRUE(shape.is_content(7));
  EXPECT_FALSE(shape.is_content(8));
  EXPECT_EQ(shape.first_chunk(1), 3u);
  EXPECT_EQ(shape.chunk_count(1), 2u);
}

TEST(ShareShape, OfNothingIsARootOnly) {
  EXPECT_EQ(ShareShape().total(), 1u);
  const ShareShape empty_tree(root_with({{0, false}}));
  EXPECT_EQ(empty_tree.total(), 2u);
  EXPECT_EQ(empty_tree.chunks(), 0u);
}

TEST(ShareShape, FindsThePagesOfAChunk) {
  using Pages = std::pair<std::uint32_t, std::uint32_t>;
  // Chunk 2 fills pages 1 to 4, of which page 2 has no row.
  const ShareShape shape(root_with(
      {{1, false}, {2, false}, {0, false}, {1, true}, {2, true}, {0, false}, {1, false}}));
  EXPECT_EQ(shape.chunks(), 5u);
  EXPECT_EQ(shape.pages_of_chunk(0), Pages(0, 0));
  EXPECT_EQ(shape.pages_of_chunk(1), Pages(1, 1));
  EXPECT_EQ(shape.pages_of_chunk(2), Pages(1, 4));
  EXPECT_EQ(shape.pages_of_chunk(3), Pages(4, 4));
  EXPECT_EQ(shape.pages_of_chunk(4), Pages(6, 6));
  EXPECT_EQ(shape.first_chunk(3), 2u);
  EXPECT_EQ(shape.first_chunk(5), 4u);
}

TEST(ShareShape, EqualsASearchThroughAllPages) {
  for (std::uint64_t seed = 0; seed < 200; ++seed) {
    SCOPED_TRACE(seed);
    SeededRng rng(seed);
    std::vector<std::pair<std::uint32_t, bool>> pages;
    std::vector<std::pair<std::uint32_t, std::uint32_t>> expected;  // per chunk
    for (std::uint32_t p = 0; p < 1 + rng.uniform(20); ++p) {
      const auto count = static_cast<std::uint32_t>(rng.uniform(4));
      const bool shares = count > 0 && !expected.empty() && rng.chance(1, 2);
      pages.emplace_back(count, shares);
      if (shares) expected.back().second = p;
      for (std::uint32_t c = shares ? 1 : 0; c < count; ++c) expected.emplace_back(p, p);
    }
    const ShareShape shape(root_with(pages));
    ASSERT_EQ(shape.chunks(), expected.size());
    for (std::uint32_t c = 0; c < expected.size(); ++c) {
      EXPECT_EQ(shape.pages_of_chunk(c), expected[c]) << c;
    }
  }
}

}  // namespace
}  // namespace kith
