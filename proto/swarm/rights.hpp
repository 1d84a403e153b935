// Rule 1 of the reducer: whether an operation is valid. It depends on the operation and its past
// alone, so every device gives the same answer, whenever the operation reaches it.
//
//   everything but leaving   the author is an admin
//   add            the device does not belong; the epoch counts; by invite: the invite lives, gives
//                  this role, and the author may redeem it (uses = 1: who made it; else any admin)
//   remove         the device belongs; without an epoch if it removes itself, which anybody may
//   set_role       the device belongs and has another role; with an epoch where the change takes
//   C_e
//                  away (which nobody does to itself: it would know the new secrets), with a wrap
//                  of a counting epoch where it gives C_e, with neither otherwise
//   wrap, rename   the device belongs; the epoch counts
//   invite         no invite of this key counts;   revoke_invite: one does
//   every epoch    its parents are epochs of the past, its number is 1 + the highest of them
#pragma once

#include "proto/swarm/graph.hpp"
#include "proto/swarm/reduction.hpp"

namespace kith {

/// `past` is the reduction of the operation's ancestors. Error kRefused, blame peer. Not for a
/// genesis, which is valid by its form.
[[nodiscard]] Result<void> check_right(const OpGraph& graph, const Reduction& past, const Op& op);

/// The node of a valid operation with the facts that depend on roles.
[[nodiscard]] OpNode make_node(const OpGraph& graph, const Reduction& past, Op op,
                               std::vector<OpIndex> parents);

}  // namespace kith
