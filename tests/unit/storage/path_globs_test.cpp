#include "storage/path_globs.hpp"

#include <gtest/gtest.h>

namespace kith::storage {
namespace {

TEST(PathGlobs, NamesAndWholePaths) {
  const PathGlobs globs({"*.jpg", "/docs/a*", "deep/"});
  EXPECT_TRUE(globs.matches("x.jpg", false));
  EXPECT_TRUE(globs.matches("far/down/x.jpg", false));
  EXPECT_TRUE(globs.matches("docs/abc", false));
  EXPECT_FALSE(globs.matches("docs/abc/d", false));  // a star does not cross a slash
  EXPECT_FALSE(globs.matches("more/docs/abc", false));
  EXPECT_TRUE(globs.matches("more/deep", true));
  EXPECT_FALSE(globs.matches("more/deep", false));
  EXPECT_FALSE(globs.matches("x.jpeg", false));
}

TEST(PathGlobs, WhatLiesInADirectoryIsTakenWithIt) {
  const PathGlobs globs({"/docs", "deep/"});
  EXPECT_TRUE(globs.takes("docs", true));
  EXPECT_TRUE(globs.takes("docs/a/b/c", false));
  EXPECT_TRUE(globs.takes("x/deep/y/z", false));
  EXPECT_FALSE(globs.takes("x/docs/y", false));
  EXPECT_FALSE(globs.takes("docsy", false));
  EXPECT_FALSE(globs.takes("x/deep", false));  // a file of that name
}

TEST(PathGlobs, WithoutAnyEverythingIsTakenAndNothingMatches) {
  const PathGlobs none;
  EXPECT_TRUE(none.empty());
  EXPECT_TRUE(none.takes("a/b", false));
  EXPECT_FALSE(none.matches("a/b", false));
  EXPECT_FALSE(PathGlobs({""}).takes("a", false));
}

}  // namespace
}  // namespace kith::storage
