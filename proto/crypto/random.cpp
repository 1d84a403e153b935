#include "proto/crypto/random.hpp"

#include <algorithm>
#include <sodium.h>

#include "proto/assert.hpp"
#include "proto/crypto/hash.hpp"

namespace kith {

void SystemRng::fill(MutableBytes out) { randombytes_buf(out.data(), out.size()); }

SeededRng::SeededRng(std::uint64_t seed) {
  std::array<std::uint8_t, 8> raw;
  store_be(raw, seed);
  seed_ = blake2b_256(raw, as_bytes("kith/1 seeded rng"));
}

void SeededRng::fill(MutableBytes out) {
  while (!out.empty()) {
    if (used_ == block_.size()) {
      // The block's number is the nonce, so that no block counter needs keeping.
      std::array<std::uint8_t, crypto_stream_chacha20_NONCEBYTES> nonce;
      store_be(nonce, counter_++);
      crypto_stream_chacha20(block_.data(), block_.size(), nonce.data(), seed_.data());
      used_ = 0;
    }
    const std::size_t n = std::min(out.size(), block_.size() - used_);
    std::memcpy(out.data(), block_.data() + used_, n);
    used_ += n;
    out = out.subspan(n);
  }
}

SeededRng SeededRng::fork(std::uint64_t number) const {
  std::array<std::uint8_t, 8> raw;
  store_be(raw, number);
  SeededRng forked(0);
  forked.seed_ = blake2b_256(raw, seed_);
  return forked;
}

void init_crypto() {
  const int status = sodium_init();  // 0: now, 1: before
  KITH_ASSERT(status >= 0);
}

}  // namespace kith
