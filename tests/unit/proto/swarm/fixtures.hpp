// A roster to which tests say what happens, in short words.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "proto/swarm/roster.hpp"
#include "tests/unit/proto/swarm/maker.hpp"

namespace kith::test {

/// A roster with the genesis in it, and short words for what the tests say.
class World {
 public:
  explicit World(std::size_t devices) : make(devices), roster(make.swarm()) {
    EXPECT_TRUE(put(make.genesis()));
  }

  bool put(const Op& op) {
    const auto added = roster.add(op.encoded, Roster::Trust::kVerified);
    return added && *added == Roster::Added::kAdded;
  }
  /// An operation on top of `parents`, which must be valid.
  OpId op(std::size_t author, std::vector<OpId> parents, OpBody body) {
    const Op made = make.make(author, std::move(parents), std::move(body));
    const auto added = roster.add(made.encoded, Roster::Trust::kVerified);
    EXPECT_TRUE(added.has_value()) << to_string(added.error());
    EXPECT_TRUE(!added || *added == Roster::Added::kAdded);
    return made.id;
  }
  /// On top of everything.
  OpId op(std::size_t author, OpBody body) { return op(author, roster.heads(), std::move(body)); }

  Error refusal(std::size_t author, std::vector<OpId> parents, OpBody body) {
    const auto added = roster.add(make.make(author, std::move(parents), std::move(body)).encoded);
    EXPECT_FALSE(added.has_value());
    return added ? Error{} : added.error();
  }
  Error refusal(std::size_t author, OpBody body) {
    return refusal(author, roster.heads(), std::move(body));
  }

  std::optional<Role> role(std::size_t device) { return roster.state().role(make.id(device)); }
  bool belongs(std::size_t device) { return role(device).has_value(); }
  const RosterState& state() { return roster.state(); }
  OpId genesis() const { return make.genesis().id; }
  InviteStatus invite_status(std::uint8_t number) {
    return state().invites.at(Maker::invite_key(number)).status;
  }

  Maker make;
  Roster roster;
};

}  // namespace kith::test
