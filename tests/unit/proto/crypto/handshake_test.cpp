#include "proto/crypto/handshake.hpp"

#include <gtest/gtest.h>

#include "tests/unit/proto/crypto/handshake_support.hpp"
#include "tests/unit/proto/crypto/test_support.hpp"

namespace kith {
namespace {

using State = PeerHandshake::State;
using test::HandshakePair;
using test::kWall;
using test::secret_of;

TEST(Handshake, BothSidesLearnEachOther) {
  HandshakePair pair;
  const Buffer first = pair.first();
  EXPECT_EQ(pair.initiator.state(), State::kAwaitSecond);
  EXPECT_EQ(pair.responder.feed(first), first.size());
  ASSERT_EQ(pair.responder.state(), State::kFirstComplete);
  const auto opened = pair.responder.try_psks(pair.candidates());
  ASSERT_TRUE(opened);
  EXPECT_EQ(opened->tag, 2u);
  EXPECT_EQ(opened->message.key.bytes, pair.dialler.id().bytes);
  EXPECT_EQ(opened->message.time, kWall);
  EXPECT_EQ(opened->message.to, pair.answerer.id());
  EXPECT_TRUE(equal(opened->ephemeral.view(), Bytes(first).subspan(2, 32)));
  EXPECT_EQ(pair.responder.state(), State::kFirstOpened);

  const Buffer second = pair.second();
  EXPECT_EQ(pair.initiator.feed(second), second.size());
  ASSERT_EQ(pair.initiator.state(), State::kPeerKnown);
  EXPECT_EQ(pair.initiator.peer(), HandshakePair::payload(pair.answerer));
  const Buffer third = pair.third();
  EXPECT_EQ(pair.initiator.state(), State::kDone);
  EXPECT_EQ(pair.responder.feed(third), third.size());
  ASSERT_EQ(pair.responder.state(), State::kDone);
  EXPECT_EQ(pair.responder.peer(), HandshakePair::payload(pair.dialler));

  SecureChannel a = pair.initiator.split();
  SecureChannel b = pair.responder.split();
  EXPECT_EQ(a.handshake_hash(), b.handshake_hash());
  EXPECT_TRUE(a.send_bulk_key() == b.receive_bulk_key());
  EXPECT_TRUE(b.send_bulk_key() == a.receive_bulk_key());
  EXPECT_FALSE(a.send_bulk_key() == a.receive_bulk_key());
}

TEST(Handshake, TakesAnyPortionsAndNothingBehindAMessage) {
  HandshakePair pair;
  const Buffer first = pair.first();
  for (const std::uint8_t byte : first) {
    ASSERT_EQ(pair.responder.state(), State::kAwaitFirst);
    ASSERT_EQ(pair.responder.feed(Bytes(&byte, 1)), 1u);
  }
  EXPECT_EQ(pair.responder.feed(as_bytes("more")), 0u);
  ASSERT_TRUE(pair.responder.try_psks(pair.candidates()));
  EXPECT_EQ(pair.responder.feed(as_bytes("more")), 0u);
  (void)pair.initiator.feed(pair.second());
  Buffer third = pair.third();
  const std::size_t size = third.size();
  append(third, as_bytes("a record of the channel"));
  EXPECT_EQ(pair.responder.feed(third), size);
  EXPECT_EQ(pair.responder.state(), State::kDone);
  EXPECT_EQ(pair.responder.feed(Bytes(third).subspan(size)), 0u);
}

TEST(Handshake, WithoutAPskOfItsTheFirstMessageMeetsSilence) {
  HandshakePair pair;
  (void)pair.responder.feed(pair.first());
  const std::vector<PskCandidate> others = {{secret_of(7), 1}, {secret_of(8), 2}};
  EXPECT_FALSE(pair.responder.try_psks(others));
  EXPECT_EQ(pair.responder.state(), State::kSilent);
  EXPECT_EQ(pair.responder.feed(as_bytes("hello?")), 6u);  // swallowed
  EXPECT_EQ(pair.responder.state(), State::kSilent);
  HandshakePair none;
  (void)none.responder.feed(none.first());
  EXPECT_FALSE(none.responder.try_psks({}));
}

TEST(Handshake, TriesSixtyFourPsksAndNoMore) {
  std::vector<PskCandidate> candidates(limits::kPsksTried, PskCandidate{secret_of(7), 1});
  for (const bool fits : {true, false}) {
    HandshakePair pair;
    auto list = candidates;
    if (fits) list.pop_back();
    list.push_back({pair.psk, 2});
    (void)pair.responder.feed(pair.first());
    EXPECT_EQ(pair.responder.try_psks(list).has_value(), fits);
  }
}

// Every byte of every message, flipped.
TEST(Handshake, AFlippedByteInTheFirstMessageMeetsSilence) {
  const std::size_t size = HandshakePair().first().size();
  for (std::size_t i = 2; i < size; ++i) {
    HandshakePair pair;
    Buffer first = pair.first();
    first[i] ^= 0x10;
    (void)pair.responder.feed(first);
    EXPECT_FALSE(pair.responder.try_psks(pair.candidates())) << i;
    EXPECT_EQ(pair.responder.state(), State::kSilent);
  }
}

TEST(Handshake, AFlippedByteInTheSecondMessageFails) {
  HandshakePair sizes;
  (void)sizes.responder.feed(sizes.first());
  ASSERT_TRUE(sizes.responder.try_psks(sizes.candidates()));
  const std::size_t size = sizes.second().size();
  for (std::size_t i = 2; i < size; ++i) {
    HandshakePair pair;
    (void)pair.responder.feed(pair.first());
    ASSERT_TRUE(pair.responder.try_psks(pair.candidates()));
    Buffer second = pair.second();
    second[i] ^= 0x10;
    EXPECT_EQ(pair.initiator.feed(second), size);
    ASSERT_EQ(pair.initiator.state(), State::kFailed) << i;
    EXPECT_EQ(pair.initiator.error().blame, Blame::kNetwork);
  }
}

TEST(Handshake, AFlippedByteInTheThirdMessageFails) {
  HandshakePair sizes;
  (void)sizes.responder.feed(sizes.first());
  ASSERT_TRUE(sizes.responder.try_psks(sizes.candidates()));
  (void)sizes.initiator.feed(sizes.second());
  const std::size_t size = sizes.third().size();
  for (std::size_t i = 2; i < size; ++i) {
    HandshakePair pair;
    (void)pair.responder.feed(pair.first());
    ASSERT_TRUE(pair.responder.try_psks(pair.candidates()));
    (void)pair.initiator.feed(pair.second());
    Buffer third = pair.third();
    third[i] ^= 0x10;
    (void)pair.responder.feed(third);
    ASSERT_EQ(pair.responder.state(), State::kFailed) << i;
    EXPECT_EQ(pair.responder.error().blame, Blame::kNetwork);
  }
}

// A message whose length says less than was sent.
TEST(Handshake, ATruncatedMessageDoesNotOpen) {
  for (std::size_t keep : {0u, 1u, 31u, 32u, 47u, 48u, 100u}) {
    HandshakePair pair;
    Buffer first = pair.first();
    first.resize(2 + keep);
    store_be(MutableBytes(first), static_cast<std::uint16_t>(keep));
    EXPECT_EQ(pair.responder.feed(first), first.size());
    ASSERT_EQ(pair.responder.state(), State::kFirstComplete);
    EXPECT_FALSE(pair.responder.try_psks(pair.candidates()));

    HandshakePair other;
    (void)other.responder.feed(other.first());
    ASSERT_TRUE(other.responder.try_psks(other.candidates()));
    Buffer second = other.second();
    second.resize(2 + keep);
    store_be(MutableBytes(second), static_cast<std::uint16_t>(keep));
    (void)other.initiator.feed(second);
    EXPECT_EQ(other.initiator.state(), State::kFailed) << keep;
  }
}

TEST(Handshake, LengthLimitIsExact) {
  Buffer longest;
  append_be(longest, static_cast<std::uint16_t>(limits::kHandshakeMessageMax));
  longest.resize(2 + limits::kHandshakeMessageMax);
  HandshakePair pair;
  EXPECT_EQ(pair.responder.feed(longest), longest.size());
  EXPECT_EQ(pair.responder.state(), State::kFirstComplete);

  Buffer longer;
  append_be(longer, static_cast<std::uint16_t>(limits::kHandshakeMessageMax + 1));
  HandshakePair stranger;
  EXPECT_EQ(stranger.responder.feed(longer), 2u);
  EXPECT_EQ(stranger.responder.state(), State::kSilent);
  (void)stranger.first();
  EXPECT_EQ(stranger.initiator.feed(longer), 2u);
  EXPECT_EQ(stranger.initiator.state(), State::kFailed);
}

// Messages of one's own, of another handshake, and in another order.
TEST(Handshake, ForeignMessagesFail) {
  HandshakePair reflected;
  const Buffer own = reflected.first();
  (void)reflected.initiator.feed(own);
  EXPECT_EQ(reflected.initiator.state(), State::kFailed);

  HandshakePair pair(1);
  HandshakePair other(2);
  const Buffer first = pair.first();
  (void)pair.responder.feed(first);
  (void)other.responder.feed(other.first());
  ASSERT_TRUE(pair.responder.try_psks(pair.candidates()));
  ASSERT_TRUE(other.responder.try_psks(other.candidates()));
  const Buffer second = pair.second();
  (void)other.second();
  (void)other.initiator.feed(second);
  EXPECT_EQ(other.initiator.state(), State::kFailed);
  (void)other.responder.feed(first);  // repeated instead of the third
  EXPECT_EQ(other.responder.state(), State::kFailed);
  (void)pair.responder.feed(second);  // sent back
  EXPECT_EQ(pair.responder.state(), State::kFailed);
}

TEST(Handshake, AnAbsentMessageChangesNothing) {
  HandshakePair pair;
  const Buffer first = pair.first();
  EXPECT_EQ(pair.initiator.feed({}), 0u);
  EXPECT_EQ(pair.initiator.state(), State::kAwaitSecond);
  EXPECT_EQ(pair.responder.feed(Bytes(first).first(first.size() - 1)), first.size() - 1);
  EXPECT_EQ(pair.responder.state(), State::kAwaitFirst);
}

TEST(Handshake, TheCallerMayRefuseAtEveryStep) {
  HandshakePair pair;
  pair.responder.stay_silent();
  EXPECT_EQ(pair.responder.state(), State::kSilent);
  HandshakePair opened;
  (void)opened.responder.feed(opened.first());
  ASSERT_TRUE(opened.responder.try_psks(opened.candidates()));
  opened.responder.stay_silent();
  EXPECT_EQ(opened.responder.feed(as_bytes("x")), 1u);
  EXPECT_EQ(opened.responder.state(), State::kSilent);
}

// A member that dials for a stranger: the first message is signed by one device, the third shows
// another.
TEST(Handshake, AnotherDeviceThanSignedTheFirstMessageFails) {
  HandshakePair pair;
  DeviceKeys other = DeviceKeys::generate(pair.rng);
  pair.initiator =
      PeerHandshake::initiator({pair.dialler.noise, pair.psk, other.sign, pair.answerer.id()});
  pair.run();
  ASSERT_EQ(pair.responder.state(), State::kFailed);
  EXPECT_EQ(pair.responder.error().blame, Blame::kPeer);
  EXPECT_EQ(pair.responder.error().code, Errc::kVerification);
}

TEST(Handshake, UnderAnInviteTheFirstMessageIsSignedByItsKey) {
  HandshakePair pair;
  const SignKeys invite = SignKeys::from_seed(secret_of(4));
  pair.initiator = PeerHandshake::initiator({pair.dialler.noise, pair.psk, invite, std::nullopt});
  (void)pair.responder.feed(pair.first());
  const auto opened = pair.responder.try_psks(pair.candidates());
  ASSERT_TRUE(opened);
  EXPECT_EQ(opened->message.key, invite.pub);
  EXPECT_EQ(opened->message.to, std::nullopt);
  (void)pair.initiator.feed(pair.second(FirstKey::kInvite));
  (void)pair.responder.feed(pair.third());
  ASSERT_EQ(pair.responder.state(), State::kDone);
  EXPECT_EQ(pair.responder.peer().binding.device, pair.dialler.id());
}

TEST(Handshake, AnotherDeviceThanWasDialledFails) {
  HandshakePair pair;
  pair.initiator = PeerHandshake::initiator(
      {pair.dialler.noise, pair.psk, pair.dialler.sign, pair.dialler.id()});
  (void)pair.responder.feed(pair.first());
  ASSERT_TRUE(pair.responder.try_psks(pair.candidates()));
  (void)pair.initiator.feed(pair.second());
  ASSERT_EQ(pair.initiator.state(), State::kFailed);
  EXPECT_EQ(pair.initiator.error().blame, Blame::kPeer);
}

// Nobody expects a certain device here, so only the static key can tell.
TEST(Handshake, ABindingOfAnotherStaticKeyFailsOnBothSides) {
  HandshakePair pair;
  const DeviceKeys other = DeviceKeys::generate(pair.rng);
  const PeerHandshake::Dial anyone{pair.dialler.noise, pair.psk, pair.dialler.sign, std::nullopt};
  pair.initiator = PeerHandshake::initiator(anyone);
  (void)pair.responder.feed(pair.first());
  ASSERT_TRUE(pair.responder.try_psks(pair.candidates()));
  Buffer second;
  pair.responder.accept(HandshakePair::payload(other), FirstKey::kDevice, pair.rng, second);
  (void)pair.initiator.feed(second);
  ASSERT_EQ(pair.initiator.state(), State::kFailed);
  EXPECT_EQ(pair.initiator.error().blame, Blame::kPeer);

  HandshakePair back;
  (void)back.responder.feed(back.first());
  ASSERT_TRUE(back.responder.try_psks(back.candidates()));
  (void)back.initiator.feed(back.second(FirstKey::kInvite));
  Buffer third;
  back.initiator.finish(HandshakePair::payload(other), back.rng, third);
  (void)back.responder.feed(third);
  ASSERT_EQ(back.responder.state(), State::kFailed);
  EXPECT_EQ(back.responder.error().blame, Blame::kPeer);
}

// A member whose e is of low order: the responder must not answer, and must not crash.
TEST(Handshake, AnEphemeralKeyOfLowOrderMeetsSilence) {
  HandshakePair pair;
  const SignKeys& signer = pair.dialler.sign;
  noise::SymmetricState forged("Noise_XXpsk0_25519_ChaChaPoly_SHA256");
  forged.mix_hash(as_bytes("kith/1"));
  forged.mix_key_and_hash(pair.psk.view());
  const DhPublic zero{};
  forged.mix_hash(zero.view());
  forged.mix_key(zero.view());
  const FirstMessage first{signer.pub, kWall, std::nullopt};
  Buffer message = to_buffer(zero.view());
  forged.encrypt_and_hash(first.encode(signer, forged.handshake_hash()), message);
  Buffer framed;
  append_be(framed, static_cast<std::uint16_t>(message.size()));
  append(framed, message);
  (void)pair.responder.feed(framed);
  ASSERT_TRUE(pair.responder.try_psks(pair.candidates()));
  EXPECT_TRUE(pair.second().empty());
  EXPECT_EQ(pair.responder.state(), State::kSilent);
}

TEST(Handshake, FrozenFirstMessage) {
  HandshakePair pair(1);
  EXPECT_EQ(to_hex(blake2b_256(pair.first())),
            "87e72403d78f8c34ee9e1b3bc7c54576eb85b27b4f1c5279f088dc7d558df689");
  (void)pair.responder.feed(HandshakePair(1).first());
  ASSERT_TRUE(pair.responder.try_psks(pair.candidates()));
  (void)pair.initiator.feed(pair.second());
  (void)pair.responder.feed(pair.third());
  ASSERT_EQ(pair.responder.state(), State::kDone);
  EXPECT_EQ(to_hex(pair.responder.split().handshake_hash()),
            "f4f6e8217e5b0d48bc4c57eb78c82079d26ae15396f11bdfc2fb6fd3335ffb3d");
}

}  // namespace
}  // namespace kith
