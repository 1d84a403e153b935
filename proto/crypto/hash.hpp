// Hashes and key derivation. BLAKE2b (libsodium) for identities and keys, BLAKE3 for content.
#pragma once

#include <array>
#include <memory>
#include <string_view>

#include "proto/bytes.hpp"
#include "proto/ids.hpp"
#include "proto/slab.hpp"

namespace kith {

/// 32 bytes that must not leak. Wiped when it dies. Never printed: it has no hex() on purpose.
class Secret {
 public:
  static constexpr std::size_t kSize = 32;
  Secret() = default;
  explicit Secret(Bytes bytes);  // exactly 32 bytes
  Secret(const Secret&) = default;
  Secret& operator=(const Secret&) = default;
  ~Secret();
  [[nodiscard]] Bytes view() const { return bytes_; }
  [[nodiscard]] MutableBytes mutable_view() { return bytes_; }
  /// Constant time.
  [[nodiscard]] bool operator==(const Secret& other) const;
  [[nodiscard]] bool is_zero() const;

 private:
  std::array<std::uint8_t, kSize> bytes_{};
};

/// For copies of secrets outside of a Secret, when they have served: it is not optimised away.
void wipe(MutableBytes bytes);

/// BLAKE2b of `out.size()` bytes (16 to 64), unkeyed or keyed (key up to 64 bytes).
void blake2b(MutableBytes out, Bytes data, Bytes key = {});
/// The same with 32 bytes of output.
[[nodiscard]] std::array<std::uint8_t, 32> blake2b_256(Bytes data, Bytes key = {});

/// KDF of the design: BLAKE2b-256(key = secret, label). Every use has a label of its own; all
/// labels begin with "kith/1 ".
[[nodiscard]] Secret kdf(const Secret& secret, std::string_view label);

/// BLAKE3-256, incremental: for streams and slab chains. One object hashes one message.
class Blake3 {
 public:
  Blake3();
  explicit Blake3(const Secret& key);  // keyed mode
  ~Blake3();
  Blake3(const Blake3&) = delete;
  Blake3& operator=(const Blake3&) = delete;
  /// Takes the next part of the message. Not after finish().
  void update(Bytes data);
  /// The hash. Once.
  [[nodiscard]] std::array<std::uint8_t, 32> finish();

 private:
  struct State;
  alignas(64) std::array<std::uint8_t, 2048> storage_;  // holds a blake3_hasher; no allocation
};
/// BLAKE3-256 of a whole message, unkeyed; of a chain, of its content.
[[nodiscard]] std::array<std::uint8_t, 32> blake3(Bytes data);
[[nodiscard]] std::array<std::uint8_t, 32> blake3(const SlabChain& chain);
/// Fills `out` with BLAKE3's extendable output for `data`.
void blake3_xof(MutableBytes out, Bytes data);

/// CRC-32C (Castagnoli), as BEP 42 needs it.
[[nodiscard]] std::uint32_t crc32c(Bytes data);
/// SHA-1, for BEP 44 targets only.
[[nodiscard]] std::array<std::uint8_t, 20> sha1(Bytes data);

}  // namespace kith
