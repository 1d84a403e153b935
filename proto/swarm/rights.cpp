#include "proto/swarm/rights.hpp"

#include <algorithm>

namespace kith {
namespace {

Error refused(const char* why) {
  return peer_error(Errc::kRefused, std::string("roster operation: ") + why);
}

Holds holds(std::optional<Role> role) {
  if (!role) return Holds::kNothing;
  return holds_content(*role) ? Holds::kAll : Holds::kNetwork;
}

struct Context {
  const OpGraph& graph;
  const Reduction& past;
  const DeviceId& author;

  Result<void> belongs(const DeviceId& device) const {
    if (!past.role(device)) return refused("the device is not in the swarm");
    return {};
  }

  Result<void> epoch_counts(const OpId& epoch) const {
    const auto i = graph.find(epoch);
    if (!i || !past.counts(*i) || graph.node(*i).op.epoch() == nullptr) {
      return refused("it names an epoch that does not count");
    }
    return {};
  }

  Result<void> check(const EpochInfo& epoch) const {
    std::uint32_t highest = 0;
    for (const OpId& parent : epoch.parents) {
      const auto i = graph.find(parent);
      const auto* info = i && past.contains(*i) ? graph.node(*i).op.epoch() : nullptr;
      if (info == nullptr) return refused("a parent of its epoch is not an epoch of its past");
      highest = std::max(highest, info->number);
    }
    if (epoch.number != std::uint64_t{highest} + 1) return refused("its epoch has a wrong number");
    return {};
  }

  Result<void> redeems(const AddBody& add) const {
    const auto i = past.invite(add.invite->key);
    if (!i) return refused("no invite of this key counts");
    const Op& op = graph.node(*i).op;
    const auto& invite = std::get<InviteBody>(op.body);
    if (past.invite_status(*i) != InviteStatus::kLive) return refused("the invite is over");
    if (invite.role != add.role) return refused("the invite gives another role");
    if (invite.uses == 1 && op.author != author)
      return refused("another device redeems this invite");
    return {};
  }
};

Result<void> check(const Context&, const GenesisBody&) { return refused("a second genesis"); }

Result<void> check(const Context& c, const AddBody& b) {
  if (c.past.role(b.device.device)) return refused("the device is in the swarm already");
  KITH_CHECK(c.epoch_counts(b.epoch));
  return b.invite ? c.redeems(b) : Result<void>();
}

Result<void> check(const Context& c, const RemoveBody& b) {
  KITH_CHECK(c.belongs(b.device));
  return b.epoch ? c.check(*b.epoch) : Result<void>();
}

Result<void> check(const Context& c, const SetRoleBody& b) {
  const auto old_role = c.past.role(b.device);
  if (!old_role) return refused("the device is not in the swarm");
  if (*old_role == b.role) return refused("the device has this role");
  const bool takes = holds_content(*old_role) && !holds_content(b.role);
  const bool gives = !holds_content(*old_role) && holds_content(b.role);
  if (takes != b.epoch.has_value()) return refused("an epoch is missing or not called for");
  if (gives != b.given.has_value()) return refused("a wrap is missing or not called for");
  if (takes && b.device == c.author) return refused("a device makes itself a mirror");
  if (b.given) return c.epoch_counts(b.given->epoch);
  return b.epoch ? c.check(*b.epoch) : Result<void>();
}

Result<void> check(const Context& c, const EpochBody& b) { return c.check(b.epoch); }

Result<void> check(const Context& c, const WrapBody& b) {
  KITH_CHECK(c.belongs(b.device));
  return c.epoch_counts(b.epoch);
}

Result<void> check(const Context& c, const InviteBody& b) {
  if (c.past.invite(b.key)) return refused("an invite of this key counts already");
  return {};
}

Result<void> check(const Context& c, const RevokeInviteBody& b) {
  if (!c.past.invite(b.key)) return refused("no invite of this key counts");
  return {};
}

Result<void> check(const Context& c, const RenameBody& b) {
  if (b.device) {
    KITH_CHECK(c.belongs(*b.device));
  }
  return c.epoch_counts(b.epoch);
}

bool is_attack(const Reduction& past, const Op& op) {
  if (std::holds_alternative<RemoveBody>(op.body)) return true;
  const auto* change = std::get_if<SetRoleBody>(&op.body);
  return change != nullptr && change->role < past.role(change->device);
}

// What the wraps of the epoch give: to all that belong before the operation, less what it takes.
std::vector<Holds> holders(const OpGraph& graph, const Reduction& past, const Op& op) {
  std::vector<Holds> out;
  out.reserve(graph.devices().size());
  const bool removes = std::holds_alternative<RemoveBody>(op.body);
  const bool demotes = std::holds_alternative<SetRoleBody>(op.body);
  for (const DeviceRecord& device : graph.devices()) {
    Holds gets = holds(past.role(device.id));
    if (op.target() == device.id && removes) gets = Holds::kNothing;
    if (op.target() == device.id && demotes) gets = Holds::kNetwork;
    out.push_back(gets);
  }
  return out;
}

Holds wrap_holds(const Reduction& past, const Op& op) {
  if (const auto* add = std::get_if<AddBody>(&op.body)) return holds(add->role);
  if (const auto* wrap = std::get_if<WrapBody>(&op.body)) return holds(past.role(wrap->device));
  return carried_wrap(op) ? Holds::kAll : Holds::kNothing;
}

}  // namespace

Result<void> check_right(const OpGraph& graph, const Reduction& past, const Op& op) {
  const auto role = past.role(op.author);
  if (!role) return refused("its author is not in the swarm");
  if (*role != Role::kAdmin && !op.is_self_removal()) return refused("its author is not an admin");
  const Context context{graph, past, op.author};
  return std::visit([&](const auto& body) { return check(context, body); }, op.body);
}

OpNode make_node(const OpGraph& graph, const Reduction& past, Op op, std::vector<OpIndex> parents) {
  OpNode node;
  node.attacks = is_attack(past, op);
  if (op.epoch() != nullptr) node.holders = holders(graph, past, op);
  node.wrap_holds = wrap_holds(past, op);
  node.parents = std::move(parents);
  std::sort(node.parents.begin(), node.parents.end());
  node.op = std::move(op);
  return node;
}

}  // namespace kith
