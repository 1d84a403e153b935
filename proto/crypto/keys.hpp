// Device keys, signatures, sealed boxes and sealed names (libsodium).
//
// A device has three key pairs: Ed25519 D signs, and its public half is the device id; X25519 S is
// the Noise static key and is used for nothing else; X25519 W opens wraps and nothing else. A
// signature of D binds the three.
#pragma once

#include "proto/crypto/hash.hpp"
#include "proto/ids.hpp"
#include "proto/result.hpp"
#include "proto/rng.hpp"

namespace kith {

using Signature = FixedBytes<64, struct SignatureTag>;
using DhPublic = FixedBytes<32, struct DhPublicTag>;
using SignPublic = FixedBytes<32, struct SignPublicTag>;

struct SignKeys {
  SignPublic pub;
  Secret seed;
  /// The pair that follows from 32 bytes of seed (RFC 8032).
  [[nodiscard]] static SignKeys from_seed(const Secret& seed);
  /// Signs label ‖ message. Labels begin with "kith/1 " and end the domain: no label is a prefix of
  /// another.
  [[nodiscard]] Signature sign(std::string_view label, Bytes message) const;
};
/// Whether `signature` is that of `key` over label ‖ message.
[[nodiscard]] bool verify(const SignPublic& key, std::string_view label, Bytes message,
                          const Signature& signature);

struct DhKeys {
  DhPublic pub;
  Secret secret;
  /// The pair that follows from a secret scalar, which X25519 clamps.
  [[nodiscard]] static DhKeys from_secret(const Secret& secret);
};
/// X25519; an error (blame peer) where the result would be all zero.
[[nodiscard]] Result<Secret> dh(const DhKeys& own, const DhPublic& other);

/// True for the few public keys with which every X25519 gives zero. Every binding that was decoded
/// is free of them.
[[nodiscard]] bool is_low_order(const DhPublic& key);

/// What a device shows of its keys: canonical bencode {d, s, sig, w}, 32, 32, 64 and 32 bytes;
/// sig = D over "kith/1 binding" ‖ s ‖ w.
struct DeviceBinding {
  DeviceId device;
  DhPublic noise;  // S
  DhPublic wrap;   // W
  Signature signature;

  /// The canonical bencode above, which is what travels.
  [[nodiscard]] Buffer encode() const;
  /// Parses and checks the signature. Blame peer.
  [[nodiscard]] static Result<DeviceBinding> decode(Bytes bytes);
  bool operator==(const DeviceBinding&) const = default;
};

inline constexpr std::size_t kKeyFileBytes = 122;

struct DeviceKeys {
  SignKeys sign;  // D
  DhKeys noise;   // S
  DhKeys wrap;    // W

  /// Three new pairs.
  [[nodiscard]] static DeviceKeys generate(Rng& rng);
  /// The public half of D.
  [[nodiscard]] DeviceId id() const;
  /// Signed anew; equal each time, for Ed25519 is deterministic.
  [[nodiscard]] DeviceBinding binding() const;
  /// The key file: bencode {d, s, v = 1, w} of the three 32-byte secrets. To be wiped by
  /// whoever asked for it.
  [[nodiscard]] Buffer encode() const;
  /// Errors, local: kMalformed; kUnsupported for a key file of another version.
  [[nodiscard]] static Result<DeviceKeys> decode(Bytes file);
};

/// crypto_box_seal: an ephemeral X25519 key, then XSalsa20-Poly1305. plaintext + 48 bytes. The rng
/// makes the ephemeral key, so that simulations are deterministic. The nonce is
/// BLAKE2b-192(ephemeral key ‖ to), as in libsodium, whose crypto_box_seal_open opens it. Under a
/// `to` of low order nobody could keep a secret: the result is then random bytes, which open
/// nowhere.
inline constexpr std::size_t kSealedBoxOverhead = 48;
[[nodiscard]] Buffer seal_box(const DhPublic& to, Bytes plaintext, Rng& rng);
/// Errors, blame peer: kMalformed (too short), kVerification (not for these keys, or altered).
[[nodiscard]] Result<Buffer> open_box(const DhKeys& keys, Bytes sealed);

/// nonce[24] ‖ XChaCha20-Poly1305 under `key`, with associated data: for names and parent secrets.
inline constexpr std::size_t kSecretBoxOverhead = 40;
[[nodiscard]] Buffer seal_secret(const Secret& key, Bytes plaintext, Bytes ad, Rng& rng);
/// Errors, blame peer: kMalformed (too short), kVerification (another key or `ad`, or altered).
[[nodiscard]] Result<Buffer> open_secret(const Secret& key, Bytes sealed, Bytes ad);

}  // namespace kith
