// The two sources of randomness.
#pragma once

#include <array>

#include "proto/rng.hpp"

namespace kith {

/// libsodium's generator. Any thread.
class SystemRng final : public Rng {
 public:
  void fill(MutableBytes out) override;
};

/// Deterministic from its seed: ChaCha20 key stream. For simulations and tests.
class SeededRng final : public Rng {
 public:
  explicit SeededRng(std::uint64_t seed);
  void fill(MutableBytes out) override;
  /// A generator that is independent of this one and of forks with other numbers.
  [[nodiscard]] SeededRng fork(std::uint64_t number) const;

 private:
  std::array<std::uint8_t, 32> seed_{};
  std::array<std::uint8_t, 512> block_{};
  std::size_t used_ = 512;
  std::uint64_t counter_ = 0;
};

/// Must be called once before anything else of proto/crypto; asserts that libsodium starts.
void init_crypto();

}  // namespace kith
