#include "node/api/json.hpp"

#include <gtest/gtest.h>
#include <set>

namespace kith::node {
namespace {

constexpr Errc kAllCodes[] = {
    Errc::kMalformed,   Errc::kLimit,        Errc::kRefused,     Errc::kNotFound, Errc::kExists,
    Errc::kConflict,    Errc::kVerification, Errc::kNoSpace,     Errc::kIo,       Errc::kTimeout,
    Errc::kUnreachable, Errc::kClosed,       Errc::kUnsupported, Errc::kUsage,    Errc::kChanged,
    Errc::kCancelled,   Errc::kInternal};

template <class Id>
Id id_of(std::uint8_t byte) {
  Id id;
  id.bytes.fill(byte);
  return id;
}

TEST(ApiJson, EveryCodeHasANameOfItsOwn) {
  std::set<std::string_view> names;
  for (const Errc code : kAllCodes) names.insert(code_name(code));
  EXPECT_EQ(names.size(), std::size(kAllCodes));
}

TEST(ApiJson, ExitCodesAreTheDocumentedOnes) {
  EXPECT_EQ(exit_code(Errc::kMalformed), 2);
  EXPECT_EQ(exit_code(Errc::kUsage), 2);
  EXPECT_EQ(exit_code(Errc::kClosed), 3);
  EXPECT_EQ(exit_code(Errc::kNotFound), 4);
  EXPECT_EQ(exit_code(Errc::kUnreachable), 4);
  EXPECT_EQ(exit_code(Errc::kTimeout), 4);
  EXPECT_EQ(exit_code(Errc::kRefused), 5);
  EXPECT_EQ(exit_code(Errc::kVerification), 6);
  EXPECT_EQ(exit_code(Errc::kNoSpace), 7);
  for (const Errc code : {Errc::kIo, Errc::kExists, Errc::kConflict, Errc::kLimit,
                          Errc::kUnsupported, Errc::kChanged, Errc::kCancelled, Errc::kInternal}) {
    EXPECT_EQ(exit_code(code), 1) << code_name(code);
  }
}

TEST(ApiJson, AnErrorIsTheLastLine) {
  const Reply reply{RequestId{1},
                    local_error(Errc::kNoSpace, "the disk is full", "/data", "make room")};
  const Line line = to_line(reply);
  EXPECT_EQ(line.kind, LineKind::kLast);
  EXPECT_EQ(dump_line(line.json),
            R"({"v":1,"event":"error","code":"no-space","exit":7,"what":"the disk is full",)"
            R"("subject":"/data","hint":"make room"})"
            "\n");
}

TEST(ApiJson, ProgressOfManySharesNamesNone) {
  FetchProgress progress;
  progress.phase = "verifying";
  const Line line = to_line(Reply{RequestId{1}, Progress(progress)});
  EXPECT_FALSE(line.json.contains("share")) << line.json;
  EXPECT_EQ(line.json.at("phase"), "verifying");
}

TEST(ApiJson, ProgressIsNotFinal) {
  FetchProgress progress;
  progress.share = id_of<ShareId>(0xab);
  progress.name = "film";
  progress.phase = "content";
  progress.bytes_done = 5;
  progress.bytes_total = 10;
  progress.rate = 3;
  progress.peers = 2;
  const Line line = to_line(Reply{RequestId{1}, Progress(progress)});
  EXPECT_EQ(line.kind, LineKind::kProgress);
  EXPECT_EQ(line.json.at("event"), "progress");
  EXPECT_EQ(line.json.at("share"), progress.share.hex());
  EXPECT_EQ(line.json.at("bytes_total"), 10);
  EXPECT_EQ(line.json.at("peers"), 2);
}

TEST(ApiJson, ItemsAreNeitherProgressNorLast) {
  const Line line = to_line(ShareUpdate(BadEntry{"a/b", "a socket"}));
  EXPECT_EQ(line.kind, LineKind::kItem);
  EXPECT_EQ(dump_line(line.json),
            "{\"v\":1,\"event\":\"bad-entry\",\"path\":\"a/b\",\"what\":\"a socket\"}\n");
}

TEST(ApiJson, ASharesAnswerCarriesLinkAndSkipped) {
  ShareDone done;
  done.share.link = "kith:share/abc";
  done.share.state = "shared";
  done.skipped.push_back({"sock", "a socket"});
  const Line line = to_line(ShareUpdate(done));
  EXPECT_EQ(line.kind, LineKind::kLast);
  EXPECT_EQ(line.json.at("event"), "done");
  EXPECT_EQ(line.json.at("link"), "kith:share/abc");
  EXPECT_EQ(line.json.at("share").at("state"), "shared");
  EXPECT_EQ(line.json.at("skipped").at(0).at("path"), "sock");
}

TEST(ApiJson, AFetchSaysWhereItsBytesCameFrom) {
  FetchResult result;
  result.path = "/data/film";
  result.totals.bytes = 100;
  result.bytes_received = 120;
  result.sources = {{id_of<DeviceId>(1), "nas", 70}, {id_of<DeviceId>(2), "laptop", 50}};
  const Json json = to_line(Reply{RequestId{1}, Done(result)}).json;
  EXPECT_EQ(json.at("path"), "/data/film");
  EXPECT_EQ(json.at("totals").at("bytes"), 100);
  EXPECT_EQ(json.at("sources").size(), 2u);
  EXPECT_EQ(json.at("sources").at(1).at("name"), "laptop");
  EXPECT_EQ(json.at("sources").at(1).at("bytes"), 50);
}

TEST(ApiJson, StretchesOfAFileGoBeforeTheLine) {
  SlabPool pool;
  Buffer content(2 * kRecordBytes + 10);
  for (std::size_t i = 0; i < content.size(); ++i) content[i] = static_cast<std::uint8_t>(i % 251);
  const auto chunk = std::make_shared<const SlabChain>(SlabChain::from(pool, content));
  FileRead read{1'000'000, 7, {{chunk, 5, kRecordBytes + 20}, {chunk, 0, 3}}};
  const Line line = to_line(Reply{RequestId{1}, Done(read)});
  EXPECT_EQ(line.kind, LineKind::kLast);
  EXPECT_EQ(line.json.at("size"), 1'000'000);
  EXPECT_EQ(line.json.at("offset"), 7);
  const std::string all(content.begin(), content.end());
  EXPECT_EQ(line.data, all.substr(5, kRecordBytes + 20) + all.substr(0, 3));
  EXPECT_TRUE(to_line(Reply{RequestId{1}, Done(Ok{})}).data.empty());
}

TEST(ApiJson, TheConvergenceSecretIsNeverWritten) {
  SwarmTarget target;
  target.name = "home";
  target.conv = Secret(as_bytes("0123456789abcdef0123456789abcdef"));
  const std::string text = dump_line(to_line(Reply{RequestId{1}, Done(target)}).json);
  EXPECT_EQ(text.find("0123456789abcdef"), std::string::npos);
  EXPECT_EQ(text.find(to_hex(target.conv.view())), std::string::npos);
}

TEST(ApiJson, EmptyListsAreArrays) {
  EXPECT_TRUE(to_line(Reply{RequestId{1}, Done(SharesAnswer{})}).json.at("shares").is_array());
  EXPECT_TRUE(to_line(Reply{RequestId{1}, Done(VerifyReport{})}).json.at("bad").is_array());
  EXPECT_TRUE(to_line(Reply{RequestId{1}, Done(StatusView{})}).json.at("listen").is_array());
}

TEST(ApiJson, AnUnknownRoundTripTimeIsLeftOut) {
  PeersAnswer answer;
  answer.peers.resize(2);
  answer.peers[1].rtt_ms = 0;
  const Json json = to_line(Reply{RequestId{1}, Done(answer)}).json;
  EXPECT_FALSE(json.at("peers").at(0).contains("rtt_ms"));
  EXPECT_EQ(json.at("peers").at(1).at("rtt_ms"), 0);
}

TEST(ApiJson, LinesAreAsciiAndSurviveBytesThatAreNotUtf8) {
  NodeEvent event{"share-withdrawn", "a file changed", "b\xc3\xb6se\x1b[2J\xff"};
  const std::string text = dump_line(to_json(event));
  for (const char c : text.substr(0, text.size() - 1)) {
    EXPECT_TRUE(c >= 0x20 && c < 0x7f) << static_cast<int>(c);
  }
  EXPECT_EQ(text.back(), '\n');
  const Json back = Json::parse(text);
  EXPECT_EQ(back.at("subject").get<std::string>(), "b\xc3\xb6se\x1b[2J\xef\xbf\xbd");
}

TEST(ApiJson, TheNumberOfACopyIsATextThatNobodyRounds) {
  SharesAnswer answer;
  answer.shares.resize(1);
  answer.shares[0].copy = CopyId{529'979'944'958'248'507};
  const Json json = to_line(Reply{RequestId{1}, Done(answer)}).json;
  EXPECT_EQ(json.at("shares").at(0).at("copy"), "529979944958248507");
}

TEST(ApiJson, TimesAreUtc) {
  EXPECT_EQ(to_rfc3339(UnixMillis{0}), "1970-01-01T00:00:00Z");
  EXPECT_EQ(to_rfc3339(UnixMillis{1'000'000'000'999}), "2001-09-09T01:46:40Z");
  EXPECT_EQ(to_rfc3339(UnixMillis{1'709'209'845'000}), "2024-02-29T12:30:45Z");
  EXPECT_EQ(to_rfc3339(UnixMillis{-1}), "1969-12-31T23:59:59Z");
}

}  // namespace
}  // namespace kith::node
