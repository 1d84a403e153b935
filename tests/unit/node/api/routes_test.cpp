#include "node/api/routes.hpp"

#include <algorithm>
#include <gtest/gtest.h>
#include <string>

namespace kith::node {
namespace {

Link some_link() {
  Link link;
  link.share.bytes.fill(7);
  link.key.bytes.fill(8);
  return link;
}

Json json_of(std::string_view text) { return Json::parse(text); }

Result<ApiRequest> parse(std::string_view command, const Json& json) {
  return parse_request(command, json);
}

template <class Body>
Body command_of(std::string_view command, const Json& json) {
  auto request = parse(command, json);
  EXPECT_TRUE(request.has_value()) << to_string(request.error());
  return std::get<Body>(std::get<CommandBody>(request->body));
}

void expect_usage(std::string_view command, const Json& json, std::string_view subject) {
  const auto request = parse(command, json);
  ASSERT_FALSE(request.has_value()) << command << ' ' << json.dump();
  EXPECT_EQ(request.error().code, Errc::kUsage) << json.dump();
  EXPECT_EQ(request.error().subject, subject) << json.dump();
}

TEST(Routes, NamesAreSortedAndUnique) {
  const auto names = command_names();
  EXPECT_TRUE(std::is_sorted(names.begin(), names.end()));
  EXPECT_EQ(std::adjacent_find(names.begin(), names.end()), names.end());
}

TEST(Routes, EveryCommandRefusesAnUnknownArgument) {
  for (const std::string_view name : command_names()) {
    EXPECT_FALSE(parse(name, json_of(R"({"no_such_argument":1})")).has_value()) << name;
  }
}

TEST(Routes, AnUnknownCommandIsNotFound) {
  EXPECT_EQ(parse("swarm-explode", Json::object()).error().code, Errc::kNotFound);
  EXPECT_EQ(parse("", Json::object()).error().code, Errc::kNotFound);
}

TEST(Routes, CommandsWithoutArguments) {
  (void)command_of<ListSwarms>("swarm-list", Json::object());
  (void)command_of<ListShares>("list", Json::object());
  (void)command_of<ListPeers>("peers", Json::object());
  (void)command_of<GetStatus>("status", Json::object());
  (void)command_of<GetDoctor>("doctor", Json::object());
  const auto stop = parse("stop", Json::object());
  ASSERT_TRUE(stop.has_value());
  EXPECT_TRUE(std::holds_alternative<StopRequest>(stop->body));
}

TEST(Routes, ASwarmNeedsAName) {
  EXPECT_EQ(command_of<CreateSwarm>("swarm-create", json_of(R"({"name":"lab"})")).name, "lab");
  expect_usage("swarm-create", Json::object(), "name");
  expect_usage("swarm-create", json_of(R"({"name":""})"), "name");
  expect_usage("swarm-create", json_of(R"({"name":"a\u001bb"})"), "name");
  const auto of_length = [](std::size_t n) {
    Json json;
    json["name"] = std::string(n, 'x');
    return json;
  };
  EXPECT_TRUE(parse("swarm-create", of_length(64)).has_value());
  expect_usage("swarm-create", of_length(65), "name");
}

TEST(Routes, AnInviteHasRoleUsesAndLifetime) {
  const auto plain = command_of<MakeInvite>("swarm-invite", Json::object());
  EXPECT_EQ(plain.role, "member");
  EXPECT_EQ(plain.uses, 1u);
  EXPECT_EQ(plain.lifetime, std::chrono::hours(24));
  const auto full = command_of<MakeInvite>(
      "swarm-invite", json_of(R"({"swarm":"lab","role":"reader","uses":5,"lifetime_ms":60000})"));
  EXPECT_EQ(full.swarm, "lab");
  EXPECT_EQ(full.role, "reader");
  EXPECT_EQ(full.uses, 5u);
  EXPECT_EQ(full.lifetime, std::chrono::minutes(1));
  expect_usage("swarm-invite", json_of(R"({"role":"owner"})"), "role");
  expect_usage("swarm-invite", json_of(R"({"role":"mirror"})"), "role");
  expect_usage("swarm-invite", json_of(R"({"uses":0})"), "uses");
  EXPECT_TRUE(parse("swarm-invite", json_of(R"({"uses":1000})")).has_value());
  expect_usage("swarm-invite", json_of(R"({"uses":1001})"), "uses");
  expect_usage("swarm-invite", json_of(R"({"lifetime_ms":59999})"), "lifetime_ms");
}

TEST(Routes, AMalformedInviteSaysSo) {
  const auto request = parse("join", json_of(R"({"invite":"kith:invite/nonsense"})"));
  ASSERT_FALSE(request.has_value());
  EXPECT_EQ(request.error().code, Errc::kMalformed);
  EXPECT_EQ(request.error().what.find("nonsense"), std::string::npos) << "an invite is a secret";
}

TEST(Routes, AShareHasAnAbsolutePathAndOptions) {
  const auto request = parse(
      "share", json_of(R"({"path":"/data/x","name":"y","exclude":["*.o","tmp"],"skip_bad":true,)"
                       R"("chunking":"fixed","private":true,"swarm":"lab"})"));
  ASSERT_TRUE(request.has_value());
  const auto& share = std::get<ShareRequest>(request->body);
  EXPECT_EQ(share.path, "/data/x");
  EXPECT_EQ(share.name, "y");
  EXPECT_EQ(share.exclude, (std::vector<std::string>{"*.o", "tmp"}));
  EXPECT_TRUE(share.skip_bad);
  EXPECT_TRUE(share.fixed_chunks);
  EXPECT_TRUE(share.private_share);
  EXPECT_EQ(share.swarm, "lab");
  expect_usage("share", Json::object(), "path");
  expect_usage("share", json_of(R"({"path":"data/x"})"), "path");
  expect_usage("share", json_of(R"({"path":"/x","chunking":"huge"})"), "chunking");
  expect_usage("share", json_of(R"({"path":"/x","name":"a/b"})"), "name");
}

TEST(Routes, AFetchHasALinkAndAPlace) {
  Json json;
  json["link"] = some_link().to_string();
  json["directory"] = "/data";
  const auto plain = command_of<Fetch>("fetch", json);
  EXPECT_EQ(plain.link, some_link());
  EXPECT_EQ(plain.directory, "/data");
  EXPECT_EQ(plain.name, "");
  EXPECT_FALSE(plain.replace || plain.safe_links || plain.wait || plain.detached);

  for (const char* flag : {"replace", "safe_links", "wait", "detach"}) json[flag] = true;
  json["name"] = "new";
  const auto full = command_of<Fetch>("fetch", json);
  EXPECT_TRUE(full.replace && full.safe_links && full.wait && full.detached);
  EXPECT_EQ(full.name, "new");
  EXPECT_TRUE(parse("fetch", json)->detached);

  for (const char* name : {".", "..", "a/b", "/"}) {
    json["name"] = name;
    expect_usage("fetch", json, "name");
  }
  json["name"] = "n";
  json["part"] = json_of(R"(["/docs","*.jpg","/docs"])");
  EXPECT_EQ(command_of<Fetch>("fetch", json).part, (std::vector<std::string>{"*.jpg", "/docs"}));
  json["part"] = json_of(R"(["*.jpg",""])");
  expect_usage("fetch", json, "part");
  json.erase("part");
  json["directory"] = "data";
  expect_usage("fetch", json, "directory");
}

TEST(Routes, AMalformedLinkSaysSo) {
  Json json;
  json["directory"] = "/data";
  json["link"] = "kith:share/abc";
  EXPECT_EQ(parse("fetch", json).error().code, Errc::kMalformed);
  std::string altered = some_link().to_string();
  altered.back() = altered.back() == 'a' ? 'b' : 'a';
  json["link"] = altered;
  EXPECT_EQ(parse("fetch", json).error().code, Errc::kMalformed);
}

TEST(Routes, SharesAreNamedByLinkIdOrPrefix) {
  const auto accepted = [](const std::string& text) {
    Json json;
    json["share"] = text;
    return parse("show", json).has_value();
  };
  EXPECT_TRUE(accepted(some_link().to_string()));
  EXPECT_TRUE(accepted(some_link().share.hex()));
  EXPECT_TRUE(accepted("01234567"));
  EXPECT_TRUE(accepted("ABCDEF01"));
  EXPECT_FALSE(accepted("0123456"));
  EXPECT_FALSE(accepted("0123456g"));
  EXPECT_FALSE(accepted(some_link().share.hex() + "0"));
  EXPECT_FALSE(accepted("kith:share/"));
  EXPECT_FALSE(accepted(""));
}

TEST(Routes, IdsAreKeptInLowerCase) {
  EXPECT_EQ(command_of<ShowShare>("show", json_of(R"({"share":"0AbcdefF"})")).share, "0abcdeff");
  EXPECT_EQ(command_of<VerifyShare>("verify", json_of(R"({"share":"ABCDEF01"})")).share,
            "abcdef01");
}

TEST(Routes, OnlyVerifyTakesNoShareForAll) {
  EXPECT_EQ(command_of<VerifyShare>("verify", Json::object()).share, "");
  for (const char* name : {"show", "unshare", "cancel"}) {
    expect_usage(name, Json::object(), "share");
  }
  expect_usage("moved", json_of(R"({"share":"01234567"})"), "path");
}

TEST(Routes, Scrub) {
  const ScrubSettings set =
      command_of<SetScrub>("scrub", json_of(R"({"bytes_per_second":0,"every_ms":60000})")).settings;
  EXPECT_EQ(set.rate, 0u);
  EXPECT_EQ(set.every, std::chrono::minutes(1));
  EXPECT_EQ(command_of<SetScrub>("scrub", Json::object()).settings.rate, ScrubSettings().rate);
  expect_usage("scrub", json_of(R"({"every_ms":1})"), "every_ms");
}

TEST(Routes, LimitAndBootstrap) {
  EXPECT_EQ(command_of<SetLimit>("limit", json_of(R"({"bytes_per_second":1000})")).bytes_per_second,
            1000u);
  expect_usage("limit", json_of(R"({"bytes_per_second":-1})"), "bytes_per_second");
  EXPECT_EQ(command_of<AddBootstrap>("bootstrap", json_of(R"({"endpoint":"192.0.2.1:5484"})"))
                .endpoint.to_string(),
            "192.0.2.1:5484");
  expect_usage("bootstrap", json_of(R"({"endpoint":"192.0.2.1"})"), "endpoint");
  expect_usage("bootstrap", json_of(R"({"endpoint":"0.0.0.0:5484"})"), "endpoint");
}

TEST(Arguments, AnEmptyBodyIsAnEmptyObject) {
  EXPECT_TRUE(parse_arguments("")->is_object());
  EXPECT_TRUE(parse_arguments(" \n")->empty());
  EXPECT_EQ(parse_arguments(R"({"a":1})")->at("a"), 1);
}

TEST(Arguments, OnlyASmallObjectIsAccepted) {
  for (const char* text : {"[]", "1", "null", "\"x\"", "{", "{\"a\":}", "{} {}", "{\"a\":\"\xff\"}",
                           "{'a':1}", "\x01\x02"}) {
    const auto result = parse_arguments(text);
    ASSERT_FALSE(result.has_value()) << text;
    EXPECT_EQ(result.error().code, Errc::kMalformed);
  }
}

TEST(Arguments, NestingAndNumberOfMembersAreBounded) {
  EXPECT_TRUE(parse_arguments(R"({"a":[[[1]]]})").has_value());
  EXPECT_FALSE(parse_arguments(R"({"a":[[[[[1]]]]]})").has_value());
  EXPECT_FALSE(parse_arguments(std::string(1'000'000, '[')).has_value());
  EXPECT_FALSE(parse_arguments("{\"a\":" + std::string(1'000'000, '[')).has_value());
  const auto members = [](int n) {
    std::string text = "{";
    for (int i = 0; i < n; ++i) text += (i ? ",\"" : "\"") + std::to_string(i) + "\":1";
    return parse_arguments(text + "}").has_value();
  };
  EXPECT_TRUE(members(64));
  EXPECT_FALSE(members(65));
  EXPECT_FALSE(members(100'000));
}

}  // namespace
}  // namespace kith::node
