// LAN beacons: a device says on its network that it is here and where it listens, readable for
// those who hold the beacon key (proto/swarm/secrets.hpp) and nobody else.
//
//   beacon = nonce[24] ‖ XChaCha20-Poly1305(beacon key, nonce, text), without associated data
//   text   = canonical bencode {d: device id · p: TCP port · s: signature · t: time, Unix ms}
//   s      = D over "kith/1 beacon" ‖ time (u64 big-endian) ‖ port (u16 big-endian)
//
// The address is where the datagram came from. As with all discovery it is a hint: who is there
// shows in the handshake.
#pragma once

#include <cstdint>

#include "proto/crypto/hash.hpp"
#include "proto/crypto/keys.hpp"
#include "proto/ids.hpp"
#include "proto/result.hpp"
#include "proto/rng.hpp"
#include "proto/time.hpp"

namespace kith {

struct Beacon {
  DeviceId device;
  std::uint16_t port = 0;  // not 0
  UnixMillis time{};

  bool operator==(const Beacon&) const = default;
};

/// A beacon of the device whose D is `signer`. All beacons have the same length but for the digits
/// of port and time. At most 256 bytes.
[[nodiscard]] Buffer seal_beacon(const Secret& key, const SignKeys& signer, std::uint16_t port,
                                 UnixMillis now, Rng& rng);
/// Errors, all reasons for silence: kVerification (another key, or a wrong signature), kMalformed,
/// kTimeout (|time − now| over limits::kFreshness).
[[nodiscard]] Result<Beacon> open_beacon(const Secret& key, Bytes beacon, UnixMillis now);

}  // namespace kith
