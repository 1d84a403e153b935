#include "proto/rng.hpp"

#include <algorithm>
#include <deque>
#include <gtest/gtest.h>
#include <map>
#include <numeric>

#include "proto/crypto/random.hpp"
#include "proto/ids.hpp"

namespace kith {
namespace {

// Hands out the numbers that a test gives it.
class ListedRng final : public Rng {
 public:
  explicit ListedRng(std::deque<std::uint64_t> numbers) : numbers_(std::move(numbers)) {}
  void fill(MutableBytes out) override {
    ASSERT_EQ(out.size(), 8u);
    ASSERT_FALSE(numbers_.empty());
    store_be(out, numbers_.front());
    numbers_.pop_front();
  }
  [[nodiscard]] std::size_t left() const { return numbers_.size(); }

 private:
  std::deque<std::uint64_t> numbers_;
};

TEST(Rng, ReadsNumbersBigEndian) {
  ListedRng rng({0x0102030405060708});
  EXPECT_EQ(rng.next_u64(), 0x0102030405060708u);
}

TEST(Rng, UniformIsTheRemainder) {
  ListedRng rng({0, 9, 10, 25});
  EXPECT_EQ(rng.uniform(10), 0u);
  EXPECT_EQ(rng.uniform(10), 9u);
  EXPECT_EQ(rng.uniform(10), 0u);
  EXPECT_EQ(rng.uniform(10), 5u);
}

TEST(Rng, UniformRejectsWhatWouldFavourSmallNumbers) {
  // 2^64 − 1 is 5 modulo 10, so numbers from 2^64 − 6 on belong to no whole range of ten.
  ListedRng rng({UINT64_MAX, UINT64_MAX - 5, UINT64_MAX - 6, 3});
  EXPECT_EQ(rng.uniform(10), 9u);
  EXPECT_EQ(rng.left(), 1u);
}

TEST(Rng, UniformOfOneIsZero) {
  SeededRng rng(1);
  for (int i = 0; i < 10; ++i) EXPECT_EQ(rng.uniform(1), 0u);
}

TEST(Rng, UniformReachesEverythingAboutEquallyOften) {
  SeededRng rng(2);
  std::map<std::uint64_t, int> counts;
  for (int i = 0; i < 70'000; ++i) ++counts[rng.uniform(7)];
  ASSERT_EQ(counts.size(), 7u);
  for (const auto& [value, count] : counts) {
    EXPECT_GT(count, 9'500) << value;
    EXPECT_LT(count, 10'500) << value;
  }
}

TEST(Rng, UniformStaysBelowLargeBounds) {
  SeededRng rng(3);
  const std::uint64_t bound = (std::uint64_t{1} << 63) + 1;
  for (int i = 0; i < 1000; ++i) EXPECT_LT(rng.uniform(bound), bound);
  EXPECT_LT(rng.uniform(UINT64_MAX), UINT64_MAX);
}

TEST(Rng, ChanceHasItsEnds) {
  SeededRng rng(4);
  int hits = 0;
  for (int i = 0; i < 30'000; ++i) {
    EXPECT_FALSE(rng.chance(0, 5));
    EXPECT_TRUE(rng.chance(5, 5));
    hits += rng.chance(1, 3);
  }
  EXPECT_GT(hits, 9'500);
  EXPECT_LT(hits, 10'500);
}

TEST(Rng, ShuffleIsAPermutationAndReachesAll) {
  SeededRng rng(5);
  std::map<std::vector<int>, int> seen;
  for (int i = 0; i < 24'000; ++i) {
    std::vector<int> items{0, 1, 2, 3};
    rng.shuffle<int>(items);
    ++seen[items];
  }
  EXPECT_EQ(seen.size(), 24u);
  for (const auto& [order, count] : seen) {
    EXPECT_TRUE(
        std::is_permutation(order.begin(), order.end(), std::vector<int>{0, 1, 2, 3}.begin()));
    EXPECT_GT(count, 800);
    EXPECT_LT(count, 1'200);
  }
}

TEST(Rng, ShuffleOfNothingIsNothing) {
  ListedRng rng({});
  std::vector<int> none;
  rng.shuffle<int>(none);
  std::vector<int> one{7};
  rng.shuffle<int>(one);
  EXPECT_EQ(one.front(), 7);
}

TEST(Rng, MakesIds) {
  SeededRng a(6), b(6);
  const auto id = a.random<ChunkId>();
  EXPECT_FALSE(id.is_zero());
  EXPECT_EQ(id, b.random<ChunkId>());
  EXPECT_NE(id, a.random<ChunkId>());
}

TEST(RngDeathTest, UniformNeedsABound) {
  SeededRng rng(7);
  EXPECT_DEATH((void)rng.uniform(0), "bound > 0");
}

}  // namespace
}  // namespace kith
