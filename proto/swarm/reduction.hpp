// Which operations of a set count: rules 3 and 4 of the reducer, and the questions of membership
// that follow from the answer (rule 5, roles, invites).
//
// A set is the whole graph or the past of an operation; it holds the past of each of its members,
// and every operation in it is valid. Then:
//
//   attack   A removal, or a role below the one that the device had, is an attack on that device's
//            operations that are concurrent with it. Leaving by itself is attacked by nothing: it
//            needs no right that could be taken away.
//   void     An operation is void if an attack on it counts; or if, of what stands in its past,
//   that
//            which counts gives its author no right to it: not admin (for leaving: not a device of
//            the swarm), or for an add by invite: no counting invite operation.
//   counts   An operation counts if all attacks on it are void, all that its right depends on is
//            decided, and the right is there.
//   ring     When neither can be said of any operation that is left, take such a ring of
//   operations,
//            each waiting for the others, as waits for nothing outside. Of the attacks in it that
//            aim at a member of it, the one by the lowest-ranked author (then: with the highest id)
//            is void. Repeat.
//
// Rank: the founder first, then by (depth, id) of the device's first add in the set.
// Cost: O(set) while nothing is attacked, else O(set × length of the longest chain of attacks).
#pragma once

#include <optional>
#include <vector>

#include "proto/swarm/graph.hpp"

namespace kith {

enum class InviteStatus : std::uint8_t { kLive, kUsedUp, kRevoked, kVoided };

class Reduction {
 public:
  /// The graph must outlive it and may only grow.
  Reduction(const OpGraph& graph, const Past& set);

  /// In the set, and not void.
  [[nodiscard]] bool counts(OpIndex i) const {
    return i < verdicts_.size() && verdicts_[i] == Verdict::kCounts;
  }
  [[nodiscard]] bool contains(OpIndex i) const {
    return i < verdicts_.size() && verdicts_[i] != Verdict::kOutside;
  }

  /// Rule 5: the device belongs, and as what. Nothing: it does not belong.
  ///   An add lives unless a counting removal of its device stands outside its past. The role is
  ///   given by living adds and by changes of role that have a living add in their past; the latest
  ///   decides, the lowest role of several that are concurrent.
  [[nodiscard]] std::optional<Role> role(const DeviceId& device) const;
  /// The living add (or genesis) that comes latest.
  [[nodiscard]] std::optional<OpIndex> living_add(const DeviceId& device) const;

  /// The invite operation of this key that counts; of several the first.
  [[nodiscard]] std::optional<OpIndex> invite(const SignPublic& key) const;
  /// Of the operation that invite() gave.
  [[nodiscard]] InviteStatus invite_status(OpIndex invite) const;
  /// Adds that count and name this invite.
  [[nodiscard]] std::uint32_t invite_uses(const SignPublic& key) const;

  /// Takes up the newest operation of the graph where its past is all the set: nothing is
  /// concurrent with it, so no other verdict changes.
  void append_newest();

  /// True if `a` ranks before `b`. Both have an add in the set.
  [[nodiscard]] bool ranks_before(const DeviceId& a, const DeviceId& b) const;

 private:
  enum class Verdict : std::uint8_t { kOutside, kOpen, kCounts, kVoid };

  [[nodiscard]] std::vector<OpIndex> counting(const std::vector<OpIndex>& list) const;
  void find_attacks();
  void decide_all();
  [[nodiscard]] Verdict judge(OpIndex i) const;
  [[nodiscard]] bool has_right(OpIndex i) const;
  [[nodiscard]] bool open(OpIndex i) const { return verdicts_[i] == Verdict::kOpen; }
  template <class F>
  void for_each_cause(OpIndex i, F f) const;
  [[nodiscard]] std::vector<std::uint8_t> open_causes_of(OpIndex start) const;
  [[nodiscard]] std::vector<std::uint8_t> dependents_of(
      OpIndex start, const std::vector<std::uint8_t>& marks) const;
  [[nodiscard]] std::vector<std::uint8_t> find_ring() const;
  void break_ring();

  const OpGraph* graph_;
  std::vector<Verdict> verdicts_;
  std::vector<std::vector<OpIndex>> attackers_;  // empty if nothing is attacked
};

}  // namespace kith
