#include "proto/swarm/redeem.hpp"

#include "tests/unit/proto/swarm/fixtures.hpp"

namespace kith::test {
namespace {

using Kind = RedeemAnswer::Kind;

constexpr UnixMillis kExpiry{1'000'000};  // that of Maker::invite()
constexpr std::int64_t kMonth = 30LL * 24 * 3600 * 1000;

class Redeem : public testing::Test {
 protected:
  Redeem() {
    w.op(0, m.add(1, Role::kAdmin));
    w.op(0, m.add(2, Role::kMember));
    w.op(1, m.invite(1, Role::kReader, 1));
    w.op(1, m.invite(2, Role::kMember, 2));
  }

  JoinFrame request(std::size_t device, std::uint8_t invite, const std::string& name = "new") {
    JoinFrame out;
    out.invite = Maker::invite_key(invite);
    out.binding = m.binding(device).encode();
    out.name = name;
    out.signature = sign_join(invite_keys(seed_secret(invite)), m.swarm(), out.binding, out.name);
    return out;
  }
  RedeemAnswer ask(std::size_t self, const JoinFrame& join, UnixMillis now = UnixMillis{500'000}) {
    return redeem(w.state(), m.swarm(), m.id(self), join, now);
  }
  std::string refusal(const JoinFrame& join, UnixMillis now = UnixMillis{500'000}) {
    const auto answer = ask(1, join, now);
    EXPECT_EQ(answer.kind, Kind::kRefused);
    return answer.reason;
  }

  World w{6};
  const Maker& m = w.make;
};

TEST_F(Redeem, TheIssuerAdds) {
  const JoinFrame join = request(3, 1);
  const auto answer = ask(1, join);
  ASSERT_EQ(answer.kind, Kind::kAdd);
  EXPECT_EQ(answer.role, Role::kReader);
  EXPECT_EQ(answer.binding, m.binding(3));
  EXPECT_EQ(answer.by.key, Maker::invite_key(1));
  EXPECT_EQ(answer.by.join, join.signature);
}

TEST_F(Redeem, TheSameDeviceIsToldInAgainWithoutASecondAdd) {
  w.op(1, m.add_by(3, Role::kReader, 1));
  const auto answer = ask(1, request(3, 1));
  EXPECT_EQ(answer.kind, Kind::kIn);
  EXPECT_EQ(answer.role, Role::kReader);
  EXPECT_EQ(answer.binding, m.binding(3));
  EXPECT_EQ(ask(0, request(3, 1), UnixMillis{count(kExpiry) + kMonth / 2}).kind, Kind::kIn);
}

// It takes its secrets from an admin only; others say which.
TEST_F(Redeem, OnlyAnAdminTellsADeviceInAgain) {
  w.op(1, m.add_by(3, Role::kReader, 1));
  const auto answer = ask(2, request(3, 1));
  ASSERT_EQ(answer.kind, Kind::kWaiting);
  EXPECT_EQ(answer.waiting_for, m.id(1));
}

TEST_F(Redeem, AUsedInviteIsSaidToBeUsedUp) {
  w.op(1, m.add_by(3, Role::kReader, 1));
  EXPECT_EQ(refusal(request(4, 1)), "the invite is used up");
  w.op(0, m.add_by(4, Role::kMember, 2));
  EXPECT_EQ(ask(1, request(5, 2)).kind, Kind::kAdd);
  w.op(0, m.add_by(5, Role::kMember, 2));
  EXPECT_EQ(ask(1, request(5, 2)).kind, Kind::kIn);
}

TEST_F(Redeem, OnlyTheIssuerRedeemsASingleUse) {
  const auto answer = ask(0, request(3, 1));
  ASSERT_EQ(answer.kind, Kind::kWaiting);
  EXPECT_EQ(answer.waiting_for, m.id(1));
}

TEST_F(Redeem, AnyAdminRedeemsAMultiUseAndOthersPassItOn) {
  EXPECT_EQ(ask(0, request(3, 2)).kind, Kind::kAdd);
  EXPECT_EQ(ask(1, request(3, 2)).kind, Kind::kAdd);
  const auto answer = ask(2, request(3, 2));
  ASSERT_EQ(answer.kind, Kind::kWaiting);
  EXPECT_EQ(answer.waiting_for, m.id(1));
  w.op(0, m.set_role(1, Role::kMember));
  EXPECT_EQ(ask(2, request(3, 2)).waiting_for, m.id(0));
}

TEST_F(Redeem, ExpiryIsTheLastMillisecondAtWhichItHolds) {
  EXPECT_EQ(ask(1, request(3, 1), kExpiry).kind, Kind::kAdd);
  EXPECT_EQ(refusal(request(3, 1), UnixMillis{count(kExpiry) + 1}),
            "the invite expired on 1970-01-01 00:16 UTC");
}

TEST_F(Redeem, AfterThirtyDaysNobodyRemembers) {
  const UnixMillis last{count(kExpiry) + kMonth}, after{count(kExpiry) + kMonth + 1};
  EXPECT_THAT(refusal(request(3, 1), last), testing::HasSubstr("expired on"));
  EXPECT_EQ(refusal(request(3, 1), after), "the invite is unknown");
  const InviteState& invite = w.state().invites.at(Maker::invite_key(1));
  EXPECT_TRUE(answers(invite, last));
  EXPECT_FALSE(answers(invite, after));
}

TEST_F(Redeem, RevokedAndVoidedOnesAreNotAnswered) {
  w.op(0, RevokeInviteBody{Maker::invite_key(1)});
  EXPECT_THAT(refusal(request(3, 1)), testing::HasSubstr("revoked"));
  EXPECT_FALSE(answers(w.state().invites.at(Maker::invite_key(1)), kExpiry));
  w.op(0, m.remove(2));
  EXPECT_THAT(refusal(request(3, 2)), testing::HasSubstr("removed"));
  EXPECT_FALSE(answers(w.state().invites.at(Maker::invite_key(2)), kExpiry));
}

TEST_F(Redeem, ASingleUseInviteEndsWithItsIssuersRight) {
  w.op(0, m.set_role(1, Role::kMember));
  EXPECT_THAT(refusal(request(3, 1)), testing::HasSubstr("not an admin any more"));
}

TEST_F(Redeem, UnknownInvitesAreRefused) {
  EXPECT_EQ(refusal(request(3, 9)), "the invite is unknown");
}

TEST_F(Redeem, TheRequestMustBeGenuine) {
  JoinFrame other_name = request(3, 1);
  other_name.name = "else";
  EXPECT_THAT(refusal(other_name), testing::HasSubstr("signed"));
  JoinFrame other_device = request(3, 1);
  other_device.binding = m.binding(4).encode();
  EXPECT_THAT(refusal(other_device), testing::HasSubstr("signed"));
  JoinFrame other_invite = request(3, 1);
  other_invite.invite = Maker::invite_key(2);
  EXPECT_THAT(refusal(other_invite), testing::HasSubstr("signed"));
}

TEST_F(Redeem, BindingAndNameMustBeRight) {
  EXPECT_THAT(refusal(request(3, 1, "")), testing::HasSubstr("name"));
  EXPECT_THAT(refusal(request(3, 1, std::string(65, 'x'))), testing::HasSubstr("name"));
  JoinFrame broken = request(3, 1);
  broken.binding.back() ^= 1;
  broken.signature = sign_join(invite_keys(seed_secret(1)), m.swarm(), broken.binding, broken.name);
  EXPECT_THAT(refusal(broken), testing::HasSubstr("binding"));
}

TEST_F(Redeem, WhatItSaysIsAValidAdd) {
  const auto answer = ask(1, request(3, 1));
  auto add = m.add(3, answer.role);
  add.invite = answer.by;
  w.op(1, add);
  EXPECT_EQ(w.role(3), Role::kReader);
}

}  // namespace
}  // namespace kith::test
