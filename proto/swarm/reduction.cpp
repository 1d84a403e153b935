#include "proto/swarm/reduction.hpp"

#include <algorithm>

#include "proto/assert.hpp"

namespace kith {
namespace {

bool has(const std::vector<OpIndex>& ascending, OpIndex i) {
  return std::binary_search(ascending.begin(), ascending.end(), i);
}

bool gives_membership(const Op& op) {
  return std::holds_alternative<AddBody>(op.body) || std::holds_alternative<GenesisBody>(op.body);
}

Role role_given(const Op& op) {
  if (const auto* add = std::get_if<AddBody>(&op.body)) return add->role;
  if (const auto* change = std::get_if<SetRoleBody>(&op.body)) return change->role;
  return Role::kAdmin;  // the founder
}

// Of counting operations about one device: the adds that no removal of it follows or is concurrent
// with.
std::vector<OpIndex> living_adds(const OpGraph& graph, const std::vector<OpIndex>& about) {
  std::vector<OpIndex> removals;
  std::vector<OpIndex> out;
  for (const OpIndex i : about) {
    if (std::holds_alternative<RemoveBody>(graph.node(i).op.body)) removals.push_back(i);
  }
  for (const OpIndex i : about) {
    const OpNode& node = graph.node(i);
    if (!gives_membership(node.op)) continue;
    const auto& past = node.target_past;
    if (std::includes(past.begin(), past.end(), removals.begin(), removals.end())) out.push_back(i);
  }
  return out;
}

std::optional<Role> role_from(const OpGraph& graph, const std::vector<OpIndex>& about) {
  const auto adds = living_adds(graph, about);
  if (adds.empty()) return std::nullopt;
  std::vector<OpIndex> givers = adds;
  for (const OpIndex i : about) {
    const OpNode& node = graph.node(i);
    const auto in_past = [&](OpIndex add) { return has(node.target_past, add); };
    if (!std::holds_alternative<SetRoleBody>(node.op.body)) continue;
    if (std::any_of(adds.begin(), adds.end(), in_past)) givers.push_back(i);
  }
  Role lowest = Role::kAdmin;
  for (const OpIndex i : givers) {
    const auto overrides = [&](OpIndex later) { return has(graph.node(later).target_past, i); };
    if (std::any_of(givers.begin(), givers.end(), overrides)) continue;
    lowest = std::min(lowest, role_given(graph.node(i).op));
  }
  return lowest;
}

}  // namespace

Reduction::Reduction(const OpGraph& graph, const Past& set) : graph_(&graph) {
  verdicts_.assign(set.end(), Verdict::kOutside);
  for (OpIndex i = 0; i < set.end(); ++i) {
    if (set.contains(i)) verdicts_[i] = Verdict::kOpen;
  }
  find_attacks();
  if (attackers_.empty()) {
    for (Verdict& v : verdicts_) v = v == Verdict::kOpen ? Verdict::kCounts : v;
  } else {
    decide_all();
  }
}

void Reduction::find_attacks() {
  for (const OpIndex attack : graph_->attacks()) {
    if (!contains(attack)) continue;
    const OpNode& node = graph_->node(attack);
    for (const OpIndex i : graph_->device(*node.op.target())->authored) {
      const OpNode& victim = graph_->node(i);
      if (!contains(i) || i == attack || victim.op.is_self_removal()) continue;
      if (has(node.target_authored, i) || has(victim.author_past, attack)) continue;
      attackers_.resize(verdicts_.size());
      attackers_[i].push_back(attack);
    }
  }
}

void Reduction::decide_all() {
  std::size_t left = verdicts_.size();
  while (left > 0) {
    bool progress = false;
    left = 0;
    for (OpIndex i = 0; i < verdicts_.size(); ++i) {
      if (!open(i)) continue;
      verdicts_[i] = judge(i);
      open(i) ? ++left : progress = true;
    }
    if (left > 0 && !progress) break_ring();
  }
}

// What the verdict on `i` waits for: the attacks on it, and what its right depends on.
template <class F>
void Reduction::for_each_cause(OpIndex i, F f) const {
  const OpNode& node = graph_->node(i);
  for (const OpIndex cause : attackers_[i]) f(cause);
  for (const OpIndex cause : node.author_past) f(cause);
  for (const OpIndex cause : node.invite_past) f(cause);
}

Reduction::Verdict Reduction::judge(OpIndex i) const {
  const auto counted = [&](OpIndex attack) { return verdicts_[attack] == Verdict::kCounts; };
  if (std::any_of(attackers_[i].begin(), attackers_[i].end(), counted)) return Verdict::kVoid;
  bool waits = false;
  for_each_cause(i, [&](OpIndex cause) { waits = waits || open(cause); });
  if (waits) return Verdict::kOpen;
  return has_right(i) ? Verdict::kCounts : Verdict::kVoid;
}

bool Reduction::has_right(OpIndex i) const {
  const OpNode& node = graph_->node(i);
  if (std::holds_alternative<GenesisBody>(node.op.body)) return true;
  if (!node.invite_past.empty() && counting(node.invite_past).empty()) return false;
  const auto role = role_from(*graph_, counting(node.author_past));
  return role && (*role == Role::kAdmin || node.op.is_self_removal());
}

// `start` and every open operation that its verdict depends on, however far.
std::vector<std::uint8_t> Reduction::open_causes_of(OpIndex start) const {
  std::vector<std::uint8_t> marks(verdicts_.size(), 0);
  std::vector<OpIndex> todo = {start};
  marks[start] = 1;
  while (!todo.empty()) {
    const OpIndex i = todo.back();
    todo.pop_back();
    for_each_cause(i, [&](OpIndex cause) {
      if (!open(cause) || marks[cause]) return;
      marks[cause] = 1;
      todo.push_back(cause);
    });
  }
  return marks;
}

// Of `marks`, those that depend on `start`, however far: `start` itself is one.
std::vector<std::uint8_t> Reduction::dependents_of(OpIndex start,
                                                   const std::vector<std::uint8_t>& marks) const {
  std::vector<std::uint8_t> out(marks.size(), 0);
  out[start] = 1;
  for (bool progress = true; progress;) {
    progress = false;
    for (OpIndex i = 0; i < marks.size(); ++i) {
      if (!marks[i] || out[i]) continue;
      for_each_cause(i, [&](OpIndex cause) { out[i] |= out[cause]; });
      progress = progress || out[i];
    }
  }
  return out;
}

// Steps from an operation to one that it waits for, until all that one waits for wait for it too.
std::vector<std::uint8_t> Reduction::find_ring() const {
  OpIndex start = 0;
  while (!open(start)) ++start;
  for (;;) {
    auto causes = open_causes_of(start);
    const auto ring = dependents_of(start, causes);
    const auto outside = std::mismatch(causes.begin(), causes.end(), ring.begin()).first;
    if (outside == causes.end()) return causes;
    start = static_cast<OpIndex>(outside - causes.begin());
  }
}

void Reduction::break_ring() {
  const auto ring = find_ring();
  std::optional<OpIndex> loser;
  for (OpIndex victim = 0; victim < ring.size(); ++victim) {
    if (!ring[victim]) continue;
    for (const OpIndex attack : attackers_[victim]) {
      if (!ring[attack]) continue;
      const Op& op = graph_->node(attack).op;
      const Op* worst = loser ? &graph_->node(*loser).op : nullptr;
      if (worst == nullptr || ranks_before(worst->author, op.author) ||
          (worst->author == op.author && worst->id < op.id)) {
        loser = attack;
      }
    }
  }
  KITH_ASSERT(loser.has_value());
  verdicts_[*loser] = Verdict::kVoid;
}

bool Reduction::ranks_before(const DeviceId& a, const DeviceId& b) const {
  const auto first_add = [&](const DeviceId& device) {
    const OpNode* first = nullptr;
    for (const OpIndex i : graph_->device(device)->about) {
      const OpNode& node = graph_->node(i);
      if (!contains(i) || !gives_membership(node.op)) continue;
      const bool before = first == nullptr || node.depth < first->depth ||
                          (node.depth == first->depth && node.op.id < first->op.id);
      if (before) first = &node;
    }
    KITH_ASSERT(first != nullptr);
    return first;
  };
  const OpNode* x = first_add(a);
  const OpNode* y = first_add(b);
  return x->depth != y->depth ? x->depth < y->depth : x->op.id < y->op.id;
}

void Reduction::append_newest() {
  KITH_ASSERT(verdicts_.size() + 1 == graph_->size());
  verdicts_.push_back(Verdict::kCounts);
  if (!attackers_.empty()) attackers_.emplace_back();
}

std::vector<OpIndex> Reduction::counting(const std::vector<OpIndex>& list) const {
  std::vector<OpIndex> out;
  std::copy_if(list.begin(), list.end(), std::back_inserter(out),
               [&](OpIndex i) { return counts(i); });
  return out;
}

std::optional<Role> Reduction::role(const DeviceId& device) const {
  const auto* record = graph_->device(device);
  return record == nullptr ? std::nullopt : role_from(*graph_, counting(record->about));
}

std::optional<OpIndex> Reduction::living_add(const DeviceId& device) const {
  const auto* record = graph_->device(device);
  if (record == nullptr) return std::nullopt;
  const auto adds = living_adds(*graph_, counting(record->about));
  const auto later = [&](OpIndex a, OpIndex b) {
    return is_later(graph_->node(b), graph_->node(a));
  };
  const auto latest = std::max_element(adds.begin(), adds.end(), later);
  return latest == adds.end() ? std::nullopt : std::optional(*latest);
}

std::optional<OpIndex> Reduction::invite(const SignPublic& key) const {
  const auto* record = graph_->invite(key);
  if (record == nullptr) return std::nullopt;
  const auto list = counting(record->invites);
  const auto before = [&](OpIndex a, OpIndex b) {
    const OpNode& x = graph_->node(a);
    const OpNode& y = graph_->node(b);
    return x.depth != y.depth ? x.depth < y.depth : x.op.id < y.op.id;
  };
  const auto first = std::min_element(list.begin(), list.end(), before);
  return first == list.end() ? std::nullopt : std::optional(*first);
}

std::uint32_t Reduction::invite_uses(const SignPublic& key) const {
  const auto* record = graph_->invite(key);
  return record == nullptr ? 0 : static_cast<std::uint32_t>(counting(record->adds).size());
}

InviteStatus Reduction::invite_status(OpIndex invite) const {
  const OpNode& node = graph_->node(invite);
  const auto& body = std::get<InviteBody>(node.op.body);
  for (const OpIndex removal : counting(graph_->removals())) {
    const bool concerns = body.uses > 1 || *graph_->node(removal).op.target() == node.op.author;
    if (concerns && !has(node.removals_past, removal)) return InviteStatus::kVoided;
  }
  if (!counting(graph_->invite(body.key)->revokes).empty()) return InviteStatus::kRevoked;
  return invite_uses(body.key) < body.uses ? InviteStatus::kLive : InviteStatus::kUsedUp;
}

}  // namespace kith
