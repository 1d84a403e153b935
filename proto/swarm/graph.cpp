#include "proto/swarm/graph.hpp"

#include <algorithm>

#include "proto/assert.hpp"

namespace kith {
namespace {

std::vector<OpIndex> within(const std::vector<OpIndex>& list, const Past& past) {
  std::vector<OpIndex> out;
  for (const OpIndex i : list) {
    if (past.contains(i)) out.push_back(i);
  }
  return out;
}

const std::vector<OpIndex> kNone;

}  // namespace

std::optional<OpIndex> OpGraph::find(const OpId& id) const {
  const auto it = by_id_.find(id);
  return it == by_id_.end() ? std::nullopt : std::optional(it->second);
}

std::vector<OpId> OpGraph::heads() const {
  std::vector<OpId> out;
  out.reserve(head_count_);
  for (OpIndex i = size(); i-- > 0 && out.size() < head_count_;) {
    if (!has_child_[i]) out.push_back(nodes_[i].op.id);
  }
  std::sort(out.begin(), out.end());
  return out;
}

Past OpGraph::all() const {
  Past out;
  out.size_ = size();
  out.all_ = true;
  return out;
}

Past OpGraph::past(std::span<const OpIndex> tips) const {
  const auto is_head = [&](OpIndex i) { return !has_child_[i]; };
  const auto heads_named = std::count_if(tips.begin(), tips.end(), is_head);
  if (static_cast<std::size_t>(heads_named) == head_count_) return all();
  Past out;
  for (const OpIndex tip : tips) out.size_ = std::max(out.size_, tip + 1);
  out.marks_.assign(out.size_, 0);
  for (const OpIndex tip : tips) out.marks_[tip] = 1;
  for (OpIndex i = out.size_; i-- > 0;) {
    if (!out.marks_[i]) continue;
    for (const OpIndex parent : nodes_[i].parents) out.marks_[parent] = 1;
  }
  return out;
}

OpIndex OpGraph::insert(OpNode node, const Past& its_past) {
  KITH_ASSERT(!find(node.op.id));
  work_out_facts(node, its_past);
  const OpIndex at = size();
  for (const OpIndex parent : node.parents) {
    KITH_ASSERT(parent < at);
    if (!has_child_[parent]) --head_count_;
    has_child_[parent] = 1;
  }
  has_child_.push_back(0);
  ++head_count_;
  nodes_.push_back(std::move(node));
  index(at);
  return at;
}

void OpGraph::work_out_facts(OpNode& node, const Past& its_past) {
  for (const OpIndex parent : node.parents) {
    node.depth = std::max(node.depth, nodes_[parent].depth + 1);
  }
  if (const auto* author = device(node.op.author)) {
    node.author_past = within(author->about, its_past);
  }
  if (const auto target = node.op.target()) {
    if (const auto* record = device(*target)) {
      node.target_past = within(record->about, its_past);
      if (node.attacks) node.target_authored = within(record->authored, its_past);
    }
  }
  if (const auto* add = std::get_if<AddBody>(&node.op.body); add != nullptr && add->invite) {
    if (const auto* record = invite(add->invite->key)) {
      node.invite_past = within(record->invites, its_past);
    }
  }
  if (std::holds_alternative<InviteBody>(node.op.body)) {
    node.removals_past = within(removals_, its_past);
  }
}

void OpGraph::index(OpIndex i) {
  const OpNode& node = nodes_[i];
  const Op& op = node.op;
  by_id_.emplace(op.id, i);
  if (const auto target = op.target()) record(*target).about.push_back(i);
  record(op.author).authored.push_back(i);
  if (node.attacks) attacks_.push_back(i);
  if (op.epoch() != nullptr) epochs_.push_back(i);
  if (const auto wrap = carried_wrap(op)) wraps_[wrap->epoch].push_back(i);
  if (std::holds_alternative<GenesisBody>(op.body)) swarm_names_.push_back(i);
  if (std::holds_alternative<RemoveBody>(op.body)) removals_.push_back(i);
  if (const auto* rename = std::get_if<RenameBody>(&op.body)) {
    (rename->device ? record(*rename->device).renames : swarm_names_).push_back(i);
  }
  if (const auto* invite = std::get_if<InviteBody>(&op.body)) {
    invites_[invite->key].invites.push_back(i);
  }
  if (const auto* revoke = std::get_if<RevokeInviteBody>(&op.body)) {
    invites_[revoke->key].revokes.push_back(i);
  }
  if (const auto* add = std::get_if<AddBody>(&op.body); add != nullptr && add->invite) {
    invites_[add->invite->key].adds.push_back(i);
  }
}

DeviceRecord& OpGraph::record(const DeviceId& id) {
  const auto next = static_cast<DeviceNumber>(devices_.size());
  const auto [it, fresh] = device_numbers_.try_emplace(id, next);
  if (fresh) devices_.push_back({.id = id, .about = {}, .authored = {}, .renames = {}});
  return devices_[it->second];
}

std::optional<DeviceNumber> OpGraph::device_number(const DeviceId& id) const {
  const auto it = device_numbers_.find(id);
  return it == device_numbers_.end() ? std::nullopt : std::optional(it->second);
}

const DeviceRecord* OpGraph::device(const DeviceId& id) const {
  const auto number = device_number(id);
  return number ? &devices_[*number] : nullptr;
}

const InviteRecord* OpGraph::invite(const SignPublic& key) const {
  const auto it = invites_.find(key);
  return it == invites_.end() ? nullptr : &it->second;
}

const std::vector<OpIndex>& OpGraph::wraps_of(const OpId& epoch) const {
  const auto it = wraps_.find(epoch);
  return it == wraps_.end() ? kNone : it->second;
}

std::optional<CarriedWrap> carried_wrap(const Op& op) {
  if (const auto* genesis = std::get_if<GenesisBody>(&op.body)) {
    return CarriedWrap{genesis->founder.device, op.id, &genesis->wrap};
  }
  if (const auto* add = std::get_if<AddBody>(&op.body)) {
    return CarriedWrap{add->device.device, add->epoch, &add->wrap};
  }
  if (const auto* wrap = std::get_if<WrapBody>(&op.body)) {
    return CarriedWrap{wrap->device, wrap->epoch, &wrap->wrap};
  }
  const auto* role = std::get_if<SetRoleBody>(&op.body);
  if (role == nullptr || !role->given) return std::nullopt;
  return CarriedWrap{role->device, role->given->epoch, &role->given->wrap};
}

bool is_later(const OpNode& a, const OpNode& b) {
  return a.depth != b.depth ? a.depth > b.depth : a.op.id < b.op.id;
}

}  // namespace kith
