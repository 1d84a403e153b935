// Every message of a handshake with an engine, cut, altered, cut short, repeated, or missing, in
// both roles. Whoever did not prove to hold a psk gets not one byte, and no sign before the
// deadline; whoever did is dropped at once. Nothing stays behind, and the next device is served.
#include "tests/unit/node/engine/support.hpp"

namespace kith::node::test {
namespace {

// What becomes of a message on its way.
struct Fault {
  std::string name;
  std::function<Buffer(const Buffer&)> apply;
  bool completes = false;  // the message that the receiver sees is whole, and wrong
};

Buffer flipped(Buffer bytes, std::size_t at) {
  bytes[at] ^= 0x40;
  return bytes;
}

Buffer doubled(const Buffer& bytes) {
  Buffer out = bytes;
  append(out, bytes);
  return out;
}

// A message of `length` bytes that cannot be right.
Buffer made_up(std::uint16_t length, std::size_t sent) {
  Buffer out(2 + sent, 0x5a);
  store_be(out, length);
  return out;
}

std::vector<Fault> faults(std::size_t size) {
  std::vector<Fault> out;
  const auto add = [&out](std::string name, bool completes, auto apply) {
    out.push_back({std::move(name), std::move(apply), completes});
  };
  for (std::size_t at = 0; at < size; ++at) {
    // A length that is altered may leave the receiver waiting for more.
    add("byte " + std::to_string(at) + " flipped", at >= 2,
        [at](const Buffer& m) { return flipped(m, at); });
  }
  for (const std::size_t n : {std::size_t{0}, std::size_t{1}, std::size_t{2}, size / 2, size - 1}) {
    add("only " + std::to_string(n) + " bytes", false,
        [n](const Buffer& m) { return to_buffer(Bytes(m).first(n)); });
  }
  add("an empty message", true, [](const Buffer&) { return made_up(0, 0); });
  add("a message of one byte", true, [](const Buffer&) { return made_up(1, 1); });
  add("the longest message", true,
      [](const Buffer&) { return made_up(limits::kHandshakeMessageMax, 4'000); });
  add("a message that is too long", true,
      [](const Buffer&) { return made_up(limits::kHandshakeMessageMax + 1, 4'000); });
  add("a message of 64 KiB", true, [](const Buffer&) { return made_up(0xffff, 70'000); });
  add("another message in its place", true, [](const Buffer& m) {
    return made_up(static_cast<std::uint16_t>(m.size() - 2), m.size() - 2);
  });
  return out;
}

class HandshakeFaults : public testing::Test {
 protected:
  HandshakeFaults() {
    member.emplace(join(node));
    node.expect_baseline();
  }
  ~HandshakeFaults() override {
    Device fresh = connect(node, *member);
    EXPECT_TRUE(fresh.is_alive());
    fresh.wire().cut();
    node.expect_baseline();
  }

  // Not a byte, and nothing to be seen, until the time for a handshake is over.
  void expect_silence(Wire& wire) {
    EXPECT_TRUE(wire.read().empty());
    node.pass(limits::kHandshakeTime - 1ms);
    EXPECT_FALSE(wire.is_closed()) << "it told by closing that it had understood";
    node.pass(1ms + kBeat);
    EXPECT_TRUE(wire.read().empty());
    EXPECT_TRUE(wire.is_closed());
    node.expect_baseline();
  }

  // Closed without a word: at once, or when the time is over.
  void expect_dropped(Wire& wire, bool at_once) {
    EXPECT_TRUE(wire.read().empty());
    if (at_once) {
      EXPECT_TRUE(wire.is_closed());
    }
    node.pass(limits::kHandshakeTime + kBeat);
    EXPECT_TRUE(wire.read().empty());
    EXPECT_TRUE(wire.is_closed());
    node.expect_baseline();
  }

  Device device() { return {Wire(node), member->keys}; }
  // Makes the node dial, and takes the dial up.
  Device dialled() {
    const Endpoint at = Endpoint::v4({10, 0, 2, ++addresses}, 5484);
    EXPECT_TRUE(node.ask(AddBootstrap{at}));
    while (node.dials.size() > 1) node.dials.pop_front();
    return {Wire::answer(node), member->keys};
  }

  // It dials again and again: nobody is there.
  void give_up_dials() {
    for (const OutConnect& dial : std::exchange(node.dials, {})) node.lose(dial.conn);
    EXPECT_EQ(node.engine().connection_count(), 0U);
  }

  Founder node;
  std::optional<Member> member;
  std::uint8_t addresses = 0;
};

TEST_F(HandshakeFaults, TheFirstMessage) {
  const std::size_t size = device().first(member->psk(), member->keys.sign).size();
  node.pass(limits::kHandshakeTime + kBeat);
  for (const Fault& fault : faults(size)) {
    SCOPED_TRACE(fault.name);
    Device stranger = device();
    stranger.wire().write(fault.apply(stranger.first(member->psk(), member->keys.sign)));
    expect_silence(stranger.wire());
  }
}

TEST_F(HandshakeFaults, TheFirstMessageOfSomebodyElse) {
  const DeviceKeys stranger = DeviceKeys::generate(node.rng());
  Secret psk;
  node.rng().fill(psk.mutable_view());
  const auto expect_stranger = [&](const char* who, const Secret& under, const SignKeys& signer) {
    SCOPED_TRACE(who);
    Device d{Wire(node), stranger};
    d.wire().write(d.first(under, signer));
    expect_silence(d.wire());
  };
  expect_stranger("without any psk", psk, stranger.sign);
  expect_stranger("to catch up, though it was never in", member->catch_up(), stranger.sign);
  const Invite invite = node.invite();
  expect_stranger("under an invite, with the key of a device", invite_psk(invite_j(invite.seed)),
                  stranger.sign);
  Invite revoked = invite;
  revoked.seed = Secret(psk);
  expect_stranger("under an invite that nobody made", invite_psk(invite_j(revoked.seed)),
                  invite_keys(revoked.seed));
}

TEST_F(HandshakeFaults, AFirstMessageThatIsMeantForAnotherOrIsOld) {
  const DeviceId other = DeviceKeys::generate(node.rng()).id();
  Device to_another = device();
  to_another.wire().write(to_another.first(member->psk(), member->keys.sign, other));
  expect_silence(to_another.wire());

  Device first = device();
  const Buffer message = first.first(member->psk(), member->keys.sign);
  first.wire().write(message);
  EXPECT_FALSE(first.wire().read().empty());
  first.wire().cut();
  // Who listened says it again, at once or much later.
  for (const Duration later : {Duration(0s), Duration(10min), Duration(2h)}) {
    node.pass(later);
    Device replay = device();
    replay.wire().write(message);
    expect_silence(replay.wire());
  }
}

TEST_F(HandshakeFaults, TheFirstMessageTwice) {
  // The second copy stands where the third message should.
  Device twice = device();
  const Buffer first = twice.first(member->psk(), member->keys.sign);
  twice.wire().write(first);
  EXPECT_FALSE(twice.wire().read().empty());
  twice.wire().write(first);
  expect_dropped(twice.wire(), true);
  Device at_once = device();
  at_once.wire().write(doubled(at_once.first(member->psk(), member->keys.sign)));
  expect_dropped(at_once.wire(), true);
}

TEST_F(HandshakeFaults, TheThirdMessage) {
  std::size_t size = 0;
  {
    Device sound = device();
    sound.wire().write(sound.first(member->psk(), member->keys.sign));
    size = sound.third(sound.wire().read())->size();
    sound.wire().cut();
  }
  for (const Fault& fault : faults(size)) {
    SCOPED_TRACE(fault.name);
    Device d = device();
    d.wire().write(d.first(member->psk(), member->keys.sign));
    d.wire().write(fault.apply(*d.third(d.wire().read())));
    expect_dropped(d.wire(), fault.completes);
  }
}

TEST_F(HandshakeFaults, TheThirdMessageTwice) {
  // The second copy stands where a record should.
  Device twice = device();
  twice.wire().write(twice.first(member->psk(), member->keys.sign));
  twice.wire().write(doubled(*twice.third(twice.wire().read())));
  // What an open connection begins with may have been sent before the copy came.
  static_cast<void>(twice.wire().read());
  EXPECT_TRUE(twice.wire().is_closed());
  node.expect_baseline();
}

TEST_F(HandshakeFaults, TheSecondMessageWhenTheNodeDials) {
  std::size_t size = 0;
  {
    Device sound = dialled();
    size = sound.second(sound.wire().read(), member->psk())->size();
    sound.wire().cut();
  }
  // Each byte is tried in the other messages; a dial of the node costs more.
  const std::vector<Fault> all = faults(size);
  for (std::size_t i = 0; i < all.size(); i += i < size ? 7 : 1) {
    SCOPED_TRACE(all[i].name);
    Device d = dialled();
    d.wire().write(all[i].apply(*d.second(d.wire().read(), member->psk())));
    EXPECT_TRUE(d.wire().read().empty()) << "it answered what was altered";
    if (all[i].completes) {
      EXPECT_TRUE(d.wire().is_closed());
    }
    d.wire().cut();
    EXPECT_EQ(node.engine().connection_count(), 0U);
  }
  give_up_dials();
}

TEST_F(HandshakeFaults, WhoeverHoldsThePskMayAnswerAnAddressAndStaysOutside) {
  Device d{dialled().wire(), DeviceKeys::generate(node.rng())};
  ASSERT_TRUE(d.answer(member->psk()));
  d.send(RosterWantFrame{}.encode());
  const auto told = d.first_of(FrameType::kRosterOps);
  ASSERT_TRUE(told);
  EXPECT_TRUE(decoded<RosterOpsFrame>(*told).ops.empty());
  node.pass(15s + kBeat);
  EXPECT_EQ(d.close_reason(), "the device does not stand in the roster");
  EXPECT_TRUE(d.wire().is_closed());
  give_up_dials();
}

TEST_F(HandshakeFaults, AnotherDeviceThanTheOneThatIsKnownToListenThere) {
  Device d = dialled();
  ASSERT_TRUE(d.answer(member->psk()));
  ASSERT_TRUE(d.is_alive());
  d.wire().cut();
  node.pass(2s);  // it dials again
  ASSERT_EQ(node.dials.size(), 1U);
  Device liar{Wire::answer(node), DeviceKeys::generate(node.rng())};
  const auto second = liar.second(liar.wire().read(), member->psk());
  ASSERT_TRUE(second);
  liar.wire().write(*second);
  EXPECT_TRUE(liar.wire().read().empty());
  EXPECT_TRUE(liar.wire().is_closed());
  give_up_dials();
}

TEST_F(HandshakeFaults, TheConnectionEndsAtEveryStep) {
  for (int step = 0; step < 6; ++step) {
    SCOPED_TRACE(step);
    Device in = step < 3 ? device() : dialled();
    if (step == 1) in.wire().write(in.first(member->psk(), member->keys.sign));
    if (step == 2) in.dial(member->psk(), member->keys.sign);
    if (step == 4) in.wire().write(*in.second(in.wire().read(), member->psk()));
    if (step == 5) in.answer(member->psk());
    EXPECT_EQ(in.is_open(), step == 2 || step == 5);
    in.wire().cut();
    node.expect_baseline();
  }
}

TEST_F(HandshakeFaults, NothingComesAtEveryStep) {
  Device nothing = device();
  expect_silence(nothing.wire());

  Device no_third = device();
  no_third.wire().write(no_third.first(member->psk(), member->keys.sign));
  EXPECT_FALSE(no_third.wire().read().empty());
  expect_dropped(no_third.wire(), false);

  Device no_second = dialled();
  EXPECT_FALSE(no_second.wire().read().empty());
  node.pass(limits::kHandshakeTime + kBeat);
  EXPECT_TRUE(no_second.wire().is_closed());

  EXPECT_TRUE(node.ask(AddBootstrap{Endpoint::v4({10, 0, 3, 1}, 5484)}));
  const ConnId no_answer = node.dials.back().conn;
  node.pass(limits::kHandshakeTime + kBeat);
  EXPECT_TRUE(node.is_closed(no_answer));
  give_up_dials();
}

TEST_F(HandshakeFaults, AByteASecondIsNotEnough) {
  Device slow = device();
  const Buffer first = slow.first(member->psk(), member->keys.sign);
  for (std::size_t i = 0; i < 4; ++i) {
    slow.wire().write(Bytes(first).subspan(i, 1));
    node.pass(1s);
  }
  EXPECT_FALSE(slow.wire().is_closed());
  node.pass(1s + kBeat);
  EXPECT_TRUE(slow.wire().is_closed());
  node.expect_baseline();
}

TEST_F(HandshakeFaults, HalfOpenConnectionsAreBounded) {
  // From one network, and from many.
  const auto dial = [&](const Endpoint& from) {
    std::optional<ConnId> conn;
    node.turn([&](Outbox& out) { conn = node.engine().handle_accepted(node.now, from, out); });
    return conn.has_value();
  };
  std::size_t one = 0;
  for (std::uint8_t host = 1; host < 100; ++host) one += dial(Endpoint::v4({10, 9, 9, host}, 1));
  EXPECT_EQ(one, limits::kHalfOpenPerSubnet);
  std::size_t many = one;
  for (std::size_t i = 0; i < 2 * limits::kHalfOpenMax; ++i) {
    const auto net = static_cast<std::uint8_t>(i % 250);
    many += dial(Endpoint::v4({11, static_cast<std::uint8_t>(i / 250), net, 1}, 1));
  }
  EXPECT_EQ(many, limits::kHalfOpenMax);
  node.pass(limits::kHandshakeTime + kBeat);
  node.expect_baseline();
}

}  // namespace
}  // namespace kith::node::test
