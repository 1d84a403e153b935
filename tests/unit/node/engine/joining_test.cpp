// Joining, from the joiner's side: every member can answer an invite, and only an admin lets a
// device in.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "proto/swarm/author.hpp"
#include "tests/unit/node/engine/support.hpp"

namespace kith::node::test {
namespace {

const Endpoint kMirrorAt = Endpoint::v4({10, 0, 0, 8}, 5484);
const Endpoint kIssuerAt = Endpoint::v4({10, 0, 0, 9}, 5484);

// A swarm of an issuer and a mirror, which are devices of the test, and a node that joins by an
// invite with the addresses of both. Both have been asked.
class Joining : public testing::Test {
 protected:
  Joining() {
    add(make_add(author(), mirror_keys_.binding(), Role::kMirror, "mirror").value());
    NewInvite made = make_invite(author(), Role::kMember, 1, UnixMillis(1LL << 60)).value();
    add(made.op);
    invite_ = made.invite;
    invite_.hints = {kMirrorAt, kIssuerAt};
    request_ = node_.begin(Join{invite_, "a device", 30s});
    EXPECT_EQ(node_.dials.size(), 2U);
    const bool mirror_first = node_.dials.front().to == kMirrorAt;
    Wire first = Wire::answer(node_);
    Wire second = Wire::answer(node_);
    mirror_.emplace(mirror_first ? first : second, mirror_keys_);
    issuer_.emplace(mirror_first ? second : first, issuer_keys_);
    for (Device* device : {&*mirror_, &*issuer_}) {
      EXPECT_TRUE(device->answer(invite_psk(invite_j(invite_.seed)), FirstKey::kInvite));
      join_ = decoded<JoinFrame>(device->first_of(FrameType::kJoin).value());
    }
  }

  Author author() { return {issuer_keys_, roster_, swarm_.keys, node_.rng()}; }
  void add(const Op& op) { EXPECT_TRUE(roster_.add(op.encoded)); }

  // The issuer appends the add of the node.
  void let_in() {
    const AddBody::ByInvite by{*SignPublic::from(join_.invite.view()),
                               *Signature::from(join_.signature.view())};
    const auto binding = DeviceBinding::decode(join_.binding).value();
    add(make_add(author(), binding, Role::kMember, join_.name, by).value());
  }

  // What a device says to whom it lets in: secrets, and the whole roster.
  void say_in(Device& device, const Secret& group, const EpochSecrets& secrets) {
    const auto binding = DeviceBinding::decode(join_.binding).value();
    JoinAnswerFrame answer;
    answer.state = JoinAnswerFrame::State::kIn;
    answer.secrets = seal_join_secrets(binding, Role::kMember, group, secrets, node_.rng());
    device.send(answer.encode());
    RosterOpsFrame ops;
    for (OpIndex i = 0; i < roster_.size(); ++i) ops.ops.push_back(roster_.op(i).encoded);
    device.send(ops.encode());
    node_.pass(1s);
  }

  const EpochSecrets& secrets() { return *swarm_.keys.find(roster_.state().current_epoch); }

  void refuse(Device& device) {
    JoinAnswerFrame answer;
    answer.reason = "no";
    device.send(answer.encode());
  }

  void expect_joined() {
    ASSERT_NE(node_.answer(request_), nullptr);
    EXPECT_TRUE(*node_.answer(request_)) << to_string(node_.answer(request_)->error());
    const auto target = node_.ask(ResolveShareTarget{});
    ASSERT_TRUE(target);
    EXPECT_EQ(std::get<SwarmTarget>(*target).conv, convergence_key(*secrets().content));
    Device late(Wire(node_), issuer_keys_);
    EXPECT_TRUE(late.dial(catch_up_psk(swarm_.keys.group()), issuer_keys_.sign));
  }

  Node node_{2};
  DeviceKeys issuer_keys_ = DeviceKeys::generate(node_.rng());
  DeviceKeys mirror_keys_ = DeviceKeys::generate(node_.rng());
  NewSwarm swarm_ = create_swarm(issuer_keys_, "swarm", "issuer", node_.rng()).value();
  Roster roster_ = [this] {
    Roster out(swarm_.id);
    EXPECT_TRUE(out.add(swarm_.genesis.encoded));
    return out;
  }();
  Invite invite_;
  RequestId request_{};
  std::optional<Device> mirror_;
  std::optional<Device> issuer_;
  JoinFrame join_;
};

TEST_F(Joining, AMembersRefusalEndsNothingButItsOwnAttempt) {
  refuse(*mirror_);
  EXPECT_EQ(node_.answer(request_), nullptr);
  let_in();
  say_in(*issuer_, swarm_.keys.group(), secrets());
  expect_joined();
}

TEST_F(Joining, TheIssuersRefusalCounts) {
  refuse(*issuer_);
  ASSERT_NE(node_.answer(request_), nullptr);
  EXPECT_EQ(node_.answer(request_)->error().code, Errc::kRefused);
}

TEST_F(Joining, AMirrorDoesNotChooseTheSecrets) {
  let_in();
  Secret chosen;
  node_.rng().fill(chosen.mutable_view());
  say_in(*mirror_, chosen, EpochSecrets::generate(node_.rng()));
  EXPECT_EQ(node_.answer(request_), nullptr);
  EXPECT_TRUE(mirror_->wire().is_closed());
  say_in(*issuer_, swarm_.keys.group(), secrets());
  expect_joined();
}

// Not even an admin says what the secrets of an epoch are: the roster does.
TEST_F(Joining, TheRosterVouchesForTheSecretsOfAnEpoch) {
  let_in();
  say_in(*issuer_, swarm_.keys.group(), EpochSecrets::generate(node_.rng()));
  expect_joined();
}

TEST_F(Joining, ForeignOperationsEndTheAttempt) {
  let_in();
  const NewSwarm other = create_swarm(mirror_keys_, "other", "mirror", node_.rng()).value();
  const Roster right = std::exchange(roster_, Roster(other.id));
  EXPECT_TRUE(roster_.add(other.genesis.encoded));
  say_in(*mirror_, other.keys.group(), *other.keys.find(roster_.state().current_epoch));
  EXPECT_TRUE(mirror_->wire().is_closed());
  EXPECT_EQ(node_.answer(request_), nullptr);
}

TEST_F(Joining, NobodyPushesMoreThanWasAskedFor) {
  let_in();
  JoinAnswerFrame answer;
  answer.state = JoinAnswerFrame::State::kIn;
  const auto binding = DeviceBinding::decode(join_.binding).value();
  answer.secrets =
      seal_join_secrets(binding, Role::kMember, swarm_.keys.group(), secrets(), node_.rng());
  mirror_->send(answer.encode());
  RosterOpsFrame ops;
  ops.ops.push_back(swarm_.genesis.encoded);
  ops.more = true;
  mirror_->send(ops.encode());
  mirror_->send(ops.encode());
  EXPECT_THAT(mirror_->close_reason().value_or(""), testing::HasSubstr("nobody asked for"));
}

}  // namespace
}  // namespace kith::node::test
