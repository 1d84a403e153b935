#include "dht/token.hpp"

#include <gtest/gtest.h>

#include "proto/crypto/random.hpp"
#include "proto/limits.hpp"

namespace kith::dht {
namespace {

using namespace std::chrono_literals;

class TokenTest : public ::testing::Test {
 protected:
  SeededRng rng_{5};
  TokenMint mint_{rng_};
  TimePoint start_{limits::kTokenLife * 10};  // the first moment of an epoch
  Endpoint from_ = *Endpoint::parse("192.0.2.1:5484");
  InfoHash target_ = rng_.random<InfoHash>();
  TokenMint::Token token_ = mint_.make(start_, from_, target_);
};

TEST_F(TokenTest, IsGoodForItsEpochAndTheNext) {
  EXPECT_TRUE(mint_.check(start_, from_, target_, token_));
  EXPECT_TRUE(mint_.check(start_ + 2 * limits::kTokenLife - 1ns, from_, target_, token_));
  EXPECT_FALSE(mint_.check(start_ + 2 * limits::kTokenLife, from_, target_, token_));
}

TEST_F(TokenTest, IsGoodForOneTargetAndOneAddress) {
  EXPECT_FALSE(mint_.check(start_, from_, rng_.random<InfoHash>(), token_));
  EXPECT_FALSE(mint_.check(start_, *Endpoint::parse("192.0.2.2:5484"), target_, token_));
  EXPECT_FALSE(mint_.check(start_, *Endpoint::parse("[2001:db8::1]:5484"), target_, token_));
  EXPECT_TRUE(mint_.check(start_, from_.with_port(1), target_, token_)) << "NATs change ports";
}

TEST_F(TokenTest, ForgedTokensAreRefused) {
  for (std::size_t byte = 0; byte < token_.size(); ++byte) {
    for (unsigned bit = 0; bit < 8; ++bit) {
      TokenMint::Token forged = token_;
      forged[byte] = static_cast<std::uint8_t>(forged[byte] ^ (1U << bit));
      EXPECT_FALSE(mint_.check(start_, from_, target_, forged));
    }
  }
  EXPECT_FALSE(mint_.check(start_, from_, target_, {}));
  EXPECT_FALSE(mint_.check(start_, from_, target_, Bytes(token_).first(7)));
  Buffer longer = to_buffer(token_);
  longer.push_back(0);
  EXPECT_FALSE(mint_.check(start_, from_, target_, longer));
}

TEST_F(TokenTest, AnotherNodeHasAnotherKey) {
  const TokenMint other(rng_);
  EXPECT_FALSE(other.check(start_, from_, target_, token_));
}

}  // namespace
}  // namespace kith::dht
