#include "proto/content/paths.hpp"

#include <algorithm>
#include <gtest/gtest.h>
#include <string>
#include <vector>

#include "proto/content/entry.hpp"
#include "proto/crypto/random.hpp"

namespace kith {
namespace {

using namespace std::string_literals;

std::string error_of(const Result<void>& result) { return result ? "" : result.error().what; }

TEST(ComparePaths, OrdersComponentByComponent) {
  const std::vector<std::string> sorted{"",   "a",  "a/b", "a/b/c",    "a/c", "a.b",
                                        "a0", "ab", "b",   "\xc3\xa9", "\xff"};
  for (std::size_t i = 0; i < sorted.size(); ++i) {
    for (std::size_t j = 0; j < sorted.size(); ++j) {
      const int order = compare_paths(sorted[i], sorted[j]);
      EXPECT_EQ(order < 0, i < j) << sorted[i] << " " << sorted[j];
      EXPECT_EQ(order == 0, i == j) << sorted[i] << " " << sorted[j];
    }
  }
}

std::vector<std::string> split(std::string_view path) {
  std::vector<std::string> out;
  for (std::size_t from = 0; !path.empty();) {
    const std::size_t slash = path.find('/', from);
    out.emplace_back(path.substr(from, slash - from));
    if (slash == std::string_view::npos) break;
    from = slash + 1;
  }
  return out;
}

TEST(ComparePaths, EqualsComparingListsOfComponents) {
  SeededRng rng(1);
  const auto random_path = [&rng] {
    std::string path;
    for (std::uint64_t n = rng.uniform(8); n > 0; --n)
      path.push_back("/a.b\x01\xff"[rng.uniform(6)]);
    return path;
  };
  for (int i = 0; i < 20'000; ++i) {
    const std::string a = random_path(), b = random_path();
    if (!check_path(a) && a.find('\xff') == std::string::npos) continue;
    if (!check_path(b) && b.find('\xff') == std::string::npos) continue;
    if (a.empty() || b.empty() || a.front() == '/' || b.front() == '/' || a.ends_with('/') ||
        b.ends_with('/') || a.find("//") != std::string::npos ||
        b.find("//") != std::string::npos) {
      continue;
    }
    const auto as_unsigned = [](const std::string& x, const std::string& y) {
      return std::lexicographical_compare(
          x.begin(), x.end(), y.begin(), y.end(), [](char p, char q) {
            return static_cast<unsigned char>(p) < static_cast<unsigned char>(q);
          });
    };
    const auto pa = split(a), pb = split(b);
    const bool less =
        std::lexicographical_compare(pa.begin(), pa.end(), pb.begin(), pb.end(), as_unsigned);
    ASSERT_EQ(compare_paths(a, b) < 0, less) << a << " " << b;
    ASSERT_EQ(compare_paths(a, b) == 0, a == b);
  }
}

TEST(CheckPath, AcceptsWhatLinuxHolds) {
  for (const std::string& path :
       {"a"s, "a/b"s, "..."s, ".a"s, "a."s, "a\\b"s, "a\nb"s, "\x01\x1b[0m"s, " "s, "A/a"s,
        "\xc3\xa9"s, "\xf4\x8f\xbf\xbf"s, "~"s, "-"s, "*?"s, "CON"s, "a:b"s}) {
    EXPECT_TRUE(check_path(path)) << path;
  }
}

TEST(CheckPath, RefusesEachFaultWithItsOwnError) {
  EXPECT_EQ(error_of(check_path("")), "path is empty");
  EXPECT_EQ(error_of(check_path("/a")), "path is absolute");
  EXPECT_EQ(error_of(check_path("/")), "path is absolute");
  EXPECT_EQ(error_of(check_path("a/")), "path has an empty component");
  EXPECT_EQ(error_of(check_path("a//b")), "path has an empty component");
  for (const std::string& path :
       {"."s, ".."s, "./a"s, "../a"s, "a/."s, "a/.."s, "a/./b"s, "a/../b"s}) {
    EXPECT_EQ(error_of(check_path(path)), "path has a component '.' or '..'") << path;
  }
  EXPECT_EQ(error_of(check_path("a\0b"s)), "path contains NUL");
  for (const std::string& path :
       {"\xff"s, "\xc0\x80"s, "\xed\xa0\x80"s, "\xf4\x90\x80\x80"s, "a\xc3"s}) {
    EXPECT_EQ(error_of(check_path(path)), "path is not valid UTF-8");
  }
  EXPECT_EQ(check_path("..").error().blame, Blame::kPeer);
  EXPECT_EQ(check_path("..").error().code, Errc::kMalformed);
}

TEST(CheckPath, HoldsItsLimitsExactly) {
  EXPECT_TRUE(check_path(std::string(255, 'a')));
  EXPECT_EQ(check_path(std::string(256, 'a')).error().code, Errc::kLimit);
  EXPECT_TRUE(check_path("b/" + std::string(255, 'a') + "/c"));
  EXPECT_FALSE(check_path("b/" + std::string(256, 'a') + "/c"));
  EXPECT_FALSE(check_path("b/" + std::string(256, 'a')));
  std::string path;  // 15 components of 255 bytes and one of 255: 4,095 bytes in all
  for (int i = 0; i < 15; ++i) path += std::string(255, 'a') + "/";
  path += std::string(255, 'a');
  ASSERT_EQ(path.size(), 4095u);
  EXPECT_TRUE(check_path(path));
  path = "ab/" + path.substr(2);
  ASSERT_EQ(path.size(), 4096u);
  EXPECT_EQ(error_of(check_path(path)), "path is over 4,095 bytes");
}

TEST(CheckName, IsOneComponent) {
  EXPECT_TRUE(check_name("a b"));
  EXPECT_TRUE(check_name(".hidden"));
  EXPECT_TRUE(check_name(std::string(255, 'a')));
  for (const std::string& name : {"a/b"s, "/"s, ""s, "."s, ".."s, "a\0"s, std::string(256, 'a')}) {
    EXPECT_FALSE(check_name(name)) << name;
  }
}

TEST(CheckSymlinkTarget, HasOneTo4095BytesWithoutNul) {
  EXPECT_TRUE(check_symlink_target("a"));
  EXPECT_TRUE(check_symlink_target("/etc/passwd"));
  EXPECT_TRUE(check_symlink_target("\xff\xfe"));
  EXPECT_TRUE(check_symlink_target(std::string(4095, 'a')));
  EXPECT_EQ(error_of(check_symlink_target("")), "symlink target is empty");
  EXPECT_EQ(error_of(check_symlink_target(std::string(4096, 'a'))),
            "symlink target is over 4,095 bytes");
  EXPECT_EQ(error_of(check_symlink_target("a\0"s)), "symlink target contains NUL");
}

TEST(SymlinkStaysInside, IsLexical) {
  EXPECT_TRUE(symlink_stays_inside("a", "b"));
  EXPECT_TRUE(symlink_stays_inside("a", "."));
  EXPECT_TRUE(symlink_stays_inside("d/a", ".."));
  EXPECT_TRUE(symlink_stays_inside("d/a", "../b/c"));
  EXPECT_TRUE(symlink_stays_inside("d/e/a", "../../x"));
  EXPECT_TRUE(symlink_stays_inside("a", "b/../c"));
  EXPECT_TRUE(symlink_stays_inside("a", "b//./c/"));
  EXPECT_TRUE(symlink_stays_inside("a", "..."));
  EXPECT_FALSE(symlink_stays_inside("a", "/"));
  EXPECT_FALSE(symlink_stays_inside("a", "/etc"));
  EXPECT_FALSE(symlink_stays_inside("a", ".."));
  EXPECT_FALSE(symlink_stays_inside("a", "../share/b"));
  EXPECT_FALSE(symlink_stays_inside("d/a", "../../b"));
  EXPECT_FALSE(symlink_stays_inside("d/a", "x/../../../b"));
  EXPECT_FALSE(symlink_stays_inside("d/a", "..//../b"));
}

TEST(ParentPath, IsTheDirectory) {
  EXPECT_EQ(parent_path("a"), "");
  EXPECT_EQ(parent_path("a/b"), "a");
  EXPECT_EQ(parent_path("a/b/c"), "a/b");
}

}  // namespace
}  // namespace kith
