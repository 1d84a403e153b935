// What two devices tell each other inside the three messages of a handshake (proto/crypto/
// handshake.hpp): canonical bencode dictionaries, as the payloads of Noise messages.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "proto/crypto/keys.hpp"
#include "proto/crypto/noise.hpp"
#include "proto/ids.hpp"
#include "proto/limits.hpp"
#include "proto/result.hpp"
#include "proto/time.hpp"

namespace kith {

/// The payload of the first message: who sends it, when, and whom it is for.
/// {k: key, 32 bytes · s: signature, 64 bytes · t: time, ms · to: device id, or empty}
/// s is by `key` over "kith/1 first" ‖ h ‖ time (u64 big-endian) ‖ to (32 bytes or none), h the
/// handshake hash after the first message's tokens and before its payload.
struct FirstMessage {
  SignPublic key;  // the sender's device id, or an invite's I
  UnixMillis time{};
  std::optional<DeviceId> to;  // nothing: whoever has the address

  [[nodiscard]] Buffer encode(const SignKeys& signer, const noise::Hash& h) const;
  /// Parses and checks the signature. Blame peer.
  [[nodiscard]] static Result<FirstMessage> decode(Bytes payload, const noise::Hash& h);
  bool operator==(const FirstMessage&) const = default;
};

/// The payload of the second and of the third message: the sender.
/// {b: device binding · f: features · h: roster heads, 32·n bytes}. Further keys are ignored.
struct HandshakePayload {
  DeviceBinding binding;
  /// A bit for each optional part of the protocol that the sender knows; none is defined yet, and
  /// bits that are not known are ignored. Below 2^63.
  std::uint64_t features = 0;
  /// Operations of the roster that no other names as parent. Only the first
  /// limits::kHandshakeHeads are sent: the roster_have frame carries more. To an invite: none.
  std::vector<OpId> heads;

  [[nodiscard]] Buffer encode() const;
  /// Parses and checks the binding. Blame peer.
  [[nodiscard]] static Result<HandshakePayload> decode(Bytes payload);
  bool operator==(const HandshakePayload&) const = default;
};

}  // namespace kith
