// Hundreds of peers: that all get what they want, and how much is looked at for it. Counted, not
// timed: what a manager looks at in one call must not grow with its peers.
#include <gtest/gtest.h>

#include "tests/unit/transfer/virtual_net.hpp"

namespace kith::transfer::test {
namespace {

constexpr std::uint64_t kMB = 1'000'000;

/// A tree of small files: chunks of at most 20 kB.
ModelShare small_files(std::uint32_t chunks) {
  SeededRng rng(11);
  return ModelShare::make(rng, 2, chunks, 20'000);
}

double looks_per_call(VirtualNet& net, std::size_t node) {
  return static_cast<double>(net.manager(node).looks()) / static_cast<double>(net.calls(node));
}

double fetch_from(std::size_t sources) {
  VirtualNet net(1);
  const ModelShare share = small_files(5'000);
  net.add_node();
  for (std::size_t i = 1; i <= sources; ++i) {
    net.seed_share(net.add_node(), share);
    net.connect(0, i, {5ms, kMB / 2 + i * 10'000, 0});
  }
  net.fetch(0, share);
  EXPECT_TRUE(net.run_fetches(120s));
  return looks_per_call(net, 0);
}

TEST(ManyPeers, OneFetchesFromThreeHundred) {
  EXPECT_LE(fetch_from(30), 4);
  EXPECT_LE(fetch_from(300), 4);
}

double serve(std::size_t fetchers, std::uint64_t limit) {
  VirtualNet net(1);
  const ModelShare share = small_files(120);
  net.add_node();
  net.set_limits(0, {{LimitRule{.up = limit}}, false});
  net.seed_share(0, share);
  for (std::size_t i = 1; i <= fetchers; ++i) {
    net.add_node();
    net.connect(0, i, {5ms, kMB / 2 + i * 10'000, 0});
    net.fetch(i, share);
  }
  EXPECT_TRUE(net.run_fetches(600s));
  return looks_per_call(net, 0);
}

// Without a limit each round in which everything is sent once looks at all that wait, several
// times.
TEST(ManyPeers, TwoHundredFetchFromOne) {
  EXPECT_LE(serve(20, 0), 16);
  EXPECT_LE(serve(200, 0), 16);
  EXPECT_LE(serve(200, 20 * kMB), 4);
}

/// Chunks wait at each of a hundred slow sources, and ten peers that get them meanwhile send next
/// to nothing. So many others have nothing to give: what is looked at for each of them, every 50
/// ms.
double looks_per_idle(std::size_t idle) {
  VirtualNet net(1);
  const ModelShare share = small_files(3'000);
  const std::size_t fetcher = net.add_node();
  for (int i = 0; i < 100; ++i) {
    const std::size_t source = net.add_node();
    net.seed_share(source, share);
    net.connect(fetcher, source, {5ms, 15'000, 0});
  }
  const std::size_t fast = net.add_node();
  net.seed_share(fast, share);
  for (int i = 0; i < 10; ++i) {
    const std::size_t news = net.add_node();
    net.set_limits(news, {{LimitRule{.up = 1'000}}, false});
    net.connect(news, fast, {5ms, 1'500'000, 0});
    net.connect(news, fetcher);
    net.fetch(news, share);
  }
  for (std::size_t i = 0; i < idle; ++i) net.connect(fetcher, net.add_node());
  net.resume(fetcher, share);
  net.run(3s);
  const std::uint64_t before = net.manager(fetcher).looks();
  net.run(5s);
  EXPECT_FALSE(net.complete(fetcher, share.id));
  const auto looks = static_cast<double>(net.manager(fetcher).looks() - before);
  return looks / static_cast<double>(idle) / 100;
}

// With all of them it would be 35.
TEST(ManyPeers, OfWhatMayMoveFewAreLookedAt) { EXPECT_LE(looks_per_idle(200), 26); }

/// Everybody fetches from a source and from each other; the most that anybody looks at.
double exchange(std::size_t nodes) {
  VirtualNet net(1);
  net.check_every(256);
  const ModelShare share = small_files(300);
  net.add_node();
  net.set_limits(0, {{LimitRule{.up = kMB}}, false});
  net.seed_share(0, share);
  for (std::size_t i = 1; i < nodes; ++i) {
    net.add_node();
    net.set_limits(i, {{LimitRule{.up = kMB}}, false});
    for (std::size_t j = 0; j < i; ++j) net.connect(i, j, {5ms, 10 * kMB, 0});
  }
  for (std::size_t i = 1; i < nodes; ++i) net.fetch(i, share);
  EXPECT_TRUE(net.run_fetches(600s));
  double most = 0;
  for (std::size_t i = 0; i < nodes; ++i) most = std::max(most, looks_per_call(net, i));
  return most;
}

TEST(ManyPeers, AllExchange) {
  EXPECT_LE(exchange(10), 6);
  EXPECT_LE(exchange(40), 9);
}

}  // namespace
}  // namespace kith::transfer::test
