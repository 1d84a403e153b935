// Cases that a large random swarm meets rarely: what users do at the wrong moment, and what is left
// behind by it.
#include "tests/sim/case.hpp"

namespace kith::sim {
namespace {

TEST(Cases, CancelledFetchesGiveTheirReceiveMemoryBack) {
  Case c(2);
  const std::string link = c.share(0, noise_tree(3 << 20));
  // What every round would keep is some chunks of at most 16 KiB: enough rounds to see it.
  for (int round = 0; round < 60; ++round) {
    const auto answer = c.begin(1, Case::fetch_to(link, "/fetched"));
    c.world.run_for(std::chrono::milliseconds(200 + 7 * round));
    if (answer->has_value()) break;
    ASSERT_TRUE(c.ask(1, node::CancelFetch{Link::parse(link)->share.hex()}));
    ASSERT_TRUE(answer->has_value());
  }
  c.world.run_for(1s);
  EXPECT_EQ(c.world.node(1).engine().receive_memory(), 0U);
}

TEST(Cases, WhatCouldNotBeFetchedCanBeSharedFromHere) {
  Case c(3);
  const Tree tree = noise_tree(100'000);
  const std::string link = c.share(0, tree);
  c.world.run_for(1s);  // 1 and 2 hear of each other from 0
  c.world.node(0).crash(storage::MemoryFileIo::Crash::kProcess);
  const auto failed = c.ask(1, Case::fetch_to(link, "/fetched"));
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().code, Errc::kNotFound);
  // The same content in the same swarm has the same link.
  ASSERT_EQ(c.share(1, tree), link);
  const auto fetched = c.ask(2, Case::fetch_to(link, "/fetched"));
  ASSERT_TRUE(fetched) << to_string(fetched.error());
  EXPECT_EQ(c.tree_at(2, "/fetched/it"), c.tree_at(1, "/shared"));
}

TEST(Cases, TheWayToAPeerAndBackIsMeasuredByTheHandshakeOnBothSidesAndThenByPings) {
  Case c(2, 1, {.delay_min = 50ms, .delay_max = 50ms});
  for (const std::size_t node : {0U, 1U}) {
    for (const Duration after : {1s, 21s}) {
      c.world.run_for(after);
      const auto peers = std::get<node::PeersAnswer>(*c.ask(node, node::ListPeers{})).peers;
      ASSERT_EQ(peers.size(), 1U);
      EXPECT_TRUE(peers[0].connected);
      EXPECT_EQ(peers[0].rtt_ms, 100) << "of node " << node;
    }
  }
}

TEST(Cases, AFetchThatIsCompleteIsAnsweredRightAfterAStartAndOnlyListedOnce) {
  Case c(2);
  const std::string link = c.share(0, noise_tree(50'000));
  ASSERT_TRUE(c.ask(1, Case::fetch_to(link, "/fetched")));
  c.world.run_for(1s);
  c.world.node(1).crash(storage::MemoryFileIo::Crash::kProcess);
  c.world.node(1).start();
  const auto again = c.ask(1, Case::fetch_to(link, "/fetched"));
  ASSERT_TRUE(again) << to_string(again.error());
  EXPECT_TRUE(std::get<node::FetchResult>(*again).already_there);
  EXPECT_EQ(c.shares(1).size(), 1U);
}

TEST(Cases, AFetchGoesOnFromPeersWhenItsLocalSourceIsUnsharedBetweenTwoCommands) {
  Case c(2);
  const std::string link = c.share(0, noise_tree(1 << 20));
  ASSERT_TRUE(c.ask(1, Case::fetch_to(link, "/first")));
  const auto answer = c.begin(1, Case::fetch_to(link, "/second"));
  const node::RequestId second = c.request;
  c.world.run_for(10ms);
  ASSERT_FALSE(answer->has_value()) << "it was to be interrupted";
  c.world.node(1).hang_up(second);
  // Of two copies of the share the one that is there is unshared.
  ASSERT_TRUE(c.ask(1, node::Unshare{Link::parse(link)->share.hex()}));
  const auto fetched = c.ask(1, Case::fetch_to(link, "/second"));
  ASSERT_TRUE(fetched) << to_string(fetched.error());
  EXPECT_EQ(c.tree_at(1, "/second/it"), c.tree_at(0, "/shared"));
}

TEST(Cases, ACancelAfterARestartRemovesTheStaging) {
  Case c(2);
  const std::string link = c.share(0, noise_tree(4 << 20));
  const auto answer = c.begin(1, Case::fetch_to(link, "/fetched"));
  c.world.run_for(2s);
  ASSERT_FALSE(answer->has_value()) << "it was to be interrupted";
  c.world.node(1).crash(storage::MemoryFileIo::Crash::kProcess);
  c.world.node(1).start();
  c.world.run_for(100ms);
  ASSERT_FALSE(storage::test::names_in(c.world.node(1).disk(), "/fetched").empty());
  ASSERT_TRUE(c.ask(1, node::CancelFetch{Link::parse(link)->share.hex()}));
  c.world.run_for(1s);
  EXPECT_THAT(storage::test::names_in(c.world.node(1).disk(), "/fetched"), testing::IsEmpty());
}

TEST(Cases, ACancelWhileTheStagingIsMadeLeavesNothing) {
  Case c(2);
  const std::string link = c.share(0, noise_tree(200'000));
  for (int ms = 1; ms < 120; ms += 3) {
    const auto answer = c.begin(1, Case::fetch_to(link, "/fetched"));
    c.world.run_for(std::chrono::milliseconds(ms));
    if (answer->has_value()) break;
    ASSERT_TRUE(c.ask(1, node::CancelFetch{Link::parse(link)->share.hex()}));
    c.world.run_for(200ms);
    if (!storage::test::exists(c.world.node(1).disk(), "/fetched")) continue;
    ASSERT_THAT(storage::test::names_in(c.world.node(1).disk(), "/fetched"), testing::IsEmpty())
        << "cancelled after " << ms << " ms";
  }
}

TEST(Cases, AFetchWhoseClientLeavesWhileItIsPreparedPauses) {
  Case c(2);
  const std::string link = c.share(0, noise_tree(500'000));
  for (int ms = 1; ms < 150; ms += 2) {
    const auto answer = c.begin(1, Case::fetch_to(link, "/fetched"));
    const node::RequestId request = c.request;
    c.world.run_for(std::chrono::milliseconds(ms));
    if (answer->has_value()) break;
    c.world.node(1).hang_up(request);
    c.world.run_for(2s);
    for (const node::ShareView& share : c.shares(1)) {
      ASSERT_EQ(share.state, "paused") << "left after " << ms << " ms";
    }
  }
}

TEST(Cases, AMovedTreeServesAgainWhatWasWithdrawn) {
  Case c(2);
  const Tree tree = noise_tree(100'000);
  const std::string link = c.share(0, tree);
  storage::MemoryFileIo& disk = c.world.node(0).disk();
  Tree other = tree;
  other["b"] = storage::test::file("SMALL");
  storage::test::write_tree(disk, "/other", other);
  // It is somewhere else now, and what stands at its place is not it.
  const auto root = disk.open_root("/").value();
  ASSERT_TRUE(disk.rename(root, "shared", root, "away", storage::RenameMode::kNoReplace));
  ASSERT_TRUE(disk.rename(root, "other", root, "shared", storage::RenameMode::kNoReplace));
  const auto verified = c.ask(0, node::VerifyShare{});
  ASSERT_TRUE(verified) << to_string(verified.error());
  ASSERT_FALSE(std::get<node::VerifyReport>(*verified).bad.empty());
  ASSERT_TRUE(c.ask(0, node::MovedShare{Link::parse(link)->share.hex(), "/away"}));
  const auto fetched = c.ask(1, Case::fetch_to(link, "/fetched"));
  ASSERT_TRUE(fetched) << to_string(fetched.error());
  // And after a restart.
  c.world.node(0).crash(storage::MemoryFileIo::Crash::kProcess);
  c.world.node(0).start();
  c.world.run_for(1s);
  EXPECT_EQ(c.shares(0).front().state, "shared");
}

TEST(Cases, ExpiredInvitesDoNotShutOutWhoHoldsANewOne) {
  Case c(1);
  for (int i = 0; i < 400; ++i) static_cast<void>(c.invite(1ms));
  c.world.run_for(1s);
  c.world.add_node();
  c.join(1);
}

TEST(Cases, DevicesMeetAgainAfterALongPartition) {
  for (std::uint64_t seed = 1; seed <= 6; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Case c(2, seed);
    const std::string link = c.share(0, noise_tree(10'000));
    c.world.run_for(2s);
    c.world.partition({0});
    c.world.run_for(std::chrono::seconds(90 + 7 * static_cast<int>(seed)));
    c.world.heal();
    // A user who waits makes it try at once.
    const auto fetched = c.ask(1, Case::fetch_to(link, "/fetched"), 25s);
    ASSERT_TRUE(fetched) << to_string(fetched.error());
  }
}

}  // namespace
}  // namespace kith::sim
