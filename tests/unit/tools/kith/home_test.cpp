#include "tools/kith/home.hpp"

#include <cstdlib>
#include <filesystem>
#include <fstream>
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

TEST(Home, ADirectoryHasOnePath) {
  std::string made = "/tmp/kith-home-XXXXXX";
  ASSERT_NE(::mkdtemp(made.data()), nullptr);
  const std::string top = std::filesystem::canonical(made).string();
  std::filesystem::create_directories(top + "/a/b");
  std::filesystem::create_directory_symlink("a/b", top + "/link");
  EXPECT_EQ(*directory_path(top + "/a/../a"), top + "/a");
  EXPECT_EQ(*directory_path(top + "/link"), top + "/a/b");
  EXPECT_EQ(*directory_path(top + "/link/.."), top + "/a");
  EXPECT_EQ(*directory_path(top + "/nosuch/../a"), top + "/a");
  EXPECT_EQ(*directory_path(top + "/link/new/../x/"), top + "/a/b/x");
  std::filesystem::remove_all(top);
}

TEST(Home, WhatIsNoDirectoryIsNamed) {
  std::string top = "/tmp/kith-home-XXXXXX";
  ASSERT_NE(::mkdtemp(top.data()), nullptr);
  std::ofstream(top + "/file") << "x";
  for (const std::string path : {"/file", "/file/new", "/file/new/er"}) {
    const auto taken = directory_path(top + path);
    ASSERT_FALSE(taken) << path;
    EXPECT_EQ(taken.error().code, Errc::kUsage);
    EXPECT_EQ(taken.error().subject, top + "/file");
  }
  EXPECT_EQ(directory_path("/dev/null").error().subject, "/dev/null");
  std::filesystem::remove_all(top);
}

TEST(Home, PathsThatJsonCannotCarryAreRefused) {
  EXPECT_EQ(absolute_path("/a/\xff").error().code, Errc::kUsage);
  EXPECT_EQ(absolute_path("").error().code, Errc::kUsage);
}

}  // namespace
}  // namespace kith::cli
