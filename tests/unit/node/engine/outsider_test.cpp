// What devices that do not belong learn from an engine: a used invite, or an epoch's psk, opens the
// door, and not more than the door.
#include <gmock/gmock.h>

#include "tests/unit/node/engine/support.hpp"

namespace kith::node::test {
namespace {

TEST(Outsider, AJoinerGetsTheRosterAndTheSecrets) {
  Founder node;
  const Invite invite = node.invite();
  const DeviceKeys keys = DeviceKeys::generate(node.rng());
  Device device = joiner(node, keys, invite);
  ASSERT_TRUE(device.is_open());
  device.send(join_frame(invite, keys.binding()).encode());
  const auto frames = device.frames();
  ASSERT_EQ(frames.size(), 2U);
  EXPECT_EQ(type_of(frames[0]), FrameType::kJoinAnswer);
  EXPECT_EQ(type_of(frames[1]), FrameType::kRosterOps);
}

TEST(Outsider, AUsedInviteOpensNoRosterInTheNameOfAMember) {
  Founder node;
  const Invite invite = node.invite();
  const DeviceKeys member = DeviceKeys::generate(node.rng());
  joiner(node, member, invite).send(join_frame(invite, member.binding()).encode());
  // Somebody found the text of the invite, and knows what every joiner is told: who answers.
  Device finder = joiner(node, DeviceKeys::generate(node.rng()), invite);
  ASSERT_TRUE(finder.is_open());
  finder.send(join_frame(invite, finder.peer).encode());
  const auto frames = finder.frames();
  EXPECT_TRUE(std::ranges::none_of(
      frames, [](const Buffer& f) { return type_of(f) == FrameType::kRosterOps; }));
  ASSERT_EQ(frames.size(), 1U);
  EXPECT_EQ(decoded<CloseFrame>(frames[0]).reason, "a request for another device");
  EXPECT_TRUE(finder.wire().is_closed());
}

TEST(Outsider, NobodyHearsOfAnAddBeforeItIsSaved) {
  Founder node;
  const Member member = join(node);
  Device other = connect(node, member);
  const Invite invite = node.invite();
  static_cast<void>(other.frames());
  const DeviceKeys keys = DeviceKeys::generate(node.rng());
  const DeviceKeys late = DeviceKeys::generate(node.rng());
  Device first = joiner(node, keys, invite);
  Device again = joiner(node, keys, invite);  // the second address of the invite
  Device second = joiner(node, late, invite);
  node.hold_catalog = true;
  first.send(join_frame(invite, keys.binding()).encode());
  again.send(join_frame(invite, keys.binding()).encode());
  second.send(join_frame(invite, late.binding()).encode());
  other.send(RosterWantFrame{}.encode());
  EXPECT_TRUE(first.frames().empty());
  EXPECT_TRUE(again.frames().empty());
  EXPECT_TRUE(second.frames().empty());
  const auto known = other.frames();
  ASSERT_EQ(known.size(), 1U);
  for (const Buffer& encoded : decoded<RosterOpsFrame>(known[0]).ops) {
    const auto op = decode_op(encoded);
    const auto* add = std::get_if<AddBody>(&op->body);
    EXPECT_TRUE(add == nullptr || add->device.device != keys.id());
  }
  node.hold_catalog = false;
  node.turn([](Outbox&) {});
  using State = JoinAnswerFrame::State;
  const auto said = [](Device& device) {
    return decoded<JoinAnswerFrame>(device.first_of(FrameType::kJoinAnswer).value()).state;
  };
  EXPECT_EQ(said(first), State::kIn);
  EXPECT_EQ(said(again), State::kIn);
  EXPECT_EQ(said(second), State::kRefused);
  EXPECT_TRUE(other.first_of(FrameType::kRosterHave));
}

TEST(Outsider, AUsedInviteIsToldSo) {
  Founder node;
  const Invite invite = node.invite();
  const DeviceKeys member = DeviceKeys::generate(node.rng());
  joiner(node, member, invite).send(join_frame(invite, member.binding()).encode());
  const DeviceKeys late = DeviceKeys::generate(node.rng());
  Device device = joiner(node, late, invite);
  device.send(join_frame(invite, late.binding()).encode());
  const auto frame = device.first_of(FrameType::kJoinAnswer);
  ASSERT_TRUE(frame);
  const auto answer = decoded<JoinAnswerFrame>(*frame);
  EXPECT_EQ(answer.state, JoinAnswerFrame::State::kRefused);
  EXPECT_THAT(answer.reason, testing::HasSubstr("used up"));
}

TEST(Outsider, AnInviteKeepsNobodysPlace) {
  Founder node;
  const Invite invite = node.invite();
  Device quiet = joiner(node, DeviceKeys::generate(node.rng()), invite);
  for (Duration passed{}; passed < limits::kGuestTime; passed += 10s) {
    ASSERT_TRUE(quiet.is_alive());
    node.pass(10s);
  }
  node.pass(kBeat);
  EXPECT_THAT(quiet.close_reason().value_or(""), testing::HasSubstr("nothing to wait for"));
  const DeviceKeys member = DeviceKeys::generate(node.rng());
  joiner(node, member, invite).send(join_frame(invite, member.binding()).encode());
  const DeviceKeys keys = DeviceKeys::generate(node.rng());
  Device late = joiner(node, keys, invite);
  late.send(join_frame(invite, keys.binding()).encode());
  EXPECT_TRUE(late.first_of(FrameType::kJoinAnswer));
  node.pass(4s);
  EXPECT_TRUE(late.close_reason());
}

TEST(Outsider, AnInviteFillsNotTheNode) {
  Founder node;
  const Invite invite = node.invite();
  const auto door = [&](std::uint8_t subnet) {
    Device device(Wire(node, Endpoint::v4({198, 51, subnet, 1}, 40'000)),
                  DeviceKeys::generate(node.rng()));
    return device.dial(invite_psk(invite_j(invite.seed)), invite_keys(invite.seed));
  };
  for (std::size_t i = 0; i < limits::kGuestsPerSubnet; ++i) EXPECT_TRUE(door(0));
  EXPECT_FALSE(door(0));
  const auto others = static_cast<std::uint8_t>(limits::kGuestsMax - limits::kGuestsPerSubnet);
  for (std::uint8_t i = 1; i <= others; ++i) EXPECT_TRUE(door(i));
  EXPECT_FALSE(door(200));
  node.pass(limits::kGuestTime + 5s);  // nobody reads the farewell
  EXPECT_TRUE(door(0));
}

TEST(Outsider, EveryInviteThatWasMadeIsAnswered) {
  Founder node;
  std::vector<Invite> made;
  for (;;) {
    const auto answer = node.ask(MakeInvite{});
    if (!answer) {
      EXPECT_EQ(answer.error().code, Errc::kLimit);
      break;
    }
    ASSERT_LT(made.size(), limits::kPsksTried);
    made.push_back(Invite::parse(std::get<InviteMade>(*answer).text).value());
  }
  for (const Invite& invite : made) {
    const DeviceKeys keys = DeviceKeys::generate(node.rng());
    Device device = joiner(node, keys, invite);
    ASSERT_TRUE(device.is_open());
    device.wire().cut();
  }
  // One that is used makes room for the next.
  const DeviceKeys keys = DeviceKeys::generate(node.rng());
  joiner(node, keys, made[0]).send(join_frame(made[0], keys.binding()).encode());
  EXPECT_TRUE(node.ask(MakeInvite{}));
  EXPECT_FALSE(node.ask(MakeInvite{}));
}

TEST(Outsider, AnEpochsPskAloneOpensNoRoster) {
  Founder node;
  const Member member = join(node);
  Member stranger = join(node);
  stranger.keys = DeviceKeys::generate(node.rng());
  Device leak = connect(node, stranger);
  ASSERT_TRUE(leak.is_open());
  leak.send(RosterWantFrame{}.encode());
  const auto nothing = leak.first_of(FrameType::kRosterOps);
  ASSERT_TRUE(nothing);
  EXPECT_TRUE(decoded<RosterOpsFrame>(*nothing).ops.empty());

  Device again = connect(node, member);
  again.send(RosterWantFrame{}.encode());
  const auto roster = again.first_of(FrameType::kRosterOps);
  ASSERT_TRUE(roster);
  EXPECT_FALSE(decoded<RosterOpsFrame>(*roster).ops.empty());
}

}  // namespace
}  // namespace kith::node::test
