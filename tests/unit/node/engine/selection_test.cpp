#include "node/engine/selection.hpp"

#include <gtest/gtest.h>

namespace kith::node {
namespace {

// Two pages; chunk 1 is described by both.
ShareShape shape() {
  Root root;
  PageRef first, second;
  first.chunks = 2;
  second.chunks = 2;
  second.shares_first = true;
  root.pages = {first, second};
  root.totals.chunks = 3;
  return ShareShape(root);
}

TEST(Selection, LearnsPageByPage) {
  const ShareShape of = shape();
  Selection part({"*.jpg"});
  part.reset(of);
  EXPECT_FALSE(part.is_complete());
  const std::vector<std::uint32_t> lengths = {100, 50, 70};
  part.add(of, 0, {{true, false}, {false, true}, 2, 1, 100}, std::span(lengths).subspan(0));
  EXPECT_TRUE(part.knows(0));
  EXPECT_FALSE(part.knows(1) || part.is_complete());
  EXPECT_EQ(part.chunks(), 1U);
  part.add(of, 1, {{true, true}, {false, false}, 1, 1, 90}, std::span(lengths).subspan(1));
  EXPECT_TRUE(part.is_complete());
  EXPECT_EQ(part.chunks(), 3U);
  EXPECT_EQ(part.entries(), 3U);
  EXPECT_EQ(part.files(), 2U);
  EXPECT_EQ(part.bytes(), 190U);
  EXPECT_EQ(part.stored(), 220U);
  EXPECT_FALSE(part.cuts(0));
  EXPECT_TRUE(part.cuts(1));  // one page takes of it, the other leaves
  EXPECT_FALSE(part.cuts(2));
}

TEST(Selection, AChunkThatTwoPagesTakeCountsOnce) {
  const ShareShape of = shape();
  Selection part({"x"});
  part.reset(of);
  part.add(of, 0, {{false, true}, {true, false}, 1, 1, 10}, {});
  part.add(of, 1, {{true, false}, {false, true}, 1, 1, 10}, {});
  EXPECT_EQ(part.chunks(), 1U);
  EXPECT_FALSE(part.takes(0));
  EXPECT_FALSE(part.cuts(0));
  EXPECT_TRUE(part.takes(1));
  part.reset(of);
  EXPECT_EQ(part.chunks(), 0U);
  EXPECT_FALSE(part.is_complete());
}

}  // namespace
}  // namespace kith::node
