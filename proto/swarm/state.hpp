// What a roster says: the result of the reducer, a plain value. Equal for every order in which the
// operations arrived.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <vector>

#include "proto/swarm/graph.hpp"
#include "proto/swarm/reduction.hpp"

namespace kith {

/// A name and the epoch under which it is sealed; secrets.hpp opens it.
struct SealedName {
  OpId epoch;
  NameBox box;
  bool operator==(const SealedName&) const = default;
};

struct Member {
  DeviceBinding binding;
  Role role = Role::kMember;
  SealedName name;
  OpId added_by;                     // its add, or the genesis
  std::optional<SignPublic> invite;  // by which it joined
  bool operator==(const Member&) const = default;
};

struct EpochState {
  OpId id;  // the operation that holds it
  EpochInfo info;
  bool operator==(const EpochState&) const = default;
};

struct InviteState {
  OpId op;
  DeviceId issuer;
  InviteBody body;
  InviteStatus status = InviteStatus::kLive;
  std::uint32_t used = 0;  // adds that name it
  bool operator==(const InviteState&) const = default;
};

struct RosterState {
  DeviceId founder;  // by whom the swarm began; it may have been removed since
  SealedName swarm_name;
  std::map<DeviceId, Member> members;
  /// Devices that some operation added and that do not belong (any more).
  std::set<DeviceId> removed;
  /// All that count, the preferred first: highest number, then lowest id.
  std::vector<EpochState> epochs;
  /// Current: the first whose secrets nobody holds that should not. Without such a one: the first,
  /// and every admin makes a new one after 10 s × its place in `admins`, unless another did.
  OpId current_epoch;
  bool needs_epoch = false;
  /// By rank.
  std::vector<DeviceId> admins;
  /// All that count, by key, with their status.
  std::map<SignPublic, InviteState> invites;

  /// Nullptr: it does not belong.
  [[nodiscard]] const Member* find(const DeviceId& device) const;
  /// Nothing: it does not belong.
  [[nodiscard]] std::optional<Role> role(const DeviceId& device) const;
  /// It belonged once, or was to, and does not. Not the same as unknown.
  [[nodiscard]] bool is_removed(const DeviceId& device) const { return removed.contains(device); }
  /// Nullptr: no such epoch, or it does not count.
  [[nodiscard]] const EpochState* epoch(const OpId& id) const;
  bool operator==(const RosterState&) const = default;
};

/// The reducer. The graph holds a genesis; `all` is the reduction of the whole of it.
/// O(operations).
[[nodiscard]] RosterState make_state(const OpGraph& graph, const Reduction& all);

}  // namespace kith
