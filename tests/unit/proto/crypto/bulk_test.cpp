#include "proto/crypto/bulk.hpp"

#include <gtest/gtest.h>
#include <sodium.h>
#include <thread>

#include "tests/unit/proto/crypto/test_support.hpp"

namespace kith {
namespace {

using test::counting;
using test::secret_of;

constexpr Section kSection = 0x0123'4567'89ab;

// The wire form of a sealed chain: each slab's ciphertext and tag.
Buffer wire(SlabChain& chain) {
  Buffer out;
  for (std::size_t i = 0; i < chain.slab_count(); ++i) {
    append(out, chain.raw(i).first(chain.slab_size(i) + kTagBytes));
  }
  return out;
}

// The layout of bulk.hpp, written with libsodium.
Buffer reference_seal(const Secret& key, Section section, Bytes plain) {
  Buffer ad;
  append_be<std::uint64_t>(ad, section);
  append_be<std::uint32_t>(ad, static_cast<std::uint32_t>(plain.size()));
  Buffer out;
  for (std::size_t i = 0; i * kRecordBytes < plain.size(); ++i) {
    const Bytes record =
        plain.subspan(i * kRecordBytes, std::min(kRecordBytes, plain.size() - i * kRecordBytes));
    std::array<std::uint8_t, 12> nonce{};
    const std::uint64_t number = section * 65'536 + i;
    for (std::size_t b = 0; b < 8; ++b) {
      nonce[4 + b] = static_cast<std::uint8_t>(number >> (8 * b));
    }
    Buffer sealed(record.size() + kTagBytes);
    crypto_aead_chacha20poly1305_ietf_encrypt(sealed.data(), nullptr, record.data(), record.size(),
                                              ad.data(), ad.size(), nullptr, nonce.data(),
                                              key.view().data());
    append(out, sealed);
  }
  return out;
}

TEST(BulkSection, LayoutAndRoundTrip) {
  SlabPool pool;
  for (const std::size_t size : {1u, 61'439u, 61'440u, 61'441u, 200'000u}) {
    const Buffer plain = counting(size);
    SlabChain chain = SlabChain::from(pool, plain);
    seal_section(secret_of(1), kSection, chain);
    const Buffer sealed = wire(chain);
    EXPECT_EQ(sealed.size(), section_wire_bytes(size));
    EXPECT_EQ(sealed, reference_seal(secret_of(1), kSection, plain)) << size;
    ASSERT_TRUE(open_section(secret_of(1), kSection, chain, 0, size)) << size;
    EXPECT_EQ(chain.to_buffer(), plain) << size;
  }
}

TEST(BulkSection, OpensInTheMiddleOfAChunk) {
  SlabPool pool;
  const Buffer plain = counting(3 * kRecordBytes + 5);
  SlabChain first = SlabChain::from(pool, Bytes(plain).first(2 * kRecordBytes));
  SlabChain second = SlabChain::from(pool, Bytes(plain).subspan(2 * kRecordBytes));
  seal_section(secret_of(1), 8, first);
  seal_section(secret_of(1), 5, second);
  first.append(std::move(second));
  ASSERT_TRUE(open_section(secret_of(1), 5, first, 2, kRecordBytes + 5));
  ASSERT_TRUE(open_section(secret_of(1), 8, first, 0, 2 * kRecordBytes));
  EXPECT_EQ(first.to_buffer(), plain);
}

TEST(BulkSection, RefusesAnotherSectionLengthKeyOrOrder) {
  SlabPool pool;
  const std::size_t size = 2 * kRecordBytes;
  const auto sealed = [&] {
    SlabChain chain = SlabChain::from(pool, counting(size));
    seal_section(secret_of(1), 7, chain);
    return chain;
  };
  SlabChain chain = sealed();
  EXPECT_FALSE(open_section(secret_of(1), 8, chain, 0, size));
  chain = sealed();
  EXPECT_FALSE(open_section(secret_of(2), 7, chain, 0, size));
  chain = sealed();
  EXPECT_FALSE(open_section(secret_of(1), 7, chain, 0, size - 1));
  chain = sealed();
  EXPECT_FALSE(open_section(secret_of(1), 7, chain, 0, kRecordBytes));
  chain = sealed();
  EXPECT_FALSE(open_section(secret_of(1), 7, chain, 1, kRecordBytes));
  chain = sealed();
  EXPECT_TRUE(open_section(secret_of(1), 7, chain, 0, size));
}

TEST(BulkSection, AFlippedBitIsTheNetworksFault) {
  SlabPool pool;
  SeededRng rng(1);
  const std::size_t size = kRecordBytes + 100;
  for (int round = 0; round < 50; ++round) {
    SlabChain chain = SlabChain::from(pool, counting(size));
    seal_section(secret_of(1), 7, chain);
    const std::size_t slab = rng.uniform(2);
    const std::size_t at = rng.uniform(chain.slab_size(slab) + kTagBytes);
    chain.raw(slab)[at] ^= static_cast<std::uint8_t>(1u << rng.uniform(8));
    const auto opened = open_section(secret_of(1), 7, chain, 0, size);
    ASSERT_FALSE(opened) << "slab " << slab << " byte " << at;
    EXPECT_EQ(opened.error().blame, Blame::kNetwork);
    EXPECT_EQ(opened.error().code, Errc::kVerification);
  }
}

TEST(BulkSection, ASectionNumberPast48BitsIsThePeersFault) {
  SlabPool pool;
  SlabChain chain = SlabChain::from(pool, counting(100));
  seal_section(secret_of(1), (1ULL << 48) - 1, chain);
  EXPECT_TRUE(open_section(secret_of(1), (1ULL << 48) - 1, chain, 0, 100));
  const auto refused = open_section(secret_of(1), 1ULL << 48, chain, 0, 100);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().blame, Blame::kPeer);
}

TEST(BulkSection, ThreadsDoNotShareContexts) {
  SlabPool pool;
  const auto work = [&](std::uint8_t seed) {
    for (Section section = 0; section < 20; ++section) {
      const Buffer plain = counting(kRecordBytes + seed);
      SlabChain chain = SlabChain::from(pool, plain);
      seal_section(secret_of(seed), section, chain);
      ASSERT_TRUE(open_section(secret_of(seed), section, chain, 0, plain.size()));
      ASSERT_EQ(chain.to_buffer(), plain);
    }
  };
  std::thread a(work, std::uint8_t{1}), b(work, std::uint8_t{2});
  a.join();
  b.join();
}

TEST(BulkKeyTest, IsDerivedWithItsLabel) {
  EXPECT_TRUE(bulk_key(secret_of(1)) == kdf(secret_of(1), "kith/1 bulk"));
}

}  // namespace
}  // namespace kith
