// Sealed datagrams: UDP among the members of a swarm, for its DHT.
//
//   datagram = nonce[24] ‖ XChaCha20-Poly1305(K_dgram, nonce, from[8] ‖ to[8] ‖ time[8] ‖ KRPC)
//
// from and to are the first 8 bytes of swarm node ids, time is Unix milliseconds, big-endian; no
// associated data; KRPC of 1 to limits::kKrpcMax bytes. The first byte of the nonce is never 'd',
// with which plain KRPC begins: one socket serves both.
//
// A datagram proves that its sender holds N_e, not who it is: from is a claim, and nothing may be
// authorised by it.
#pragma once

#include <cstdint>

#include "proto/bytes.hpp"
#include "proto/crypto/hash.hpp"
#include "proto/ids.hpp"
#include "proto/limits.hpp"
#include "proto/result.hpp"
#include "proto/rng.hpp"
#include "proto/slab.hpp"
#include "proto/time.hpp"

namespace kith {

/// The front of a swarm node id. All zero as `to`: an unknown device, allowed in a ping only.
using DatagramId = FixedBytes<8, struct DatagramIdTag>;
/// Its first 8 bytes.
[[nodiscard]] DatagramId datagram_id(const NodeId& node);

inline constexpr std::size_t kDatagramNonce = 24;
inline constexpr std::size_t kDatagramHeader = 24;
inline constexpr std::size_t kDatagramOverhead = kDatagramNonce + kDatagramHeader + kTagBytes;
static_assert(kDatagramOverhead + limits::kKrpcMax <= limits::kDatagramMax);

/// False for what begins like plain KRPC or is too short or too long to be sealed: cheaper than
/// trying a key.
[[nodiscard]] bool may_be_sealed(Bytes datagram);

struct DatagramAddress {
  DatagramId from;
  DatagramId to;
};

/// Appends a datagram. `krpc` has 1 to limits::kKrpcMax bytes; else asserts.
void seal_datagram(const Secret& key, const DatagramAddress& address, UnixMillis now, Bytes krpc,
                   Rng& rng, Buffer& out);

struct OpenedDatagram {
  DatagramId from;
  DatagramId to;  // self, or zero: then the caller accepts a ping only
  Bytes nonce;    // inside the datagram: for NonceFilter, which the caller asks next
  Bytes krpc;     // inside `scratch`
};
/// Opens into `scratch`, whose content is replaced; `datagram` stays as it is, because another
/// swarm's key may be tried next. Errors, all reasons for silence: kMalformed (size), kVerification
/// (another key: blame network), kRefused (own from, another's to), kTimeout (|time − now| over
/// limits::kFreshness: the one that says something about clocks).
[[nodiscard]] Result<OpenedDatagram> open_datagram(const Secret& key, const DatagramId& self,
                                                   Bytes datagram, UnixMillis now, Buffer& scratch);

}  // namespace kith
