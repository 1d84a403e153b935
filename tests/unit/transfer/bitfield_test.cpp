#include "transfer/bitfield.hpp"

#include <gtest/gtest.h>

#include "proto/crypto/random.hpp"

namespace kith::transfer {
namespace {

TEST(Bitfield, FirstBitIsTheMostSignificant) {
  const Bitfield b = Bitfield::from(Buffer{0x80, 0x01}, 16);
  EXPECT_TRUE(b.test(0));
  EXPECT_TRUE(b.test(15));
  EXPECT_EQ(b.count(), 2U);
  EXPECT_EQ(b.bytes(0, 3), (Buffer{0x80, 0x01, 0x00}));
}

TEST(Bitfield, BitsPastTheEndAreDropped) {
  for (const std::size_t size : {1U, 7U, 8U, 9U, 63U, 64U, 65U, 127U, 128U, 129U}) {
    const Bitfield b = Bitfield::from(Buffer(40, 0xff), size);
    EXPECT_EQ(b.count(), size);
    EXPECT_TRUE(b.all());
    EXPECT_FALSE(b.test(size));
    EXPECT_EQ(b.byte((size + 7) / 8), 0);
  }
}

TEST(Bitfield, MissingBytesAreZero) {
  EXPECT_EQ(Bitfield::from(Buffer{0xff}, 100).count(), 8U);
  EXPECT_TRUE(Bitfield::from({}, 100).none());
}

TEST(Bitfield, SetAndClearSayWhetherTheyChanged) {
  Bitfield b(70);
  EXPECT_TRUE(b.set(69));
  EXPECT_FALSE(b.set(69));
  EXPECT_TRUE(b.clear(69));
  EXPECT_FALSE(b.clear(69));
  EXPECT_TRUE(b.none());
}

TEST(Bitfield, ShrinkingForgets) {
  Bitfield b(130);
  for (std::size_t i = 0; i < 130; ++i) b.set(i);
  b.resize(65);
  EXPECT_EQ(b.count(), 65U);
  b.resize(130);
  EXPECT_EQ(b.count(), 65U);
  EXPECT_FALSE(b.test(65));
}

TEST(Bitfield, AgreesWithVectorOfBool) {
  for (std::uint64_t seed = 0; seed < 50; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    SeededRng rng(seed);
    const std::size_t size = 1 + rng.uniform(300);
    const std::size_t other_size = 1 + rng.uniform(300);
    Bitfield a(size);
    Bitfield b(other_size);
    std::vector<bool> va(size), vb(other_size);
    for (int i = 0; i < 60; ++i) {
      const std::size_t x = rng.uniform(size);
      const std::size_t y = rng.uniform(other_size);
      a.set(x);
      va[x] = true;
      b.set(y);
      vb[y] = true;
    }
    std::vector<ChunkIndex> listed;
    a.for_each([&](ChunkIndex i) { listed.push_back(i); });
    std::vector<ChunkIndex> expected;
    for (ChunkIndex i = 0; i < size; ++i) {
      if (va[i]) expected.push_back(i);
    }
    EXPECT_EQ(listed, expected);
    EXPECT_EQ(a.count(), expected.size());
    EXPECT_EQ(Bitfield::from(a.bytes(0, (size + 7) / 8), size), a);
    for (int i = 0; i < 40; ++i) {
      const std::size_t from = rng.uniform(310);
      const std::size_t to = rng.uniform(310);
      std::optional<ChunkIndex> naive;
      for (std::size_t k = from; k < to && !naive; ++k) {
        if (k < size && k < other_size && va[k] && vb[k]) naive = static_cast<ChunkIndex>(k);
      }
      EXPECT_EQ(a.find_common(b, from, to), naive) << from << ' ' << to;
    }
  }
}

}  // namespace
}  // namespace kith::transfer
