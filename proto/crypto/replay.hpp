// Freshness and replay: what arrives twice, or long after it was sent, is dropped.
#pragma once

#include <cstdint>
#include <vector>

#include "proto/bytes.hpp"
#include "proto/limits.hpp"
#include "proto/rng.hpp"
#include "proto/time.hpp"

namespace kith {

/// |sent − now| ≤ limits::kFreshness. Any value of either is allowed.
[[nodiscard]] bool is_fresh(UnixMillis sent, UnixMillis now);

/// Remembers random values that were seen: nonces of datagrams, ephemeral keys of first messages.
/// Two generations of at most `capacity` values; when the younger is full, the older is forgotten.
/// So at least the last `capacity` values are known, in at most about 32 bytes of memory for each.
/// Values are kept as 64-bit fingerprints: one in 2^40 new values is taken for an old one at most.
class NonceFilter {
 public:
  static constexpr std::size_t kNonceMin = 16;

  /// capacity > 0. The rng salts the table, so that nobody can choose values that fall together.
  explicit NonceFilter(Rng& rng, std::size_t capacity = limits::kNonceGeneration);

  /// True if `nonce` (its first 16 bytes count) is new; then it is known from now on.
  [[nodiscard]] bool insert(Bytes nonce);
  /// Values that are known now: at most 2 · capacity.
  [[nodiscard]] std::size_t size() const { return young_.count + old_.count; }

 private:
  // Open addressing with linear probing over a power of two of slots, at most half full; 0 is free.
  struct Generation {
    std::vector<std::uint64_t> slots;
    std::size_t count = 0;
    [[nodiscard]] bool contains(std::uint64_t fingerprint) const;
    void insert(std::uint64_t fingerprint);
    void place(std::uint64_t fingerprint);
  };
  [[nodiscard]] std::uint64_t fingerprint(Bytes nonce) const;

  std::uint64_t salt_;
  std::size_t capacity_;
  Generation young_;
  Generation old_;
};

}  // namespace kith
