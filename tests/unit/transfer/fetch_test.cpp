// Whole fetches over a virtual network: every one completes, every byte is accounted for, and all
// memory comes back.
#include <gtest/gtest.h>
#include <numeric>

#include "tests/unit/transfer/virtual_net.hpp"

namespace kith::transfer::test {
namespace {

constexpr std::uint32_t kChunk = 200'000;

/// Everything that was in use is given back, and what was stored is the share, to the byte.
void expect_whole(VirtualNet& net, std::size_t node, const ModelShare& share) {
  const ShareProgress progress = net.manager(node).progress(share.id);
  EXPECT_EQ(progress.stored, share.total());
  EXPECT_EQ(progress.bytes_stored, share.bytes());
  EXPECT_GE(progress.bytes_received, share.bytes());
  std::uint64_t sum = 0;
  for (const SourceBytes& source : progress.by_device) sum += source.bytes;
  EXPECT_EQ(sum, share.bytes());
}

void expect_idle(VirtualNet& net, std::size_t nodes) {
  for (std::size_t i = 0; i < nodes; ++i) {
    EXPECT_EQ(net.manager(i).reserved(), 0U) << "node " << i;
    EXPECT_EQ(net.manager(i).send_reserved(), 0U) << "node " << i;
  }
  EXPECT_EQ(net.slabs_in_use(), 0U);
}

std::uint64_t bytes_from(const VirtualNet& net, const ShareProgress& progress, std::size_t node) {
  for (const SourceBytes& source : progress.by_device) {
    if (source.device == net.device(node)) return source.bytes;
  }
  return 0;
}

LimitRules upload(std::uint64_t rate) { return {{LimitRule{.up = rate}}, false}; }

TEST(Fetch, OneSourceSendsEverythingOnce) {
  VirtualNet net(1);
  SeededRng rng(1);
  const ModelShare share = ModelShare::make(rng, 3, 60, kChunk);
  const auto a = net.add_node();
  const auto b = net.add_node();
  net.seed_share(a, share);
  net.connect(a, b);
  net.fetch(b, share);
  ASSERT_TRUE(net.run_fetches(60s));
  net.run(10s);
  expect_whole(net, b, share);
  EXPECT_EQ(net.manager(b).progress(share.id).bytes_received, share.bytes());
  expect_idle(net, 2);
}

TEST(Fetch, TinyAndLargestChunks) {
  for (const std::uint32_t length :
       {1U, 61'439U, 61'440U, 61'441U, 122'880U, static_cast<unsigned>(limits::kChunkMaxAllowed)}) {
    VirtualNet net(length);
    ModelShare share;
    share.id = SeededRng(length).random<ShareId>();
    share.root_length = std::min<std::uint32_t>(length, limits::kPageMax);
    share.page_lengths = {std::min<std::uint32_t>(length, limits::kPageMax)};
    share.chunk_lengths.assign(5, length);
    const auto a = net.add_node();
    const auto b = net.add_node();
    net.seed_share(a, share);
    net.fetch(b, share);
    net.connect(b, a);
    ASSERT_TRUE(net.run_fetches(60s)) << length;
    net.run(10s);
    expect_whole(net, b, share);
    expect_idle(net, 2);
  }
}

TEST(Fetch, RootAlone) {
  VirtualNet net(2);
  SeededRng rng(2);
  const ModelShare share = ModelShare::make(rng, 0, 0, kChunk);
  const auto a = net.add_node();
  const auto b = net.add_node();
  net.seed_share(a, share);
  net.fetch(b, share);
  net.connect(b, a);
  ASSERT_TRUE(net.run_fetches(60s));
  EXPECT_EQ(net.manager(b).progress(share.id).stored, 1U);
}

TEST(Fetch, ServesWhileFetching) {
  // c knows only b, which fetches from a: a chain.
  VirtualNet net(3);
  SeededRng rng(3);
  const ModelShare share = ModelShare::make(rng, 3, 100, kChunk);
  const auto a = net.add_node();
  const auto b = net.add_node();
  const auto c = net.add_node();
  net.fetch(c, share);
  net.connect(b, c);
  net.connect(a, b, {1ms, 10'000'000, 0});
  net.seed_share(a, share);
  net.fetch(b, share);
  ASSERT_TRUE(net.run_fetches(60s));
  // b has it at the end of the slow link; c follows by no more than batches and its last chunks.
  EXPECT_LT((net.now() - TimePoint{}).count(),
            static_cast<std::int64_t>(share.bytes() * 100 + 1'000'000'000));
  net.run(10s);
  expect_whole(net, b, share);
  expect_whole(net, c, share);
  expect_idle(net, 3);
}

TEST(Fetch, TwoSourcesShareTheWork) {
  VirtualNet net(4);
  SeededRng rng(4);
  const ModelShare share = ModelShare::make(rng, 3, 400, kChunk);
  const auto a = net.add_node();
  const auto b = net.add_node();
  const auto c = net.add_node();
  net.seed_share(a, share);
  net.seed_share(b, share);
  net.connect(a, c, {1ms, 40'000'000, 0});
  net.connect(b, c, {1ms, 40'000'000, 0});
  net.fetch(c, share);
  ASSERT_TRUE(net.run_fetches(60s));
  const ShareProgress progress = net.manager(c).progress(share.id);
  EXPECT_GE(bytes_from(net, progress, a), share.bytes() / 3);
  EXPECT_GE(bytes_from(net, progress, b), share.bytes() / 3);
  EXPECT_LE(progress.bytes_received, share.bytes() + share.bytes() / 20);
  // Both links were full for nearly all of the time.
  const double seconds = static_cast<double>((net.now() - TimePoint{}).count()) * 1e-9;
  EXPECT_LE(seconds, static_cast<double>(share.bytes()) / 80e6 / 0.95 + 0.05);
  net.run(10s);
  expect_whole(net, c, share);
  expect_idle(net, 3);
}

TEST(Fetch, SmallShareIsSplitToo) {
  // All eight chunks would fit into the windows of one source.
  VirtualNet net(26);
  SeededRng rng(26);
  ModelShare share = ModelShare::make(rng, 1, 0, 1'000);
  share.chunk_lengths.assign(8, 200'000);
  const auto a = net.add_node();
  const auto b = net.add_node();
  const auto c = net.add_node();
  net.seed_share(a, share);
  net.seed_share(b, share);
  net.connect(a, c, {20ms, 40'000'000, 0});
  net.connect(b, c, {20ms, 40'000'000, 0});
  net.fetch(c, share);
  ASSERT_TRUE(net.run_fetches(60s));
  const ShareProgress progress = net.manager(c).progress(share.id);
  EXPECT_GE(bytes_from(net, progress, a), 600'000U);
  EXPECT_GE(bytes_from(net, progress, b), 600'000U);
}

TEST(Fetch, FastLinkStaysFull) {
  // 1 GB/s, jobs of a millisecond: what two cores do over a loopback.
  VirtualNet net(24);
  SeededRng rng(24);
  const ModelShare share = ModelShare::make(rng, 3, 500, 2'000'000);
  Behaviour behaviour;
  behaviour.seal_time = behaviour.store_time = 1ms;
  const auto a = net.add_node(behaviour);
  const auto b = net.add_node(behaviour);
  net.seed_share(a, share);
  net.connect(a, b, {50us, 1'000'000'000, 0});
  net.fetch(b, share);
  ASSERT_TRUE(net.run_fetches(60s));
  const double seconds = static_cast<double>((net.now() - TimePoint{}).count()) * 1e-9;
  EXPECT_LE(seconds, static_cast<double>(share.bytes()) / 1e9 * 1.03 + 0.05);
}

TEST(Fetch, LongFatLinkFillsUp) {
  // 100 MB/s, 50 ms each way: 10 MB are on the way at any time.
  VirtualNet net(25);
  SeededRng rng(25);
  const ModelShare share = ModelShare::make(rng, 3, 500, 2'000'000);
  const auto a = net.add_node();
  const auto b = net.add_node();
  net.seed_share(a, share);
  net.connect(a, b, {50ms, 100'000'000, 0});
  net.fetch(b, share);
  ASSERT_TRUE(net.run_fetches(60s));
  const double seconds = static_cast<double>((net.now() - TimePoint{}).count()) * 1e-9;
  EXPECT_LE(seconds, static_cast<double>(share.bytes()) / 1e8 * 1.1 + 1);
}

TEST(Fetch, SoleSourceSendsLittleTwice) {
  // 8 fetchers that know each other; the source's uplink is the bottleneck.
  VirtualNet net(5);
  SeededRng rng(5);
  ModelShare share = ModelShare::make(rng, 2, 300, 1);
  share.chunk_lengths.assign(300, kChunk);
  const auto a = net.add_node({}, {32 << 20, 32 << 20, upload(8'000'000)});
  net.seed_share(a, share);
  for (int i = 0; i < 8; ++i) {
    const auto n = net.add_node({}, {32 << 20, 32 << 20, upload(8'000'000)});
    for (std::size_t other = 0; other < n; ++other) net.connect(n, other);
    net.fetch(n, share);
  }
  ASSERT_TRUE(net.run_fetches(300s));
  EXPECT_LE(net.bytes_sent(a), share.bytes() + share.bytes() / 4);
  net.run(10s);
  for (std::size_t n = 1; n <= 8; ++n) expect_whole(net, n, share);
  expect_idle(net, 9);
}

TEST(Fetch, StalledSlowAndLyingSourcesCostLittle) {
  const auto run = [](bool with_bad) {
    VirtualNet net(6);
    SeededRng rng(6);
    const ModelShare share = ModelShare::make(rng, 4, 600, 400'000);
    const auto c = net.add_node();
    for (int i = 0; i < 5; ++i) {
      const auto n = net.add_node();
      net.seed_share(n, share);
      net.connect(n, c, {1ms, 10'000'000, 0});
    }
    if (with_bad) {
      Behaviour lies;
      lies.lies = true;
      lies.heals = false;
      const auto liar = net.add_node(lies);
      net.seed_share(liar, share);
      net.connect(liar, c, {1ms, 10'000'000, 0});
      const auto slow = net.add_node();
      net.seed_share(slow, share);
      net.connect(slow, c, {1ms, 100'000, 0});
      Behaviour stuck;
      stuck.seal_time = 1h;
      const auto stalled = net.add_node(stuck);
      net.seed_share(stalled, share);
      net.connect(stalled, c, {1ms, 10'000'000, 0});
    }
    net.fetch(c, share);
    EXPECT_TRUE(net.run_fetches(300s));
    EXPECT_LE(net.manager(c).progress(share.id).bytes_stored, share.bytes());
    EXPECT_EQ(with_bad && net.manager(c).is_banned(net.device(6)), with_bad);
    return net.now() - TimePoint{};
  };
  const Duration without = run(false);
  const Duration with = run(true);
  RecordProperty("with_ms", static_cast<int>(with / 1ms));
  RecordProperty("without_ms", static_cast<int>(without / 1ms));
  EXPECT_LE(with.count(), without.count() * 115 / 100) << without / 1ms << " ms without";
}

// One that never sends anything has missed many deadlines by the end of a long fetch. What is asked
// of it then does not wait as long again, and neither does a small share after it.
TEST(Fetch, OneThatSendsNothingIsNotWaitedForWhereAnotherIsIdle) {
  VirtualNet net(9);
  SeededRng rng(9);
  const ModelShare large = ModelShare::make(rng, 4, 600, 100'000);
  const ModelShare small = ModelShare::make(rng, 1, 3, 100'000);
  Behaviour stuck;
  stuck.seal_time = 24h * 365;
  const auto stalled = net.add_node(stuck);
  const auto good = net.add_node();
  const auto c = net.add_node();
  net.connect(stalled, c, {1ms, 10'000'000, 0});
  net.connect(good, c, {1ms, 50'000, 0});
  for (const ModelShare* share : {&large, &small}) {
    net.seed_share(stalled, *share);
    net.seed_share(good, *share);
    net.fetch(c, *share);
    const TimePoint begun = net.now();
    ASSERT_TRUE(net.run_fetches(24h));
    const auto alone = std::chrono::seconds(share->bytes() / 50'000);
    EXPECT_LE((net.now() - begun) / 1s, alone / 1s * 5 / 4 + 10) << alone / 1s << " s alone";
  }
}

TEST(Fetch, RottenChunkOfASoleSourceIsNamedAndTheRestComes) {
  VirtualNet net(7);
  SeededRng rng(7);
  const ModelShare share = ModelShare::make(rng, 2, 50, kChunk);
  Behaviour rotten;
  rotten.rotten = {17};
  const auto a = net.add_node(rotten);
  const auto b = net.add_node();
  net.seed_share(a, share);
  net.connect(a, b);
  net.fetch(b, share);
  EXPECT_FALSE(net.run_fetches(30s));
  EXPECT_EQ(net.manager(b).progress(share.id).stored, share.total() - 1);
  EXPECT_EQ(net.unavailable(b), 1U);
  EXPECT_FALSE(net.manager(b).is_banned(net.device(a)));
  EXPECT_EQ(net.links_open(), 1U);
  // An intact source appears: the fetch ends.
  const auto c = net.add_node();
  net.seed_share(c, share);
  net.connect(c, b);
  ASSERT_TRUE(net.run_fetches(30s));
  net.run(10s);
  expect_whole(net, b, share);
  expect_idle(net, 3);
}

TEST(Fetch, BannedDeviceIsClosedAndNotTakenBack) {
  VirtualNet net(8);
  SeededRng rng(8);
  const ModelShare share = ModelShare::make(rng, 1, 50, kChunk);
  Behaviour lies;
  lies.lies = true;
  lies.heals = false;
  const auto a = net.add_node(lies);
  const auto b = net.add_node();
  net.seed_share(a, share);
  net.connect(a, b);
  net.fetch(b, share);
  net.run(30s);
  EXPECT_TRUE(net.manager(b).is_banned(net.device(a)));
  EXPECT_EQ(net.links_open(), 0U);
  net.connect(a, b);
  net.run(1s);
  EXPECT_EQ(net.links_open(), 0U);
  EXPECT_EQ(net.manager(b).progress(share.id).stored, 2U);  // root and page
  expect_idle(net, 2);
}

TEST(Fetch, PeerThatNeverReadsHoldsNobodyUp) {
  VirtualNet net(9);
  SeededRng rng(9);
  const ModelShare share = ModelShare::make(rng, 2, 200, kChunk);
  Behaviour deaf;
  deaf.never_reads = true;
  const auto a = net.add_node();
  const auto b = net.add_node();
  const auto d = net.add_node(deaf);
  net.seed_share(a, share);
  net.connect(a, b);
  net.connect(a, d);
  net.connect(b, d);
  net.fetch(d, share);
  net.fetch(b, share);
  net.run(60s, [&] { return net.complete(b, share.id); });
  EXPECT_TRUE(net.complete(b, share.id));
  EXPECT_LE(net.manager(a).send_reserved(), 2U << 20);
  expect_whole(net, b, share);
}

TEST(Fetch, PeerThatStopsReadingMidwayIsClosed) {
  VirtualNet net(10);
  SeededRng rng(10);
  const ModelShare share = ModelShare::make(rng, 2, 200, kChunk);
  const auto a = net.add_node();
  const auto d = net.add_node();
  net.seed_share(a, share);
  net.connect(a, d, {1ms, 20'000'000, 0});
  net.fetch(d, share);
  net.run(300ms);
  net.stop_reading(d);
  net.run(30s);
  EXPECT_LE(net.manager(a).send_reserved(), 32U << 20);
  EXPECT_EQ(net.links_open(), 1U);
  net.run(120s);
  EXPECT_EQ(net.links_open(), 0U);
  expect_idle(net, 2);
}

TEST(Fetch, UnshareMidTransferEndsAllWants) {
  VirtualNet net(11);
  SeededRng rng(11);
  const ModelShare share = ModelShare::make(rng, 2, 200, kChunk);
  const auto a = net.add_node();
  const auto b = net.add_node();
  net.seed_share(a, share);
  net.connect(a, b, {1ms, 20'000'000, 0});
  net.fetch(b, share);
  net.run(500ms);
  ASSERT_GT(net.manager(b).reserved(), 0U);
  net.remove(a, share);
  net.run(10s);
  EXPECT_EQ(net.manager(b).progress(share.id).sources, 0U);
  expect_idle(net, 2);
  EXPECT_EQ(net.links_open(), 1U);
  // Shared again: the fetch goes on over the same connection.
  net.seed_share(a, share);
  ASSERT_TRUE(net.run_fetches(30s));
  net.run(10s);
  expect_whole(net, b, share);
  expect_idle(net, 2);
}

TEST(Fetch, FetcherStopsAndStartsAgain) {
  VirtualNet net(12);
  SeededRng rng(12);
  const ModelShare share = ModelShare::make(rng, 2, 200, kChunk);
  const auto a = net.add_node();
  const auto b = net.add_node();
  net.seed_share(a, share);
  net.connect(a, b, {1ms, 20'000'000, 0});
  for (int i = 0; i < 5; ++i) {
    net.fetch(b, share);
    net.run(100ms);
    net.stop_fetching(b, share);
    net.run(i % 2 == 0 ? 0ms : 300ms);
  }
  net.run(10s);
  expect_idle(net, 2);
  EXPECT_EQ(net.links_open(), 1U);
  net.resume(b, share);
  ASSERT_TRUE(net.run_fetches(60s));
  net.run(10s);
  EXPECT_EQ(net.manager(b).progress(share.id).stored, share.total());
  expect_idle(net, 2);
}

TEST(Fetch, SourceRemovedAndFetcherRemovedAtEveryStep) {
  SeededRng rng(13);
  const ModelShare share = ModelShare::make(rng, 2, 12, kChunk);
  for (std::size_t step = 0; step < 400; step += 3) {
    VirtualNet net(13);
    const auto a = net.add_node();
    const auto b = net.add_node();
    net.seed_share(a, share);
    const auto link = net.connect(a, b, {1ms, 20'000'000, 0});
    net.fetch(b, share);
    net.before_event = [step](std::size_t event) { return event == step; };
    net.run(60s);
    net.before_event = nullptr;
    switch (step % 4) {
      case 0:
        net.remove(a, share);
        break;
      case 1:
        net.remove(b, share);
        break;
      case 2:
        net.close(link);
        break;
      case 3:
        net.stop_fetching(b, share);
        break;
    }
    net.run(200s);
    expect_idle(net, 2);
    EXPECT_EQ(net.links_open(), step % 4 == 2 ? 0U : 1U);
    if (HasFailure()) FAIL() << "step " << step;
  }
}

TEST(Fetch, LocalFailureAtEveryStoreEndsTheFetchCleanly) {
  SeededRng rng(14);
  const ModelShare share = ModelShare::make(rng, 2, 12, kChunk);
  for (std::size_t nth = 0; nth < share.total(); ++nth) {
    for (const StoreOutcome outcome : {StoreOutcome::kFailed, StoreOutcome::kBadRecord}) {
      VirtualNet net(14);
      Behaviour behaviour;
      behaviour.store_outcome = std::pair(nth, outcome);
      const auto a = net.add_node();
      const auto b = net.add_node(behaviour);
      net.seed_share(a, share);
      net.connect(a, b, {1ms, 20'000'000, 0});
      net.fetch(b, share);
      EXPECT_FALSE(net.run_fetches(120s));
      net.run(120s);
      expect_idle(net, 2);
      EXPECT_EQ(net.failed(b), outcome == StoreOutcome::kFailed);
      EXPECT_EQ(net.links_open(), outcome == StoreOutcome::kFailed ? 1U : 0U);
      EXPECT_FALSE(net.manager(b).is_banned(net.device(a)));
    }
  }
}

TEST(Fetch, FailedSealsAreAskedForElsewhere) {
  VirtualNet net(15);
  SeededRng rng(15);
  const ModelShare share = ModelShare::make(rng, 2, 100, kChunk);
  Behaviour fails;
  fails.seal_failures = 8;
  const auto a = net.add_node(fails);
  const auto b = net.add_node();
  const auto c = net.add_node();
  net.seed_share(a, share);
  net.seed_share(b, share);
  net.connect(a, c);
  net.connect(b, c);
  net.fetch(c, share);
  ASSERT_TRUE(net.run_fetches(60s));
  net.run(10s);
  expect_whole(net, c, share);
  expect_idle(net, 3);
}

TEST(Fetch, LimitsAreKept) {
  for (const bool at_source : {true, false}) {
    VirtualNet net(16);
    SeededRng rng(16);
    const ModelShare share = ModelShare::make(rng, 2, 200, kChunk);
    Config config{32 << 20, 32 << 20};
    Config limited = config;
    LimitRule rule;
    (at_source ? rule.up : rule.down) = 5'000'000;
    limited.limits.rules = {rule};
    const auto a = net.add_node({}, at_source ? limited : config);
    const auto b = net.add_node({}, at_source ? config : limited);
    net.seed_share(a, share);
    net.connect(a, b);
    net.fetch(b, share);
    ASSERT_TRUE(net.run_fetches(60s));
    const double seconds = static_cast<double>((net.now() - TimePoint{}).count()) * 1e-9;
    const double ideal = static_cast<double>(share.bytes()) / 5e6;
    EXPECT_GE(seconds, ideal * 0.9) << at_source;
    EXPECT_LE(seconds, ideal * 1.1 + 0.3) << at_source;
  }
}

TEST(Fetch, ReceiveBudgetIsKept) {
  VirtualNet net(17);
  SeededRng rng(17);
  const ModelShare share = ModelShare::make(rng, 2, 300, kChunk);
  Behaviour slow_disk;
  slow_disk.store_time = 20ms;
  const auto b = net.add_node(slow_disk, {2 << 20, 2 << 20});
  for (int i = 0; i < 20; ++i) {
    const auto n = net.add_node();
    net.seed_share(n, share);
    net.connect(n, b);
  }
  net.fetch(b, share);
  ASSERT_TRUE(net.run_fetches(120s));
  EXPECT_LE(net.peak_reserved(b), 2U << 20);
  expect_whole(net, b, share);
}

TEST(Fetch, RandomNetworksComplete) {
  for (std::uint64_t seed = 100; seed < 140; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    SeededRng rng(seed);
    VirtualNet net(seed);
    std::vector<ModelShare> shares;
    for (int i = 0; i < 2; ++i) {
      shares.push_back(ModelShare::make(rng, 1 + static_cast<std::uint32_t>(rng.uniform(4)),
                                        static_cast<std::uint32_t>(rng.uniform(150)), kChunk));
    }
    const std::size_t nodes = 3 + rng.uniform(5);
    for (std::size_t i = 0; i < nodes; ++i) {
      Behaviour b;
      if (i > 1 && rng.chance(1, 4)) b.rotten = {static_cast<ChunkIndex>(rng.uniform(80))};
      if (rng.chance(1, 4)) b.seal_failures = 3;
      if (rng.chance(1, 4)) b.seal_time = 30ms;
      net.add_node(b);
    }
    net.seed_share(0, shares[0]);
    net.seed_share(1, shares[1]);
    const auto options = [&rng] {
      return LinkOptions{std::chrono::microseconds(100 + rng.uniform(30'000)),
                         1'000'000 + rng.uniform(100'000'000),
                         static_cast<std::uint32_t>(rng.uniform(20))};
    };
    std::vector<std::size_t> links;
    for (std::size_t i = 0; i < nodes; ++i) {
      for (std::size_t j = 0; j < i; ++j) links.push_back(net.connect(i, j, options()));
    }
    for (std::size_t i = 0; i < nodes; ++i) {
      if (i != 0) net.fetch(i, shares[0]);
      if (i != 1) net.fetch(i, shares[1]);
    }
    // Connections break now and then and come back.
    for (int k = 0; k < 10; ++k) {
      net.at(std::chrono::milliseconds(rng.uniform(2'000)),
             [&net, &links, link = rng.uniform(links.size()), o = options()] {
               links[link] = net.reconnect(links[link], o);
             });
    }
    ASSERT_TRUE(net.run_fetches(600s));
    net.run(200s);
    for (std::size_t i = 0; i < nodes; ++i) {
      // A fetcher that was told of a rotten chunk fetched it again.
      if (net.rotten(i)) continue;
      if (i != 0) expect_whole(net, i, shares[0]);
      if (i != 1) expect_whole(net, i, shares[1]);
    }
    expect_idle(net, nodes);
    if (HasFailure()) return;
  }
}

TEST(Fetch, SameSeedSameTrace) {
  const auto trace = [](std::uint64_t seed) {
    VirtualNet net(seed);
    SeededRng rng(1);
    const ModelShare share = ModelShare::make(rng, 2, 100, kChunk);
    for (int i = 0; i < 4; ++i) {
      const auto n = net.add_node();
      i == 0 ? net.seed_share(n, share) : net.fetch(n, share);
      for (std::size_t j = 0; j < n; ++j) net.connect(n, j, {1ms, 20'000'000, 20});
    }
    EXPECT_TRUE(net.run_fetches(120s));
    return net.trace();
  };
  EXPECT_EQ(trace(21), trace(21));
  EXPECT_NE(trace(21), trace(22));
}

TEST(Fetch, ManyPeers) {
  VirtualNet net(23);
  SeededRng rng(23);
  const ModelShare share = ModelShare::make(rng, 2, 200, kChunk);
  const auto c = net.add_node();
  for (int i = 0; i < 200; ++i) {
    const auto n = net.add_node();
    net.seed_share(n, share);
    net.connect(n, c, {1ms, 2'000'000, 0});
  }
  net.fetch(c, share);
  ASSERT_TRUE(net.run_fetches(60s));
  net.run(100s);
  expect_whole(net, c, share);
  expect_idle(net, 201);
}

}  // namespace
}  // namespace kith::transfer::test
