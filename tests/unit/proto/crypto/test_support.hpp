// What the tests of proto/crypto share.
#pragma once

#include <gtest/gtest.h>
#include <string_view>

#include "proto/bytes.hpp"
#include "proto/crypto/hash.hpp"
#include "proto/crypto/keys.hpp"
#include "proto/crypto/random.hpp"

namespace kith::test {

inline Buffer hex(std::string_view text) {
  const auto bytes = from_hex(text);
  EXPECT_TRUE(bytes.has_value()) << text;
  return bytes.value_or(Buffer{});
}

/// 32 bytes of one value: keys that a failing test can name.
inline Secret secret_of(std::uint8_t byte) { return Secret(Buffer(Secret::kSize, byte)); }

inline Buffer random_bytes(Rng& rng, std::size_t size) {
  Buffer out(size);
  rng.fill(out);
  return out;
}

/// 0, 1, 2, …: plaintext of vectors.
inline Buffer counting(std::size_t size) {
  Buffer out(size);
  for (std::size_t i = 0; i < size; ++i) out[i] = static_cast<std::uint8_t>(i * 7 + i / 251);
  return out;
}

}  // namespace kith::test
