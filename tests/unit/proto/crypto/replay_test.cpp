#include "proto/crypto/replay.hpp"

#include <deque>
#include <gtest/gtest.h>
#include <set>

#include "tests/unit/proto/crypto/test_support.hpp"

namespace kith {
namespace {

TEST(Fresh, WindowIsExactBothWays) {
  constexpr std::int64_t kNow = 1'700'000'000'000;
  constexpr std::int64_t kWindow = 30 * 60 * 1'000;
  for (const std::int64_t sign : {-1, 1}) {
    EXPECT_TRUE(is_fresh(UnixMillis{kNow + sign * kWindow}, UnixMillis{kNow}));
    EXPECT_FALSE(is_fresh(UnixMillis{kNow + sign * (kWindow + 1)}, UnixMillis{kNow}));
  }
}

TEST(Fresh, TimesFarApartDoNotOverflow) {
  EXPECT_FALSE(is_fresh(UnixMillis{INT64_MIN}, UnixMillis{INT64_MAX}));
  EXPECT_FALSE(is_fresh(UnixMillis{INT64_MAX}, UnixMillis{INT64_MIN}));
  EXPECT_TRUE(is_fresh(UnixMillis{INT64_MIN}, UnixMillis{INT64_MIN}));
}

TEST(NonceFilterTest, KnowsWhatItSaw) {
  SeededRng rng(1);
  NonceFilter filter(rng);
  const Buffer nonce = test::random_bytes(rng, 24);
  EXPECT_TRUE(filter.insert(nonce));
  EXPECT_FALSE(filter.insert(nonce));
  EXPECT_EQ(filter.size(), 1u);
  Buffer other = nonce;
  other[15] ^= 1;
  EXPECT_TRUE(filter.insert(other));
  other[0] ^= 1;
  EXPECT_TRUE(filter.insert(other));
}

TEST(NonceFilterTest, ForgetsTheOlderGenerationOnly) {
  SeededRng rng(1);
  constexpr std::size_t kCapacity = 100;
  NonceFilter filter(rng, kCapacity);
  std::vector<Buffer> nonces;
  for (std::size_t i = 0; i < 2 * kCapacity; ++i) {
    nonces.push_back(test::random_bytes(rng, 24));
    ASSERT_TRUE(filter.insert(nonces.back()));
  }
  EXPECT_EQ(filter.size(), 2 * kCapacity);
  for (const auto& nonce : nonces) EXPECT_FALSE(filter.insert(nonce));
  EXPECT_TRUE(filter.insert(test::random_bytes(rng, 24)));  // forgets the first hundred
  EXPECT_EQ(filter.size(), kCapacity + 1);
  EXPECT_FALSE(filter.insert(nonces[kCapacity]));
  EXPECT_TRUE(filter.insert(nonces[0]));
}

// Against a naive model: a value is refused exactly if one of the two generations has it.
TEST(NonceFilterTest, EqualsTheModel) {
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    SeededRng rng(seed);
    const std::size_t capacity = 1 + rng.uniform(200);
    NonceFilter filter(rng, capacity);
    std::set<Buffer> young, old;
    for (int i = 0; i < 2'000; ++i) {
      Buffer nonce(16);
      nonce[7] = static_cast<std::uint8_t>(rng.uniform(256));
      nonce[8] = static_cast<std::uint8_t>(rng.uniform(8));
      const bool known = young.count(nonce) + old.count(nonce) > 0;
      ASSERT_EQ(filter.insert(nonce), !known) << "seed " << seed << " step " << i;
      if (known) continue;
      if (young.size() == capacity) old = std::exchange(young, {});
      young.insert(nonce);
      ASSERT_EQ(filter.size(), young.size() + old.size());
    }
  }
}

}  // namespace
}  // namespace kith
