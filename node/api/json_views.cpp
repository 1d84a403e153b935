#include "node/api/json_views.hpp"

namespace kith::node {

Json view_json(const SwarmView& swarm) {
  Json out;
  out["id"] = swarm.id.hex();
  out["name"] = swarm.name;
  out["role"] = swarm.role;
  out["members"] = swarm.members;
  out["connected"] = swarm.connected;
  out["epoch"] = swarm.epoch;
  return out;
}

Json view_json(const MemberView& member) {
  Json out;
  out["device"] = member.device.hex();
  out["name"] = member.name;
  out["role"] = member.role;
  out["self"] = member.self;
  out["connected"] = member.connected;
  out["address"] = member.address;
  return out;
}

Json view_json(const Totals& totals) {
  Json out;
  out["bytes"] = totals.bytes;
  out["files"] = totals.files;
  out["directories"] = totals.directories;
  out["symlinks"] = totals.symlinks;
  out["chunks"] = totals.chunks;
  out["stored"] = totals.stored;
  return out;
}

Json view_json(const ShareView& share) {
  Json out;
  out["id"] = share.share.hex();
  // A text: many readers of JSON round a number of 64 bits.
  out["copy"] = std::to_string(static_cast<std::int64_t>(share.copy));
  out["swarm"] = share.swarm.hex();
  out["swarm_name"] = share.swarm_name;
  out["name"] = share.name;
  out["path"] = share.path;
  out["state"] = share.state;
  out["problem"] = share.problem;
  out["link"] = share.link;
  out["single_file"] = share.single_file;
  out["part"] = share.part;
  out["bytes_taken"] = share.bytes_taken;
  out["bytes_have"] = share.bytes_have;
  out["damaged"] = share.damaged;
  out["repaired"] = share.repaired;
  out["scrubbed"] = share.scrubbed == UnixMillis{} ? "" : to_rfc3339(share.scrubbed);
  out["totals"] = view_json(share.totals);
  return out;
}

Json view_json(const Garbage& garbage) {
  Json out = Json::object();
  out["kind"] = garbage.kind;
  out["path"] = garbage.path;
  out["bytes"] = garbage.bytes;
  out["problem"] = garbage.problem;
  return out;
}

Json view_json(const LimitView& limit) {
  Json out = Json::object();
  out["swarm"] = limit.swarm;
  out["swarm_name"] = limit.swarm_name;
  out["device"] = limit.device;
  out["device_name"] = limit.device_name;
  out["up"] = limit.up;
  out["down"] = limit.down;
  out["setting"] = limit.setting;
  return out;
}

Json view_json(const PeerView& peer) {
  Json out;
  out["device"] = peer.device.hex();
  out["name"] = peer.name;
  out["swarm"] = peer.swarm.hex();
  out["address"] = peer.address;
  out["connected"] = peer.connected;
  out["incoming"] = peer.incoming;
  out["found_by"] = peer.found_by;
  out["why_not"] = peer.why_not;
  out["bytes_sent"] = peer.bytes_sent;
  out["bytes_received"] = peer.bytes_received;
  if (peer.rtt_ms >= 0) out["rtt_ms"] = peer.rtt_ms;
  return out;
}

Json view_json(const DoctorCheck& check) {
  Json out;
  out["name"] = check.name;
  out["state"] = check.state;
  out["what"] = check.what;
  out["hint"] = check.hint;
  return out;
}

Json view_json(const SourceView& source) {
  Json out;
  out["device"] = source.device.hex();
  out["name"] = source.name;
  out["bytes"] = source.bytes;
  return out;
}

Json view_json(const DamageView& damage) {
  Json out;
  out["share"] = damage.share.hex();
  out["copy_path"] = damage.copy_path;
  out["path"] = damage.path;
  out["files"] = damage.files;
  out["chunk"] = damage.chunk;
  out["bytes"] = damage.bytes;
  out["repaired"] = damage.repaired;
  out["device"] = damage.device == DeviceId{} ? "" : damage.device.hex();
  out["name"] = damage.name;
  out["local"] = damage.local;
  out["why"] = damage.why;
  return out;
}

Json view_json(const ScrubView& scrub) {
  Json out;
  out["rate"] = scrub.rate;
  out["name"] = scrub.name;
  out["done"] = scrub.done;
  out["total"] = scrub.total;
  out["damaged"] = scrub.damaged;
  return out;
}

Json view_json(const BadEntry& entry) {
  Json out;
  out["path"] = entry.path;
  out["what"] = entry.what;
  return out;
}

}  // namespace kith::node
