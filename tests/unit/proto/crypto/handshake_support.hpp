// Two devices that shake hands in memory: what the handshake tests and the fuzz targets share.
#pragma once

#include "proto/crypto/handshake.hpp"
#include "proto/crypto/random.hpp"

namespace kith::test {

inline constexpr UnixMillis kWall{1'700'000'000'000};

inline Secret filled_secret(std::uint8_t byte) { return Secret(Buffer(Secret::kSize, byte)); }

/// An initiator and a responder of one swarm, deterministic from the seed of their rng.
struct HandshakePair {
  SeededRng rng;
  DeviceKeys dialler;
  DeviceKeys answerer;
  Secret psk = kdf(filled_secret(1), "kith/1 psk");
  PeerHandshake initiator;
  PeerHandshake responder;

  explicit HandshakePair(std::uint64_t seed = 1)
      : rng(seed),
        dialler(DeviceKeys::generate(rng)),
        answerer(DeviceKeys::generate(rng)),
        initiator(PeerHandshake::initiator({dialler.noise, psk, dialler.sign, answerer.id()})),
        responder(PeerHandshake::responder(answerer.noise)) {}

  [[nodiscard]] std::vector<PskCandidate> candidates() const {
    return {{filled_secret(9), 1}, {psk, 2}};
  }
  [[nodiscard]] static HandshakePayload payload(const DeviceKeys& keys) {
    return {keys.binding(), 5, {OpId{}, OpId{}}};
  }

  /// Message 1, 2 or 3 as it goes over the wire; the steps before must have been made.
  [[nodiscard]] Buffer first() {
    Buffer out;
    initiator.start(kWall, rng, out);
    return out;
  }
  [[nodiscard]] Buffer second(FirstKey key = FirstKey::kDevice) {
    Buffer out;
    responder.accept(payload(answerer), key, rng, out);
    return out;
  }
  [[nodiscard]] Buffer third() {
    Buffer out;
    initiator.finish(payload(dialler), rng, out);
    return out;
  }
  /// Everything up to kDone on both sides.
  void run() {
    (void)responder.feed(first());
    (void)responder.try_psks(candidates());
    (void)initiator.feed(second());
    (void)responder.feed(third());
  }
};

}  // namespace kith::test
