#include "node/api/json.hpp"

#include <array>
#include <chrono>
#include <cstdio>
#include <utility>

#include "node/api/json_views.hpp"

namespace kith::node {
namespace {

struct CodeRow {
  Errc code;
  std::string_view name;
  int exit;
};
constexpr std::array kCodes{
    CodeRow{Errc::kMalformed, "malformed", 2},
    CodeRow{Errc::kLimit, "limit", 1},
    CodeRow{Errc::kRefused, "refused", 5},
    CodeRow{Errc::kNotFound, "not-found", 4},
    CodeRow{Errc::kExists, "exists", 1},
    CodeRow{Errc::kConflict, "conflict", 1},
    CodeRow{Errc::kVerification, "verification", 6},
    CodeRow{Errc::kNoSpace, "no-space", 7},
    CodeRow{Errc::kIo, "io", 1},
    CodeRow{Errc::kTimeout, "timeout", 4},
    CodeRow{Errc::kUnreachable, "unreachable", 4},
    CodeRow{Errc::kClosed, "closed", 3},
    CodeRow{Errc::kUnsupported, "unsupported", 1},
    CodeRow{Errc::kUsage, "usage", 2},
    CodeRow{Errc::kChanged, "changed", 1},
    CodeRow{Errc::kCancelled, "cancelled", 1},
    CodeRow{Errc::kInternal, "internal", 1},
};

const CodeRow& row_of(Errc code) {
  for (const CodeRow& row : kCodes) {
    if (row.code == code) return row;
  }
  return kCodes.back();
}

Json line(std::string_view event) {
  Json out;
  out["v"] = 1;
  out["event"] = event;
  return out;
}

// --- progress ---

Json progress_json(const FetchProgress& progress) {
  Json out = line("progress");
  if (!progress.share.is_zero()) out["share"] = progress.share.hex();  // `verify` is about many
  out["name"] = progress.name;
  out["phase"] = progress.phase;
  out["bytes_done"] = progress.bytes_done;
  out["bytes_total"] = progress.bytes_total;
  out["rate"] = progress.rate;
  out["peers"] = progress.peers;
  return out;
}

Json progress_json(const JoinProgress& progress) {
  Json out = line("progress");
  out["phase"] = "joining";
  out["what"] = progress.what;
  return out;
}

Json progress_json(const ShareProgress& progress) {
  Json out = line("progress");
  out["phase"] = progress.phase;
  out["files"] = progress.files;
  out["bytes_done"] = progress.bytes_done;
  out["bytes_total"] = progress.bytes_total;
  out["rate"] = progress.rate;
  return out;
}

// --- done: one function per answer ---

void add(Json&, const Ok&) {}
void add(Json& out, const SwarmCreated& answer) { out["swarm"] = view_json(answer.swarm); }
void add(Json& out, const SwarmsAnswer& answer) { out["swarms"] = views_json(answer.swarms); }
void add(Json& out, const MembersAnswer& answer) {
  out["swarm"] = view_json(answer.swarm);
  out["members"] = views_json(answer.members);
}
void add(Json& out, const InviteMade& answer) {
  out["invite"] = answer.text;
  out["swarm"] = view_json(answer.swarm);
  out["role"] = answer.role;
  out["uses"] = answer.uses;
  out["expires"] = to_rfc3339(answer.expiry);
}
void add(Json& out, const Joined& answer) {
  out["swarm"] = view_json(answer.swarm);
  out["already"] = answer.already;
}
void add(Json& out, const SwarmTarget& answer) {  // its secret stays inside
  out["swarm"] = answer.swarm.hex();
  out["name"] = answer.name;
  out["created"] = answer.created;
}
void add(Json& out, const ShareAdded& answer) {
  out["link"] = answer.share.link;
  out["share"] = view_json(answer.share);
}
void add(Json& out, const ShareDone& answer) {
  add(out, ShareAdded{answer.share});
  out["skipped"] = views_json(answer.skipped);
  out["skipped_count"] = answer.skipped_count;
  out["links_outside"] = answer.links_outside;
  out["bytes_read"] = answer.bytes_read;
}
void add(Json& out, const FetchResult& answer) {
  out["share"] = answer.share.hex();
  out["path"] = answer.path;
  out["totals"] = view_json(answer.totals);
  out["files_taken"] = answer.files_taken;
  out["bytes_taken"] = answer.bytes_taken;
  out["bytes_received"] = answer.bytes_received;
  out["bytes_copied"] = answer.bytes_copied;
  out["sources"] = views_json(answer.sources);
  out["links_outside"] = answer.links_outside;
  out["already_there"] = answer.already_there;
  out["elapsed_ms"] = answer.elapsed_ms;
}
void add(Json& out, const FileRead& answer) {
  out["size"] = answer.size;
  out["offset"] = answer.offset;
}
void add(Json& out, const SharesAnswer& answer) { out["shares"] = views_json(answer.shares); }
void add(Json& out, const ShareAnswer& answer) {
  out["share"] = view_json(answer.share);
  out["sources"] = views_json(answer.sources);
}
void add(Json& out, const VerifyReport& answer) {
  out["chunks"] = answer.chunks;
  out["bytes"] = answer.bytes;
  out["bad"] = answer.bad;
  out["damaged"] = answer.damaged;
  out["repaired"] = answer.repaired;
  out["damage"] = views_json(answer.damage);
}
void add(Json& out, const LimitsAnswer& answer) {
  out["limits"] = views_json(answer.limits);
  out["lan_exempt"] = answer.lan_exempt;
}
void add(Json& out, const QuotaAnswer& answer) {
  out["limit"] = answer.limit;
  out["used"] = answer.used;
}
void add(Json& out, const GarbageReport& report) {
  out["dry_run"] = report.dry_run;
  out["items"] = views_json(report.items);
  out["catalog_bytes"] = report.catalog_bytes;
}
void add(Json& out, const PeersAnswer& answer) { out["peers"] = views_json(answer.peers); }
void add(Json& out, const StatusView& status) {
  out["device"] = status.device.hex();
  out["version"] = status.version;
  out["pid"] = status.pid;
  out["home"] = status.home;
  out["listen"] = status.listen;
  out["swarms"] = views_json(status.swarms);
  out["shares"] = status.shares;
  out["fetches"] = status.fetches;
  out["connections"] = status.connections;
  out["bytes_sent"] = status.bytes_sent;
  out["bytes_received"] = status.bytes_received;
  out["scrub"] = view_json(status.scrub);
  out["uptime_ms"] = status.uptime_ms;
  out["longest_turn_us"] = status.longest_turn_us;
}
void add(Json& out, const DoctorAnswer& answer) { out["checks"] = views_json(answer.checks); }

template <class Answer>
Line done(const Answer& answer) {
  Json out = done_line();
  add(out, answer);
  return {LineKind::kLast, std::move(out)};
}

std::string content_of(const FileRead& answer) {
  std::string out;
  std::size_t size = 0;
  for (const FileStretch& stretch : answer.stretches) size += stretch.length;
  out.reserve(size);  // or it would be moved for each
  for (const FileStretch& stretch : answer.stretches) {
    const std::size_t at = out.size();
    out.resize(at + stretch.length);
    stretch.chunk->copy_out(stretch.offset,
                            {reinterpret_cast<std::uint8_t*>(out.data()) + at, stretch.length});
  }
  return out;
}

struct ToLine {
  Line operator()(const Error& error) const { return {LineKind::kLast, to_json(error)}; }
  Line operator()(const Done& answer) const {
    Line out = std::visit([](const auto& body) { return done(body); }, answer);
    if (const auto* read = std::get_if<FileRead>(&answer)) out.data = content_of(*read);
    return out;
  }
  Line operator()(const Progress& progress) const {
    return {LineKind::kProgress,
            std::visit([](const auto& body) { return progress_json(body); }, progress)};
  }
  Line operator()(const ShareProgress& progress) const {
    return {LineKind::kProgress, progress_json(progress)};
  }
  Line operator()(const BadEntry& entry) const {
    Json out = line("bad-entry");
    out.update(view_json(entry));
    return {LineKind::kItem, std::move(out)};
  }
  Line operator()(const ShareDone& answer) const { return done(answer); }
};

}  // namespace

std::string_view code_name(Errc code) { return row_of(code).name; }
int exit_code(Errc code) { return row_of(code).exit; }

Line to_line(const Reply& reply) { return std::visit(ToLine{}, reply.body); }
Line to_line(const ShareUpdate& update) { return std::visit(ToLine{}, update); }

Json to_json(const Error& error) {
  Json out = line("error");
  out["code"] = code_name(error.code);
  out["exit"] = exit_code(error.code);
  out["what"] = error.what;
  out["subject"] = error.subject;
  out["hint"] = error.hint;
  return out;
}

Json to_json(const NodeEvent& event) {
  Json out = line("node");
  out["kind"] = event.kind;
  out["what"] = event.what;
  out["subject"] = event.subject;
  return out;
}

Json done_line() { return line("done"); }

Json data_line(std::size_t length) {
  Json out = line("data");
  out["length"] = length;
  return out;
}

Json detached_line(const ShareId& share) {
  Json out = done_line();
  out["share"] = share.hex();
  out["detached"] = true;
  return out;
}

std::string to_rfc3339(UnixMillis time) {
  using namespace std::chrono;
  const sys_seconds at = floor<seconds>(sys_time<milliseconds>(milliseconds(count(time))));
  const sys_days day = floor<days>(at);
  const year_month_day date(day);
  const hh_mm_ss clock(at - day);
  std::array<char, 40> text{};
  const int length = std::snprintf(
      text.data(), text.size(), "%04d-%02u-%02uT%02d:%02d:%02dZ", static_cast<int>(date.year()),
      static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
      static_cast<int>(clock.hours().count()), static_cast<int>(clock.minutes().count()),
      static_cast<int>(clock.seconds().count()));
  return {text.data(), static_cast<std::size_t>(length)};
}

std::string dump_line(const Json& json) {
  return json.dump(-1, ' ', true, Json::error_handler_t::replace) + '\n';
}

}  // namespace kith::node
