#include "tools/kith/progress.hpp"

#include <gtest/gtest.h>

#include "tools/kith/table.hpp"

namespace kith::cli {
namespace {

node::Json fetch_line(std::uint64_t done, std::uint64_t total, std::uint64_t rate) {
  node::FetchProgress progress;
  progress.name = "film.mkv";
  progress.phase = "content";
  progress.bytes_done = done;
  progress.bytes_total = total;
  progress.rate = rate;
  progress.peers = 3;
  return node::to_line(node::Reply{node::RequestId{1}, node::Progress(progress)}).json;
}

TEST(Progress, ShowsBarAmountRateTimeAndPeers) {
  EXPECT_EQ(format_progress(fetch_line(50 << 20, 100 << 20, 10'485'760), 120),
            "film.mkv  [============>           ]  50 %  50.0 MiB of 100 MiB  10.5 MB/s  ETA 0:05  "
            "3 peers");
}

TEST(Progress, NeverWiderThanTheTerminal) {
  for (std::size_t width = 0; width < 140; ++width) {
    const std::string text = format_progress(fetch_line(1, 3'000'000'000, 1'000), width);
    EXPECT_LE(display_width(text), width == 0 ? 0 : std::max<std::size_t>(width - 1, 1)) << width;
  }
}

TEST(Progress, TheUsualTerminalHasABarAtAnyRate) {
  for (const std::uint64_t rate : {0U, 99'900U, 10'485'760U, 999'000'000U}) {
    const auto json = fetch_line(50 << 20, 100 << 20, rate);
    EXPECT_NE(format_progress(json, 80).find("[====="), std::string::npos) << rate;
  }
  EXPECT_EQ(format_progress(fetch_line(50 << 20, 100 << 20, 10'485'760), 80),
            "film.mkv  [=====>    ]  50 %  50.0 MiB of 100 MiB  10.5 MB/s  ETA 0:05  3 peers");
}

TEST(Progress, ALongNameLeavesRoomForTheBar) {
  auto json = fetch_line(50 << 20, 100 << 20, 10'485'760);
  json["name"] = "a long name of something.tar";
  EXPECT_EQ(format_progress(json, 80).substr(0, 24), "a long …  [=====>    ]");
}

TEST(Progress, ANarrowTerminalLosesTheBarFirstThenTheName) {
  const auto json = fetch_line(50 << 20, 100 << 20, 10'485'760);
  const std::string plain = format_progress(json, 72);
  EXPECT_EQ(plain.find('['), std::string::npos);
  EXPECT_EQ(plain.substr(0, 8), "film.mkv");
  EXPECT_EQ(format_progress(json, 56).find("film"), std::string::npos);
}

TEST(Progress, WhatIsComparedHasNoShareOfItDone) {
  auto json = fetch_line(0, 100 << 20, 0);
  json["peers"] = 0;
  for (const char* phase : {"preparing", "verifying"}) {
    json["phase"] = phase;
    EXPECT_EQ(format_progress(json, 80), std::string("film.mkv  ") + phase + "  100 MiB");
  }
}

TEST(Progress, NotAllBeforeTheEnd) {
  EXPECT_NE(format_progress(fetch_line(999'999'999, 1'000'000'000, 1), 120).find(" 99 %"),
            std::string::npos);
  EXPECT_NE(format_progress(fetch_line(1'000'000'000, 1'000'000'000, 1), 120).find("100 %"),
            std::string::npos);
  const std::uint64_t huge = ~std::uint64_t{0};
  EXPECT_NE(format_progress(fetch_line(huge - 1, huge, 1), 120).find(" 99 %"), std::string::npos);
}

TEST(Progress, NoRateNoTime) {
  const std::string text = format_progress(fetch_line(5, 10, 0), 120);
  EXPECT_EQ(text.find("ETA"), std::string::npos);
  EXPECT_EQ(text.find("/s"), std::string::npos);
}

TEST(Progress, OfAShareCountsFiles) {
  node::ShareProgress progress;
  progress.phase = "scanning";
  progress.files = 1;
  const auto line = node::to_line(node::ShareUpdate(progress)).json;
  EXPECT_EQ(format_progress(line, 80), "scanning    1 file");
}

TEST(Progress, OfAJoinSaysWhatIsDone) {
  const auto line =
      node::to_line(node::Reply{node::RequestId{1}, node::Progress(node::JoinProgress{"trying x"})})
          .json;
  EXPECT_EQ(format_progress(line, 80), "joining: trying x");
}

TEST(Progress, NamesCannotMoveTheCursor) {
  auto json = fetch_line(5, 10, 0);
  json["name"] = "a\x1b[2J\r";
  EXPECT_EQ(format_progress(json, 120).find('\x1b'), std::string::npos);
  EXPECT_EQ(format_progress(json, 120).find('\r'), std::string::npos);
}

TEST(Progress, WhatIsMissingIsNoError) { EXPECT_EQ(format_progress(node::Json::object(), 80), ""); }

}  // namespace
}  // namespace kith::cli
