#include "proto/crypto/noise.hpp"

#include <gtest/gtest.h>

#include "tests/unit/proto/crypto/test_support.hpp"

namespace kith::noise {
namespace {

using test::secret_of;

constexpr std::string_view kName = "Noise_XXpsk0_25519_ChaChaPoly_SHA256";

HandshakeState make(Role role, std::uint8_t psk, std::string_view prologue = "kith/1") {
  HandshakeConfig config;
  config.protocol_name = kName;
  config.role = role;
  config.prologue = as_bytes(prologue);
  config.own_static = DhKeys::from_secret(secret_of(role == Role::kInitiator ? 1 : 2));
  config.psks = {secret_of(psk)};
  return HandshakeState(config);
}

TEST(NoisePattern, KnowsItsNames) {
  for (const auto* name : {"NN", "XX", "XK", "IK", "KK", "XXpsk0", "XXpsk3", "XXpsk0+psk3",
                           "NNpsk0+psk1+psk2", "XX1", "XX1psk2"}) {
    const auto full = "Noise_" + std::string(name) + "_25519_ChaChaPoly_SHA256";
    EXPECT_TRUE(find_pattern(full)) << full;
  }
}

TEST(NoisePattern, RefusesOtherNames) {
  for (const auto* name :
       {"", "X", "XXX", "N1", "XXpsk", "XXpsk4", "NNpsk3", "XXpsk0+", "XXpsk0psk1", "XXpsk1+psk0",
        "XXpsk0+psk0", "psk0", "XX+psk0", "XXfallback"}) {
    const auto full = "Noise_" + std::string(name) + "_25519_ChaChaPoly_SHA256";
    EXPECT_FALSE(find_pattern(full)) << full;
  }
  EXPECT_FALSE(find_pattern("Noise_XX_25519_AESGCM_SHA256"));
  EXPECT_FALSE(find_pattern("Noise_25519_ChaChaPoly_SHA256"));
}

TEST(NoisePattern, PskTokensStandWhereTheSpecificationPutsThem) {
  const auto pattern = find_pattern("Noise_XXpsk0+psk2_25519_ChaChaPoly_SHA256");
  ASSERT_TRUE(pattern);
  EXPECT_EQ(pattern->psk_count, 2u);
  EXPECT_EQ(pattern->messages[0].tokens[0], Token::kPsk);
  EXPECT_EQ(pattern->messages[0].tokens[1], Token::kE);
  EXPECT_EQ(pattern->messages[1].tokens[pattern->messages[1].count - 1], Token::kPsk);
}

TEST(NoiseXXpsk0, BothSidesAgree) {
  SeededRng rng(1);
  auto initiator = make(Role::kInitiator, 7);
  auto responder = make(Role::kResponder, 7);
  for (int i = 0; i < 3; ++i) {
    auto& writer = i % 2 == 0 ? initiator : responder;
    auto& reader = i % 2 == 0 ? responder : initiator;
    Buffer message, payload;
    ASSERT_TRUE(writer.write_message(rng, as_bytes("payload"), message));
    ASSERT_TRUE(reader.read_message(message, payload));
    EXPECT_EQ(as_text(payload), "payload");
    EXPECT_EQ(initiator.handshake_hash(), responder.handshake_hash());
  }
  ASSERT_TRUE(initiator.done() && responder.done());
  EXPECT_EQ(initiator.remote_static(), DhKeys::from_secret(secret_of(2)).pub);
  EXPECT_EQ(responder.remote_static(), DhKeys::from_secret(secret_of(1)).pub);
  auto a = initiator.split();
  auto b = responder.split();
  EXPECT_TRUE(a.initiator_to_responder.key() == b.initiator_to_responder.key());
  EXPECT_TRUE(a.responder_to_initiator.key() == b.responder_to_initiator.key());
  EXPECT_FALSE(a.responder_to_initiator.key() == a.initiator_to_responder.key());
}

TEST(NoiseXXpsk0, HashesAgreeBetweenTheHalvesOfAMessage) {
  SeededRng rng(1);
  auto initiator = make(Role::kInitiator, 7);
  auto responder = make(Role::kResponder, 7);
  const Hash before = initiator.handshake_hash();
  Buffer message, payload;
  ASSERT_TRUE(initiator.write_tokens(rng, message));
  const Hash between = initiator.handshake_hash();
  ASSERT_TRUE(initiator.write_payload(as_bytes("p"), message));
  Bytes rest = message;
  ASSERT_TRUE(responder.read_tokens(rest));
  EXPECT_EQ(responder.handshake_hash(), between);
  ASSERT_TRUE(responder.read_payload(rest, payload));
  EXPECT_NE(before, between);
  EXPECT_NE(initiator.handshake_hash(), between);
}

TEST(NoiseXXpsk0, AWrongPskOrPrologueFailsInTheFirstMessage) {
  SeededRng rng(1);
  auto initiator = make(Role::kInitiator, 7);
  Buffer message, payload;
  ASSERT_TRUE(initiator.write_message(rng, {}, message));
  EXPECT_EQ(message.size(), DhPublic::kSize + kTag);
  auto wrong_psk = make(Role::kResponder, 8);
  EXPECT_FALSE(wrong_psk.read_message(message, payload));
  auto wrong_prologue = make(Role::kResponder, 7, "kith/2");
  EXPECT_FALSE(wrong_prologue.read_message(message, payload));
  EXPECT_TRUE(payload.empty());
  // No DH could have happened: the responder has no ephemeral key, and its own refusal of a low
  // order e comes only with the second message.
  EXPECT_TRUE(make(Role::kResponder, 7).read_message(message, payload));
}

TEST(NoiseXXpsk0, ADhOfZeroIsRefused) {
  SeededRng rng(1);
  // A first message whose e is zero, sealed as a member would.
  SymmetricState forged(kName);
  forged.mix_hash(as_bytes("kith/1"));
  forged.mix_key_and_hash(secret_of(7).view());
  const DhPublic zero{};
  forged.mix_hash(zero.view());
  forged.mix_key(zero.view());
  Buffer message = to_buffer(zero.view());
  forged.encrypt_and_hash({}, message);
  auto responder = make(Role::kResponder, 7);
  Buffer payload, answer;
  ASSERT_TRUE(responder.read_message(message, payload));
  const auto written = responder.write_message(rng, {}, answer);
  ASSERT_FALSE(written);
  EXPECT_EQ(written.error().blame, Blame::kPeer);
}

TEST(NoiseHandshake, CallsOutOfTurnEndIt) {
  SeededRng rng(1);
  Buffer out;
  Bytes none;
  auto responder = make(Role::kResponder, 7);
  EXPECT_EQ(responder.write_message(rng, {}, out).error().code, Errc::kConflict);
  auto initiator = make(Role::kInitiator, 7);
  EXPECT_EQ(initiator.read_tokens(none).error().code, Errc::kConflict);
  EXPECT_EQ(initiator.write_message(rng, {}, out).error().code, Errc::kConflict);  // failed since
  auto payload_first = make(Role::kInitiator, 7);
  EXPECT_FALSE(payload_first.write_payload({}, out));
  auto twice = make(Role::kInitiator, 7);
  EXPECT_TRUE(twice.write_message(rng, {}, out));
  EXPECT_FALSE(twice.write_message(rng, {}, out));
  EXPECT_FALSE(twice.done());
}

TEST(NoiseHandshake, AnErrorIsFinal) {
  SeededRng rng(1);
  auto initiator = make(Role::kInitiator, 7);
  auto responder = make(Role::kResponder, 7);
  Buffer message, payload;
  ASSERT_TRUE(initiator.write_message(rng, {}, message));
  Buffer bad = message;
  bad.back() ^= 1;
  EXPECT_FALSE(responder.read_message(bad, payload));
  EXPECT_EQ(responder.read_message(message, payload).error().code, Errc::kConflict);
}

TEST(NoiseHandshake, ShortMessagesAreMalformed) {
  SeededRng rng(1);
  auto initiator = make(Role::kInitiator, 7);
  Buffer message, payload;
  ASSERT_TRUE(initiator.write_message(rng, as_bytes("p"), message));
  for (std::size_t n = 0; n < message.size(); ++n) {
    auto responder = make(Role::kResponder, 7);
    EXPECT_FALSE(responder.read_message(Bytes(message).first(n), payload)) << n;
  }
}

TEST(NoiseCipher, CountsAndRekeysAlike) {
  CipherState a(secret_of(1)), b(secret_of(1));
  Buffer first, second, opened;
  a.encrypt_with_ad(as_bytes("ad"), as_bytes("x"), first);
  a.rekey();
  EXPECT_FALSE(a.key() == secret_of(1));
  EXPECT_EQ(a.nonce(), 1u);
  a.encrypt_with_ad({}, as_bytes("x"), second);
  EXPECT_FALSE(b.decrypt_with_ad({}, first, opened));  // other associated data
  EXPECT_EQ(b.nonce(), 0u);
  EXPECT_TRUE(opened.empty());
  ASSERT_TRUE(b.decrypt_with_ad(as_bytes("ad"), first, opened));
  EXPECT_FALSE(b.decrypt_with_ad({}, second, opened));
  b.rekey();
  ASSERT_TRUE(b.decrypt_with_ad({}, second, opened));
  EXPECT_EQ(as_text(opened), "xx");
}

}  // namespace
}  // namespace kith::noise
