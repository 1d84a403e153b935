// The operations of a roster as a graph: every operation with its parents, numbered in the order in
// which they arrived, parents always before children.
//
// The past of an operation (all its ancestors) is complete when it is inserted and never changes.
// So whatever depends on the past alone is worked out once, then, and kept with the operation
// ("facts"); nothing later needs to walk the graph or to hold ancestor sets: two operations are
// concurrent if neither stands in the other's past, and each fact lists just the members of the
// past for which somebody will ask.
//
// Only valid operations enter (rights.hpp decides), so the graph is the same for every order of
// arrival, up to the numbers. Numbers must never be visible in a result.
#pragma once

#include <map>
#include <span>
#include <unordered_map>
#include <vector>

#include "proto/swarm/op.hpp"

namespace kith {

using OpIndex = std::uint32_t;
/// A device that some operation of the graph is about, numbered in order of appearance.
using DeviceNumber = std::uint32_t;

/// How much of an epoch a device holds.
enum class Holds : std::uint8_t { kNothing = 0, kNetwork = 1, kAll = 2 };

/// Lists of OpIndex are ascending.
struct OpNode {
  Op op;
  std::vector<OpIndex> parents;
  std::uint32_t depth = 0;  // longest path to the genesis

  // Facts.
  /// Operations about the author's membership in the past: from them comes its right.
  std::vector<OpIndex> author_past;
  /// Of one about a membership: operations about the same device in the past.
  std::vector<OpIndex> target_past;
  /// A removal, or a role below the one that the device had: voids what its device did meanwhile.
  bool attacks = false;
  /// Of an attack: operations by its device in the past.
  std::vector<OpIndex> target_authored;
  /// Of an add by invite: the invite operations of that key in the past.
  std::vector<OpIndex> invite_past;
  /// Of an invite: the removals in the past.
  std::vector<OpIndex> removals_past;
  /// Of one that holds an epoch: what its wraps give, by device number.
  std::vector<Holds> holders;
  /// Of one that carries a wrap for its device: what that gives.
  Holds wrap_holds = Holds::kNothing;
};

struct DeviceRecord {
  DeviceId id;
  std::vector<OpIndex> about;  // genesis, add, remove, set_role that name it
  std::vector<OpIndex> authored;
  std::vector<OpIndex> renames;
};

struct InviteRecord {
  std::vector<OpIndex> invites;  // one, unless somebody used a seed twice
  std::vector<OpIndex> revokes;
  std::vector<OpIndex> adds;
};

/// A set of operations that holds the past of each member.
class Past {
 public:
  [[nodiscard]] bool contains(OpIndex i) const { return i < size_ && (all_ || marks_[i] != 0); }
  /// True if it holds the whole graph.
  [[nodiscard]] bool is_all() const { return all_; }
  /// One past the highest number that it can hold.
  [[nodiscard]] OpIndex end() const { return size_; }

 private:
  friend class OpGraph;
  OpIndex size_ = 0;
  bool all_ = false;
  std::vector<std::uint8_t> marks_;
};

class OpGraph {
 public:
  [[nodiscard]] OpIndex size() const { return static_cast<OpIndex>(nodes_.size()); }
  /// `i` < size(). Good until the next insert.
  [[nodiscard]] const OpNode& node(OpIndex i) const { return nodes_[i]; }
  [[nodiscard]] std::optional<OpIndex> find(const OpId& id) const;
  /// Operations that no other names as parent, by id.
  [[nodiscard]] std::vector<OpId> heads() const;

  /// `tips`, none twice, and all their ancestors. O(size), O(tips) where that is the whole graph.
  [[nodiscard]] Past past(std::span<const OpIndex> tips) const;
  /// The past that holds every operation.
  [[nodiscard]] Past all() const;

  /// Adds an operation all of whose parents are here; the caller has found it valid and fills what
  /// depends on roles (attacks, holders, wrap_holds). The other facts are worked out here.
  OpIndex insert(OpNode node, const Past& its_past);

  // What operations are about. References are good until the next insert.
  [[nodiscard]] const std::vector<DeviceRecord>& devices() const { return devices_; }
  /// Its place in devices(); nothing: no operation names it.
  [[nodiscard]] std::optional<DeviceNumber> device_number(const DeviceId& id) const;
  /// Nullptr: never named.
  [[nodiscard]] const DeviceRecord* device(const DeviceId& id) const;
  /// Nullptr: never named.
  [[nodiscard]] const InviteRecord* invite(const SignPublic& key) const;
  [[nodiscard]] const std::map<SignPublic, InviteRecord>& invites() const { return invites_; }
  /// Operations of one kind each, in order of their numbers.
  [[nodiscard]] const std::vector<OpIndex>& attacks() const { return attacks_; }
  [[nodiscard]] const std::vector<OpIndex>& removals() const { return removals_; }
  [[nodiscard]] const std::vector<OpIndex>& epochs() const { return epochs_; }
  [[nodiscard]] const std::vector<OpIndex>& swarm_names() const { return swarm_names_; }
  /// Operations that carry a wrap of this epoch for one device.
  [[nodiscard]] const std::vector<OpIndex>& wraps_of(const OpId& epoch) const;

 private:
  void work_out_facts(OpNode& node, const Past& its_past);
  void index(OpIndex i);
  DeviceRecord& record(const DeviceId& id);

  std::vector<OpNode> nodes_;
  std::vector<std::uint8_t> has_child_;
  std::size_t head_count_ = 0;
  std::unordered_map<OpId, OpIndex, FixedBytesHash> by_id_;
  std::vector<DeviceRecord> devices_;
  std::unordered_map<DeviceId, DeviceNumber, FixedBytesHash> device_numbers_;
  std::map<SignPublic, InviteRecord> invites_;
  std::unordered_map<OpId, std::vector<OpIndex>, FixedBytesHash> wraps_;
  std::vector<OpIndex> attacks_;
  std::vector<OpIndex> removals_;
  std::vector<OpIndex> epochs_;
  std::vector<OpIndex> swarm_names_;
};

/// The epoch whose wrap the operation carries for its device: genesis (its own), add, wrap, and
/// some of set_role. The device of it.
struct CarriedWrap {
  DeviceId device;
  OpId epoch;
  const Wrap* wrap;
};
/// Nothing where it carries none. `wrap` points into `op`.
[[nodiscard]] std::optional<CarriedWrap> carried_wrap(const Op& op);

/// Causal order where there is one, else a rule that all devices share: true if `a` comes later.
[[nodiscard]] bool is_later(const OpNode& a, const OpNode& b);

}  // namespace kith
