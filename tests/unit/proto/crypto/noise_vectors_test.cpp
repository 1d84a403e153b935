// Vectors of tests/vectors: every handshake and the transport messages behind it, both ways.
#include <fstream>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "proto/crypto/noise.hpp"
#include "tests/unit/proto/crypto/test_support.hpp"

namespace kith::noise {
namespace {

using nlohmann::json;
using test::hex;

Buffer field(const json& vector, const std::string& name) {
  return vector.contains(name) ? hex(vector.at(name).get<std::string>()) : Buffer{};
}

HandshakeState make_side(const json& vector, Role role, Bytes prologue) {
  const std::string prefix = role == Role::kInitiator ? "init_" : "resp_";
  HandshakeConfig config;
  const auto name = vector.at("protocol_name").get<std::string>();
  config.protocol_name = name;
  config.role = role;
  config.prologue = prologue;
  if (const Buffer own = field(vector, prefix + "static"); !own.empty()) {
    config.own_static = DhKeys::from_secret(Secret(own));
  }
  if (const Buffer remote = field(vector, prefix + "remote_static"); !remote.empty()) {
    config.remote_static = DhPublic::from(remote);
  }
  for (const auto& psk : vector.value(prefix + "psks", json::array())) {
    config.psks.emplace_back(hex(psk.get<std::string>()));
  }
  HandshakeState state(config);
  state.dangerously_fix_ephemeral_for_tests(Secret(field(vector, prefix + "ephemeral")));
  return state;
}

struct Sides {
  HandshakeState initiator;
  HandshakeState responder;
};

// Returns how many messages the handshake took.
std::size_t run_handshake(Sides& sides, const json& messages) {
  SystemRng unused;
  std::size_t i = 0;
  for (; !sides.initiator.done(); ++i) {
    HandshakeState& writer = i % 2 == 0 ? sides.initiator : sides.responder;
    HandshakeState& reader = i % 2 == 0 ? sides.responder : sides.initiator;
    const Buffer payload = hex(messages[i]["payload"].get<std::string>());
    Buffer out;
    EXPECT_TRUE(writer.write_message(unused, payload, out));
    EXPECT_EQ(to_hex(out), messages[i]["ciphertext"].get<std::string>());
    Buffer read;
    EXPECT_TRUE(reader.read_message(out, read));
    EXPECT_EQ(read, payload);
    if (testing::Test::HasFailure()) return i;
  }
  EXPECT_TRUE(sides.responder.done());
  EXPECT_EQ(sides.initiator.handshake_hash(), sides.responder.handshake_hash());
  return i;
}

void run_transport(Sides& sides, const json& messages, std::size_t first) {
  auto initiator = sides.initiator.split();
  auto responder = sides.responder.split();
  ASSERT_LT(first, messages.size());
  for (std::size_t i = first; i < messages.size(); ++i) {
    const bool from_initiator = i % 2 == 0;
    CipherState& sender =
        from_initiator ? initiator.initiator_to_responder : responder.responder_to_initiator;
    CipherState& receiver =
        from_initiator ? responder.initiator_to_responder : initiator.responder_to_initiator;
    const Buffer payload = hex(messages[i]["payload"].get<std::string>());
    Buffer out;
    sender.encrypt_with_ad({}, payload, out);
    ASSERT_EQ(to_hex(out), messages[i]["ciphertext"].get<std::string>());
    Buffer read;
    ASSERT_TRUE(receiver.decrypt_with_ad({}, out, read));
    ASSERT_EQ(read, payload);
  }
}

void run_file(const std::string& name, std::size_t expected) {
  std::ifstream in(KITH_TEST_VECTORS "/" + name);
  ASSERT_TRUE(in) << "tests/vectors has no " << name;
  const json vectors = json::parse(in).at("vectors");
  ASSERT_EQ(vectors.size(), expected);
  for (const auto& vector : vectors) {
    SCOPED_TRACE(vector.at("protocol_name").get<std::string>());
    Sides sides{make_side(vector, Role::kInitiator, field(vector, "init_prologue")),
                make_side(vector, Role::kResponder, field(vector, "resp_prologue"))};
    const std::size_t count = run_handshake(sides, vector.at("messages"));
    ASSERT_FALSE(testing::Test::HasFailure());
    EXPECT_EQ(to_hex(sides.initiator.handshake_hash()),
              vector.at("handshake_hash").get<std::string>());
    run_transport(sides, vector.at("messages"), count);
  }
}

TEST(NoiseVectors, EveryCacophonyVectorPasses) {
  run_file("noise-cacophony-25519_ChaChaPoly_SHA256.json", 17);
}

TEST(NoiseVectors, XXpsk0AgreesWithAnotherImplementation) { run_file("noise-xxpsk0.json", 2); }

}  // namespace
}  // namespace kith::noise
