// What devices that do not belong learn from an engine: a used invite, or an epoch's psk, opens the
// door, and not more than the door.
#include <gmock/gmock.h>
#include <functional>
#include <gtest/gtest.h>

#include "node/engine/engine.hpp"
#include "proto/crypto/random.hpp"
#include "proto/swarm/invite.hpp"
#include "proto/swarm/secrets.hpp"

namespace kith::node {
namespace {

using namespace std::chrono_literals;

const Endpoint kListening = Endpoint::v4({10, 0, 0, 1}, 5484);

// An engine with a swarm, and what the runtime would do for it: the catalog answers at once.
class Node {
 public:
  Node() {
    EngineConfig config;
    config.keys = DeviceKeys::generate(rng);
    config.device_name = "one";
    config.listening = {kListening};
    config.own = {kListening};
    config.lan = false;
    engine.emplace(std::move(config), rng, slabs);
    turn([&](Outbox& out) { engine->start(now, {}, out); });
    command(CreateSwarm{"swarm"});
  }

  void turn(const std::function<void(Outbox&)>& input) {
    Outbox out;
    input(out);
    for (Reply& reply : out.replies) replies.push_back(std::move(reply));
    for (const OutClose& close : out.closes) closed.insert(close.conn);
    for (const CatalogWrite& write : out.catalog) {
      if (!write.ack) continue;
      turn([&](Outbox& o) { engine->handle_catalog(now, {*write.ack, {}}, o); });
    }
  }

  void command(CommandBody body) {
    turn([&](Outbox& out) { engine->handle_command(now, {RequestId{1}, std::move(body)}, out); });
  }

  Invite invite() {
    command(MakeInvite{});
    return *Invite::parse(std::get<InviteMade>(std::get<Done>(replies.back().body)).text);
  }

  SeededRng rng{1};
  SlabPool slabs;
  Now now{TimePoint(1h), UnixMillis(1'700'000'000'000)};
  std::optional<Engine> engine;
  std::vector<Reply> replies;
  std::set<ConnId> closed;
};

// A device at the other end of a connection, which does what it likes.
class Device {
 public:
  Device(Node& node, DeviceKeys keys, const Secret& psk, const SignKeys& signer)
      : node_(node), keys_(std::move(keys)) {
    node_.turn([&](Outbox& out) {
      conn_ = *node_.engine->handle_accepted(node_.now, Endpoint::v4({10, 0, 1, 1}, 40'000), out);
    });
    auto shake = PeerHandshake::initiator({keys_.noise, psk, signer, std::nullopt});
    Buffer message;
    shake.start(node_.now.wall, node_.rng, message);
    write(message);
    const Buffer second = read();
    if (shake.feed(second) != second.size()) return;
    if (shake.state() != PeerHandshake::State::kPeerKnown) return;
    HandshakePayload own;
    own.binding = keys_.binding();
    message.clear();
    shake.finish(own, node_.rng, message);
    peer = shake.peer().binding;
    channel_.emplace(shake.split());
    write(message);
  }

  [[nodiscard]] bool is_open() const { return channel_.has_value(); }
  [[nodiscard]] bool is_closed() const { return node_.closed.contains(conn_); }

  void send(Bytes frame) {
    Buffer record;
    channel_->seal_frame(frame, record);
    write(record);
  }

  /// Frames that came since the last call.
  std::vector<Buffer> frames() {
    std::vector<Buffer> out;
    Buffer bytes = read();
    MutableBytes rest(bytes);
    while (!rest.empty()) {
      const auto opened = channel_->open_frame(rest);
      if (!opened || !*opened) break;
      out.push_back(to_buffer((*opened)->frame));
      rest = rest.subspan((*opened)->consumed);
    }
    return out;
  }

  std::optional<Buffer> first_of(FrameType type) {
    for (Buffer& frame : frames()) {
      if (static_cast<FrameType>(frame[0]) == type) return std::move(frame);
    }
    return std::nullopt;
  }

  DeviceBinding peer;

 private:
  void write(Bytes bytes) {
    while (!bytes.empty()) {
      std::vector<MutableBytes> plan;
      node_.engine->read_plan(conn_, plan);
      if (plan.empty()) return;
      const std::size_t n = std::min(plan.front().size(), bytes.size());
      std::copy_n(bytes.begin(), n, plan.front().begin());
      bytes = bytes.subspan(n);
      node_.turn([&](Outbox& out) { node_.engine->handle_read(node_.now, conn_, n, out); });
    }
  }

  Buffer read() {
    Buffer out;
    for (;;) {
      std::vector<Bytes> plan;
      node_.engine->write_plan(conn_, plan);
      std::size_t n = 0;
      for (const Bytes run : plan) {
        append(out, run);
        n += run.size();
      }
      if (n == 0) return out;
      node_.turn([&](Outbox& o) { node_.engine->handle_wrote(node_.now, conn_, n, o); });
    }
  }

  Node& node_;
  DeviceKeys keys_;
  ConnId conn_{};
  std::optional<SecureChannel> channel_;
};

JoinFrame join_frame(const Invite& invite, const DeviceBinding& binding) {
  const SignKeys keys = invite_keys(invite.seed);
  JoinFrame out;
  out.invite = keys.pub;
  out.binding = binding.encode();
  out.name = "a device";
  out.signature = sign_join(keys, invite.swarm, out.binding, out.name);
  return out;
}

Device joiner(Node& node, const DeviceKeys& keys, const Invite& invite) {
  return {node, keys, invite_psk(invite_j(invite.seed)), invite_keys(invite.seed)};
}

TEST(Outsider, AJoinerGetsTheRosterAndTheSecrets) {
  Node node;
  const Invite invite = node.invite();
  const DeviceKeys keys = DeviceKeys::generate(node.rng);
  Device device = joiner(node, keys, invite);
  ASSERT_TRUE(device.is_open());
  device.send(join_frame(invite, keys.binding()).encode());
  const auto frames = device.frames();
  ASSERT_EQ(frames.size(), 2U);
  EXPECT_EQ(static_cast<FrameType>(frames[0][0]), FrameType::kJoinAnswer);
  EXPECT_EQ(static_cast<FrameType>(frames[1][0]), FrameType::kRosterOps);
}

TEST(Outsider, AUsedInviteOpensNoRosterInTheNameOfAMember) {
  Node node;
  const Invite invite = node.invite();
  const DeviceKeys member = DeviceKeys::generate(node.rng);
  joiner(node, member, invite).send(join_frame(invite, member.binding()).encode());
  // Somebody found the text of the invite, and knows what every joiner is told: who answers.
  Device finder = joiner(node, DeviceKeys::generate(node.rng), invite);
  ASSERT_TRUE(finder.is_open());
  finder.send(join_frame(invite, finder.peer).encode());
  EXPECT_FALSE(finder.first_of(FrameType::kRosterOps).has_value());
  EXPECT_TRUE(finder.is_closed());
}

TEST(Outsider, AUsedInviteIsToldSo) {
  Node node;
  const Invite invite = node.invite();
  const DeviceKeys member = DeviceKeys::generate(node.rng);
  joiner(node, member, invite).send(join_frame(invite, member.binding()).encode());
  const DeviceKeys late = DeviceKeys::generate(node.rng);
  Device device = joiner(node, late, invite);
  device.send(join_frame(invite, late.binding()).encode());
  const auto frame = device.first_of(FrameType::kJoinAnswer);
  ASSERT_TRUE(frame);
  const auto answer = JoinAnswerFrame::decode(Bytes(*frame).subspan(1));
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->state, JoinAnswerFrame::State::kRefused);
  EXPECT_THAT(answer->reason, testing::HasSubstr("used up"));
}

TEST(Outsider, AnEpochsPskAloneOpensNoRoster) {
  Node node;
  const Invite invite = node.invite();
  const DeviceKeys member = DeviceKeys::generate(node.rng);
  Device device = joiner(node, member, invite);
  device.send(join_frame(invite, member.binding()).encode());
  const auto frame = device.first_of(FrameType::kJoinAnswer);
  ASSERT_TRUE(frame);
  const auto answer = JoinAnswerFrame::decode(Bytes(*frame).subspan(1));
  const auto secrets = open_join_secrets(member, answer->secrets);
  ASSERT_TRUE(secrets);
  const Secret psk = epoch_psk(*secrets->epoch.network);

  const DeviceKeys stranger = DeviceKeys::generate(node.rng);
  Device leak(node, stranger, psk, stranger.sign);
  ASSERT_TRUE(leak.is_open());
  leak.send(RosterWantFrame{}.encode());
  EXPECT_FALSE(leak.first_of(FrameType::kRosterOps).has_value());

  Device again(node, member, psk, member.sign);
  again.send(RosterWantFrame{}.encode());
  EXPECT_TRUE(again.first_of(FrameType::kRosterOps).has_value());
}

}  // namespace
}  // namespace kith::node
