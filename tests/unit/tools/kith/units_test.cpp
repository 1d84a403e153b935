#include "tools/kith/units.hpp"

#include <gtest/gtest.h>

namespace kith::cli {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

TEST(Units, Rates) {
  const std::pair<const char*, std::uint64_t> kRows[] = {{"0", 0},
                                                         {"none", 0},
                                                         {"1", 1},
                                                         {"800k", 800'000},
                                                         {"200MB/s", 200'000'000},
                                                         {"200mb/S", 200'000'000},
                                                         {"10MiB/s", 10'485'760},
                                                         {"10Mi", 10'485'760},
                                                         {"1.5g", 1'500'000'000},
                                                         {"1024B/s", 1024},
                                                         {"0.5KiB", 512},
                                                         {"1T/s", 1'000'000'000'000},
                                                         {"1TiB/s", 1'099'511'627'776}};
  for (const auto& [text, value] : kRows) {
    const auto rate = parse_rate(text);
    ASSERT_TRUE(rate.has_value()) << text;
    EXPECT_EQ(*rate, value) << text;
  }
}

TEST(Units, WhatIsNotARate) {
  for (const char* text : {"", "x", "-1", "1x", "MB/s", "1 MB/s", "1MB/m", "1.2.3k", "1kk", ".",
                           "2TiB/s", "1e3", "0x10", "1MBps", "0.0001B", "nan", "inf"}) {
    const auto rate = parse_rate(text);
    ASSERT_FALSE(rate.has_value()) << text;
    EXPECT_EQ(rate.error().code, Errc::kUsage);
    EXPECT_EQ(rate.error().subject, text);
  }
}

TEST(Units, Sizes) {
  for (const auto& [text, value] : std::vector<std::pair<const char*, std::uint64_t>>{
           {"none", 0},
           {"0", 0},
           {"1", 1},
           {"20GiB", 20ULL << 30},
           {"1.5TB", 1'500'000'000'000},
           {"9007199254740993", 9'007'199'254'740'993},
           {"1152921504606846976", std::uint64_t{1} << 60},
           {"1048576TiB", std::uint64_t{1} << 60}}) {
    const auto size = parse_size(text);
    ASSERT_TRUE(size.has_value()) << text;
    EXPECT_EQ(*size, value) << text;
  }
  for (const char* text : {"", "x", "-1", "10GB/s", "1048577TiB", "0.5B", "1 GB"}) {
    const auto size = parse_size(text);
    ASSERT_FALSE(size.has_value()) << text;
    EXPECT_EQ(size.error().code, Errc::kUsage);
    EXPECT_EQ(size.error().subject, text);
  }
}

TEST(Units, WhatIsTooMuchIsSaidToBeThat) {
  for (const char* text : {"9223372036854775807", "1152921504606846977", "18446744073709551616",
                           "99999999999999999999999", "16777216TiB", "16777216.5TiB"}) {
    const auto size = parse_size(text);
    ASSERT_FALSE(size.has_value()) << text;
    EXPECT_EQ(size.error().code, Errc::kUsage);
    EXPECT_EQ(size.error().what, "a size of more than 1 EiB") << text;
    EXPECT_FALSE(size.error().hint.empty());
  }
  EXPECT_EQ(parse_rate("2TiB/s").error().what, "a rate of more than 1 TiB/s");
}

TEST(Units, Spans) {
  const auto parse = [](std::string_view text) {
    return parse_span(text, std::chrono::seconds(1), std::chrono::hours(24 * 366));
  };
  EXPECT_EQ(*parse("90s"), milliseconds(90'000));
  EXPECT_EQ(*parse("5m"), milliseconds(300'000));
  EXPECT_EQ(*parse("24h"), std::chrono::hours(24));
  EXPECT_EQ(*parse("366d"), std::chrono::hours(24 * 366));
  for (const char* text : {"", "0s", "5", "m", "-5m", "5 m", "1.5h", "367d", "5ms", "5M",
                           "99999999999999999999d", "18446744073709551615s"}) {
    EXPECT_FALSE(parse(text).has_value()) << text;
  }
}

TEST(Units, SpansOutOfBoundsNameTheBounds) {
  const auto parse = [](std::string_view text) {
    return parse_span(text, std::chrono::seconds(90), std::chrono::hours(24));
  };
  EXPECT_TRUE(parse("90s").has_value());
  EXPECT_TRUE(parse("1440m").has_value());
  for (const char* text : {"89s", "1m", "25h", "2d"}) {
    EXPECT_EQ(parse(text).error().what, "not a time span from 90s to 1d") << text;
  }
}

TEST(Units, BytesHaveThreeDigits) {
  EXPECT_EQ(format_bytes(0), "0 B");
  EXPECT_EQ(format_bytes(999), "999 B");
  EXPECT_EQ(format_bytes(1'000), "0.98 KiB");
  EXPECT_EQ(format_bytes(1'536), "1.50 KiB");
  EXPECT_EQ(format_bytes(10 * 1'024), "10.0 KiB");
  EXPECT_EQ(format_bytes(123'731'968), "118 MiB");
  EXPECT_EQ(format_bytes(std::uint64_t{5} << 40), "5.00 TiB");
}

TEST(Units, RatesAreShownInPowersOfTen) {
  EXPECT_EQ(format_rate(512), "512 B/s");
  EXPECT_EQ(format_rate(112'400'000), "112 MB/s");
  EXPECT_EQ(format_rate(1'200'000'000), "1.20 GB/s");
}

TEST(Units, SpansAsOneReadsThem) {
  EXPECT_EQ(format_span(seconds(0)), "0:00");
  EXPECT_EQ(format_span(seconds(7)), "0:07");
  EXPECT_EQ(format_span(seconds(271)), "4:31");
  EXPECT_EQ(format_span(seconds(3'600)), "1:00:00");
  EXPECT_EQ(format_span(seconds(86'399)), "23:59:59");
  EXPECT_EQ(format_span(seconds(86'400 * 3 + 4 * 3'600)), "3 d 4 h");
}

}  // namespace
}  // namespace kith::cli
