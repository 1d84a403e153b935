#include "node/engine/joins.hpp"

#include <algorithm>

#include "proto/limits.hpp"
#include "proto/swarm/invite.hpp"

namespace kith::node {
namespace {

constexpr std::size_t kTriesMax = 32;

}  // namespace

Result<void> JoinAnswer::take_some() {
  for (std::size_t i = 0; i < limits::kReducePerTurn && !incoming.empty(); ++i) {
    const auto added = roster.add(incoming.front());
    // What a later version made is passed over.
    if (!added && added.error().code != Errc::kUnsupported) return added.error();
    incoming.pop_front();
  }
  return {};
}

Result<void> JoinAnswer::check(const DeviceId& self) const {
  if (roster.empty() || roster.state().find(self) == nullptr) {
    return peer_error(Errc::kVerification, "its roster does not hold this device");
  }
  if (roster.state().role(from) != Role::kAdmin) {
    return peer_error(Errc::kVerification, "it is not an admin, who alone lets devices in");
  }
  return {};
}

void PendingJoin::add_address(TimePoint now, const Endpoint& endpoint) {
  if (!endpoint.is_usable() || find(endpoint) != nullptr || tries.size() >= kTriesMax) return;
  tries.push_back({endpoint, now, false, "not tried yet"});
}

PendingJoin::Try* PendingJoin::find(const Endpoint& endpoint) {
  const auto it = std::find_if(tries.begin(), tries.end(),
                               [&](const Try& t) { return t.endpoint == endpoint; });
  return it == tries.end() ? nullptr : &*it;
}

std::string PendingJoin::what_was_tried() const {
  if (tries.empty()) return "the invite holds no address, and nobody answered on this LAN";
  std::string out = "tried ";
  for (const Try& t : tries) {
    out += (out.size() > 6 ? "; " : "") + t.endpoint.to_string() + ": " + t.result;
  }
  return out;
}

JoinFrame make_join_frame(const PendingJoin& join, const DeviceKeys& keys) {
  const SignKeys invite = invite_keys(join.invite.seed);
  JoinFrame frame;
  frame.invite = invite.pub;
  frame.binding = keys.binding().encode();
  frame.name = join.device_name;
  frame.signature = sign_join(invite, join.invite.swarm, frame.binding, frame.name);
  return frame;
}

}  // namespace kith::node
