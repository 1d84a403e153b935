// The handshake against strangers, dishonest members and a dishonest network. The first byte says
// what the rest is:
//   0 bytes to a responder · 1 bytes to an initiator · 2 a payload 1 that a member seals
//   3 a payload 2 that a member seals · 4 faults in an honest handshake: (message, position,
//   exclusive or) triples, then everything in portions
#include <cstdint>
#include <cstdlib>

#include "tests/unit/proto/crypto/handshake_support.hpp"

namespace {

using namespace kith;
using State = PeerHandshake::State;

void require(bool holds) {
  if (!holds) std::abort();
}

void feed_all(PeerHandshake& to, Bytes bytes) {
  const std::size_t taken = to.feed(bytes);
  require(taken <= bytes.size());
}

bool begins_with(Bytes bytes, const Buffer& front) {
  return bytes.size() >= front.size() && equal(bytes.first(front.size()), front);
}

// The corpus holds the honest messages: only exactly they may open.
void stranger_to_responder(Bytes bytes) {
  test::HandshakePair pair;
  const Buffer honest = pair.first();
  feed_all(pair.responder, bytes);
  if (pair.responder.state() != State::kFirstComplete) return;
  const bool opened = pair.responder.try_psks(pair.candidates()).has_value();
  require(opened == begins_with(bytes, honest));
  require(opened || pair.responder.state() == State::kSilent);
}

void stranger_to_initiator(Bytes bytes) {
  test::HandshakePair pair;
  feed_all(pair.responder, pair.first());
  require(pair.responder.try_psks(pair.candidates()).has_value());
  const Buffer honest = pair.second();
  feed_all(pair.initiator, bytes);
  require((pair.initiator.state() == State::kPeerKnown) == begins_with(bytes, honest));
}

noise::HandshakeState member(const test::HandshakePair& pair, noise::Role role) {
  noise::HandshakeConfig config;
  config.protocol_name = "Noise_XXpsk0_25519_ChaChaPoly_SHA256";
  config.role = role;
  config.prologue = as_bytes("kith/1");
  config.own_static = pair.answerer.noise;
  config.psks = {pair.psk};
  return noise::HandshakeState(config);
}

Buffer framed(const Buffer& message) {
  Buffer out;
  append_be(out, static_cast<std::uint16_t>(message.size()));
  append(out, message);
  return out;
}

void forged_first_payload(Bytes payload) {
  test::HandshakePair pair;
  auto forger = member(pair, noise::Role::kInitiator);
  Buffer message;
  require(forger.write_message(pair.rng, payload, message).has_value());
  feed_all(pair.responder, framed(message));
  if (pair.responder.state() != State::kFirstComplete) return;
  // The signature covers a handshake hash that no input can foresee.
  require(!pair.responder.try_psks(pair.candidates()));
}

void forged_second_payload(Bytes payload) {
  test::HandshakePair pair;
  auto forger = member(pair, noise::Role::kResponder);
  const Buffer first = pair.first();
  Buffer ignored, message;
  require(forger.read_message(Bytes(first).subspan(2), ignored).has_value());
  require(forger.write_message(pair.rng, payload, message).has_value());
  feed_all(pair.initiator, framed(message));
}

Buffer faulty(Buffer message, std::uint8_t number, Bytes faults) {
  for (; faults.size() >= 3; faults = faults.subspan(3)) {
    if (faults[0] % 3 == number) message[faults[1] % message.size()] ^= faults[2];
  }
  return message;
}

void honest_with_faults(Bytes faults) {
  test::HandshakePair pair;
  const Buffer first = pair.first();
  const Buffer first_seen = faulty(first, 0, faults);
  feed_all(pair.responder, first_seen);
  if (pair.responder.state() != State::kFirstComplete) return;
  if (!pair.responder.try_psks(pair.candidates())) return;
  require(first_seen == first);
  const Buffer second = pair.second();
  const Buffer second_seen = faulty(second, 1, faults);
  feed_all(pair.initiator, second_seen);
  if (pair.initiator.state() != State::kPeerKnown) return;
  require(second_seen == second);
  const Buffer third = pair.third();
  const Buffer third_seen = faulty(third, 2, faults);
  feed_all(pair.responder, third_seen);
  if (pair.responder.state() != State::kDone) return;
  require(third_seen == third);
  require(pair.initiator.split().handshake_hash() == pair.responder.split().handshake_hash());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0 || size > limits::kHandshakeMessageMax) return 0;
  const Bytes rest = Bytes(data, size).subspan(1);
  switch (data[0] % 5) {
    case 0:
      stranger_to_responder(rest);
      break;
    case 1:
      stranger_to_initiator(rest);
      break;
    case 2:
      forged_first_payload(rest);
      break;
    case 3:
      forged_second_payload(rest);
      break;
    default:
      honest_with_faults(rest);
      break;
  }
  return 0;
}
