#include "dht/rate_limiter.hpp"

#include <gtest/gtest.h>

#include "proto/limits.hpp"

namespace kith::dht {
namespace {

using namespace std::chrono_literals;

const Endpoint kSource = *Endpoint::parse("192.0.2.1:5484");
const TimePoint kStart{1h};

TEST(TokenBucketTest, AllowsABurstThenARate) {
  TokenBucket bucket(100ms, 3);
  EXPECT_TRUE(bucket.is_full(kStart));
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(bucket.take(kStart)) << i;
  EXPECT_FALSE(bucket.take(kStart));
  EXPECT_FALSE(bucket.take(kStart + 100ms - 1ns));
  EXPECT_TRUE(bucket.take(kStart + 100ms));
  EXPECT_FALSE(bucket.take(kStart + 100ms));
  EXPECT_FALSE(bucket.is_full(kStart + 399ms));
  EXPECT_TRUE(bucket.is_full(kStart + 400ms));
}

TEST(TokenBucketTest, NeverHoldsMoreThanItsBurst) {
  TokenBucket bucket(100ms, 3);
  EXPECT_TRUE(bucket.take(kStart));
  const TimePoint later = kStart + 1h;
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(bucket.take(later)) << i;
  EXPECT_FALSE(bucket.take(later));
}

TEST(RateLimiterTest, SourcesAreSeparate) {
  RateLimiter limiter(1s, 1, false);
  EXPECT_TRUE(limiter.allow(kStart, kSource));
  EXPECT_FALSE(limiter.allow(kStart, kSource));
  EXPECT_TRUE(limiter.allow(kStart, *Endpoint::parse("192.0.2.2:5484")));
}

TEST(RateLimiterTest, PortsCountOnlyIfWanted) {
  RateLimiter by_address(1s, 1, false);
  EXPECT_TRUE(by_address.allow(kStart, kSource));
  EXPECT_FALSE(by_address.allow(kStart, kSource.with_port(1)));
  RateLimiter by_port(1s, 1, true);
  EXPECT_TRUE(by_port.allow(kStart, kSource));
  EXPECT_TRUE(by_port.allow(kStart, kSource.with_port(1)));
}

Endpoint source(std::size_t i) {
  return Endpoint::v4({10, static_cast<std::uint8_t>(i >> 16), static_cast<std::uint8_t>(i >> 8),
                       static_cast<std::uint8_t>(i)},
                      1);
}

TEST(RateLimiterTest, TooManySourcesShareOneBucket) {
  RateLimiter limiter(1s, 2, false);
  for (std::size_t i = 0; i < limits::kRateEntries; ++i) {
    EXPECT_TRUE(limiter.allow(kStart, source(i)));
  }
  EXPECT_TRUE(limiter.allow(kStart, source(1'000'000)));
  EXPECT_TRUE(limiter.allow(kStart, source(1'000'001)));
  EXPECT_FALSE(limiter.allow(kStart, source(1'000'002)));
  EXPECT_EQ(limiter.size(), limits::kRateEntries);
  EXPECT_TRUE(limiter.allow(kStart, source(5))) << "who is known is not harmed";
}

TEST(RateLimiterTest, IdleSourcesAreForgotten) {
  RateLimiter limiter(1s, 2, false);
  for (std::size_t i = 0; i < limits::kRateEntries; ++i) (void)limiter.allow(kStart, source(i));
  EXPECT_TRUE(limiter.allow(kStart + 2s, source(1'000'000)));
  EXPECT_EQ(limiter.size(), 1U);
}

}  // namespace
}  // namespace kith::dht
