#include "proto/swarm/roster.hpp"

#include "tests/unit/proto/swarm/fixtures.hpp"

namespace kith::test {
namespace {

using Added = Roster::Added;

// A chain of renames by the founder above the genesis.
std::vector<Op> chain(const Maker& m, std::size_t length) {
  std::vector<Op> out;
  OpId tip = m.genesis().id;
  for (std::size_t i = 0; i < length; ++i) {
    const auto box = pattern<NameBox>(static_cast<std::uint8_t>(i));
    out.push_back(m.make(0, {tip}, RenameBody{std::nullopt, m.genesis().id, box}));
    tip = out.back().id;
  }
  return out;
}

TEST(Roster, TakesOnlyTheGenesisThatItsNameIsTheHashOf) {
  const Maker m(2);
  const DeviceKeys stranger = device_keys(1);
  auto body = std::get<GenesisBody>(m.genesis().body);
  body.founder = stranger.binding();
  const Op other = sign_op(stranger.sign, {}, body).value();
  Roster roster(m.swarm());
  EXPECT_EQ(roster.add(other.encoded).error().code, Errc::kRefused);
  EXPECT_TRUE(roster.empty());
  EXPECT_EQ(roster.add(m.genesis().encoded).value(), Added::kAdded);
  EXPECT_EQ(roster.add(other.encoded).error().code, Errc::kRefused);
  EXPECT_EQ(roster.size(), 1u);
}

TEST(Roster, KnowsDuplicates) {
  World w(1);
  EXPECT_EQ(w.roster.add(w.make.genesis().encoded).value(), Added::kDuplicate);
  EXPECT_EQ(w.roster.size(), 1u);
}

TEST(Roster, RefusesForgedSignatures) {
  World w(2);
  Op op = w.make.make(0, {w.genesis()}, w.make.add(1, Role::kAdmin));
  Buffer forged = op.encoded;
  forged[forged.size() - 2] ^= 1;
  EXPECT_EQ(w.roster.add(forged).error().code, Errc::kVerification);
  EXPECT_EQ(w.roster.size(), 1u);
  EXPECT_EQ(w.roster.add(op.encoded).value(), Added::kAdded);
}

TEST(Roster, StrangersAreRefusedBeforeTheirSignaturesAreChecked) {
  World w(2);
  Buffer forged = w.make.make(1, {w.genesis()}, w.make.leave(1)).encoded;
  forged[forged.size() - 2] ^= 1;
  EXPECT_EQ(w.roster.add(forged).error().code, Errc::kRefused);
  w.op(0, w.make.add(1, Role::kMirror));
  EXPECT_EQ(w.roster.add(forged).error().code, Errc::kVerification);
}

TEST(Roster, ForgedOperationsDoNotEvenWait) {
  Maker m(1);
  Roster roster(m.swarm());
  Buffer forged = chain(m, 1)[0].encoded;
  forged[forged.size() - 2] ^= 1;
  EXPECT_FALSE(roster.add(forged).has_value());
  EXPECT_EQ(roster.waiting(), 0u);
}

TEST(Roster, OperationsWaitForTheirParents) {
  World w(1);
  const auto ops = chain(w.make, 3);
  EXPECT_EQ(w.roster.add(ops[2].encoded).value(), Added::kWaiting);
  EXPECT_EQ(w.roster.add(ops[2].encoded).value(), Added::kWaiting);
  EXPECT_EQ(w.roster.add(ops[1].encoded).value(), Added::kWaiting);
  EXPECT_EQ(w.roster.waiting(), 2u);
  EXPECT_EQ(w.roster.heads(), std::vector{w.genesis()});
  EXPECT_EQ(w.roster.add(ops[0].encoded).value(), Added::kAdded);
  EXPECT_EQ(w.roster.waiting(), 0u);
  EXPECT_EQ(w.roster.size(), 4u);
  EXPECT_EQ(w.roster.heads(), std::vector{ops[2].id});
}

TEST(Roster, TakesNoMoreThanATurnsWorthAtOnce) {
  World w(1);
  const auto ops = chain(w.make, 30);
  for (std::size_t i = ops.size(); i-- > 1;) (void)w.roster.add(ops[i].encoded).value();
  EXPECT_EQ(w.roster.add(ops[0].encoded).value(), Added::kAdded);
  EXPECT_EQ(w.roster.size(), 1 + limits::kReducePerTurn);
  EXPECT_EQ(w.roster.ready(), 1u);
  EXPECT_EQ(w.roster.settle(5), 5u);
  EXPECT_EQ(w.roster.size(), 6 + limits::kReducePerTurn);
  EXPECT_EQ(w.roster.settle(1'000), 30 - 5 - limits::kReducePerTurn);
  EXPECT_EQ(w.roster.size(), 31u);
  EXPECT_EQ(w.roster.settle(1'000), 0u);
}

TEST(Roster, AWaitingOperationThatTurnsOutInvalidIsDropped) {
  World w(3);
  const Op first = w.make.make(0, {w.genesis()}, w.make.add(1, Role::kMember));
  const Op second = w.make.make(1, {first.id}, w.make.add(2, Role::kMember));
  EXPECT_EQ(w.roster.add(second.encoded).value(), Added::kWaiting);
  EXPECT_EQ(w.roster.add(first.encoded).value(), Added::kAdded);
  EXPECT_EQ(w.roster.size(), 2u);
  EXPECT_EQ(w.roster.waiting(), 0u);
}

TEST(Roster, TheNumberOfWaitingOnesIsBounded) {
  World w(1);
  const auto op = [&](std::size_t i) {
    OpId nowhere = pattern<OpId>(1);
    store_be<std::uint32_t>(nowhere.mutable_view(), static_cast<std::uint32_t>(i));
    return w.make.make(0, {nowhere}, w.make.leave(0));
  };
  for (std::size_t i = 0; i < limits::kRosterPending; ++i) {
    ASSERT_EQ(w.roster.add(op(i).encoded, Roster::Trust::kVerified).value(), Added::kWaiting);
  }
  EXPECT_EQ(w.roster.waiting(), limits::kRosterPending);
  (void)w.roster.add(op(limits::kRosterPending).encoded).value();
  EXPECT_EQ(w.roster.waiting(), limits::kRosterPending);
  // The oldest went, so it is new again.
  (void)w.roster.add(op(0).encoded).value();
  EXPECT_EQ(w.roster.waiting(), limits::kRosterPending);
}

TEST(Roster, HeadsAreWhatNoOtherNames) {
  World w(4);
  const OpId a = w.op(0, {w.genesis()}, w.make.add(1, Role::kMember));
  const OpId b = w.op(0, {w.genesis()}, w.make.add(2, Role::kMember));
  std::vector<OpId> both = {a, b};
  std::sort(both.begin(), both.end());
  EXPECT_EQ(w.roster.heads(), both);
  const OpId c = w.op(0, {a, b}, w.make.add(3, Role::kMember));
  EXPECT_EQ(w.roster.heads(), std::vector{c});
}

TEST(Roster, SendsWhatTheOtherLacksParentsFirst) {
  World w(6);
  const OpId a = w.op(0, {w.genesis()}, w.make.add(1, Role::kMember));
  const OpId b = w.op(0, {w.genesis()}, w.make.add(2, Role::kMember));
  const OpId c = w.op(0, {a}, w.make.add(3, Role::kMember));
  const OpId d = w.op(0, {b, c}, w.make.add(4, Role::kMember));
  const auto ids = [&](const std::vector<OpId>& have) {
    std::vector<OpId> out;
    for (const OpIndex i : w.roster.missing(have)) out.push_back(w.roster.op(i).id);
    return out;
  };
  EXPECT_EQ(ids({}), (std::vector{w.genesis(), a, b, c, d}));
  EXPECT_EQ(ids({w.genesis()}), (std::vector{a, b, c, d}));
  EXPECT_EQ(ids({a}), (std::vector{b, c, d}));
  EXPECT_EQ(ids({c}), (std::vector{b, d}));
  EXPECT_EQ(ids({a, a}), (std::vector{b, c, d}));
  EXPECT_EQ(ids({d}), std::vector<OpId>{});
  EXPECT_EQ(ids({d, d}), std::vector<OpId>{});
  EXPECT_EQ(ids({pattern<OpId>(1)}), (std::vector{w.genesis(), a, b, c, d}));
  EXPECT_TRUE(w.roster.lacks_any(std::vector{d, pattern<OpId>(1)}));
  EXPECT_FALSE(w.roster.lacks_any(std::vector{d, a}));
}

TEST(Roster, TwoRostersAgreeAfterExchangingWhatTheyLack) {
  World w(5);
  Roster other(w.make.swarm());
  (void)other.add(w.make.genesis().encoded).value();
  w.op(0, w.make.add(1, Role::kAdmin));
  w.op(1, w.make.add(2, Role::kMember));
  const Op theirs = w.make.make(0, {w.genesis()}, w.make.add(3, Role::kReader));
  (void)other.add(theirs.encoded).value();
  for (const OpIndex i : w.roster.missing(other.heads())) {
    (void)other.add(w.roster.op(i).encoded).value();
  }
  for (const OpIndex i : other.missing(w.roster.heads())) {
    (void)w.roster.add(other.op(i).encoded).value();
  }
  EXPECT_EQ(other.heads(), w.roster.heads());
  EXPECT_TRUE(other.state() == w.roster.state());
}

TEST(Roster, NewOperationsNameAtMostSixteenHeads) {
  World w(1);
  const auto rename = [&](std::size_t i) {
    return RenameBody{std::nullopt, w.genesis(), pattern<NameBox>(static_cast<std::uint8_t>(i))};
  };
  OpId deep = w.op(0, {w.genesis()}, rename(0));
  deep = w.op(0, {deep}, rename(1));
  for (std::size_t i = 2; i < 17; ++i) w.op(0, {w.genesis()}, rename(i));
  EXPECT_EQ(w.roster.heads().size(), 16u);
  EXPECT_EQ(w.roster.parents_for_new(), w.roster.heads());
  w.op(0, {w.genesis()}, rename(18));
  const auto parents = w.roster.parents_for_new();
  EXPECT_EQ(parents.size(), limits::kOpParentsMax);
  EXPECT_NE(std::find(parents.begin(), parents.end(), deep), parents.end());
}

TEST(Roster, WhoLeavesHidesNoHeadOfOthersBehindItsOwn) {
  World w(2);
  const OpId added = w.op(0, w.make.add(1, Role::kMirror));
  std::vector<OpId> before = {added};
  for (std::uint8_t i = 0; i < 5; ++i)
    before.push_back(w.op(0, w.make.invite(i, Role::kMember, 1)));
  // It leaves 40 times, each time with other parents, and deeper than what the founder does next.
  for (unsigned set = 0; set < 40; ++set) {
    std::vector<OpId> parents = {before.back()};
    for (unsigned i = 0; i < 5; ++i) {
      if ((set >> i & 1) != 0 || (set == 32 + i)) parents.push_back(before[i]);
    }
    std::sort(parents.begin(), parents.end());
    parents.erase(std::unique(parents.begin(), parents.end()), parents.end());
    const Op op = w.make.make(1, parents, w.make.leave(1));
    if (!w.roster.find(op.id)) {
      EXPECT_TRUE(w.put(op));
    }
  }
  ASSERT_GT(w.roster.heads().size(), 30u);
  const OpId honest = w.op(0, {w.genesis()}, w.make.invite(9, Role::kMember, 1));
  const auto best = w.roster.best_heads(20);
  ASSERT_EQ(best.size(), 20u);
  EXPECT_EQ(best.front(), honest);
  EXPECT_EQ(w.roster.parents_for_new().front(), honest);
  EXPECT_EQ(w.roster.best_heads(1'000), w.roster.heads());
}

TEST(Roster, MayBeMoved) {
  World w(2);
  w.op(0, w.make.add(1, Role::kMember));
  (void)w.roster.state();
  Roster moved = std::move(w.roster);
  EXPECT_EQ(moved.state().members.size(), 2u);
  const Op op = w.make.make(0, moved.heads(), w.make.remove(1));
  EXPECT_EQ(moved.add(op.encoded).value(), Added::kAdded);
  EXPECT_EQ(moved.state().members.size(), 1u);
}

}  // namespace
}  // namespace kith::test
