#include "tools/kith/table.hpp"

#include <gtest/gtest.h>

namespace kith::cli {
namespace {

TEST(Table, ColumnsAreAsWideAsTheirWidestCell) {
  Table table({"ID", "NAME", "PATH"});
  EXPECT_TRUE(table.empty());
  table.add({"1234", "übung", "/a"});
  table.add({"5", "x", ""});
  EXPECT_FALSE(table.empty());
  EXPECT_EQ(table.lines(),
            (std::vector<std::string>{"ID    NAME   PATH", "1234  übung  /a", "5     x"}));
}

TEST(Table, AVeryLongCellWidensItsOwnRowOnly) {
  const std::string widest(40, 'x');
  const std::string longer(41, 'y');
  Table table({"NAME", "PATH"});
  table.add({widest, "/a"});
  table.add({longer, "/b"});
  table.add({"z", "/c"});
  EXPECT_EQ(table.lines(),
            (std::vector<std::string>{"NAME" + std::string(38, ' ') + "PATH", widest + "  /a",
                                      longer + "  /b", "z" + std::string(41, ' ') + "/c"}));
}

TEST(Table, WidthCountsCharacters) {
  EXPECT_EQ(display_width(""), 0u);
  EXPECT_EQ(display_width("abc"), 3u);
  EXPECT_EQ(display_width("äöü"), 3u);
}

TEST(Table, WhatIsTooLongEndsWithAnEllipsis) {
  EXPECT_EQ(shorten("abcdef", 6), "abcdef");
  EXPECT_EQ(shorten("abcdef", 5), "abcd…");
  EXPECT_EQ(shorten("äöüß", 3), "äö…");
  EXPECT_EQ(shorten("abc", 1), "…");
  EXPECT_EQ(shorten("abc", 0), "");
  EXPECT_EQ(shorten("", 0), "");
}

}  // namespace
}  // namespace kith::cli
