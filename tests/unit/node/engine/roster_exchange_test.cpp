// How the operations of a roster reach whoever lacks them, however many there are and whoever made
// them.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "proto/limits.hpp"
#include "tests/unit/node/engine/support.hpp"

namespace kith::node::test {
namespace {

void send_ops(Device& device, std::span<const Buffer> ops) {
  constexpr std::size_t kAtOnce = 64;
  while (!ops.empty()) {
    RosterOpsFrame frame;
    const std::size_t n = std::min(kAtOnce, ops.size());
    frame.ops.assign(ops.begin(), ops.begin() + static_cast<std::ptrdiff_t>(n));
    device.send(frame.encode());
    ops = ops.subspan(n);
  }
}

// Every one is another operation by which the device leaves: the sets of parents differ.
std::vector<Buffer> departures(const Member& member, std::size_t count) {
  const OpId add = member.roster.state().find(member.keys.id())->added_by;
  std::vector<OpId> others;
  for (OpIndex i = 0; i < member.roster.size(); ++i) {
    if (member.roster.op(i).id != add) others.push_back(member.roster.op(i).id);
  }
  std::vector<Buffer> out;
  for (std::size_t set = 0; set < count; ++set) {
    std::vector<OpId> parents = {add};
    for (std::size_t bit = 0; bit < others.size(); ++bit) {
      if ((set >> bit & 1) != 0) parents.push_back(others[bit]);
    }
    const RemoveBody leave{member.keys.id(), std::nullopt};
    out.push_back(sign_op(member.keys.sign, parents, leave).value().encoded);
  }
  return out;
}

// All operations that the node gives, asked for one frame after the other.
std::vector<Buffer> pull(Device& device) {
  std::vector<Buffer> out;
  RosterWantFrame want;
  for (;;) {
    device.send(want.encode());
    const auto answer = device.first_of(FrameType::kRosterOps);
    if (!answer) break;
    const auto frame = decoded<RosterOpsFrame>(*answer);
    out.insert(out.end(), frame.ops.begin(), frame.ops.end());
    if (!frame.more) break;
    want.after = op_id(out.back());
  }
  return out;
}

TEST(RosterExchange, AMirrorThatLeavesAThousandTimesStopsNobody) {
  Founder node;
  for (int i = 0; i < 9; ++i) (void)node.invite();
  const Member honest = join(node);
  const Member hostile = join(node, "mirror");
  Device device = connect(node, hostile);
  send_ops(device, departures(hostile, limits::kHeadsPerFrame + 76));
  node.pass(1s);

  // What the founder does next is heard of by whoever connects, and by whoever is connected.
  Device other = connect(node, honest);
  const auto have = other.first_of(FrameType::kRosterHave);
  ASSERT_TRUE(have) << "more heads than a handshake has room for";
  EXPECT_EQ(decoded<RosterHaveFrame>(*have).heads.size(), limits::kHeadsPerFrame);
  const Invite invite = node.invite();
  const auto news = other.first_of(FrameType::kRosterHave);
  ASSERT_TRUE(news);
  const auto heads = decoded<RosterHaveFrame>(*news).heads;
  EXPECT_EQ(heads.size(), limits::kHeadsPerFrame);
  std::optional<OpId> made;
  for (const Buffer& encoded : pull(other)) {
    const Op op = decode_op(encoded).value();
    const auto* body = std::get_if<InviteBody>(&op.body);
    if (body != nullptr && body->key == invite_keys(invite.seed).pub) made = op.id;
  }
  ASSERT_TRUE(made);
  EXPECT_THAT(heads, testing::Contains(*made));
}

// More operations than the node takes into its queue, and more bytes than it lets wait for a peer.
TEST(RosterExchange, ALargeRosterIsTakenAndGivenAFrameAtATime) {
  Founder node;
  const Member admin = join(node, "admin");
  Device device = connect(node, admin);
  static_cast<void>(device.frames());
  Roster roster(admin.roster.swarm());
  for (OpIndex i = 0; i < admin.roster.size(); ++i) {
    ASSERT_TRUE(roster.add(admin.roster.op(i).encoded));
  }
  const Author author{admin.keys, roster, admin.secrets, node.rng()};
  const OpIndex first = roster.size();
  for (int i = 0; i < 5'000; ++i) {
    const auto made = make_invite(author, Role::kMember, 1, node.now.wall);
    ASSERT_TRUE(made);
    ASSERT_TRUE(roster.add(made->op.encoded, Roster::Trust::kVerified));
  }
  device.send(RosterHaveFrame{roster.heads()}.encode());
  std::size_t asked = 0;
  OpIndex next = first;
  while (const auto frame = device.first_of(FrameType::kRosterWant)) {
    ++asked;
    const auto want = decoded<RosterWantFrame>(*frame);
    if (next > first) {
      EXPECT_EQ(want.after, roster.op(next - 1).id);
    }
    RosterOpsFrame answer;
    while (next < roster.size() && answer.ops.size() < 200) {
      answer.ops.push_back(roster.op(next++).encoded);
    }
    answer.more = next < roster.size();
    device.send(answer.encode());
    EXPECT_FALSE(device.first_of(FrameType::kRosterWant)) << "asked before it took what came";
    node.pass(100ms);
  }
  EXPECT_EQ(asked, 25U);
  const auto given = pull(device);
  EXPECT_EQ(given.size(), roster.size());
  std::size_t bytes = 0;
  for (const Buffer& op : given) bytes += op.size();
  EXPECT_GT(bytes, limits::kControlQueue);
  EXPECT_TRUE(device.is_alive());
}

class WrongOperations : public testing::Test {
 protected:
  void send(const Op& op) {
    RosterOpsFrame frame;
    frame.ops.push_back(op.encoded);
    device_.send(frame.encode());
    node_.pass(1s);
  }
  OpId genesis() const { return member_.roster.op(0).id; }

  Founder node_;
  Member member_ = join(node_, "reader");
  Device device_ = connect(node_, member_);
};

TEST_F(WrongOperations, OfStrangersCloseTheConnection) {
  const DeviceKeys stranger = DeviceKeys::generate(node_.rng());
  send(sign_op(stranger.sign, {genesis()}, RemoveBody{stranger.id(), std::nullopt}).value());
  EXPECT_THAT(device_.close_reason().value_or(""), testing::HasSubstr("not valid"));
}

TEST_F(WrongOperations, WithoutARightCloseTheConnection) {
  const RevokeInviteBody body{member_.keys.sign.pub};
  send(sign_op(member_.keys.sign, {genesis()}, body).value());
  EXPECT_THAT(device_.close_reason().value_or(""), testing::HasSubstr("not valid"));
}

TEST_F(WrongOperations, WithoutParentsCloseTheConnectionWhenThereAreMany) {
  const RemoveBody leave{member_.keys.id(), std::nullopt};
  std::vector<Buffer> ops;
  for (std::size_t i = 0; i <= limits::kRosterPending; ++i) {
    OpId unknown;
    node_.rng().fill(unknown.mutable_view());
    ops.push_back(sign_op(member_.keys.sign, {unknown}, leave).value().encoded);
  }
  send_ops(device_, std::span(ops).first(limits::kRosterPending));
  node_.pass(1s);
  EXPECT_TRUE(device_.is_alive());
  send_ops(device_, std::span(ops).last(1));
  node_.pass(1s);
  EXPECT_THAT(device_.close_reason().value_or(""), testing::HasSubstr("without their parents"));
}

}  // namespace
}  // namespace kith::node::test
