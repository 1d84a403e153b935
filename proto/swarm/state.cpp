#include "proto/swarm/state.hpp"

#include <algorithm>

namespace kith {
namespace {

class StateMaker {
 public:
  StateMaker(const OpGraph& graph, const Reduction& all) : graph_(graph), all_(all) {}

  RosterState run() {
    const Op& genesis = graph_.node(0).op;
    out_.founder = genesis.author;
    out_.swarm_name = latest_name(graph_.swarm_names()).value();
    for (const DeviceRecord& device : graph_.devices()) take(device);
    take_admins();
    take_epochs();
    choose_epoch();
    for (const auto& [key, record] : graph_.invites()) take_invite(key);
    return std::move(out_);
  }

 private:
  void take(const DeviceRecord& device) {
    const auto add = all_.living_add(device.id);
    if (!add) {
      out_.removed.insert(device.id);
      return;
    }
    const OpNode& node = graph_.node(*add);
    Member member;
    member.role = *all_.role(device.id);
    member.added_by = node.op.id;
    if (const auto* genesis = std::get_if<GenesisBody>(&node.op.body)) {
      member.binding = genesis->founder;
      member.name = {node.op.id, genesis->device_name};
    } else {
      const auto& body = std::get<AddBody>(node.op.body);
      member.binding = body.device;
      member.name = {body.epoch, body.name};
      if (body.invite) member.invite = body.invite->key;
    }
    if (const auto renamed = latest_rename(device, node)) member.name = *renamed;
    out_.members.emplace(device.id, std::move(member));
  }

  // Renames from before the add belong to an earlier membership.
  std::optional<SealedName> latest_rename(const DeviceRecord& device, const OpNode& add) const {
    std::vector<OpIndex> since;
    for (const OpIndex i : device.renames) {
      if (is_later(graph_.node(i), add)) since.push_back(i);
    }
    return latest_name(since);
  }

  std::optional<SealedName> latest_name(const std::vector<OpIndex>& list) const {
    const OpNode* latest = nullptr;
    for (const OpIndex i : list) {
      if (!all_.counts(i)) continue;
      const OpNode& node = graph_.node(i);
      if (latest == nullptr || is_later(node, *latest)) latest = &node;
    }
    if (latest == nullptr) return std::nullopt;
    if (const auto* rename = std::get_if<RenameBody>(&latest->op.body)) {
      return SealedName{rename->epoch, rename->name};
    }
    return SealedName{latest->op.id, std::get<GenesisBody>(latest->op.body).swarm_name};
  }

  void take_admins() {
    for (const auto& [id, member] : out_.members) {
      if (member.role == Role::kAdmin) out_.admins.push_back(id);
    }
    std::sort(out_.admins.begin(), out_.admins.end(),
              [&](const DeviceId& a, const DeviceId& b) { return all_.ranks_before(a, b); });
  }

  void take_epochs() {
    for (const OpIndex i : graph_.epochs()) {
      if (!all_.counts(i)) continue;
      const Op& op = graph_.node(i).op;
      out_.epochs.push_back({op.id, *op.epoch()});
    }
    std::sort(out_.epochs.begin(), out_.epochs.end(), [](const EpochState& a, const EpochState& b) {
      return a.info.number != b.info.number ? a.info.number > b.info.number : a.id < b.id;
    });
  }

  void choose_epoch() {
    const auto clean = std::find_if(out_.epochs.begin(), out_.epochs.end(),
                                    [&](const EpochState& epoch) { return is_clean(epoch.id); });
    out_.needs_epoch = clean == out_.epochs.end();
    out_.current_epoch = out_.needs_epoch ? out_.epochs.front().id : clean->id;
  }

  // Nobody was given more of it than belongs to its role now: not by the wraps of the epoch, not by
  // any operation that carries one, be that void or not.
  bool is_clean(const OpId& epoch) const {
    const auto& holders = graph_.node(*graph_.find(epoch)).holders;
    for (DeviceNumber n = 0; n < holders.size(); ++n) {
      if (holders[n] > may_hold(graph_.devices()[n].id)) return false;
    }
    const auto& carriers = graph_.wraps_of(epoch);
    return std::all_of(carriers.begin(), carriers.end(), [&](OpIndex i) {
      const OpNode& node = graph_.node(i);
      return node.wrap_holds <= may_hold(carried_wrap(node.op)->device);
    });
  }

  Holds may_hold(const DeviceId& device) const {
    const auto role = out_.role(device);
    if (!role) return Holds::kNothing;
    return holds_content(*role) ? Holds::kAll : Holds::kNetwork;
  }

  void take_invite(const SignPublic& key) {
    const auto i = all_.invite(key);
    if (!i) return;
    const Op& op = graph_.node(*i).op;
    InviteState state;
    state.op = op.id;
    state.issuer = op.author;
    state.body = std::get<InviteBody>(op.body);
    state.status = all_.invite_status(*i);
    state.used = all_.invite_uses(key);
    out_.invites.emplace(key, std::move(state));
  }

  const OpGraph& graph_;
  const Reduction& all_;
  RosterState out_;
};

}  // namespace

const Member* RosterState::find(const DeviceId& device) const {
  const auto it = members.find(device);
  return it == members.end() ? nullptr : &it->second;
}

std::optional<Role> RosterState::role(const DeviceId& device) const {
  const Member* member = find(device);
  return member == nullptr ? std::nullopt : std::optional(member->role);
}

const EpochState* RosterState::epoch(const OpId& id) const {
  const auto it = std::find_if(epochs.begin(), epochs.end(),
                               [&](const EpochState& epoch) { return epoch.id == id; });
  return it == epochs.end() ? nullptr : &*it;
}

RosterState make_state(const OpGraph& graph, const Reduction& all) {
  return StateMaker(graph, all).run();
}

}  // namespace kith
