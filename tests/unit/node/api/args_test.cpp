#include "node/api/args.hpp"

#include <gtest/gtest.h>

namespace kith::node {
namespace {

TEST(Args, ReadsWhatIsThereAndDefaultsWhatIsNot) {
  const Json json = Json::parse(R"({"a":"text","b":true,"n":7,"l":["x","y"]})");
  Args args(json);
  EXPECT_EQ(args.text("a", 10), "text");
  EXPECT_EQ(args.text("absent", 10), "");
  EXPECT_TRUE(args.flag("b"));
  EXPECT_FALSE(args.flag("absent"));
  EXPECT_EQ(args.number("n", 1, 7, 3), 7u);
  EXPECT_EQ(args.number("absent", 1, 7, 3), 3u);
  EXPECT_EQ(args.texts("l", 2, 1), (std::vector<std::string>{"x", "y"}));
  EXPECT_TRUE(args.finish().has_value());
}

TEST(Args, AnArgumentNobodyReadIsAnError) {
  const Json json = Json::parse(R"({"a":"text","exlude":["x"]})");
  Args args(json);
  EXPECT_EQ(args.text("a", 10), "text");
  const auto result = args.finish();
  ASSERT_FALSE(result.has_value());
  EXPECT_EQ(result.error().code, Errc::kUsage);
  EXPECT_EQ(result.error().subject, "exlude");
}

TEST(Args, TheFirstFaultIsKept) {
  const Json json = Json::parse(R"({"a":1,"b":2})");
  Args args(json);
  EXPECT_EQ(args.text("a", 10), "");
  EXPECT_FALSE(args.flag("b"));
  EXPECT_EQ(args.finish().error().subject, "a");
}

TEST(Args, AfterAFaultEverythingIsTheDefault) {
  const Json json = Json::parse(R"({"a":1,"b":"kept","n":5,"l":["x"],"f":true})");
  Args args(json);
  EXPECT_EQ(args.text("a", 10), "");
  EXPECT_EQ(args.text("b", 10), "");
  EXPECT_EQ(args.number("n", 1, 9, 2), 2u);
  EXPECT_TRUE(args.texts("l", 9, 9).empty());
  EXPECT_FALSE(args.flag("f"));
  EXPECT_FALSE(args.ok());
}

TEST(Args, LimitsAreInclusive) {
  const Json json = Json::parse(R"({"t":"abc","n":10,"m":0,"l":["abc","abc"]})");
  const auto text = [&](std::size_t max) {
    Args args(json);
    (void)args.text("t", max);
    return args.ok();
  };
  EXPECT_TRUE(text(3));
  EXPECT_FALSE(text(2));
  const auto number = [&](std::string_view key, std::uint64_t min, std::uint64_t max) {
    Args args(json);
    (void)args.number(key, min, max, 1);
    return args.ok();
  };
  EXPECT_TRUE(number("n", 10, 10));
  EXPECT_FALSE(number("n", 1, 9));
  EXPECT_FALSE(number("m", 1, 9));
  const auto list = [&](std::size_t count, std::size_t max) {
    Args args(json);
    (void)args.texts("l", count, max);
    return args.ok();
  };
  EXPECT_TRUE(list(2, 3));
  EXPECT_FALSE(list(1, 3));
  EXPECT_FALSE(list(2, 2));
}

TEST(Args, NumbersAreWholeAndNotNegative) {
  for (const char* text : {"-1", "1.5", "\"1\"", "null", "1e3", "18446744073709551616"}) {
    const Json json = Json::parse(std::string(R"({"n":)") + text + "}");
    Args args(json);
    EXPECT_EQ(args.number("n", 0, 100, 42), 42u) << text;
    EXPECT_FALSE(args.ok()) << text;
  }
}

TEST(Args, NulBytesAreRefused) {
  const Json json = Json::parse(R"({"p":"/etc\u0000/x"})");
  Args args(json);
  EXPECT_EQ(args.text("p", 100), "");
  EXPECT_FALSE(args.ok());
}

TEST(Args, WhatIsNotUtf8IsRefused) {
  const Json json = {{"t", "\xff"}, {"l", {"a", "\xff"}}};
  Args text(json);
  EXPECT_EQ(text.text("t", 100), "");
  EXPECT_EQ(text.finish().error().subject, "t");
  Args list(json);
  EXPECT_TRUE(list.texts("l", 100, 100).empty());
  EXPECT_EQ(list.finish().error().subject, "l");
}

TEST(Args, FaultsOfTextsAndListsSayWhatAndWhatNext) {
  struct Row {
    const char* json;
    const char* what;
    const char* hint;
  };
  for (const Row& row :
       {Row{R"({"l":"x"})", "not a list", ""},
        Row{R"({"l":["a","b","c"]})", "given more than 2 times", "say it with fewer of them"},
        Row{R"({"l":["a",1]})", "one of them is not a text", ""},
        Row{R"({"l":["a","abcd"]})", "one of them is longer than 3 bytes", "shorten it"},
        Row{R"({"t":"abcd"})", "longer than 3 bytes", "shorten it"}}) {
    const Json json = Json::parse(row.json);
    Args args(json);
    EXPECT_TRUE(args.texts("l", 2, 3).empty()) << row.json;
    EXPECT_EQ(args.text("t", 3), "");
    const auto result = args.finish();
    ASSERT_FALSE(result) << row.json;
    EXPECT_EQ(result.error().what, row.what);
    EXPECT_EQ(result.error().hint, row.hint);
  }
}

TEST(Args, AnEmptyTextIsNotARequiredOne) {
  const Json json = Json::parse(R"({"p":""})");
  Args args(json);
  EXPECT_EQ(args.required_text("p", 100), "");
  EXPECT_EQ(args.finish().error().subject, "p");
}

TEST(Args, SomethingElseThanAnObjectIsAnError) {
  const Json json = Json::parse("[1]");
  Args args(json);
  EXPECT_EQ(args.text("a", 1), "");
  EXPECT_FALSE(args.finish().has_value());
}

}  // namespace
}  // namespace kith::node
