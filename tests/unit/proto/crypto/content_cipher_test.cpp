#include "proto/crypto/content_cipher.hpp"

#include <gtest/gtest.h>
#include <sodium.h>

#include "proto/limits.hpp"
#include "tests/unit/proto/crypto/test_support.hpp"

namespace kith {
namespace {

using test::counting;
using test::secret_of;

ChunkKey key_of(std::uint8_t byte) {
  ChunkKey key;
  key.bytes.fill(byte);
  return key;
}

// An independent ChaCha20.
Buffer reference_cipher(const ChunkKey& key, Bytes plaintext) {
  const std::array<std::uint8_t, crypto_stream_chacha20_ietf_NONCEBYTES> nonce{};
  Buffer out(plaintext.size());
  crypto_stream_chacha20_ietf_xor(out.data(), plaintext.data(), plaintext.size(), nonce.data(),
                                  key.bytes.data());
  return out;
}

TEST(ChunkCipher, EqualsLibsodiumsChaCha20) {
  SlabPool pool;
  for (const std::size_t size : {1u, 63u, 64u, 65u, 61'440u, 61'441u, 300'000u}) {
    const Buffer plain = counting(size);
    const Buffer expected = reference_cipher(key_of(9), plain);
    Buffer flat = plain;
    chunk_cipher(key_of(9), 0, MutableBytes(flat));
    EXPECT_EQ(flat, expected) << size;
    SlabChain chain = SlabChain::from(pool, plain);
    chunk_cipher(key_of(9), 0, chain);
    EXPECT_EQ(chain.to_buffer(), expected) << size;
  }
}

TEST(ChunkCipher, BeginsAnywhereOnABlock) {
  SlabPool pool;
  const Buffer plain = counting(200'000);
  const Buffer expected = reference_cipher(key_of(9), plain);
  for (const std::size_t offset : {64u, 128u, 61'440u, 199'936u}) {
    Buffer rest(plain.begin() + static_cast<std::ptrdiff_t>(offset), plain.end());
    SlabChain chain = SlabChain::from(pool, rest);
    chunk_cipher(key_of(9), offset, MutableBytes(rest));
    chunk_cipher(key_of(9), offset, chain);
    EXPECT_TRUE(equal(rest, Bytes(expected).subspan(offset))) << offset;
    EXPECT_TRUE(equal(chain.to_buffer(), Bytes(expected).subspan(offset))) << offset;
  }
}

TEST(EncipherChunk, SameContentSameKeyOtherSecretOtherKey) {
  SlabPool pool;
  const Buffer plain = counting(100'000);
  SlabChain a = SlabChain::from(pool, plain);
  SlabChain b = SlabChain::from(pool, plain);
  SlabChain c = SlabChain::from(pool, plain);
  const auto first = encipher_chunk(secret_of(1), a);
  const auto second = encipher_chunk(secret_of(1), b);
  const auto other = encipher_chunk(secret_of(2), c);
  EXPECT_EQ(first.id, second.id);
  EXPECT_EQ(first.key, second.key);
  EXPECT_EQ(first.plain, other.plain);
  EXPECT_NE(first.key, other.key);
  EXPECT_NE(first.id, other.id);
  EXPECT_EQ(chunk_id(a), first.id);
  EXPECT_EQ(chunk_id(Bytes(a.to_buffer())), first.id);
  chunk_cipher(first.key, 0, a);
  EXPECT_EQ(a.to_buffer(), plain);
}

TEST(EncipherChunk, FrozenVector) {
  SlabPool pool;
  SlabChain chain = SlabChain::from(pool, counting(100'000));
  const auto out = encipher_chunk(secret_of(1), chain);
  EXPECT_EQ(out.plain.hex(), "01e5d9882459d2bb2336317403897a45e97e28bb0e7488e23ac7f1b07be37c02");
  EXPECT_EQ(out.key.hex(), "273b5e37ba398a6303a125d3aff201fd68b4017954c6f3d845ad511ac81b5bcd");
  EXPECT_EQ(out.id.hex(), "77a95c7b82634bd089cea4acb4bf9159b83a7e37b2cd62958d7860eeeb6bf26f");
}

TEST(Page, RoundTripAndAgreesWithChunks) {
  SlabPool pool;
  const Buffer plain = counting(70'000);
  const EncipheredPage page = encipher_page(secret_of(1), plain);
  SlabChain chain = SlabChain::from(pool, plain);
  const auto chunk = encipher_chunk(secret_of(1), chain);
  EXPECT_EQ(page.id, chunk.id);
  EXPECT_EQ(page.key, chunk.key);
  EXPECT_EQ(*decipher_page(page.id, page.key, page.ciphertext), plain);
}

TEST(Page, RefusesWhatIsNotIt) {
  const EncipheredPage page = encipher_page(secret_of(1), counting(1'000));
  Buffer bad = page.ciphertext;
  bad[999] ^= 1;
  const auto wrong = decipher_page(page.id, page.key, bad);
  ASSERT_FALSE(wrong);
  EXPECT_EQ(wrong.error().code, Errc::kVerification);
  EXPECT_EQ(wrong.error().blame, Blame::kPeer);
  EXPECT_FALSE(decipher_page(page.id, page.key, Bytes(page.ciphertext).first(999)));
}

TEST(Page, LimitIsExact) {
  const EncipheredPage largest = encipher_page(secret_of(1), Buffer(limits::kPageMax));
  EXPECT_TRUE(decipher_page(largest.id, largest.key, largest.ciphertext));
  const EncipheredPage larger = encipher_page(secret_of(1), Buffer(limits::kPageMax + 1));
  const auto refused = decipher_page(larger.id, larger.key, larger.ciphertext);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Errc::kLimit);
}

}  // namespace
}  // namespace kith
