#include "proto/rng.hpp"

#include "proto/assert.hpp"

namespace kith {

std::uint64_t Rng::next_u64() {
  std::array<std::uint8_t, 8> raw;
  fill(raw);
  return load_be<std::uint64_t>(raw);
}

std::uint64_t Rng::uniform(std::uint64_t bound) {
  KITH_ASSERT(bound > 0);
  // Rejection keeps it exactly uniform: `limit` is the largest multiple of bound that fits.
  const std::uint64_t limit = UINT64_MAX - UINT64_MAX % bound;
  for (;;) {
    const std::uint64_t value = next_u64();
    if (value < limit) return value % bound;
  }
}

}  // namespace kith
