// The roster of one swarm as one device knows it: takes operations in any order, keeps those that
// are valid, and says what follows from them.
//
// Operations get numbers 0, 1, 2 … as they are accepted, parents before children; number 0 is the
// genesis, whose hash is the swarm id. An operation whose parents are missing waits; at most
// limits::kRosterPending do, then the one that waits longest is dropped (whoever has it still has
// it: heads are compared on every connection).
//
// Cost of add(): two signatures (120 µs), and one reduction of the operation's past where that is
// not the whole roster; about 0.1 ms for a roster of 1,000. state() is worked out when asked for
// after a change. So T0 may take limits::kReducePerTurn operations per turn and ask for the state
// once; more are a job (a Roster is a plain value behind a move).
#pragma once

#include <deque>
#include <memory>
#include <optional>
#include <span>
#include <unordered_map>
#include <vector>

#include "proto/swarm/graph.hpp"
#include "proto/swarm/reduction.hpp"
#include "proto/swarm/state.hpp"

namespace kith {

class Roster {
 public:
  enum class Added : std::uint8_t { kAdded, kDuplicate, kWaiting };
  enum class Trust : std::uint8_t { kNone, kVerified };

  /// Empty: whoever joins knows the id alone and accepts only what hangs from it.
  explicit Roster(const SwarmId& swarm);
  [[nodiscard]] const SwarmId& swarm() const { return swarm_; }

  /// Takes one operation from anybody. Errors, blame peer: kMalformed, kUnsupported, kVerification;
  /// kRefused if the author had no right, or for a genesis of another swarm; kLimit if the roster
  /// is full. kVerified skips the signatures, for operations from our own catalog. Operations that
  /// waited for this one are taken up as well, limits::kReducePerTurn in all.
  [[nodiscard]] Result<Added> add(Bytes encoded, Trust trust = Trust::kNone);
  /// Takes up to `max` operations that wait for nothing any more. How many it took from the
  /// waiting; those that turn out invalid are dropped in silence.
  std::size_t settle(std::size_t max);
  /// Operations that wait for nothing but settle().
  [[nodiscard]] std::size_t ready() const { return ready_.size(); }
  [[nodiscard]] std::size_t waiting() const { return waiting_.size(); }

  [[nodiscard]] OpIndex size() const { return graph_->size(); }
  [[nodiscard]] bool empty() const { return size() == 0; }
  /// `i` < size(). Good until the next add().
  [[nodiscard]] const Op& op(OpIndex i) const { return graph_->node(i).op; }
  /// Its number; nothing for one that is not accepted (yet).
  [[nodiscard]] std::optional<OpIndex> find(const OpId& id) const { return graph_->find(id); }

  /// Operations that no other names as parent, in order of id. Whoever leaves can make any number
  /// of them: what is to be bounded takes the best.
  [[nodiscard]] std::vector<OpId> heads() const { return graph_->heads(); }
  /// At most `max` heads: those by devices that belong first, so that nobody who was removed can
  /// hide what others did; then the deepest, which have the most behind them.
  [[nodiscard]] std::vector<OpId> best_heads(std::size_t max) const;
  /// What stands in `have` and not here: reason to ask for operations.
  [[nodiscard]] bool lacks_any(std::span<const OpId> have) const;
  /// The operations that are neither in `have` nor an ancestor of one of it, parents before
  /// children. Ids that are unknown here are passed over.
  [[nodiscard]] std::vector<OpIndex> missing(std::span<const OpId> have) const;

  /// Heads for a new operation of ours: all, or the 16 best.
  [[nodiscard]] std::vector<OpId> parents_for_new() const {
    return best_heads(limits::kOpParentsMax);
  }
  /// Whether an operation with all heads as parents would be valid; for authors.
  [[nodiscard]] Result<void> check(const Op& op) const;

  /// What the roster says. The roster must not be empty. The reference is good until the next
  /// add().
  [[nodiscard]] const RosterState& state() const;
  [[nodiscard]] const OpGraph& graph() const { return *graph_; }

 private:
  struct Waiting {
    Op op;
    std::size_t parents_missing = 0;
  };

  [[nodiscard]] bool is_by_stranger(const Op& op) const;
  [[nodiscard]] Result<Added> place(Op op);
  [[nodiscard]] Result<void> accept(Op op);
  [[nodiscard]] Result<void> accept_genesis(Op op);
  void wait(Op op, const std::vector<OpId>& missing_parents);
  void forget_waiting(const OpId& id);
  void wake_children(const OpId& parent);
  [[nodiscard]] const Reduction& reduction() const;

  SwarmId swarm_;
  std::unique_ptr<OpGraph> graph_;
  mutable std::optional<Reduction> reduction_;  // of the whole graph
  mutable std::optional<RosterState> state_;

  std::unordered_map<OpId, Waiting, FixedBytesHash> waiting_;
  std::deque<OpId> waiting_order_;  // oldest first; may name some that are gone
  std::unordered_map<OpId, std::vector<OpId>, FixedBytesHash>
      children_;  // missing parent → waiting
  std::deque<OpId> ready_;
};

}  // namespace kith
