// One test per rule of docs/protocol-swarm.md. Device 0 is the founder; m1, m2 … are devices.
#include "proto/swarm/reduction.hpp"

#include "tests/unit/proto/swarm/fixtures.hpp"

namespace kith::test {
namespace {

class Rules : public testing::Test {
 protected:
  OpId add(std::size_t by, std::size_t device, Role role) {
    return w.op(by, w.make.add(device, role));
  }
  // Founder and admins 1 … n, one after the other.
  std::vector<OpId> admins(std::size_t n) {
    for (std::size_t i = 1; i <= n; ++i) add(0, i, Role::kAdmin);
    return w.roster.heads();
  }
  bool counts(const OpId& id) {
    return Reduction(w.roster.graph(), w.roster.graph().all()).counts(*w.roster.find(id));
  }

  World w{7};
  const Maker& m = w.make;
};

// --- rule 1: valid ---

TEST_F(Rules, TheFounderIsAnAdmin) { EXPECT_EQ(w.role(0), Role::kAdmin); }

TEST_F(Rules, OnlyAdminsChangeTheRoster) {
  add(0, 1, Role::kMember);
  add(0, 2, Role::kReader);
  for (const std::size_t device : {1u, 2u, 3u}) {
    EXPECT_EQ(w.refusal(device, m.add(4, Role::kMember)).code, Errc::kRefused);
    EXPECT_EQ(w.refusal(device, m.remove(0)).code, Errc::kRefused);
    EXPECT_EQ(w.refusal(device, m.invite(1, Role::kMember, 1)).code, Errc::kRefused);
    EXPECT_EQ(w.refusal(device, m.set_role(1, Role::kAdmin)).code, Errc::kRefused);
    EXPECT_EQ(w.refusal(device, RenameBody{m.id(1), w.genesis(), {}}).code, Errc::kRefused);
    EXPECT_EQ(w.refusal(device, EpochBody{epoch_info(2, {w.genesis()})}).code, Errc::kRefused);
  }
}

TEST_F(Rules, ARefusedOperationIsThePeersFault) {
  EXPECT_EQ(w.refusal(3, m.add(4, Role::kMember)).blame, Blame::kPeer);
}

TEST_F(Rules, TheRightMustStandInTheOperationsOwnPast) {
  const OpId before = w.op(0, m.add(1, Role::kMember));
  w.op(0, m.set_role(1, Role::kAdmin));
  EXPECT_EQ(w.refusal(1, {before}, m.add(2, Role::kMember)).code, Errc::kRefused);
  w.op(1, m.add(2, Role::kMember));
  EXPECT_EQ(w.role(2), Role::kMember);
}

TEST_F(Rules, AnybodyMayRemoveItself) {
  add(0, 1, Role::kMirror);
  w.op(1, m.leave(1));
  EXPECT_FALSE(w.belongs(1));
  EXPECT_TRUE(w.state().is_removed(m.id(1)));
  EXPECT_EQ(w.refusal(1, m.leave(1)).code, Errc::kRefused);
}

TEST_F(Rules, AddsOfMembersAndRemovalsOfStrangersAreInvalid) {
  add(0, 1, Role::kMember);
  w.refusal(0, m.add(1, Role::kAdmin));
  w.refusal(0, m.remove(2));
}

TEST_F(Rules, AnEpochFollowsEpochsOfItsPastWithTheNextNumber) {
  w.refusal(0, EpochBody{epoch_info(3, {w.genesis()})});
  w.refusal(0, EpochBody{epoch_info(1, {w.genesis()})});
  const OpId second = w.op(0, EpochBody{epoch_info(2, {w.genesis()})});
  const OpId branch = w.op(0, {w.genesis()}, m.add(1, Role::kMember));
  w.refusal(0, {branch}, EpochBody{epoch_info(3, {second})});
  w.refusal(0, EpochBody{epoch_info(3, {second, branch})});
  w.op(0, EpochBody{epoch_info(3, {w.genesis(), second})});
}

TEST_F(Rules, ARoleChangeCarriesWhatItCallsFor) {
  add(0, 1, Role::kMember);
  w.refusal(0, m.set_role(1, Role::kMember));  // no change
  w.refusal(0, m.set_role(1, Role::kMirror));  // takes C away: an epoch
  auto useless = m.set_role(1, Role::kReader);
  useless.epoch = epoch_info(2, {w.genesis()});
  w.refusal(0, useless);
  w.op(0, m.make_mirror(1));
  w.refusal(0, m.set_role(1, Role::kReader));  // gives C: a wrap
  auto gives = m.set_role(1, Role::kReader);
  gives.given = SetRoleBody::Given{m.genesis().id, pattern<Wrap>(1)};
  w.op(0, gives);
  EXPECT_EQ(w.role(1), Role::kReader);
  w.refusal(0, m.make_mirror(0));  // it would know the new C
}

TEST_F(Rules, AnInviteIsRedeemedAsItSays) {
  admins(2);
  w.op(1, m.invite(1, Role::kReader, 1));
  w.op(1, m.invite(2, Role::kReader, 2));
  w.refusal(1, m.invite(1, Role::kReader, 1));  // the key is taken
  w.refusal(1, m.add_by(3, Role::kMember, 1));  // another role
  w.refusal(0, m.add_by(3, Role::kReader, 1));  // one use: the issuer alone
  w.refusal(1, m.add_by(3, Role::kReader, 9));  // no such invite
  w.op(1, m.add_by(3, Role::kReader, 1));
  EXPECT_EQ(w.invite_status(1), InviteStatus::kUsedUp);
  w.refusal(1, m.add_by(4, Role::kReader, 1));
  w.op(0, m.add_by(4, Role::kReader, 2));  // several uses: any admin
  EXPECT_EQ(w.invite_status(2), InviteStatus::kLive);
  w.op(2, m.add_by(5, Role::kReader, 2));
  EXPECT_EQ(w.invite_status(2), InviteStatus::kUsedUp);
  EXPECT_EQ(w.state().find(m.id(3))->invite, Maker::invite_key(1));
}

TEST_F(Rules, ARevokedInviteIsOver) {
  w.op(0, m.invite(1, Role::kMember, 5));
  w.refusal(0, RevokeInviteBody{Maker::invite_key(2)});
  w.op(0, RevokeInviteBody{Maker::invite_key(1)});
  EXPECT_EQ(w.invite_status(1), InviteStatus::kRevoked);
  w.refusal(0, m.add_by(1, Role::kMember, 1));
}

TEST_F(Rules, TheClockNeverEnters) {
  auto expired = m.invite(1, Role::kMember, 1);
  expired.expiry = UnixMillis{0};
  w.op(0, expired);
  w.op(0, m.add_by(1, Role::kMember, 1));
  EXPECT_TRUE(w.belongs(1));
}

// --- rule 2: rank; rule 3: void ---

TEST_F(Rules, WhatARemovedAdminDidMeanwhileIsVoid) {
  const auto at = admins(1);
  const OpId meanwhile = w.op(1, at, m.add(2, Role::kMember));
  EXPECT_TRUE(w.belongs(2));
  w.op(0, at, m.remove(1));
  EXPECT_FALSE(w.belongs(1));
  EXPECT_FALSE(w.belongs(2));
  EXPECT_TRUE(w.state().is_removed(m.id(2)));
  EXPECT_FALSE(counts(meanwhile));
}

TEST_F(Rules, WhatARemovedAdminDidBeforeStands) {
  admins(1);
  add(1, 2, Role::kMember);
  w.op(0, m.remove(1));
  EXPECT_TRUE(w.belongs(2));
}

TEST_F(Rules, WhatADemotedAdminDidMeanwhileIsVoid) {
  const auto at = admins(1);
  w.op(1, at, m.add(2, Role::kMember));
  w.op(0, at, m.set_role(1, Role::kMember));
  EXPECT_EQ(w.role(1), Role::kMember);
  EXPECT_FALSE(w.belongs(2));
}

TEST_F(Rules, APromotionVoidsNothing) {
  add(0, 1, Role::kReader);
  const auto at = w.roster.heads();
  const OpId admin = w.op(0, at, m.set_role(1, Role::kAdmin));
  w.op(1, {admin}, m.add(2, Role::kMember));
  w.op(0, at, m.set_role(1, Role::kMember));  // up from reader, by a branch that knows no better
  EXPECT_TRUE(w.belongs(2));
  EXPECT_EQ(w.role(1), Role::kMember);  // the lower of two concurrent roles
}

TEST_F(Rules, OfTwoWhoRemoveEachOtherTheEarlierAddedStays) {
  const auto at = admins(2);
  w.op(2, at, m.remove(1));
  EXPECT_FALSE(w.belongs(1));
  w.op(1, at, m.remove(2));
  EXPECT_TRUE(w.belongs(1));
  EXPECT_FALSE(w.belongs(2));
}

TEST_F(Rules, TheFounderRanksFirst) {
  const auto at = admins(1);
  w.op(1, at, m.remove(0));
  w.op(0, at, m.remove(1));
  EXPECT_TRUE(w.belongs(0));
  EXPECT_FALSE(w.belongs(1));
}

TEST_F(Rules, ButAnybodyMayRemoveTheFounder) {
  admins(1);
  w.op(1, m.remove(0));
  EXPECT_FALSE(w.belongs(0));
  EXPECT_EQ(w.state().founder, m.id(0));
}

TEST_F(Rules, EqualDepthRanksByHash) {
  const OpId a = w.op(0, {w.genesis()}, m.add(1, Role::kAdmin));
  const OpId b = w.op(0, {w.genesis()}, m.add(2, Role::kAdmin));
  const std::vector<OpId> at = {a, b};
  w.op(1, at, m.remove(2));
  w.op(2, at, m.remove(1));
  EXPECT_EQ(w.belongs(1), a < b);
  EXPECT_EQ(w.belongs(2), b < a);
  EXPECT_EQ(w.state().admins.size(), 2u);
}

TEST_F(Rules, InARingTheLowestRankedLoses) {
  const auto at = admins(3);
  w.op(1, at, m.remove(2));
  w.op(2, at, m.remove(3));
  w.op(3, at, m.remove(1));
  // 3's removal of 1 is void; so 1's removal of 2 counts; so 2's removal of 3 is void.
  EXPECT_TRUE(w.belongs(1));
  EXPECT_FALSE(w.belongs(2));
  EXPECT_TRUE(w.belongs(3));
}

TEST_F(Rules, ARingThatAnotherDecidesIsNotBroken) {
  // 1 and 2 remove each other, 1 also removes 3; 3 and 4 remove each other. 2's removal of 1 loses,
  // so 3's removal of 4 is void, and 4's of 3 counts, though 4 is the lowest of all.
  const auto at = admins(4);
  w.op(3, at, m.remove(4));
  const OpId last = w.op(4, at, m.remove(3));
  w.op(1, at, m.remove(3));
  w.op(1, at, m.remove(2));
  w.op(2, at, m.remove(1));
  EXPECT_TRUE(w.belongs(1));
  EXPECT_FALSE(w.belongs(2));
  EXPECT_FALSE(w.belongs(3));
  EXPECT_TRUE(w.belongs(4));
  EXPECT_TRUE(counts(last));
}

TEST_F(Rules, OfTwoByTheSameAuthorTheHigherIdLoses) {
  // Two demotions of the author by itself, concurrent: each would void the other.
  const auto at = admins(1);
  const OpId a = w.op(1, at, m.set_role(1, Role::kMember));
  const OpId b = w.op(1, at, m.set_role(1, Role::kReader));
  EXPECT_EQ(w.role(1), a < b ? Role::kMember : Role::kReader);
  EXPECT_TRUE(counts(std::min(a, b)));
  EXPECT_FALSE(counts(std::max(a, b)));
}

TEST_F(Rules, DemotionsStandInRingsToo) {
  const auto at = admins(2);
  w.op(1, at, m.set_role(2, Role::kMember));
  w.op(2, at, m.remove(1));
  EXPECT_EQ(w.role(1), Role::kAdmin);
  EXPECT_EQ(w.role(2), Role::kMember);
}

TEST_F(Rules, AChainOfRemovalsIsNoRing) {
  // The lowest removes the middle, which removes the founder: nobody attacks the lowest.
  const auto at = admins(2);
  w.op(1, at, m.remove(0));
  w.op(2, at, m.remove(1));
  EXPECT_TRUE(w.belongs(0));
  EXPECT_FALSE(w.belongs(1));
  EXPECT_TRUE(w.belongs(2));
}

TEST_F(Rules, LeavingIsNeverVoid) {
  const auto at = admins(1);
  w.op(1, at, m.leave(1));
  w.op(0, at, m.set_role(1, Role::kMember));
  EXPECT_FALSE(w.belongs(1));
}

TEST_F(Rules, LeavingVoidsWhatTheDeviceDidConcurrently) {
  const auto at = admins(1);
  w.op(1, at, m.add(2, Role::kMember));
  w.op(1, at, m.leave(1));
  EXPECT_FALSE(w.belongs(2));
}

// --- rule 4: what only a void operation authorised ---

TEST_F(Rules, WhatHangsFromAVoidAddIsVoid) {
  const auto at = admins(1);
  const OpId first = w.op(1, at, m.add(2, Role::kAdmin));
  const OpId second = w.op(2, {first}, m.add(3, Role::kAdmin));
  const OpId third = w.op(3, {second}, m.add(4, Role::kMember));
  w.op(0, {third}, m.add(5, Role::kMember));  // authorised by another right
  w.op(0, at, m.remove(1));
  for (const std::size_t device : {1u, 2u, 3u, 4u}) EXPECT_FALSE(w.belongs(device)) << device;
  EXPECT_TRUE(w.belongs(5));
}

TEST_F(Rules, AVoidRemovalByWhomAVoidAddMadeAdminChangesNothing) {
  const auto at = admins(2);
  const OpId made = w.op(2, at, m.add(3, Role::kAdmin));
  w.op(3, {made}, m.remove(1));
  EXPECT_FALSE(w.belongs(1));
  w.op(0, at, m.remove(2));
  EXPECT_TRUE(w.belongs(1));
}

TEST_F(Rules, AnAddByAVoidInviteIsVoid) {
  const auto at = admins(2);
  const OpId invite = w.op(1, at, m.invite(1, Role::kMember, 5));
  w.op(2, {invite}, m.add_by(3, Role::kMember, 1));
  EXPECT_TRUE(w.belongs(3));
  w.op(0, at, m.remove(1));
  EXPECT_FALSE(w.belongs(3));
  EXPECT_FALSE(w.state().invites.contains(Maker::invite_key(1)));
}

// --- rule 5: who belongs ---

TEST_F(Rules, ARemovalBeatsAConcurrentAdd) {
  const auto at = admins(1);
  const OpId a = w.op(0, at, m.add(2, Role::kMember));
  const OpId b = w.op(1, at, m.add(2, Role::kMember));
  EXPECT_EQ(w.role(2), Role::kMember);
  w.op(0, {a}, m.remove(2));
  EXPECT_FALSE(w.belongs(2));
  (void)b;
}

TEST_F(Rules, AnAddAfterTheRemovalCountsAgain) {
  add(0, 1, Role::kAdmin);
  w.op(0, m.remove(1));
  add(0, 1, Role::kReader);
  EXPECT_EQ(w.role(1), Role::kReader);
  EXPECT_FALSE(w.state().is_removed(m.id(1)));
}

TEST_F(Rules, ARoleChangeFromBeforeTheReAddIsForgotten) {
  add(0, 1, Role::kReader);
  const auto at = w.roster.heads();
  w.op(0, at, m.set_role(1, Role::kAdmin));
  const OpId removal = w.op(0, at, m.remove(1));
  w.op(0, {removal}, m.add(1, Role::kMember));
  EXPECT_EQ(w.role(1), Role::kMember);
}

TEST_F(Rules, OfConcurrentRolesTheLowestHolds) {
  add(0, 1, Role::kMember);
  const auto at = w.roster.heads();
  w.op(0, at, m.set_role(1, Role::kAdmin));
  w.op(0, at, m.set_role(1, Role::kReader));
  EXPECT_EQ(w.role(1), Role::kReader);
  w.op(0, m.set_role(1, Role::kAdmin));
  EXPECT_EQ(w.role(1), Role::kAdmin);
}

TEST_F(Rules, TheLatestNameHolds) {
  const OpId a = add(0, 1, Role::kMember);
  EXPECT_EQ(w.state().find(m.id(1))->name.box, pattern<NameBox>(11));
  w.op(0, {a}, RenameBody{m.id(1), w.genesis(), pattern<NameBox>(99)});
  w.op(0, {a}, RenameBody{std::nullopt, w.genesis(), pattern<NameBox>(98)});
  EXPECT_EQ(w.state().find(m.id(1))->name.box, pattern<NameBox>(99));
  EXPECT_EQ(w.state().swarm_name.box, pattern<NameBox>(98));
  w.op(0, m.remove(1));
  add(0, 1, Role::kMember);
  EXPECT_EQ(w.state().find(m.id(1))->name.box, pattern<NameBox>(11));
}

// --- invites and removals ---

TEST_F(Rules, ARemovalVoidsTheInvitesOfTheRemovedAndEveryMultiUseOne) {
  admins(1);
  add(0, 2, Role::kMember);
  w.op(0, m.invite(1, Role::kMember, 1));
  w.op(0, m.invite(2, Role::kMember, 2));
  w.op(1, m.invite(3, Role::kMember, 1));
  const auto at = w.roster.heads();
  w.op(0, at, m.remove(1));
  w.op(0, at, m.invite(4, Role::kMember, 2));  // concurrent with the removal
  EXPECT_EQ(w.invite_status(1), InviteStatus::kLive);
  EXPECT_EQ(w.invite_status(2), InviteStatus::kVoided);
  EXPECT_EQ(w.invite_status(3), InviteStatus::kVoided);
  EXPECT_EQ(w.invite_status(4), InviteStatus::kVoided);
  w.op(0, m.invite(5, Role::kMember, 2));
  EXPECT_EQ(w.invite_status(5), InviteStatus::kLive);
  w.refusal(0, m.add_by(3, Role::kMember, 2));
}

TEST_F(Rules, LeavingVoidsMultiUseInvitesToo) {
  add(0, 1, Role::kMember);
  w.op(0, m.invite(2, Role::kMember, 2));
  w.op(1, m.leave(1));
  EXPECT_EQ(w.invite_status(2), InviteStatus::kVoided);
}

TEST_F(Rules, ConcurrentRedemptionsBothCount) {
  const auto first = admins(1);
  const OpId invite = w.op(0, first, m.invite(2, Role::kMember, 2));
  w.op(0, {invite}, m.add_by(2, Role::kMember, 2));
  w.op(0, {invite}, m.add_by(3, Role::kMember, 2));
  w.op(1, {invite}, m.add_by(4, Role::kMember, 2));
  EXPECT_EQ(w.state().invites.at(Maker::invite_key(2)).used, 3u);
  EXPECT_EQ(w.invite_status(2), InviteStatus::kUsedUp);
  EXPECT_TRUE(w.belongs(4));
}

// --- epochs ---

TEST_F(Rules, TheGenesisEpochIsCurrentAtFirst) {
  EXPECT_EQ(w.state().current_epoch, w.genesis());
  EXPECT_FALSE(w.state().needs_epoch);
  add(0, 1, Role::kMirror);
  EXPECT_FALSE(w.state().needs_epoch);
}

TEST_F(Rules, ARemovalChangesTheEpoch) {
  add(0, 1, Role::kMember);
  const OpId removal = w.op(0, m.remove(1));
  EXPECT_EQ(w.state().current_epoch, removal);
  EXPECT_FALSE(w.state().needs_epoch);
}

TEST_F(Rules, OfEqualNumbersTheLowestHashIsCurrent) {
  const OpId a = w.op(0, {w.genesis()}, EpochBody{epoch_info(2, {w.genesis()})});
  auto other = epoch_info(2, {w.genesis()});
  other.wraps_hash = pattern<SecretHash>(77);
  const OpId b = w.op(0, {w.genesis()}, EpochBody{other});
  EXPECT_EQ(w.state().current_epoch, std::min(a, b));
  EXPECT_EQ(w.state().epochs.front().id, std::min(a, b));
}

TEST_F(Rules, AConcurrentEpochThatNamesTheRemovedIsPassedOver) {
  admins(1);
  add(0, 2, Role::kMember);
  const auto at = w.roster.heads();
  const OpId removal = w.op(0, at, m.remove(2));
  const OpId second = w.op(1, at, EpochBody{epoch_info(2, {w.genesis()})});
  const OpId third = w.op(1, {second}, EpochBody{epoch_info(3, {second})});
  EXPECT_EQ(w.state().epochs.front().id, third);
  EXPECT_EQ(w.state().current_epoch, removal);
}

TEST_F(Rules, WithoutACleanEpochOneIsNeeded) {
  admins(1);
  w.op(1, m.leave(1));
  EXPECT_TRUE(w.state().needs_epoch);
  EXPECT_EQ(w.state().current_epoch, w.genesis());
  const OpId next = w.op(0, EpochBody{epoch_info(2, {w.genesis()})});
  EXPECT_FALSE(w.state().needs_epoch);
  EXPECT_EQ(w.state().current_epoch, next);
}

TEST_F(Rules, ConcurrentRemovalsLeaveNoCleanEpoch) {
  admins(1);
  add(0, 2, Role::kMember);
  add(0, 3, Role::kMember);
  const auto at = w.roster.heads();
  w.op(0, at, m.remove(2));
  w.op(1, at, m.remove(3));
  EXPECT_TRUE(w.state().needs_epoch);
}

TEST_F(Rules, AVoidAddStillGaveItsWrapAway) {
  const auto at = admins(1);
  w.op(1, at, m.add(2, Role::kMember));
  w.op(0, at, m.set_role(1, Role::kMember));
  EXPECT_FALSE(w.belongs(2));
  EXPECT_TRUE(w.state().needs_epoch);
}

TEST_F(Rules, MakingAMirrorChangesTheEpoch) {
  add(0, 1, Role::kMember);
  const OpId change = w.op(0, m.make_mirror(1));
  EXPECT_EQ(w.state().current_epoch, change);
  EXPECT_FALSE(w.state().needs_epoch);
  w.op(0, WrapBody{m.id(1), change, pattern<Wrap>(1)});  // a mirror's wrap: N alone
  EXPECT_FALSE(w.state().needs_epoch);
}

TEST_F(Rules, AVoidRemovalsEpochDoesNotCount) {
  const auto at = admins(1);
  const OpId lost = w.op(1, at, m.remove(0));
  const OpId won = w.op(0, at, m.remove(1));
  EXPECT_EQ(w.state().epoch(lost), nullptr);
  EXPECT_EQ(w.state().current_epoch, won);
  w.refusal(0, m.add(2, Role::kMember, lost));
}

}  // namespace
}  // namespace kith::test
