#include "dht/metric.hpp"

#include <gtest/gtest.h>

#include "proto/crypto/random.hpp"

namespace kith::dht {
namespace {

NodeId id_of(std::uint8_t first, std::uint8_t last = 0) {
  NodeId id;
  id.bytes.front() = first;
  id.bytes.back() = last;
  return id;
}

TEST(Metric, DistanceIsTheDifference) {
  EXPECT_TRUE(distance(id_of(5), id_of(5)).is_zero());
  EXPECT_EQ(distance(id_of(0xf0, 1), id_of(0x0f, 3)), id_of(0xff, 2));
}

TEST(Metric, CloserComparesDistancesAsNumbers) {
  const NodeId target = id_of(0b1000);
  EXPECT_TRUE(closer(id_of(0b1001), id_of(0b0000), target));
  EXPECT_FALSE(closer(id_of(0b0000), id_of(0b1001), target));
  EXPECT_FALSE(closer(id_of(1), id_of(1), target)) << "nothing is closer than itself";
  EXPECT_TRUE(closer(id_of(8, 1), id_of(8, 2), target)) << "the last byte counts";
}

TEST(Metric, CloserAgreesWithDistance) {
  SeededRng rng(3);
  for (int i = 0; i < 1'000; ++i) {
    const auto a = rng.random<NodeId>();
    const auto b = rng.random<NodeId>();
    const auto target = rng.random<NodeId>();
    EXPECT_EQ(closer(a, b, target), distance(a, target) < distance(b, target));
    EXPECT_NE(closer(a, b, target), closer(b, a, target));
  }
}

TEST(Metric, SharedPrefix) {
  EXPECT_EQ(shared_prefix(id_of(0), id_of(0x80)), 0U);
  EXPECT_EQ(shared_prefix(id_of(0), id_of(0x40)), 1U);
  EXPECT_EQ(shared_prefix(id_of(0), id_of(1)), 7U);
  EXPECT_EQ(shared_prefix(id_of(0), id_of(0, 1)), 159U);
  EXPECT_EQ(shared_prefix(id_of(9), id_of(9)), kIdBits);
}

TEST(Metric, RandomWithPrefixSharesExactlyThatMuch) {
  SeededRng rng(4);
  const auto self = rng.random<NodeId>();
  for (std::size_t bits = 0; bits < kIdBits; ++bits) {
    EXPECT_EQ(shared_prefix(self, random_with_prefix(self, bits, rng)), bits);
  }
}

}  // namespace
}  // namespace kith::dht
