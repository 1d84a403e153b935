// What limits do to real traffic: whole managers in virtual time. Whom a limit is about is in
// speed_limits_test.cpp, the bucket alone in flow_test.cpp.
#include <algorithm>
#include <array>
#include <gtest/gtest.h>
#include <numeric>

#include "tests/unit/transfer/virtual_net.hpp"

namespace kith::transfer::test {
namespace {

constexpr std::uint64_t kMB = 1'000'000;
constexpr Config kRoomy{32 << 20, 32 << 20, {}};

/// A node, the others that fetch from it or that it fetches from, and what is limited at it. Who
/// fetches from it fetches a share of its own: of one share a sole source sends everything once
/// first, to whomever asks for it.
class Hub {
 public:
  enum class Flow { kUp, kDown };

  Hub(Flow flow, std::size_t others, std::uint32_t chunks, std::uint32_t length,
      std::vector<LinkOptions> links = {})
      : flow_(flow), net_(7) {
    SeededRng rng(7);
    links.resize(others);
    net_.add_node();
    for (std::size_t i = 0; i < (flow == Flow::kUp ? others : 1); ++i) {
      shares_.push_back(ModelShare::make(rng, 1, 0, 1'000));
      shares_.back().chunk_lengths.assign(chunks, length);
      if (flow == Flow::kUp) net_.seed_share(0, shares_.back());
    }
    for (std::size_t i = 1; i <= others; ++i) {
      net_.add_node();
      if (flow == Flow::kDown) net_.seed_share(i, shares_[0]);
      net_.connect(0, i, links[i - 1]);
    }
  }
  void begin() {
    if (flow_ == Flow::kDown) return net_.fetch(0, shares_[0]);
    for (std::size_t i = 1; i < net_.nodes(); ++i) net_.fetch(i, shares_[i - 1]);
  }

  void limit(std::vector<LimitRule> rules, bool lan_exempt = false) {
    net_.set_limits(0, {std::move(rules), lan_exempt});
  }
  /// A rule of this flow.
  [[nodiscard]] LimitRule rule(std::uint64_t rate) const {
    return flow_ == Flow::kUp ? LimitRule{.up = rate} : LimitRule{.down = rate};
  }
  [[nodiscard]] LimitRule for_swarm(std::uint64_t rate, std::uint8_t swarm = 0) const {
    LimitRule out = rule(rate);
    out.swarm = net_.swarm(swarm);
    return out;
  }
  [[nodiscard]] LimitRule for_device(std::uint64_t rate, std::size_t other) const {
    LimitRule out = rule(rate);
    out.device = net_.device(other);
    return out;
  }

  /// Bytes of content that each of the others got or gave in so much time.
  std::vector<std::uint64_t> carried(Duration time) {
    const std::vector<std::uint64_t> before = counts();
    net_.run(time);
    std::vector<std::uint64_t> after = counts();
    for (std::size_t i = 0; i < after.size(); ++i) after[i] -= before[i];
    return after;
  }
  /// All of them together, bytes a second.
  double rate(Duration time) {
    const std::vector<std::uint64_t> each = carried(time);
    const auto sum = std::accumulate(each.begin(), each.end(), std::uint64_t{0});
    return static_cast<double>(sum) * 1e9 / static_cast<double>(time.count());
  }

  VirtualNet& net() { return net_; }

 private:
  std::vector<std::uint64_t> counts() {
    std::vector<std::uint64_t> out;
    for (std::size_t i = 1; i < net_.nodes(); ++i) {
      const bool up = flow_ == Flow::kUp;
      out.push_back(up ? net_.manager(i).progress(shares_[i - 1].id).bytes_received
                       : net_.bytes_sent(i));
    }
    return out;
  }

  Flow flow_;
  VirtualNet net_;
  std::vector<ModelShare> shares_;
};

constexpr std::array kFlows{Hub::Flow::kUp, Hub::Flow::kDown};

std::string name(Hub::Flow flow) { return flow == Hub::Flow::kUp ? "up" : "down"; }

void expect_near(double found, double wanted, double part, const std::string& what) {
  EXPECT_GE(found, wanted * (1 - part)) << what;
  EXPECT_LE(found, wanted * (1 + part)) << what;
}

// --- how exactly ---

TEST(Limits, TheTightestHoldsInEachDirection) {
  for (const Hub::Flow flow : kFlows) {
    SCOPED_TRACE(name(flow));
    for (const std::uint64_t rate : {kMB / 20, kMB, 20 * kMB}) {
      for (int tightest = 0; tightest < 6; ++tightest) {
        const std::string what = std::to_string(rate) + " B/s, case " + std::to_string(tightest);
        Hub hub(flow, 1, 1'300, 200'000);
        const auto all = hub.rule(rate * (tightest == 3 || tightest == 5 ? 1 : 3));
        const auto swarm = hub.for_swarm(rate * (tightest == 4 ? 1 : 2));
        const auto device = hub.for_device(rate * (tightest == 3 || tightest == 4 ? 2 : 1), 1);
        const std::array<std::vector<LimitRule>, 6> rules{{{hub.rule(rate)},
                                                           {hub.for_swarm(rate)},
                                                           {hub.for_device(rate, 1)},
                                                           {all, swarm, device},
                                                           {all, swarm, device},
                                                           {all, device}}};
        hub.limit(rules.at(static_cast<std::size_t>(tightest)));
        hub.begin();
        const Duration time = std::chrono::seconds(std::max<std::uint64_t>(10, 12 * kMB / rate));
        (void)hub.carried(time / 10);
        expect_near(hub.rate(time), static_cast<double>(rate), 0.03, what);
        if (testing::Test::HasFailure()) return;
      }
    }
  }
}

// --- who gets how much ---

TEST(Limits, ManyUnderOneLimitGetEqualParts) {
  for (const Hub::Flow flow : kFlows) {
    SCOPED_TRACE(name(flow));
    for (const bool swarm : {false, true}) {
      Hub hub(flow, 5, 1'000, 200'000);
      hub.limit({swarm ? hub.for_swarm(2 * kMB) : hub.rule(2 * kMB)});
      hub.begin();
      (void)hub.carried(2s);
      for (const std::uint64_t bytes : hub.carried(40s)) {
        expect_near(static_cast<double>(bytes), 40 * 2e6 / 5, 0.05, swarm ? "swarm" : "all");
      }
    }
  }
}

TEST(Limits, WhatOneDoesNotUseGoesToTheOthers) {
  for (const Hub::Flow flow : kFlows) {
    SCOPED_TRACE(name(flow));
    Hub hub(flow, 4, 1'500, 100'000);
    // The first has a limit of its own far below its part.
    hub.limit({hub.rule(2 * kMB), hub.for_device(kMB / 10, 1)});
    hub.begin();
    (void)hub.carried(2s);
    auto each = hub.carried(40s);
    expect_near(static_cast<double>(each[0]), 40 * 1e5, 0.10, "the slow one");
    for (std::size_t i = 1; i < 4; ++i) {
      expect_near(static_cast<double>(each[i]), 40 * 1.9e6 / 3, 0.06, "others");
    }
    // Then it goes.
    hub.net().close(0);
    each = hub.carried(20s);
    EXPECT_EQ(each[0], 0U);
    for (std::size_t i = 1; i < 4; ++i) {
      expect_near(static_cast<double>(each[i]), 20 * 2e6 / 3, 0.06, "without it");
    }
  }
}

TEST(Limits, ASlowLinkLeavesItsPartToTheOthers) {
  for (const Hub::Flow flow : kFlows) {
    SCOPED_TRACE(name(flow));
    Hub hub(flow, 3, 1'500, 100'000, {{1ms, 200'000}});
    hub.limit({hub.rule(2 * kMB)});
    hub.begin();
    (void)hub.carried(5s);
    const auto each = hub.carried(40s);
    expect_near(static_cast<double>(each[0]), 40 * 2e5, 0.10, "the slow one");
    for (std::size_t i = 1; i < 3; ++i) {
      expect_near(static_cast<double>(each[i]), 40 * 1.8e6 / 2, 0.06, "others");
    }
  }
}

// --- exempt ---

TEST(Limits, TheLocalNetworkIsExemptAndCountsForNothing) {
  for (const Hub::Flow flow : kFlows) {
    SCOPED_TRACE(name(flow));
    LinkOptions near{1ms, 3 * kMB};
    near.lan = true;
    Hub hub(flow, 2, 1'500, 100'000, {near, {}});
    hub.limit({hub.rule(kMB / 2), hub.for_swarm(kMB)}, true);
    hub.begin();
    (void)hub.carried(2s);
    auto each = hub.carried(20s);
    expect_near(static_cast<double>(each[0]), 20 * 3e6, 0.04, "on the local network");
    expect_near(static_cast<double>(each[1]), 20 * 5e5, 0.04, "elsewhere");
    // Not exempt any more: both share it.
    hub.limit({hub.rule(kMB / 2)});
    (void)hub.carried(5s);
    expect_near(hub.rate(20s), 5e5, 0.05, "both");
  }
}

// --- changes ---

TEST(Limits, AChangeTakesEffectWhileTransfersRun) {
  for (const Hub::Flow flow : kFlows) {
    SCOPED_TRACE(name(flow));
    Hub hub(flow, 2, 5'000, 100'000, {{1ms, 10 * kMB}, {1ms, 10 * kMB}});
    hub.begin();
    for (const std::uint64_t rate : {kMB, 4 * kMB, 2 * kMB, std::uint64_t{0}, kMB / 5, 8 * kMB}) {
      hub.limit(rate == 0 ? std::vector<LimitRule>() : std::vector{hub.rule(rate)});
      // What was asked for or sealed before is on its way.
      (void)hub.carried(4s);
      const double expected = rate == 0 ? 2e7 : static_cast<double>(rate);
      expect_near(hub.rate(10s), expected, 0.05, std::to_string(rate));
    }
  }
}

// Whoever waits for a year because of a limit does not wait for it any more when it goes.
TEST(Limits, ARaisedLimitIsUsedAtOnce) {
  for (const Hub::Flow flow : kFlows) {
    SCOPED_TRACE(name(flow));
    for (const std::uint64_t after : {std::uint64_t{0}, 10 * kMB}) {
      Hub hub(flow, 2, 1'000, 100'000, {{1ms, 5 * kMB}, {1ms, 5 * kMB}});
      hub.limit({hub.rule(1)});
      hub.begin();
      (void)hub.carried(100s);
      EXPECT_LT(hub.rate(100s), 10'000);
      hub.limit(after == 0 ? std::vector<LimitRule>() : std::vector{hub.rule(after)});
      (void)hub.carried(1s);
      expect_near(hub.rate(5s), 1e7, 0.05, "after");
    }
  }
}

// What was spent at the old rate is not paid for at the new one.
TEST(Limits, ALoweredLimitIsObeyedFromThenOn) {
  for (const Hub::Flow flow : kFlows) {
    SCOPED_TRACE(name(flow));
    Hub hub(flow, 1, 1'000, 4'000'000);
    hub.limit({hub.rule(100 * kMB)});
    hub.begin();
    (void)hub.carried(2s);
    hub.limit({hub.rule(20'000)});
    (void)hub.carried(10s);
    std::uint64_t bytes = 0;
    for (int i = 0; i < 30; ++i) bytes += hub.carried(20s)[0];
    EXPECT_GT(bytes, 600 * 20'000 / 2);
    EXPECT_LE(bytes, 600 * 20'000 + 4'000'000);
  }
}

// --- very low ones ---

TEST(Limits, AThousandBytesASecondArriveAsThat) {
  for (const Hub::Flow flow : kFlows) {
    SCOPED_TRACE(name(flow));
    Hub hub(flow, 1, 3, 200'000);
    hub.limit({hub.rule(1'000)});
    hub.begin();
    ASSERT_TRUE(hub.net().run_fetches(700s));
    // What comes last is not waited for: a record, or a chunk.
    EXPECT_GT(hub.net().now() - TimePoint{}, 390s);
    EXPECT_EQ(hub.net().links_open(), 1U);
  }
}

// A record takes 17 hours. Two sources do not take the chunks from each other for ever.
TEST(Limits, AByteASecondArrivesAtLast) {
  for (const std::size_t sources : {1U, 2U, 3U}) {
    VirtualNet net(sources);
    SeededRng rng(3);
    ModelShare share = ModelShare::make(rng, 1, 0, 100);
    share.chunk_lengths.assign(2, 130'000);
    net.add_node();
    for (std::size_t i = 1; i <= sources; ++i) {
      Config slow = kRoomy;
      slow.limits.rules = {LimitRule{.up = 1}};
      net.seed_share(net.add_node({}, slow), share);
      net.connect(0, i);
    }
    net.fetch(0, share);
    EXPECT_TRUE(net.run_fetches(24h * 30)) << sources;
    EXPECT_EQ(net.links_open(), sources);
  }
}

// Of what was asked of one source most will never come, and it counts for the other one, which has
// another share.
TEST(Limits, WhatALostSourceDidNotSendIsGivenBackToAll) {
  VirtualNet net(5);
  SeededRng rng(5);
  Config slow = kRoomy;
  slow.limits.rules = {LimitRule{.down = 2'000'000}};
  net.add_node({}, slow);
  for (std::size_t i = 1; i <= 2; ++i) {
    ModelShare share = ModelShare::make(rng, 1, 0, 1'000);
    share.chunk_lengths.assign(20, 4'000'000);
    net.seed_share(net.add_node(), share);
    net.connect(0, i, {1ms, 200'000});
    net.fetch(0, share);
  }
  net.run(10s);  // both are asked for chunks of 20 s each
  net.set_limits(0, {{LimitRule{.down = 1}}, false});
  net.run(1s);
  for (std::size_t i = 1; i <= 2; ++i) ASSERT_GT(net.bytes_sent(i), 0U);
  net.close(0);
  net.run(30s);
  EXPECT_GT(net.bytes_sent(2), 4'100'000U);  // more than its first chunk
}

}  // namespace
}  // namespace kith::transfer::test
