// The handshake between two devices: Noise_XXpsk0_25519_ChaChaPoly_SHA256 with the prologue
// "kith/1". A pure state machine; the caller moves the bytes and holds the deadline
// (limits::kHandshakeTime for all of it).
//
//   on the wire   u16 big-endian n ‖ n bytes of Noise message, n ≤ limits::kHandshakeMessageMax
//   message 1  →  psk, e              payload FirstMessage: who sends it, when, to whom, signed
//   message 2  ←  e, ee, s, es        payload HandshakePayload of the responder
//   message 3  →  s, se               payload HandshakePayload of the initiator
//
// psk0 seals the first payload, so a stranger's first message fails before any DH and before the
// responder showed anything: the handshake is then *silent*. It says nothing, swallows what comes,
// and the caller reads on until the deadline and closes.
//
// What is checked here: form, seals, the signature in the first message, that the static key of
// Noise is the S of the binding, that the device which answers is the one that was dialled, and
// that the device which dials is the one that signed the first message. What the caller decides:
// freshness and novelty of the first message (proto/crypto/replay.hpp), whether `to` and `key` are
// right under the psk that opened it, and whether the peer stands in the roster.
//
//   initiator: kStart → start() → kAwaitSecond → feed() → kPeerKnown → finish() → kDone → split()
//   responder: kAwaitFirst → feed() → kFirstComplete → try_psks() → kFirstOpened → accept() →
//              kAwaitThird → feed() → kDone → split()
// kSilent and kFailed are final; a call in the wrong state is our own bug and asserts.
#pragma once

#include <cstdint>
#include <optional>
#include <span>

#include "proto/crypto/handshake_payload.hpp"
#include "proto/crypto/noise.hpp"
#include "proto/crypto/secure_channel.hpp"
#include "proto/limits.hpp"
#include "proto/result.hpp"
#include "proto/rng.hpp"

namespace kith {

/// A psk that a first message may be under, and what the caller calls it.
struct PskCandidate {
  Secret psk;
  std::uint32_t tag = 0;
};

/// A first message that opened under one of the candidates, its signature verified.
struct OpenedFirst {
  std::uint32_t tag = 0;
  FirstMessage message;
  /// The initiator's ephemeral key: new in every handshake, so one seen before is a replay.
  DhPublic ephemeral;
};

/// Whose key signed the first message; the tag of the psk tells.
enum class FirstKey : std::uint8_t { kDevice, kInvite };

class PeerHandshake {
 public:
  enum class State : std::uint8_t {
    kStart,          // initiator: nothing sent
    kAwaitSecond,    // initiator: message 1 sent
    kPeerKnown,      // initiator: message 2 checked, peer() says who answered
    kAwaitFirst,     // responder: nothing received, or a part of message 1
    kFirstComplete,  // responder: message 1 is here, still sealed
    kFirstOpened,    // responder: message 1 opened; accept() or stay_silent()
    kAwaitThird,     // responder: message 2 sent
    kDone,           // peer() is known, split() gives the channel
    kSilent,         // responder: a stranger, or as good as one
    kFailed,         // error() says why; the connection closes
  };

  struct Dial {
    DhKeys own_static;  // S
    Secret psk;
    SignKeys signer;             // device D, or the invite's I
    std::optional<DeviceId> to;  // the device wanted; nothing when only an address is known
  };
  /// The side that dials, and the one that is dialled. `own_static` is S.
  [[nodiscard]] static PeerHandshake initiator(const Dial& dial);
  [[nodiscard]] static PeerHandshake responder(const DhKeys& own_static);

  PeerHandshake(PeerHandshake&&) = default;
  PeerHandshake& operator=(PeerHandshake&&) = default;

  [[nodiscard]] State state() const { return state_; }
  /// Why, in kFailed. Blame network: bytes that do not open; peer: what it says is wrong.
  [[nodiscard]] const Error& error() const { return error_; }

  /// Takes bytes that arrived; returns how many, never more than the awaited message has: what
  /// stands behind it belongs to the next message or to the channel. Takes nothing where no message
  /// is awaited, everything (and drops it) in kSilent and kFailed.
  [[nodiscard]] std::size_t feed(Bytes bytes);

  /// Initiator, kStart: appends message 1.
  void start(UnixMillis now, Rng& rng, Buffer& out);
  /// Initiator, kPeerKnown: appends message 3; then kDone, or kFailed for a peer key of low order.
  void finish(const HandshakePayload& own, Rng& rng, Buffer& out);

  /// Responder, kFirstComplete: tries the candidates in order, the first limits::kPsksTried of
  /// them. Nothing opened, or it is malformed or wrongly signed: nothing, and kSilent.
  [[nodiscard]] std::optional<OpenedFirst> try_psks(std::span<const PskCandidate> candidates);
  /// Responder, kFirstOpened: appends message 2; then kAwaitThird, or kSilent with nothing appended
  /// where the initiator's key is of low order.
  void accept(const HandshakePayload& own, FirstKey key, Rng& rng, Buffer& out);
  /// Responder, any state before kDone: the caller's policy refused.
  void stay_silent();

  /// In kPeerKnown and kDone: what the other end says of itself, binding verified.
  [[nodiscard]] const HandshakePayload& peer() const { return peer_; }
  /// In kDone, once.
  [[nodiscard]] SecureChannel split();

 private:
  PeerHandshake(State state, noise::Role role, const DhKeys& own_static)
      : state_(state), role_(role), own_static_(own_static) {}

  [[nodiscard]] noise::HandshakeState make_noise(const Secret& psk) const;
  [[nodiscard]] std::optional<FirstMessage> open_first(noise::HandshakeState& noise,
                                                       Bytes message) const;
  [[nodiscard]] bool awaits_message() const;
  void complete_message();
  [[nodiscard]] Result<void> read_peer();
  [[nodiscard]] Result<void> check_peer() const;
  void fail(Error error);

  State state_;
  noise::Role role_;
  DhKeys own_static_;
  std::optional<Dial> dial_;                    // initiator
  std::optional<noise::HandshakeState> noise_;  // responder: from try_psks() on
  std::optional<DeviceId> expected_;            // the device that the other end must be
  Buffer message_;                              // received so far, with its length
  HandshakePayload peer_;
  Error error_;
};

}  // namespace kith
