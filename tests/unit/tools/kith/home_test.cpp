#include "tools/kith/home.hpp"

#include <gtest/gtest.h>

namespace kith::cli {
namespace {

TEST(Home, PathsLoseWhatMeansNothing) {
  EXPECT_EQ(*absolute_path("/a/./b//c/"), "/a/b/c");
  EXPECT_EQ(*absolute_path("/a/../b"), "/a/../b");
  EXPECT_EQ(*absolute_path("/a/.hidden/..."), "/a/.hidden/...");
  EXPECT_EQ(*absolute_path("/"), "/");
  EXPECT_EQ(*absolute_path("//"), "/");
  EXPECT_EQ(*absolute_path("/."), "/");
  EXPECT_EQ(absolute_path("x")->front(), '/');
  EXPECT_EQ(*absolute_path("./x"), *absolute_path("x"));
}

TEST(Home, PathsThatJsonCannotCarryAreRefused) {
  EXPECT_EQ(absolute_path("/a/\xff").error().code, Errc::kUsage);
  EXPECT_EQ(absolute_path("").error().code, Errc::kUsage);
}

}  // namespace
}  // namespace kith::cli
