// docs/cli.md is the schema of what a node answers: every line that json.cpp can make stands there
// as an example with the same members, and every example is a line.
#include <algorithm>
#include <fstream>
#include <gtest/gtest.h>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "node/api/json.hpp"
#include "tools/kith/settings.hpp"

namespace kith::node {
namespace {

std::string read_docs() {
  std::ifstream file(std::string(KITH_DOCS) + "/cli.md");
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

/// The indented lines that begin with a brace.
std::vector<std::string> examples() {
  std::vector<std::string> out;
  std::istringstream text(read_docs());
  for (std::string line; std::getline(text, line);) {
    if (line.rfind("    {", 0) == 0) out.push_back(line.substr(4));
  }
  return out;
}

/// The members and kinds of values, without the values: what makes two lines of the same form. Of a
/// list, its first element.
std::string form_of(const Json& json) {
  if (json.is_object()) {
    std::string out = "{";
    for (const auto& [key, value] : json.items()) out += key + ':' + form_of(value) + ' ';
    return out + '}';
  }
  if (json.is_array()) return '[' + (json.empty() ? std::string() : form_of(json.front())) + ']';
  if (json.is_string()) return "text";
  return json.is_boolean() ? "flag" : "number";
}

std::string form_of_line(const Json& line) {
  return line.at("event").get<std::string>() + ' ' + form_of(line);
}

template <class Body>
Json line_of(Body body) {
  return to_line(Reply{RequestId{1}, Done(std::move(body))}).json;
}

ShareAnswer share_answer() {
  ShareAnswer out;
  out.sources.resize(1);
  return out;
}

StatusView status_view() {
  StatusView out;
  out.listen = {"0.0.0.0:5484"};
  out.swarms.resize(1);
  return out;
}

PeersAnswer peers_answer() {
  PeersAnswer out;
  out.peers.resize(1);
  out.peers[0].rtt_ms = 1;
  return out;
}

FetchResult fetch_result() {
  FetchResult out;
  out.sources.resize(1);
  return out;
}

VerifyReport verify_report() {
  VerifyReport out;
  out.damage.resize(1);
  return out;
}

std::vector<Json> all_lines() {
  FetchProgress of_a_share;
  of_a_share.share.bytes.fill(1);
  ShareDone shared;
  shared.skipped.resize(1);
  return {
      to_json(local_error(Errc::kIo, "what")),
      to_json(NodeEvent{"kind", "what", "subject"}),
      to_line(Reply{RequestId{1}, Progress(FetchProgress{})}).json,
      to_line(Reply{RequestId{1}, Progress(of_a_share)}).json,
      to_line(Reply{RequestId{1}, Progress(JoinProgress{})}).json,
      to_line(ShareUpdate(ShareProgress{})).json,
      to_line(ShareUpdate(BadEntry{})).json,
      to_line(ShareUpdate(shared)).json,
      detached_line(ShareId{}),
      line_of(Ok{}),
      line_of(SwarmCreated{}),
      line_of(SwarmsAnswer{{SwarmView{}}}),
      line_of(MembersAnswer{SwarmView{}, {MemberView{}}}),
      line_of(InviteMade{}),
      line_of(Joined{}),
      line_of(fetch_result()),
      line_of(FileRead{}),
      data_line(1),
      line_of(SharesAnswer{{ShareView{}}}),
      line_of(share_answer()),
      line_of(verify_report()),
      line_of(QuotaAnswer{1, 1}),
      line_of(GarbageReport{false, {Garbage{}}, 1}),
      line_of(peers_answer()),
      line_of(status_view()),
      line_of(DoctorAnswer{{DoctorCheck{}}}),
  };
}

TEST(Docs, EveryExampleIsALine) {
  const auto lines = examples();
  ASSERT_GT(lines.size(), 20u);
  for (const std::string& text : lines) {
    const Json line = Json::parse(text, nullptr, false);
    ASSERT_TRUE(line.is_object()) << text;
    EXPECT_EQ(line.value("v", 0), 1) << text;
    EXPECT_TRUE(line.contains("event")) << text;
  }
}

TEST(Docs, EveryLineOfANodeHasAnExample) {
  std::set<std::string> forms;
  for (const std::string& text : examples()) forms.insert(form_of_line(Json::parse(text)));
  for (const Json& line : all_lines()) {
    EXPECT_EQ(forms.count(form_of_line(line)), 1u)
        << line.dump() << "\nhas no example of the form\n"
        << form_of_line(line);
  }
}

TEST(Docs, EveryCodeIsThereWithItsExitCode) {
  const std::string text = read_docs();
  for (int i = 0; i <= static_cast<int>(Errc::kInternal); ++i) {
    const auto code = static_cast<Errc>(i);
    const std::string row =
        "| `" + std::string(code_name(code)) + "` | " + std::to_string(exit_code(code)) + " |";
    EXPECT_NE(text.find(row), std::string::npos) << row;
  }
}

TEST(Docs, EverySettingIsThere) {
  const std::string text = read_docs();
  for (const std::string_view key : cli::Settings::keys()) {
    EXPECT_NE(text.find("`" + std::string(key) + "`"), std::string::npos) << key;
  }
}

}  // namespace
}  // namespace kith::node
