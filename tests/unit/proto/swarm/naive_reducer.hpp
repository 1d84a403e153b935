// The reducer once more, written from the rules of docs/protocol-swarm.md with sets and recursion
// and no regard to cost. It shares nothing with the real one but the decoded operations.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <vector>

#include "proto/swarm/op.hpp"
#include "proto/swarm/reduction.hpp"

namespace kith::test {

class NaiveReducer {
 public:
  using Set = std::set<OpId>;

  /// Rule 1. Takes the operation up if it is valid.
  bool add(const Op& op) {
    if (ops_.contains(op.id)) return true;
    if (op.parents.empty()) return take(op, {});
    Set past;
    for (const OpId& parent : op.parents) {
      if (!ops_.contains(parent)) return false;
      past.insert(parent);
      past.insert(past_.at(parent).begin(), past_.at(parent).end());
    }
    return has_right(op, past) && take(op, past);
  }

  Set everything() const {
    Set out;
    for (const auto& [id, op] : ops_) out.insert(id);
    return out;
  }

  /// Rules 2 to 4: the operations of a set that count.
  Set counting(const Set& set) const {
    if (const auto it = memo_.find(set); it != memo_.end()) return it->second;
    Set open = set, counts;
    while (!open.empty()) {
      const std::size_t before = open.size();
      for (const OpId& x : Set(open)) {
        bool waits = false, hit = false;
        for (const OpId& cause : causes(x, set)) {
          if (open.contains(cause)) waits = true;
          if (counts.contains(cause) && attacks(cause, x)) hit = true;
        }
        if (hit) open.erase(x);
        if (hit || waits) continue;
        open.erase(x);
        if (authorised(x, counts)) counts.insert(x);
      }
      if (open.size() == before) open.erase(ring_loser(open, set));
    }
    return memo_[set] = counts;
  }

  /// Rule 5.
  std::optional<Role> role(const DeviceId& device, const Set& counts) const {
    Set living, givers;
    for (const OpId& x : counts) {
      if (is_add_of(x, device) && !removed_after(x, device, counts)) living.insert(x);
    }
    if (living.empty()) return std::nullopt;
    givers = living;
    for (const OpId& x : counts) {
      const auto* change = std::get_if<SetRoleBody>(&ops_.at(x).body);
      if (change == nullptr || change->device != device) continue;
      for (const OpId& add : living) {
        if (past_.at(x).contains(add)) givers.insert(x);
      }
    }
    Role lowest = Role::kAdmin;
    for (const OpId& x : givers) {
      bool overridden = false;
      for (const OpId& y : givers) overridden = overridden || past_.at(y).contains(x);
      if (!overridden) lowest = std::min(lowest, given(x));
    }
    return lowest;
  }

  std::set<DeviceId> devices() const {
    std::set<DeviceId> out;
    for (const auto& [id, op] : ops_) {
      if (is_add(op)) out.insert(*op.target());
    }
    return out;
  }

  std::optional<InviteStatus> invite(const SignPublic& key, const Set& counts) const {
    const auto found = invite_op(key, counts);
    if (!found) return std::nullopt;
    const Op& op = ops_.at(*found);
    const auto& body = std::get<InviteBody>(op.body);
    std::uint32_t used = 0;
    bool revoked = false;
    for (const OpId& x : counts) {
      const Op& other = ops_.at(x);
      if (const auto* remove = std::get_if<RemoveBody>(&other.body)) {
        const bool meant = body.uses > 1 || remove->device == op.author;
        if (meant && !past_.at(*found).contains(x)) return InviteStatus::kVoided;
      }
      if (const auto* add = std::get_if<AddBody>(&other.body)) {
        if (add->invite && add->invite->key == key) ++used;
      }
      const auto* revoke = std::get_if<RevokeInviteBody>(&other.body);
      if (revoke != nullptr && revoke->key == key) revoked = true;
    }
    if (revoked) return InviteStatus::kRevoked;
    return used < body.uses ? InviteStatus::kLive : InviteStatus::kUsedUp;
  }

  /// The current epoch, and whether it is clean.
  std::pair<OpId, bool> epoch(const Set& counts) const {
    std::optional<OpId> best, clean;
    for (const OpId& x : counts) {
      if (ops_.at(x).epoch() == nullptr) continue;
      const auto better = [&](const std::optional<OpId>& than) {
        if (!than) return true;
        const auto a = ops_.at(x).epoch()->number, b = ops_.at(*than).epoch()->number;
        return a != b ? a > b : x < *than;
      };
      if (better(best)) best = x;
      if (better(clean) && is_clean(x, counts)) clean = x;
    }
    return {clean.value_or(*best), clean.has_value()};
  }

 private:
  static bool is_add(const Op& op) {
    return std::holds_alternative<AddBody>(op.body) || std::holds_alternative<GenesisBody>(op.body);
  }
  bool is_add_of(const OpId& x, const DeviceId& device) const {
    return is_add(ops_.at(x)) && ops_.at(x).target() == device;
  }
  Role given(const OpId& x) const {
    if (const auto* add = std::get_if<AddBody>(&ops_.at(x).body)) return add->role;
    if (const auto* change = std::get_if<SetRoleBody>(&ops_.at(x).body)) return change->role;
    return Role::kAdmin;
  }
  bool removed_after(const OpId& add, const DeviceId& device, const Set& counts) const {
    for (const OpId& x : counts) {
      const auto* remove = std::get_if<RemoveBody>(&ops_.at(x).body);
      if (remove != nullptr && remove->device == device && !past_.at(add).contains(x)) return true;
    }
    return false;
  }

  bool take(const Op& op, const Set& past) {
    const auto* change = std::get_if<SetRoleBody>(&op.body);
    const bool demotes = change != nullptr && change->role < role(change->device, counting(past));
    if (demotes || std::holds_alternative<RemoveBody>(op.body)) attacks_.insert(op.id);
    ops_.emplace(op.id, op);
    past_.emplace(op.id, past);
    memo_.clear();
    return true;
  }

  bool concurrent(const OpId& a, const OpId& b) const {
    return a != b && !past_.at(a).contains(b) && !past_.at(b).contains(a);
  }
  bool attacks(const OpId& attack, const OpId& x) const {
    const Op& op = ops_.at(x);
    return attacks_.contains(attack) && concurrent(attack, x) && !op.is_self_removal() &&
           ops_.at(attack).target() == op.author;
  }
  // What the verdict on x depends on.
  Set causes(const OpId& x, const Set& set) const {
    const Op& op = ops_.at(x);
    Set out;
    for (const OpId& y : set) {
      const Op& other = ops_.at(y);
      const bool before = past_.at(x).contains(y);
      if (attacks(y, x)) out.insert(y);
      if (before && other.target() == op.author) out.insert(y);
      if (before && is_invite_of(y, op)) out.insert(y);
    }
    return out;
  }
  bool is_invite_of(const OpId& y, const Op& op) const {
    const auto* add = std::get_if<AddBody>(&op.body);
    const auto* invite = std::get_if<InviteBody>(&ops_.at(y).body);
    return add != nullptr && add->invite && invite != nullptr && invite->key == add->invite->key;
  }
  // Rule 4: by what counts of the operation's past.
  bool authorised(const OpId& x, const Set& counts) const {
    const Op& op = ops_.at(x);
    if (op.parents.empty()) return true;
    Set before;
    for (const OpId& y : past_.at(x)) {
      if (counts.contains(y)) before.insert(y);
    }
    const auto* add = std::get_if<AddBody>(&op.body);
    if (add != nullptr && add->invite) {
      bool any = false;
      for (const OpId& y : before) any = any || is_invite_of(y, op);
      if (!any) return false;
    }
    const auto r = role(op.author, before);
    return r && (*r == Role::kAdmin || op.is_self_removal());
  }

  // The smallest set that some open operation waits for (itself included) is a ring that waits for
  // nothing outside.
  OpId ring_loser(const Set& open, const Set& set) const {
    std::optional<Set> ring;
    for (const OpId& x : open) {
      Set reached = {x};
      for (std::size_t size = 0; size != reached.size();) {
        size = reached.size();
        for (const OpId& y : Set(reached)) {
          for (const OpId& cause : causes(y, set)) {
            if (open.contains(cause)) reached.insert(cause);
          }
        }
      }
      if (!ring || reached.size() < ring->size()) ring = reached;
    }
    std::optional<OpId> loser;
    for (const OpId& a : *ring) {
      bool aims = false;
      for (const OpId& x : *ring) aims = aims || attacks(a, x);
      if (aims && (!loser || std::pair(rank(a, set), a) > std::pair(rank(*loser, set), *loser))) {
        loser = a;
      }
    }
    return *loser;
  }
  // Of the author of x.
  std::pair<std::size_t, OpId> rank(const OpId& x, const Set& set) const {
    std::optional<std::pair<std::size_t, OpId>> best;
    for (const OpId& y : set) {
      if (!is_add_of(y, ops_.at(x).author)) continue;
      const std::pair<std::size_t, OpId> here{depth(y), y};
      if (!best || here < *best) best = here;
    }
    return *best;
  }
  std::size_t depth(const OpId& x) const {
    std::size_t out = 0;
    for (const OpId& parent : ops_.at(x).parents) out = std::max(out, depth(parent) + 1);
    return out;
  }

  // Of several with one key, the first by depth and id.
  std::optional<OpId> invite_op(const SignPublic& key, const Set& counts) const {
    std::optional<OpId> out;
    for (const OpId& x : counts) {
      const auto* invite = std::get_if<InviteBody>(&ops_.at(x).body);
      if (invite == nullptr || invite->key != key) continue;
      if (!out || std::pair(depth(x), x) < std::pair(depth(*out), *out)) out = x;
    }
    return out;
  }

  static int level(std::optional<Role> role) { return !role ? 0 : *role == Role::kMirror ? 1 : 2; }
  bool is_clean(const OpId& epoch, const Set& counts) const {
    const Op& op = ops_.at(epoch);
    const Set before = counting(past_.at(epoch));
    for (const DeviceId& device : devices()) {
      int holds = level(role(device, before));
      if (op.target() == device && std::holds_alternative<RemoveBody>(op.body)) holds = 0;
      if (op.target() == device && std::holds_alternative<SetRoleBody>(op.body)) holds = 1;
      if (op.target() == device && op.parents.empty()) holds = 2;
      for (const auto& [id, other] : ops_) {
        if (const auto* add = std::get_if<AddBody>(&other.body)) {
          if (add->epoch == epoch && add->device.device == device) {
            holds = std::max(holds, level(add->role));
          }
        }
        if (const auto* change = std::get_if<SetRoleBody>(&other.body)) {
          if (change->given && change->given->epoch == epoch && change->device == device) holds = 2;
        }
        if (const auto* wrap = std::get_if<WrapBody>(&other.body)) {
          if (wrap->epoch == epoch && wrap->device == device) {
            holds = std::max(holds, level(role(device, counting(past_.at(id)))));
          }
        }
      }
      if (holds > level(role(device, counts))) return false;
    }
    return true;
  }

  bool has_right(const Op& op, const Set& past) const {
    const Set counts = counting(past);
    const auto own = role(op.author, counts);
    if (!own || (*own != Role::kAdmin && !op.is_self_removal())) return false;
    const auto is_epoch = [&](const OpId& id) {
      return counts.contains(id) && ops_.at(id).epoch() != nullptr;
    };
    if (const EpochInfo* epoch = op.epoch()) {
      std::uint32_t highest = 0;
      for (const OpId& parent : epoch->parents) {
        if (!past.contains(parent) || ops_.at(parent).epoch() == nullptr) return false;
        highest = std::max(highest, ops_.at(parent).epoch()->number);
      }
      if (epoch->number != highest + 1) return false;
    }
    if (const auto* add = std::get_if<AddBody>(&op.body)) {
      if (role(add->device.device, counts) || !is_epoch(add->epoch)) return false;
      if (!add->invite) return true;
      if (invite(add->invite->key, counts) != InviteStatus::kLive) return false;
      const Op& by = ops_.at(*invite_op(add->invite->key, counts));
      const auto& body = std::get<InviteBody>(by.body);
      return body.role == add->role && (body.uses > 1 || by.author == op.author);
    }
    if (const auto* remove = std::get_if<RemoveBody>(&op.body)) {
      return role(remove->device, counts).has_value();
    }
    if (const auto* change = std::get_if<SetRoleBody>(&op.body)) {
      const auto old = role(change->device, counts);
      if (!old || *old == change->role) return false;
      const bool takes = *old != Role::kMirror && change->role == Role::kMirror;
      const bool gives = *old == Role::kMirror;
      if (takes != change->epoch.has_value() || gives != change->given.has_value()) return false;
      if (takes && change->device == op.author) return false;
      return !change->given || is_epoch(change->given->epoch);
    }
    if (const auto* wrap = std::get_if<WrapBody>(&op.body)) {
      return role(wrap->device, counts).has_value() && is_epoch(wrap->epoch);
    }
    if (const auto* body = std::get_if<InviteBody>(&op.body)) return !invite_op(body->key, counts);
    if (const auto* revoke = std::get_if<RevokeInviteBody>(&op.body)) {
      return invite_op(revoke->key, counts).has_value();
    }
    if (const auto* rename = std::get_if<RenameBody>(&op.body)) {
      return (!rename->device || role(*rename->device, counts)) && is_epoch(rename->epoch);
    }
    return std::holds_alternative<EpochBody>(op.body);
  }

  std::map<OpId, Op> ops_;
  std::map<OpId, Set> past_;
  Set attacks_;
  mutable std::map<Set, Set> memo_;
};

}  // namespace kith::test
