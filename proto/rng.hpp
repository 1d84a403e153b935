// Randomness is an argument. The cores take Rng&; production passes SystemRng, simulations and
// tests a SeededRng (both in proto/crypto/random.hpp). The std distributions and std::shuffle are
// not deterministic across libraries and are banned; these helpers replace them.
#pragma once

#include <cstdint>
#include <span>
#include <utility>

#include "proto/bytes.hpp"

namespace kith {

class Rng {
 public:
  virtual ~Rng() = default;
  /// Fills `out` with uniformly random bytes.
  virtual void fill(MutableBytes out) = 0;

  /// Uniform over all 64 bits.
  [[nodiscard]] std::uint64_t next_u64();
  /// Uniform in [0, bound); bound > 0.
  [[nodiscard]] std::uint64_t uniform(std::uint64_t bound);
  /// True with probability numerator / denominator.
  [[nodiscard]] bool chance(std::uint64_t numerator, std::uint64_t denominator) {
    return uniform(denominator) < numerator;
  }

  /// A value of a FixedBytes type, or a Secret, of random bytes.
  template <class Fixed>
  [[nodiscard]] Fixed random() {
    Fixed out;
    fill(out.mutable_view());
    return out;
  }

  /// Fisher–Yates.
  template <class T>
  void shuffle(std::span<T> items) {
    for (std::size_t i = items.size(); i > 1; --i) std::swap(items[i - 1], items[uniform(i)]);
  }
};

}  // namespace kith
