#include "proto/crypto/hash.hpp"

#include <gtest/gtest.h>

#include "tests/unit/proto/crypto/test_support.hpp"

namespace kith {
namespace {

using test::hex;
using test::secret_of;

TEST(Blake2b, KnownAnswers) {
  Buffer out(64);
  blake2b(out, as_bytes("abc"));  // RFC 7693, appendix A
  EXPECT_EQ(to_hex(out),
            "ba80a53f981c4d0d6a2797b69f12f6e94c212f14685ac4b74b12bb6fdbffa2d1"
            "7d87c5392aab792dc252d5de4533cc9518d38aa8dbf1925ab92386edd4009923");
  EXPECT_EQ(to_hex(blake2b_256(as_bytes("abc"))),
            "bddd813c634239723171ef3fee98579b94964e3bb1cb3e427262c8c068d52319");
}

TEST(Blake2b, KeyAndLengthSeparate) {
  const Secret key = secret_of(7);
  EXPECT_NE(blake2b_256(as_bytes("abc"), key.view()), blake2b_256(as_bytes("abc")));
  Buffer half(16);
  blake2b(half, as_bytes("abc"));
  EXPECT_FALSE(equal(half, Bytes(blake2b_256(as_bytes("abc"))).first(16)));
}

TEST(Kdf, IsKeyedBlake2bOfTheLabel) {
  const Secret key = secret_of(7);
  EXPECT_EQ(kdf(key, "kith/1 a"), Secret(blake2b_256(as_bytes("kith/1 a"), key.view())));
  EXPECT_FALSE(kdf(key, "kith/1 a") == kdf(key, "kith/1 b"));
  EXPECT_FALSE(kdf(key, "kith/1 a") == kdf(secret_of(8), "kith/1 a"));
}

TEST(SecretTest, ComparesAndKnowsZero) {
  EXPECT_TRUE(Secret().is_zero());
  EXPECT_TRUE(secret_of(0) == Secret());
  Secret last_bit;
  last_bit.mutable_view()[31] = 1;
  EXPECT_FALSE(last_bit.is_zero());
  EXPECT_FALSE(last_bit == Secret());
}

// The input of the official BLAKE3 vectors: bytes 0, 1, …, 250, 0, 1, …
Buffer blake3_input(std::size_t size) {
  Buffer out(size);
  for (std::size_t i = 0; i < size; ++i) out[i] = static_cast<std::uint8_t>(i % 251);
  return out;
}

TEST(Blake3Test, KnownAnswers) {
  EXPECT_EQ(to_hex(blake3(Bytes{})),
            "af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262");
  EXPECT_EQ(to_hex(blake3(blake3_input(1))),
            "2d3adedff11b61f14c886e35afa036736dcd87a74d27b5c1510225d0f592e213");
  EXPECT_EQ(to_hex(blake3(blake3_input(1024))),
            "42214739f095a406f3fc83deb889744ac00df831c10daa55189b5d121c855af7");
}

TEST(Blake3Test, KeyedKnownAnswer) {
  Blake3 hasher(Secret(as_bytes("whats the Elvish word for friend")));
  hasher.update(blake3_input(1));
  EXPECT_EQ(to_hex(hasher.finish()),
            "6d7878dfff2f485635d39013278ae14f1454b8c0a3a2d34bc1ab38228a80c95b");
}

TEST(Blake3Test, PortionsDoNotMatter) {
  const Buffer input = test::counting(200'000);
  SeededRng rng(1);
  for (int round = 0; round < 20; ++round) {
    Blake3 hasher;
    for (Bytes rest = input; !rest.empty();) {
      const std::size_t n = std::min<std::size_t>(rest.size(), rng.uniform(70'000) + 1);
      hasher.update(rest.first(n));
      rest = rest.subspan(n);
    }
    EXPECT_EQ(hasher.finish(), blake3(input));
  }
}

TEST(Blake3Test, ChainEqualsFlat) {
  SlabPool pool;
  SeededRng rng(1);
  Buffer input(5'000'000);
  rng.fill(input);
  const auto expect_equal = [&](std::size_t size) {
    const Bytes part = Bytes(input).first(size);
    EXPECT_EQ(blake3(SlabChain::from(pool, part)), blake3(part)) << size;
  };
  // Every number of leaves (1 KiB) up to some slabs, and lengths of the last.
  for (std::size_t leaves = 0; leaves < 140; ++leaves) {
    for (const std::size_t more : {0U, 1U, 63U, 64U, 65U, 1'023U}) {
      expect_equal(1'024 * leaves + more);
    }
  }
  // About every number of groups of leaves (1 MiB).
  for (std::size_t mib = 1; mib <= 4; ++mib) {
    for (const std::size_t less : {0U, 1U, 1'024U, 61'440U}) expect_equal((mib << 20) - less);
    expect_equal((mib << 20) + 1);
  }
  for (int round = 0; round < 100; ++round) expect_equal(rng.uniform(input.size()));
}

TEST(Blake3Test, ExtendableOutputBeginsWithTheHash) {
  Buffer out(131);
  blake3_xof(out, as_bytes("gear"));
  EXPECT_TRUE(equal(Bytes(out).first(32), blake3(as_bytes("gear"))));
  EXPECT_FALSE(equal(Bytes(out).first(32), Bytes(out).subspan(32, 32)));
}

TEST(Crc32c, KnownAnswers) {
  EXPECT_EQ(crc32c(as_bytes("123456789")), 0xE3069283u);
  EXPECT_EQ(crc32c(Buffer(32, 0)), 0x8A9136AAu);  // RFC 3720, B.4
  EXPECT_EQ(crc32c(Buffer(32, 0xFF)), 0x62A8AB43u);
  EXPECT_EQ(crc32c({}), 0u);
}

TEST(Sha1, KnownAnswers) {
  EXPECT_EQ(to_hex(sha1(as_bytes("abc"))), "a9993e364706816aba3e25717850c26c9cd0d89d");
  EXPECT_EQ(to_hex(sha1({})), "da39a3ee5e6b4b0d3255bfef95601890afd80709");
}

}  // namespace
}  // namespace kith
