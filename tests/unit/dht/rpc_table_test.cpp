#include "dht/rpc_table.hpp"

#include <algorithm>
#include <gtest/gtest.h>

#include "proto/crypto/random.hpp"

namespace kith::dht {
namespace {

using namespace std::chrono_literals;

const Endpoint kTo = *Endpoint::parse("192.0.2.1:5484");
const TimePoint kStart{1h};

class RpcTableTest : public ::testing::Test {
 protected:
  std::uint32_t start(TimePoint now, const Endpoint& to = kTo, Buffer krpc = {}) {
    Call call;
    call.transaction = table_.new_transaction();
    call.to = to;
    call.krpc = std::move(krpc);
    const auto transaction = call.transaction;
    table_.start(now, std::move(call));
    table_.check_invariants();
    return transaction;
  }
  std::optional<Call> match(TimePoint now, std::uint32_t transaction, const Endpoint& from = kTo) {
    auto call = table_.match(now, transaction_bytes(transaction), from);
    table_.check_invariants();
    return call;
  }
  RpcTable::Expired expire(TimePoint now) {
    auto expired = table_.expire(now);
    table_.check_invariants();
    return expired;
  }
  SeededRng rng_{8};
  RpcTable table_{rng_};
};

TEST_F(RpcTableTest, AnswersMatchOnce) {
  const auto transaction = start(kStart);
  EXPECT_TRUE(table_.is_waiting_for(kTo));
  const auto call = match(kStart + 10ms, transaction);
  ASSERT_TRUE(call);
  EXPECT_EQ(call->transaction, transaction);
  EXPECT_EQ(call->sent, kStart);
  EXPECT_FALSE(table_.is_waiting_for(kTo));
  EXPECT_FALSE(match(kStart + 10ms, transaction));
}

TEST_F(RpcTableTest, AnswersMustComeFromWhereTheQueryWent) {
  const auto transaction = start(kStart);
  EXPECT_FALSE(match(kStart, transaction, kTo.with_port(1)));
  EXPECT_FALSE(match(kStart, transaction + 1));
  EXPECT_FALSE(table_.match(kStart, {}, kTo));
  EXPECT_FALSE(table_.match(kStart, Bytes(transaction_bytes(transaction)).first(3), kTo));
  EXPECT_TRUE(match(kStart, transaction));
}

TEST_F(RpcTableTest, IsSlowFirstAndFailsThen) {
  const auto transaction = start(kStart);
  EXPECT_EQ(table_.next_deadline(), kStart + limits::kSoftTimeoutMax);
  EXPECT_TRUE(expire(kStart + limits::kSoftTimeoutMax - 1ns).slow.empty());
  const auto slow = expire(kStart + limits::kSoftTimeoutMax);
  ASSERT_EQ(slow.slow.size(), 1U);
  EXPECT_TRUE(slow.failed.empty());
  EXPECT_EQ(table_.next_deadline(), kStart + limits::kHardTimeout);
  EXPECT_TRUE(expire(kStart + limits::kHardTimeout - 1ns).failed.empty());
  const auto failed = expire(kStart + limits::kHardTimeout);
  ASSERT_EQ(failed.failed.size(), 1U);
  EXPECT_EQ(failed.failed[0].transaction, transaction);
  EXPECT_FALSE(table_.next_deadline());
  EXPECT_FALSE(match(kStart + limits::kHardTimeout, transaction)) << "too late";
}

TEST_F(RpcTableTest, ALateAnswerStillMatches) {
  const auto transaction = start(kStart);
  (void)expire(kStart + 2s);
  const auto call = match(kStart + 3s, transaction);
  ASSERT_TRUE(call);
  EXPECT_TRUE(call->slow);
}

TEST_F(RpcTableTest, BothDeadlinesMayPassAtOnce) {
  (void)start(kStart);
  const auto expired = expire(kStart + 1h);
  EXPECT_TRUE(expired.slow.empty()) << "there is nothing left to wait for";
  EXPECT_EQ(expired.failed.size(), 1U);
}

TEST_F(RpcTableTest, TheSoftTimeoutFollowsTheNetwork) {
  EXPECT_EQ(table_.soft_timeout(), limits::kSoftTimeoutMax);
  TimePoint now = kStart;
  for (int i = 0; i < 50; ++i) {
    const auto transaction = start(now);
    now += 60ms;
    (void)match(now, transaction);
  }
  EXPECT_EQ(table_.soft_timeout(), limits::kSoftTimeoutMin);
  for (int i = 0; i < 50; ++i) {
    const auto transaction = start(now);
    now += (i % 2 == 0) ? 200ms : 300ms;
    (void)match(now, transaction);
  }
  EXPECT_GT(table_.soft_timeout(), 300ms);
  EXPECT_LT(table_.soft_timeout(), 600ms);
}

TEST_F(RpcTableTest, WhatWasSentTwiceMeasuresNothing) {
  TimePoint now = kStart;
  for (int i = 0; i < 50; ++i) {
    const auto transaction = start(now);
    now += 300ms;
    (void)match(now, transaction);
  }
  const Duration before = table_.soft_timeout();
  const auto twice = start(now, kTo, Buffer{1});
  EXPECT_EQ(expire(now + before).slow.size(), 1U);
  (void)match(now + 900ms, twice);
  EXPECT_EQ(table_.soft_timeout(), before) << "which of the two was answered?";
  const auto once = start(now);
  EXPECT_EQ(expire(now + before).slow.size(), 1U);
  (void)match(now + 900ms, once);
  EXPECT_GT(table_.soft_timeout(), before);
}

/// Against a plain list.
TEST_F(RpcTableTest, AgreesWithANaiveModel) {
  constexpr std::uint64_t kSeed = 99;
  SeededRng rng(kSeed);
  std::vector<Call> model;
  TimePoint now = kStart;
  for (int step = 0; step < 5'000; ++step) {
    now += Duration(rng.uniform(200'000'000));
    if (rng.chance(1, 2) && !table_.full()) {
      const Endpoint to = kTo.with_port(static_cast<std::uint16_t>(1 + rng.uniform(5)));
      const auto transaction = start(now, to);
      Call call;
      call.transaction = transaction;
      call.to = to;
      call.sent = now;
      model.push_back(call);
    } else if (rng.chance(1, 2) && !model.empty()) {
      const std::size_t at = rng.uniform(model.size());
      const Endpoint from = rng.chance(1, 4) ? kTo : model[at].to;
      const auto call = match(now, model[at].transaction, from);
      ASSERT_EQ(call.has_value(), from == model[at].to) << "seed " << kSeed << " step " << step;
      if (call) model.erase(model.begin() + static_cast<std::ptrdiff_t>(at));
    } else {
      const auto expired = expire(now);
      for (const Call& call : expired.failed) {
        ASSERT_GE(now - call.sent, limits::kHardTimeout) << "seed " << kSeed << " step " << step;
      }
      const auto dead = std::erase_if(
          model, [&](const Call& call) { return now - call.sent >= limits::kHardTimeout; });
      ASSERT_EQ(expired.failed.size(), dead) << "seed " << kSeed << " step " << step;
    }
    ASSERT_EQ(table_.size(), model.size());
    for (std::uint16_t port = 1; port <= 5; ++port) {
      const Endpoint to = kTo.with_port(port);
      const bool waiting =
          std::any_of(model.begin(), model.end(), [&](const Call& call) { return call.to == to; });
      ASSERT_EQ(table_.is_waiting_for(to), waiting);
    }
  }
}

}  // namespace
}  // namespace kith::dht
