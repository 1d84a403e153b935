// What is kept of stagings that are still to be removed.
#include "node/engine/leftovers.hpp"

#include <gtest/gtest.h>

namespace kith::node {
namespace {

TEST(Leftovers, WhatIsKeptComesBack) {
  Leftover one{CopyId(5), {}, "/a b", "c", UINT64_MAX, 7};
  one.share.bytes[3] = 9;
  const std::vector<Leftover> all = {one, {CopyId(1), {}, std::string("/\xff", 2), "", 1, 0}};
  const auto again = decode_leftovers(encode_leftovers(all));
  ASSERT_TRUE(again);
  EXPECT_EQ(*again, all);
  EXPECT_TRUE(decode_leftovers(encode_leftovers({}))->empty());
  EXPECT_TRUE(decode_leftovers("")->empty()) << "none was ever kept";
}

TEST(Leftovers, AsManyAsAreRememberedAreKept) {
  const std::vector<Leftover> many(kLeftoversMax, Leftover{CopyId(1), {}, "/d", "n", 1, 2});
  const auto again = decode_leftovers(encode_leftovers(many));
  ASSERT_TRUE(again);
  EXPECT_EQ(*again, many);
}

TEST(Leftovers, DamageIsTold) {
  for (const char* text : {"x", "de", "i1e", "ldee", "ld1:ci1eee"}) {
    EXPECT_FALSE(decode_leftovers(text)) << text;
  }
}

TEST(Leftovers, APlaceIsAShareADirectoryAndAName) {
  const Leftover leftover{CopyId(1), {}, "/d", "n", 1, 2};
  ShareId other;
  other.bytes[0] = 1;
  EXPECT_TRUE(leftover.is_at({}, "/d", "n"));
  EXPECT_FALSE(leftover.is_at(other, "/d", "n"));
  EXPECT_FALSE(leftover.is_at({}, "/e", "n"));
  EXPECT_FALSE(leftover.is_at({}, "/d", "m"));
}

}  // namespace
}  // namespace kith::node
