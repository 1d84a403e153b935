#include "tools/kith/settings.hpp"

#include <gtest/gtest.h>

namespace kith::cli {
namespace {

TEST(Settings, NothingIsSetAtFirst) {
  const Settings settings;
  EXPECT_EQ(settings.limit(), 0u);
  EXPECT_EQ(settings.text("listen"), "");
  EXPECT_TRUE(settings.bootstrap().empty());
  EXPECT_TRUE(settings.lan());
  for (const auto key : Settings::keys()) EXPECT_EQ(*settings.get(key), "") << key;
}

TEST(Settings, WhatIsSetIsRead) {
  Settings settings;
  ASSERT_TRUE(settings.set("listen", "0.0.0.0:5484").has_value());
  ASSERT_TRUE(settings.set("bootstrap", "192.0.2.1:1,nas:2").has_value());
  ASSERT_TRUE(settings.set("limit", "10MB/s").has_value());
  ASSERT_TRUE(settings.set("device_name", "büro").has_value());
  ASSERT_TRUE(settings.set("lan", "false").has_value());
  EXPECT_EQ(settings.text("listen"), "0.0.0.0:5484");
  EXPECT_EQ(settings.bootstrap(), (std::vector<std::string>{"192.0.2.1:1", "nas:2"}));
  EXPECT_EQ(settings.limit(), 10'000'000u);
  EXPECT_FALSE(settings.lan());
  EXPECT_EQ(*settings.get("limit"), "10000000");
  EXPECT_EQ(*settings.get("bootstrap"), "192.0.2.1:1,nas:2");
  EXPECT_EQ(*settings.get("lan"), "false");
}

TEST(Settings, TheScrub) {
  using namespace std::chrono_literals;
  Settings settings;
  EXPECT_EQ(settings.scrub_rate(), 8u * 1024 * 1024);
  EXPECT_EQ(settings.scrub_every(), 30 * 24h);
  ASSERT_TRUE(settings.set("scrub_rate", "2MiB/s").has_value());
  ASSERT_TRUE(settings.set("scrub_every", "7d").has_value());
  EXPECT_EQ(settings.scrub_rate(), 2u * 1024 * 1024);
  EXPECT_EQ(settings.scrub_every(), 7 * 24h);
  ASSERT_TRUE(Settings::parse(settings.json().dump()).has_value());
  ASSERT_TRUE(settings.set("scrub_rate", "none").has_value());
  EXPECT_GT(settings.scrub_rate(), 1'000'000'000u) << "no limit, which is not off";
  ASSERT_TRUE(settings.set("scrub", "false").has_value());
  EXPECT_EQ(settings.scrub_rate(), 0u);
  for (const char* span : {"30", "1s", "99999d"}) {
    EXPECT_FALSE(settings.set("scrub_every", span).has_value()) << span;
  }
}

TEST(Settings, TheFileRoundTrips) {
  Settings settings;
  ASSERT_TRUE(settings.set("bootstrap", "192.0.2.1:1").has_value());
  ASSERT_TRUE(settings.set("limit", "1").has_value());
  const auto back = Settings::parse(settings.json().dump(2));
  ASSERT_TRUE(back.has_value());
  EXPECT_EQ(back->json(), settings.json());
}

TEST(Settings, AnEmptyValueUnsets) {
  Settings settings;
  ASSERT_TRUE(settings.set("limit", "5k").has_value());
  ASSERT_TRUE(settings.set("limit", "").has_value());
  EXPECT_EQ(settings.json().size(), 0u);
  EXPECT_TRUE(settings.set("limit", "").has_value());
}

TEST(Settings, UnknownKeysAreWrongUsage) {
  Settings settings;
  EXPECT_EQ(settings.set("lisen", "x").error().code, Errc::kUsage);
  EXPECT_EQ(settings.set("lisen", "").error().code, Errc::kUsage);
  EXPECT_EQ(settings.get("lisen").error().subject, "lisen");
}

TEST(Settings, WrongValuesChangeNothing) {
  Settings settings;
  ASSERT_TRUE(settings.set("listen", "0.0.0.0:1").has_value());
  const std::pair<const char*, std::string> kRows[] = {
      {"listen", "nowhere"},   {"advertise", "x:y"},    {"bootstrap", "a:1,,b:2"},
      {"bootstrap", "a:1,b"},  {"limit", "fast"},       {"device_name", std::string(65, 'x')},
      {"device_name", "a\nb"}, {"device_name", "\xff"}, {"lan", "yes"}};
  for (const auto& [key, value] : kRows) {
    const auto result = settings.set(key, value);
    ASSERT_FALSE(result.has_value()) << key << '=' << value;
    EXPECT_EQ(result.error().code, Errc::kUsage);
  }
  EXPECT_EQ(settings.json().dump(), R"({"listen":"0.0.0.0:1"})");
}

TEST(Settings, ADamagedFileIsRefusedWithThePartThatIsWrong) {
  for (const char* text : {"", "[]", "{", "{\"lan\":tru}", "null"}) {
    ASSERT_FALSE(Settings::parse(text).has_value()) << text;
    EXPECT_EQ(Settings::parse(text).error().code, Errc::kMalformed);
  }
  const std::pair<const char*, const char*> kRows[] = {{R"({"colour":"red"})", "colour"},
                                                       {R"({"limit":"10MB/s"})", "limit"},
                                                       {R"({"limit":-1})", "limit"},
                                                       {R"({"lan":1})", "lan"},
                                                       {R"({"bootstrap":"a:1"})", "bootstrap"},
                                                       {R"({"bootstrap":[1]})", "bootstrap"},
                                                       {R"({"listen":"x"})", "listen"}};
  for (const auto& [text, key] : kRows) {
    const auto result = Settings::parse(text);
    ASSERT_FALSE(result.has_value()) << text;
    EXPECT_EQ(result.error().subject, key);
  }
}

}  // namespace
}  // namespace kith::cli
