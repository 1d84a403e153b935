#include "proto/swarm/roster.hpp"

#include <algorithm>

#include "proto/assert.hpp"
#include "proto/swarm/rights.hpp"

namespace kith {

Roster::Roster(const SwarmId& swarm) : swarm_(swarm), graph_(std::make_unique<OpGraph>()) {}

Result<Roster::Added> Roster::add(Bytes encoded, Trust trust) {
  if (encoded.size() > limits::kOpMax)
    return peer_error(Errc::kLimit, "roster operation too large");
  const OpId id = op_id(encoded);
  if (find(id)) return Added::kDuplicate;
  if (waiting_.contains(id)) return Added::kWaiting;
  if (graph_->size() >= limits::kRosterOpsMax)
    return peer_error(Errc::kLimit, "the roster is full");
  KITH_TRY(Op op, decode_op(encoded));
  if (is_by_stranger(op)) {
    return peer_error(Errc::kRefused, "roster operation: its author was never in the swarm");
  }
  if (trust == Trust::kNone) KITH_CHECK(verify_op(op));
  auto added = place(std::move(op));
  if (added && *added == Added::kAdded) settle(limits::kReducePerTurn - 1);
  return added;
}

// Looked at before the signatures, which anybody can make for a key of its own.
bool Roster::is_by_stranger(const Op& op) const {
  const auto known = [this](const OpId& parent) { return find(parent).has_value(); };
  return !op.parents.empty() && std::all_of(op.parents.begin(), op.parents.end(), known) &&
         graph_->device(op.author) == nullptr;
}

std::size_t Roster::settle(std::size_t max) {
  std::size_t taken = 0;
  while (taken < max && !ready_.empty()) {
    const OpId id = ready_.front();
    ready_.pop_front();
    const auto it = waiting_.find(id);
    if (it == waiting_.end()) continue;
    Op op = std::move(it->second.op);
    forget_waiting(id);
    if (graph_->size() < limits::kRosterOpsMax) (void)accept(std::move(op));
    ++taken;
  }
  return taken;
}

Result<Roster::Added> Roster::place(Op op) {
  if (op.parents.empty()) {
    KITH_CHECK(accept_genesis(std::move(op)));
    return Added::kAdded;
  }
  std::vector<OpId> missing_parents;
  for (const OpId& parent : op.parents) {
    if (!find(parent)) missing_parents.push_back(parent);
  }
  if (missing_parents.empty()) {
    KITH_CHECK(accept(std::move(op)));
    return Added::kAdded;
  }
  wait(std::move(op), missing_parents);
  return Added::kWaiting;
}

Result<void> Roster::accept_genesis(Op op) {
  if (!equal(op.id.view(), swarm_.view())) {
    return peer_error(Errc::kRefused, "the genesis of another swarm");
  }
  const OpId id = op.id;
  const Reduction nothing(*graph_, graph_->all());
  graph_->insert(make_node(*graph_, nothing, std::move(op), {}), graph_->all());
  reduction_.reset();
  state_.reset();
  wake_children(id);
  return {};
}

Result<void> Roster::accept(Op op) {
  std::vector<OpIndex> parents;
  for (const OpId& parent : op.parents) parents.push_back(*find(parent));
  const Past past = graph_->past(parents);
  std::optional<Reduction> own;
  if (!past.is_all()) own.emplace(*graph_, past);
  const Reduction& before = own ? *own : reduction();
  KITH_CHECK(check_right(*graph_, before, op));
  const OpId id = op.id;
  graph_->insert(make_node(*graph_, before, std::move(op), std::move(parents)), past);
  past.is_all() ? reduction_->append_newest() : reduction_.reset();
  state_.reset();
  wake_children(id);
  return {};
}

void Roster::wait(Op op, const std::vector<OpId>& missing_parents) {
  const OpId id = op.id;
  for (const OpId& parent : missing_parents) children_[parent].push_back(id);
  waiting_.emplace(id, Waiting{std::move(op), missing_parents.size()});
  waiting_order_.push_back(id);
  if (waiting_.size() > limits::kRosterPending) {
    const OpId oldest = waiting_order_.front();
    forget_waiting(oldest);
  }
}

void Roster::forget_waiting(const OpId& id) {
  const auto it = waiting_.find(id);
  KITH_ASSERT(it != waiting_.end());
  for (const OpId& parent : it->second.op.parents) {
    const auto list = children_.find(parent);
    if (list == children_.end()) continue;
    std::erase(list->second, id);
    if (list->second.empty()) children_.erase(list);
  }
  std::erase(waiting_order_, id);
  waiting_.erase(it);
}

void Roster::wake_children(const OpId& parent) {
  const auto it = children_.find(parent);
  if (it == children_.end()) return;
  const std::vector<OpId> children = std::move(it->second);
  children_.erase(it);
  for (const OpId& child : children) {
    if (--waiting_.at(child).parents_missing == 0) ready_.push_back(child);
  }
}

const Reduction& Roster::reduction() const {
  if (!reduction_) reduction_.emplace(*graph_, graph_->all());
  return *reduction_;
}

const RosterState& Roster::state() const {
  KITH_ASSERT(!empty());
  if (!state_) state_ = make_state(*graph_, reduction());
  return *state_;
}

Result<void> Roster::check(const Op& op) const { return check_right(*graph_, reduction(), op); }

bool Roster::lacks_any(std::span<const OpId> have) const {
  return std::any_of(have.begin(), have.end(), [&](const OpId& id) { return !find(id); });
}

std::vector<OpIndex> Roster::missing(std::span<const OpId> have) const {
  std::vector<OpIndex> tips;
  for (const OpId& id : have) {
    if (const auto i = find(id)) tips.push_back(*i);
  }
  std::sort(tips.begin(), tips.end());
  tips.erase(std::unique(tips.begin(), tips.end()), tips.end());
  std::vector<OpIndex> out;
  const Past past = tips.empty() ? Past() : graph_->past(tips);
  for (OpIndex i = 0; i < size(); ++i) {
    if (!past.contains(i)) out.push_back(i);
  }
  return out;
}

std::vector<OpId> Roster::best_heads(std::size_t max) const {
  std::vector<OpId> out = heads();
  if (out.size() <= max) return out;
  const auto belongs = [&](const OpNode& node) { return state().find(node.op.author) != nullptr; };
  const auto better = [&](const OpId& a, const OpId& b) {
    const OpNode& x = graph_->node(*find(a));
    const OpNode& y = graph_->node(*find(b));
    return belongs(x) != belongs(y) ? belongs(x) : is_later(x, y);
  };
  std::sort(out.begin(), out.end(), better);
  out.resize(max);
  return out;
}

}  // namespace kith
