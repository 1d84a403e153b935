#include "proto/crypto/random.hpp"

#include <gtest/gtest.h>

#include "tests/unit/proto/crypto/test_support.hpp"

namespace kith {
namespace {

TEST(SeededRngTest, SameSeedSameBytesInAnyPortions) {
  SeededRng whole(42);
  const Buffer expected = test::random_bytes(whole, 5'000);
  SeededRng sizes(1);
  SeededRng parts(42);
  Buffer got;
  while (got.size() < expected.size()) {
    const std::size_t n = std::min<std::size_t>(expected.size() - got.size(), sizes.uniform(700));
    append(got, test::random_bytes(parts, n));
  }
  EXPECT_EQ(got, expected);
}

// Traces of simulations are compared across versions and compilers, so the stream is frozen.
TEST(SeededRngTest, FrozenStream) {
  SeededRng rng(1);
  EXPECT_EQ(to_hex(test::random_bytes(rng, 16)), "01bca62724b088adff1577dcc750748b");
  EXPECT_EQ(to_hex(test::random_bytes(rng, 600)).substr(1'168), "c4f0ed2be24daae418682292d33b07f5");
}

TEST(SeededRngTest, SeedsAndForksDiffer) {
  SeededRng a(1), b(2), fork0 = a.fork(0), fork1 = a.fork(1), nested = fork0.fork(0);
  std::vector<std::uint64_t> values = {a.next_u64(), b.next_u64(), fork0.next_u64(),
                                       fork1.next_u64(), nested.next_u64()};
  std::sort(values.begin(), values.end());
  EXPECT_EQ(std::unique(values.begin(), values.end()), values.end());
}

TEST(SeededRngTest, ForkDoesNotDependOnWhatWasDrawn) {
  SeededRng drawn(9);
  (void)test::random_bytes(drawn, 1'000);
  EXPECT_EQ(drawn.fork(3).next_u64(), SeededRng(9).fork(3).next_u64());
}

TEST(SystemRngTest, Fills) {
  init_crypto();
  SystemRng rng;
  EXPECT_NE(test::random_bytes(rng, 32), test::random_bytes(rng, 32));
}

}  // namespace
}  // namespace kith
