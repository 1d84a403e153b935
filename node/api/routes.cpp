#include "node/api/routes.hpp"

#include <algorithm>
#include <array>
#include <string>
#include <utility>

#include "node/api/args.hpp"
#include "proto/limits.hpp"

namespace kith::node {
namespace {

constexpr std::size_t kTextMax = 4'096;  // links, invites, paths
constexpr std::size_t kPatterns = 1'024;
constexpr std::uint64_t kMinute = 60'000;
constexpr std::uint64_t kYear = 366 * 24 * 60 * kMinute;
constexpr int kDepthMax = 4;
constexpr int kKeysMax = 64;

// --- arguments that several commands have ---

std::string swarm_selector(Args& args) { return args.text("swarm", limits::kSwarmNameMax); }

/// A wrong checksum in a text that somebody passed on is a text copied badly, nothing worse.
Error text_error(Error error) {
  if (error.code == Errc::kVerification) error.code = Errc::kMalformed;
  return error;
}

bool is_hex(std::string_view text) {
  return text.find_first_not_of("0123456789abcdefABCDEF") == std::string_view::npos;
}

/// Checks a selector, and writes an id in lower case, as ids are kept.
void check_share_selector(Args& args, std::string& text) {
  if (!args.ok()) return;
  if (text.find(':') != std::string_view::npos) {
    if (auto link = Link::parse(text); !link) args.fail(text_error(link.error()));
  } else if (text.size() < 8 || text.size() > 64 || !is_hex(text)) {
    args.fail("share", "neither a link nor an id nor at least the first 8 characters of one",
              "kith list shows the ids");
  } else {
    for (char& c : text) c = c >= 'A' && c <= 'F' ? static_cast<char>(c - 'A' + 'a') : c;
  }
}

std::string share_selector(Args& args) {
  std::string text = args.required_text("share", kTextMax);
  check_share_selector(args, text);
  return text;
}

/// A name that people read: no control characters.
std::string display_name(Args& args, std::string_view key, std::size_t max, bool required) {
  std::string name = required ? args.required_text(key, max) : args.text(key, max);
  const auto control = [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; };
  if (std::any_of(name.begin(), name.end(), control)) {
    args.fail(key, "contains a control character");
  }
  return name;
}

std::string absolute_path(Args& args, std::string_view key) {
  std::string path = args.required_text(key, kTextMax);
  if (args.ok() && path.front() != '/') args.fail(key, "not an absolute path");
  return path;
}

/// The name of a file or directory: one component.
std::string file_name(Args& args, std::string_view key) {
  std::string name = args.text(key, limits::kComponentMax);
  if (name == "." || name == ".." || name.find('/') != std::string::npos) {
    args.fail(key, "not the name of a file", "one name, with no / in it");
  }
  return name;
}

Endpoint endpoint(Args& args, std::string_view key) {
  const std::string text = args.required_text(key, kTextMax);
  const auto parsed = Endpoint::parse(text);
  if (args.ok() && (!parsed || !parsed->is_usable())) args.fail(key, "not an address and port");
  return parsed.value_or(Endpoint());
}

// --- one function per command ---

using Body = decltype(ApiRequest::body);

Body swarm_create(Args& args) {
  return CommandBody(CreateSwarm{display_name(args, "name", limits::kSwarmNameMax, true)});
}
Body swarm_list(Args&) { return CommandBody(ListSwarms{}); }
Body swarm_members(Args& args) { return CommandBody(ListMembers{swarm_selector(args)}); }
Body swarm_leave(Args& args) {
  return CommandBody(LeaveSwarm{swarm_selector(args), args.flag("force")});
}

Body swarm_invite(Args& args) {
  MakeInvite invite;
  invite.swarm = swarm_selector(args);
  if (std::string role = args.text("role", 16); !role.empty()) invite.role = std::move(role);
  // A mirror could do nothing yet.
  constexpr std::array kRoles{"admin", "member", "reader"};
  if (std::find(kRoles.begin(), kRoles.end(), invite.role) == kRoles.end()) {
    args.fail("role", "none of admin, member, reader");
  }
  invite.uses = static_cast<std::uint32_t>(args.number("uses", 1, kInviteUsesMax, 1));
  invite.lifetime = std::chrono::milliseconds(
      args.number("lifetime_ms", kMinute, kYear, std::uint64_t{24} * 60 * kMinute));
  return CommandBody(std::move(invite));
}

Body join(Args& args) {
  Join join;
  const std::string text = args.required_text("invite", kTextMax);
  join.device_name = display_name(args, "device_name", limits::kDeviceNameMax, false);
  join.patience =
      std::chrono::milliseconds(args.number("patience_ms", 1'000, 24 * 60 * kMinute, 30'000));
  if (!args.ok()) return CommandBody(std::move(join));
  auto invite = Invite::parse(text);
  if (invite) {
    join.invite = std::move(*invite);
  } else {
    args.fail(text_error(invite.error()));
  }
  return CommandBody(std::move(join));
}

Body share(Args& args) {
  ShareRequest share;
  share.swarm = swarm_selector(args);
  share.path = absolute_path(args, "path");
  share.name = file_name(args, "name");
  share.exclude = args.texts("exclude", kPatterns, kTextMax);
  share.skip_bad = args.flag("skip_bad");
  share.private_share = args.flag("private");
  const std::string chunking = args.text("chunking", 16);
  share.fixed_chunks = chunking == "fixed";
  if (!chunking.empty() && chunking != "fixed" && chunking != "cdc") {
    args.fail("chunking", "neither cdc nor fixed");
  }
  return share;
}

Body fetch(Args& args) {
  Fetch fetch;
  const std::string text = args.required_text("link", kTextMax);
  fetch.directory = absolute_path(args, "directory");
  fetch.name = file_name(args, "name");
  fetch.replace = args.flag("replace");
  fetch.safe_links = args.flag("safe_links");
  fetch.wait = args.flag("wait");
  fetch.detached = args.flag("detach");
  fetch.part = args.texts("part", kPatterns, kTextMax);
  // Which comes first makes no difference.
  std::ranges::sort(fetch.part);
  fetch.part.erase(std::ranges::unique(fetch.part).begin(), fetch.part.end());
  if (std::ranges::find(fetch.part, std::string()) != fetch.part.end()) {
    args.fail("part", "one of them is empty");
  }
  fetch.reuse = args.text("reuse", kTextMax);
  if (!fetch.reuse.empty() && fetch.reuse.front() != '/') {
    args.fail("reuse", "not an absolute path");
  }
  if (!args.ok()) return CommandBody(std::move(fetch));
  auto link = Link::parse(text);
  if (link) {
    fetch.link = *link;
  } else {
    args.fail(text_error(link.error()));
  }
  return CommandBody(std::move(fetch));
}

Body read(Args& args) {
  ReadFile read;
  read.share = share_selector(args);
  read.path = args.text("path", kTextMax);
  read.offset = args.number("offset", 0, INT64_MAX, 0);
  read.length = static_cast<std::uint32_t>(args.number("length", 0, kReadMax, kReadMax));
  return CommandBody(std::move(read));
}

Body list(Args&) { return CommandBody(ListShares{}); }
Body show(Args& args) { return CommandBody(ShowShare{share_selector(args)}); }
Body unshare(Args& args) { return CommandBody(Unshare{share_selector(args)}); }
Body cancel(Args& args) { return CommandBody(CancelFetch{share_selector(args)}); }
Body moved(Args& args) {
  std::string share = share_selector(args);
  return CommandBody(MovedShare{std::move(share), absolute_path(args, "path")});
}
Body verify(Args& args) {
  std::string share = args.text("share", kTextMax);
  if (!share.empty()) check_share_selector(args, share);
  return CommandBody(VerifyShare{std::move(share)});
}

Body peers(Args&) { return CommandBody(ListPeers{}); }
Body status(Args&) { return CommandBody(GetStatus{}); }
Body doctor(Args&) { return CommandBody(GetDoctor{}); }
Body limit(Args& args) {
  return CommandBody(SetLimit{args.number("bytes_per_second", 0, std::uint64_t{1} << 40, 0)});
}
Body scrub(Args& args) {
  SetScrub set;
  set.settings.rate = args.number("bytes_per_second", 0, std::uint64_t{1} << 40, set.settings.rate);
  set.settings.every = std::chrono::milliseconds(args.number(
      "every_ms", kMinute, 10 * kYear, static_cast<std::uint64_t>(set.settings.every.count())));
  return CommandBody(set);
}
Body limits(Args& args) {
  ChangeLimit change;
  change.swarm = swarm_selector(args);
  change.device = args.text("device", kTextMax);
  const auto rate = [&](std::string_view key) -> std::optional<std::uint64_t> {
    const std::uint64_t value = args.number(key, 0, std::uint64_t{1} << 40, UINT64_MAX);
    return value == UINT64_MAX ? std::nullopt : std::optional(value);
  };
  change.up = rate("up");
  change.down = rate("down");
  const std::string exempt = args.text("lan_exempt", 8);
  if (!exempt.empty()) change.lan_exempt = exempt == "yes";
  if (!exempt.empty() && exempt != "yes" && exempt != "no") {
    args.fail("lan_exempt", "neither yes nor no");
  }
  return CommandBody(std::move(change));
}
Body quota(Args& args) {
  const std::uint64_t bytes = args.number("bytes", 0, std::uint64_t{1} << 60, UINT64_MAX);
  return CommandBody(ChangeQuota{bytes == UINT64_MAX ? std::nullopt : std::optional(bytes)});
}
Body gc(Args& args) { return CommandBody(CollectGarbage{args.flag("dry_run")}); }
Body bootstrap(Args& args) { return CommandBody(AddBootstrap{endpoint(args, "endpoint")}); }
Body stop(Args&) { return StopRequest{}; }

struct Route {
  std::string_view name;
  Body (*parse)(Args&);
};
constexpr std::array kRoutes{
    Route{"bootstrap", bootstrap},
    Route{"cancel", cancel},
    Route{"doctor", doctor},
    Route{"fetch", fetch},
    Route{"gc", gc},
    Route{"join", join},
    Route{"limit", limit},
    Route{"limits", limits},
    Route{"list", list},
    Route{"moved", moved},
    Route{"peers", peers},
    Route{"quota", quota},
    Route{"read", read},
    Route{"scrub", scrub},
    Route{"share", share},
    Route{"show", show},
    Route{"status", status},
    Route{"stop", stop},
    Route{"swarm-create", swarm_create},
    Route{"swarm-invite", swarm_invite},
    Route{"swarm-leave", swarm_leave},
    Route{"swarm-list", swarm_list},
    Route{"swarm-members", swarm_members},
    Route{"unshare", unshare},
    Route{"verify", verify},
};

bool is_detached(const Body& body) {
  const auto* command = std::get_if<CommandBody>(&body);
  const auto* fetch = command == nullptr ? nullptr : std::get_if<Fetch>(command);
  return fetch != nullptr && fetch->detached;
}

}  // namespace

std::vector<std::string_view> command_names() {
  std::vector<std::string_view> out;
  for (const Route& route : kRoutes) out.push_back(route.name);
  return out;
}

Result<Json> parse_arguments(std::string_view body) {
  Json arguments = Json::object();
  if (body.find_first_not_of(" \t\r\n") != std::string_view::npos) {
    int keys = 0;
    bool refused = false;
    // What is refused is not kept: nesting costs no memory, and many keys no time in Json's list.
    const auto keep = [&](int depth, Json::parse_event_t event, const Json&) {
      keys += event == Json::parse_event_t::key ? 1 : 0;
      refused = refused || depth > kDepthMax || keys > kKeysMax;
      return !refused;
    };
    arguments = Json::parse(body, keep, false);
    if (refused || !arguments.is_object()) {
      return local_error(Errc::kMalformed, "the arguments are not a JSON object");
    }
  }
  return Result<Json>(boost::system::in_place_value, std::move(arguments));
}

Result<ApiRequest> parse_request(std::string_view command, const Json& arguments) {
  const auto route = std::find_if(kRoutes.begin(), kRoutes.end(),
                                  [&](const Route& r) { return r.name == command; });
  if (route == kRoutes.end()) {
    return local_error(Errc::kNotFound, "no such command", std::string(command));
  }
  Args args(arguments);
  ApiRequest request;
  request.body = route->parse(args);
  KITH_CHECK(args.finish());
  request.detached = is_detached(request.body);
  return request;
}

}  // namespace kith::node
