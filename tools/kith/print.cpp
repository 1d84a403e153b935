#include "tools/kith/print.hpp"

#include <algorithm>
#include <chrono>

#include "tools/kith/fields.hpp"
#include "tools/kith/table.hpp"
#include "tools/kith/units.hpp"

namespace kith::cli {
namespace {

using node::Json;

void print_table(Output& out, const Table& table) {
  for (const std::string& line : table.lines()) out.line(line);
}

std::string or_dash(std::string text) { return text.empty() ? "-" : text; }

std::string counted(std::uint64_t count, const char* one, const char* many) {
  return std::to_string(count) + ' ' + (count == 1 ? one : many);
}

std::string totals_text(const Json& totals) {
  std::string out = format_bytes(number(totals, "bytes"));
  out += " in " + counted(number(totals, "files"), "file", "files");
  if (const auto n = number(totals, "directories"); n > 0) {
    out += ", " + counted(n, "directory", "directories");
  }
  if (const auto n = number(totals, "symlinks"); n > 0) {
    out += ", " + counted(n, "symlink", "symlinks");
  }
  return out;
}

/// What a fetch took: all of the share, or a part of its files.
std::string taken_text(const Json& done) {
  const Json& totals = object(done, "totals");
  const std::uint64_t taken = number(done, "files_taken");
  if (taken == number(totals, "files")) return totals_text(totals);
  return format_bytes(number(done, "bytes_taken")) + " in " + std::to_string(taken) + " of " +
         counted(number(totals, "files"), "file", "files");
}

std::string part_text(const Json& share) {
  const std::uint64_t total = number(share, "bytes_taken");
  const std::uint64_t have = number(share, "bytes_have");
  if (total == 0 || have >= total) return format_bytes(total);
  return format_bytes(have) + " of " + format_bytes(total);
}

/// The globs of a copy of a part; empty for a whole one.
std::string globs_text(const Json& share) {
  std::string out;
  for (const Json& glob : items(share, "part")) {
    if (glob.is_string()) out += (out.empty() ? "" : ", ") + escape(glob.get<std::string>());
  }
  return out;
}

std::string device_text(const Json& device) {
  const std::string name = text(device, "name");
  return name.empty() ? short_id(device, "device") : name;
}

std::string sources_text(const Json& sources) {
  std::string out;
  for (const Json& source : sources) {
    out += (out.empty() ? "" : ", ") + format_bytes(number(source, "bytes")) + " from " +
           device_text(source);
  }
  return out;
}

std::string scrub_text(const Json& scrub) {
  const std::uint64_t damaged = number(scrub, "damaged");
  const std::string damage =
      damaged == 0 ? "" : "; " + counted(damaged, "chunk is", "chunks are") + " damaged";
  if (number(scrub, "rate") == 0) return "off" + damage;
  const std::string name = text(scrub, "name");
  if (name.empty()) return "nothing is due" + damage;
  return "reading " + name + ", chunk " + std::to_string(number(scrub, "done")) + " of " +
         std::to_string(number(scrub, "total")) + damage;
}

Color color_of(const std::string& state) {
  if (state == "ok") return Color::kGood;
  return state == "problem" ? Color::kBad : Color::kWarning;
}

}  // namespace

void print_nothing(Output&, const Json&) {}

void print_swarm_created(Output& out, const Json& done) {
  const Json& swarm = object(done, "swarm");
  out.note("created swarm " + text(swarm, "name") + " (" + short_id(swarm, "id") +
           "); kith swarm invite lets others join");
}

void print_swarms(Output& out, const Json& done) {
  Table table({"ID", "NAME", "ROLE", "MEMBERS", "CONNECTED"});
  for (const Json& swarm : items(done, "swarms")) {
    table.add({short_id(swarm, "id"), text(swarm, "name"), text(swarm, "role"),
               std::to_string(number(swarm, "members")),
               std::to_string(number(swarm, "connected"))});
  }
  if (table.empty()) return out.note("no swarms: kith swarm create NAME, or kith join INVITE");
  print_table(out, table);
}

void print_members(Output& out, const Json& done) {
  Table table({"DEVICE", "NAME", "ROLE", "ADDRESS"});
  for (const Json& member : items(done, "members")) {
    const std::string here = flag(member, "self") ? "this device" : "";
    const std::string address = flag(member, "connected") ? text(member, "address") : here;
    table.add({short_id(member, "device"), or_dash(text(member, "name")), text(member, "role"),
               or_dash(address)});
  }
  print_table(out, table);
}

void print_invite(Output& out, const Json& done) {
  out.result(raw(done, "invite"));
  const std::uint64_t uses = number(done, "uses");
  out.note("lets " + counted(uses, "device", "devices") + " join " +
           text(object(done, "swarm"), "name") + " as " + text(done, "role") + ", until " +
           text(done, "expires") + "; whoever has it can use it");
}

void print_joined(Output& out, const Json& done) {
  const Json& swarm = object(done, "swarm");
  const std::string how = flag(done, "already") ? "already in swarm " : "joined swarm ";
  out.note(how + text(swarm, "name") + " as " + text(swarm, "role") + ", with " +
           counted(number(swarm, "members"), "member", "members"));
}

void print_shared(Output& out, const Json& done) {
  const Json& share = object(done, "share");
  out.result(raw(done, "link"));
  out.note("shared " + text(share, "name") + " with swarm " + text(share, "swarm_name") + ": " +
           totals_text(object(share, "totals")));
  for (const Json& entry : items(done, "skipped")) {
    out.note("  left out " + text(entry, "path") + ": " + text(entry, "what"));
  }
  const std::uint64_t skipped = number(done, "skipped_count");
  if (skipped > items(done, "skipped").size())
    out.note("  left out " + std::to_string(skipped) + " in all");
  if (const auto outside = number(done, "links_outside"); outside > 0) {
    out.note("  " + counted(outside, "symlink leads", "symlinks lead") + " out of the tree");
  }
}

void print_fetched(Output& out, const Json& done) {
  if (flag(done, "detached")) {
    return out.note("the node goes on with it; kith list shows how far it is");
  }
  out.result(raw(done, "path"));
  if (flag(done, "already_there")) return out.note("it was there already");
  const auto elapsed = std::max<std::uint64_t>(number(done, "elapsed_ms"), 1);
  const std::uint64_t received = number(done, "bytes_received");
  out.note("fetched " + taken_text(done) + " in " +
           format_span(std::chrono::seconds(elapsed / 1'000)) + ", " +
           format_rate(received * 1'000 / elapsed));
  const std::string sources = sources_text(items(done, "sources"));
  if (!sources.empty()) out.note("  " + sources);
  if (const auto copied = number(done, "bytes_copied"); copied > 0) {
    out.note("  " + format_bytes(copied) + " were on this device already");
  }
  if (const auto outside = number(done, "links_outside"); outside > 0) {
    out.note("  " + counted(outside, "symlink leads", "symlinks lead") + " out of the tree");
  }
}

void print_shares(Output& out, const Json& done) {
  Table table({"ID", "STATE", "SIZE", "SWARM", "NAME", "PATH"});
  std::vector<std::string> problems;
  for (const Json& share : items(done, "shares")) {
    table.add({short_id(share, "id"), text(share, "state"), part_text(share),
               text(share, "swarm_name"), text(share, "name"), text(share, "path")});
    const std::string problem = text(share, "problem");
    if (!problem.empty()) problems.push_back(short_id(share, "id") + ": " + problem);
  }
  if (table.empty()) return out.note("nothing shared or fetched yet");
  print_table(out, table);
  for (const std::string& problem : problems) out.note(problem);
}

void print_share(Output& out, const Json& done) {
  const Json& share = object(done, "share");
  Table table({"name", text(share, "name")});
  table.add({"id", text(share, "id")});
  table.add({"swarm", text(share, "swarm_name")});
  table.add({"state", text(share, "state")});
  table.add({"path", text(share, "path")});
  table.add({"content", totals_text(object(share, "totals"))});
  table.add({"here", part_text(share)});
  if (const std::string globs = globs_text(share); !globs.empty()) table.add({"only", globs});
  table.add({"link", text(share, "link")});
  const std::string problem = text(share, "problem");
  if (!problem.empty()) table.add({"problem", problem});
  const std::string scrubbed = text(share, "scrubbed");
  if (!scrubbed.empty()) table.add({"last read", scrubbed});
  if (const auto n = number(share, "repaired"); n > 0) {
    table.add({"repaired", counted(n, "chunk", "chunks")});
  }
  for (const Json& source : items(done, "sources")) {
    table.add({"from", format_bytes(number(source, "bytes")) + " from " + device_text(source)});
  }
  print_table(out, table);
}

void print_damage(Output& out, const Json& damage) {
  const std::uint64_t others = std::max<std::uint64_t>(number(damage, "files"), 1) - 1;
  std::string what = text(damage, "path");
  if (others > 0) what += " or one of " + std::to_string(others) + " packed with it";
  if (!flag(damage, "repaired")) {
    return out.note("damaged on the disk: " + what + ": " + text(damage, "why"));
  }
  const std::string from = flag(damage, "local")           ? ", from another copy here"
                           : raw(damage, "device").empty() ? ""
                                                           : ", from " + device_text(damage);
  out.note("repaired: " + what + from);
}

void print_verified(Output& out, const Json& done) {
  for (const Json& damage : items(done, "damage")) print_damage(out, damage);
  for (const Json& path : items(done, "bad")) {
    if (path.is_string()) out.line(escape(path.get<std::string>()));
  }
  const std::string size = counted(number(done, "chunks"), "chunk", "chunks") + ", " +
                           format_bytes(number(done, "bytes"));
  const std::size_t bad = items(done, "bad").size();
  out.note(bad == 0 ? "all good: " + size
                    : counted(bad, "path is", "paths are") + " not as shared; checked " + size);
  const std::uint64_t damaged = number(done, "damaged");
  if (damaged == 0) return;
  out.note(counted(damaged, "chunk was", "chunks were") + " damaged on the disk, " +
           std::to_string(number(done, "repaired")) + " repaired");
}

void print_limits(Output& out, const Json& done) {
  const auto rate = [](const Json& limit, const char* key) {
    const std::uint64_t value = number(limit, key);
    return value == 0 ? std::string("-") : format_rate(value);
  };
  Table table({"SWARM", "DEVICE", "UP", "DOWN", ""});
  for (const Json& limit : items(done, "limits")) {
    const std::string swarm = raw(limit, "swarm").empty() ? "all" : text(limit, "swarm_name");
    const std::string name = text(limit, "device_name");
    const std::string device = raw(limit, "device").empty() ? "all"
                               : name.empty()               ? short_id(limit, "device")
                                                            : name;
    table.add({swarm, device, rate(limit, "up"), rate(limit, "down"),
               flag(limit, "setting") ? "of the settings" : ""});
  }
  if (table.empty()) {
    out.note("nothing is limited");
  } else {
    print_table(out, table);
  }
  if (flag(done, "lan_exempt")) out.note("devices on the local network are exempt");
}

void print_quota(Output& out, const Json& done) {
  const std::uint64_t limit = number(done, "limit"), used = number(done, "used");
  Table table({"quota", limit == 0 ? "none" : format_bytes(limit)});
  table.add({"used", format_bytes(used)});
  if (limit > 0) table.add({"left", format_bytes(limit - std::min(limit, used))});
  print_table(out, table);
}

void print_garbage(Output& out, const Json& done) {
  Table table({"WHAT", "SIZE", "PATH", ""});
  std::uint64_t freed = number(done, "catalog_bytes");
  for (const Json& item : items(done, "items")) {
    const std::string problem = text(item, "problem");
    table.add({text(item, "kind"), format_bytes(number(item, "bytes")), text(item, "path"),
               problem.empty() ? "" : "kept: " + problem});
    if (problem.empty()) freed += number(item, "bytes");
  }
  if (!table.empty()) print_table(out, table);
  out.note(format_bytes(freed) + (flag(done, "dry_run") ? " would be freed" : " freed") + ", " +
           format_bytes(number(done, "catalog_bytes")) + " of it in the catalog");
}

void print_peers(Output& out, const Json& done) {
  Table table({"DEVICE", "NAME", "ADDRESS", "STATE", "FOUND BY", "SENT", "RECEIVED", "RTT"});
  for (const Json& peer : items(done, "peers")) {
    const bool connected = flag(peer, "connected");
    const std::string state = connected ? (flag(peer, "incoming") ? "reached us" : "connected")
                                        : or_dash(text(peer, "why_not"));
    const bool timed = peer.contains("rtt_ms");
    table.add({short_id(peer, "device"), or_dash(text(peer, "name")),
               or_dash(text(peer, "address")), state, or_dash(text(peer, "found_by")),
               format_bytes(number(peer, "bytes_sent")),
               format_bytes(number(peer, "bytes_received")),
               timed ? std::to_string(number(peer, "rtt_ms")) + " ms" : "-"});
  }
  if (table.empty()) return out.note("no peers known; kith doctor says what is in the way");
  print_table(out, table);
}

void print_status(Output& out, const Json& done) {
  std::string listen;
  for (const Json& address : items(done, "listen")) {
    if (address.is_string()) listen += (listen.empty() ? "" : ", ") + address.get<std::string>();
  }
  Table table({"device", text(done, "device")});
  table.add({"version", text(done, "version")});
  table.add({"pid", std::to_string(number(done, "pid"))});
  table.add({"home", text(done, "home")});
  table.add({"listens on", or_dash(escape(listen))});
  table.add({"up for", format_span(std::chrono::seconds(number(done, "uptime_ms") / 1'000))});
  for (const Json& swarm : items(done, "swarms")) {
    table.add({"swarm", text(swarm, "name") + " (" + short_id(swarm, "id") + "), " +
                            text(swarm, "role") + ", " +
                            std::to_string(number(swarm, "connected")) + " connected of " +
                            counted(number(swarm, "members"), "member", "members")});
  }
  table.add({"shares", std::to_string(number(done, "shares")) + ", fetching " +
                           std::to_string(number(done, "fetches"))});
  table.add({"scrub", scrub_text(object(done, "scrub"))});
  table.add({"connections", std::to_string(number(done, "connections"))});
  table.add({"sent", format_bytes(number(done, "bytes_sent"))});
  table.add({"received", format_bytes(number(done, "bytes_received"))});
  print_table(out, table);
}

void print_doctor(Output& out, const Json& done) {
  for (const Json& check : items(done, "checks")) {
    const std::string state = text(check, "state");
    out.line(out.colored(state, color_of(state)) + "  " + text(check, "name") + ": " +
             text(check, "what"));
    const std::string hint = text(check, "hint");
    if (!hint.empty()) out.line("    " + hint);
  }
}

int verify_verdict(const Json& done) { return items(done, "bad").empty() ? 0 : 6; }

int doctor_verdict(const Json& done) {
  const Json& checks = items(done, "checks");
  return std::any_of(checks.begin(), checks.end(),
                     [](const Json& check) { return raw(check, "state") == "problem"; })
             ? 1
             : 0;
}

}  // namespace kith::cli
