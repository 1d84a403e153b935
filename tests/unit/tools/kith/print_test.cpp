#include "tools/kith/print.hpp"

#include <gtest/gtest.h>

namespace kith::cli {
namespace {

using node::Json;

OutputOptions plain() { return {}; }

TEST(Print, AResultStandsAloneOnStdout) {
  Output out(plain());
  testing::internal::CaptureStdout();
  testing::internal::CaptureStderr();
  print_fetched(out, Json::parse(R"({"path":"/data/film","elapsed_ms":2000,"bytes_received":4000000,
      "totals":{"bytes":4000000,"files":1},"files_taken":1,
      "sources":[{"device":"ab","name":"nas","bytes":4000000}],
      "links_outside":0,"already_there":false})"));
  EXPECT_EQ(testing::internal::GetCapturedStdout(), "/data/film\n");
  const std::string notes = testing::internal::GetCapturedStderr();
  EXPECT_NE(notes.find("3.81 MiB in 1 file"), std::string::npos) << notes;
  EXPECT_NE(notes.find("2.00 MB/s"), std::string::npos) << notes;
  EXPECT_NE(notes.find("from nas"), std::string::npos) << notes;
}

TEST(Print, APartSaysHowMuchOfTheShareItIs) {
  Output out(plain());
  testing::internal::CaptureStdout();
  testing::internal::CaptureStderr();
  print_fetched(out, Json::parse(R"({"path":"/data/album","elapsed_ms":2000,
      "totals":{"bytes":4000000,"files":10},"files_taken":3,"bytes_taken":2048,"sources":[]})"));
  (void)testing::internal::GetCapturedStdout();
  const std::string notes = testing::internal::GetCapturedStderr();
  EXPECT_NE(notes.find("fetched 2.00 KiB in 3 of 10 files"), std::string::npos) << notes;
}

TEST(Print, QuietLeavesTheResult) {
  OutputOptions options;
  options.quiet = true;
  Output out(options);
  testing::internal::CaptureStdout();
  testing::internal::CaptureStderr();
  print_shared(out, Json::parse(R"({"link":"kith:share/x","share":{"name":"n"}})"));
  EXPECT_EQ(testing::internal::GetCapturedStdout(), "kith:share/x\n");
  EXPECT_EQ(testing::internal::GetCapturedStderr(), "");
}

TEST(Print, NamesFromOthersAreEscaped) {
  Output out(plain());
  testing::internal::CaptureStdout();
  testing::internal::CaptureStderr();
  print_members(
      out,
      Json::parse(
          R"({"members":[{"device":"0123456789abcdef","name":"a\u001b[31mb","role":"member"}]})"));
  ASSERT_TRUE(out.flush());
  const std::string text = testing::internal::GetCapturedStdout();
  (void)testing::internal::GetCapturedStderr();
  EXPECT_EQ(text.find('\x1b'), std::string::npos);
  EXPECT_NE(text.find("01234567  "), std::string::npos) << text;
}

TEST(Print, AnErrorSaysWhatToWhatAndWhatNext) {
  Output out(plain());
  testing::internal::CaptureStderr();
  const int code =
      out.fail(local_error(Errc::kNoSpace, "the disk is full", "/data\x1b", "make room"));
  EXPECT_EQ(code, 7);
  EXPECT_EQ(testing::internal::GetCapturedStderr(),
            "kith: the disk is full: /data\\x1b\n  make room\n");
}

TEST(Print, WithJsonAnErrorIsALineOnStdout) {
  OutputOptions options;
  options.json = true;
  Output out(options);
  testing::internal::CaptureStdout();
  testing::internal::CaptureStderr();
  EXPECT_EQ(out.fail(local_error(Errc::kUsage, "no", "x")), 2);
  out.result("not this");
  out.line("nor this");
  const Json line = Json::parse(testing::internal::GetCapturedStdout());
  EXPECT_EQ(testing::internal::GetCapturedStderr(), "");
  EXPECT_EQ(line.at("event"), "error");
  EXPECT_EQ(line.at("exit"), 2);
}

TEST(Print, VerdictsTurnIntoExitCodes) {
  EXPECT_EQ(verify_verdict(Json::parse(R"({"bad":[]})")), 0);
  EXPECT_EQ(verify_verdict(Json::parse(R"({"bad":["a"]})")), 6);
  EXPECT_EQ(doctor_verdict(Json::parse(R"({"checks":[{"state":"ok"},{"state":"warning"}]})")), 0);
  EXPECT_EQ(doctor_verdict(Json::parse(R"({"checks":[{"state":"ok"},{"state":"problem"}]})")), 1);
}

TEST(Print, AnswersOfAnotherVersionAreNoError) {
  Output out(plain());
  testing::internal::CaptureStdout();
  testing::internal::CaptureStderr();
  void (*const kAll[])(Output&, const Json&) = {
      print_nothing,  print_swarm_created, print_swarms,  print_members, print_invite,
      print_joined,   print_shared,        print_fetched, print_shares,  print_share,
      print_verified, print_peers,         print_status,  print_doctor};
  for (const auto print : kAll) {
    print(out, Json::object());
    print(out, Json::parse(R"({"swarm":1,"share":[],"shares":{},"peers":null,"totals":"x"})"));
  }
  (void)testing::internal::GetCapturedStdout();
  (void)testing::internal::GetCapturedStderr();
}

}  // namespace
}  // namespace kith::cli
