// The room that copies take: the quota, low space, and what is given back.
#include "tests/sim/case.hpp"

namespace kith::sim {
namespace {

using storage::MemoryFileIo;

constexpr std::size_t kSize = 100'000;  // of "a" of noise_tree; "b" has 5 bytes
constexpr std::uint64_t kBytes = kSize + 5;

node::QuotaAnswer quota(Case& c, std::optional<std::uint64_t> bytes = {}) {
  return std::get<node::QuotaAnswer>(*c.ask(1, node::ChangeQuota{bytes}));
}

node::GarbageReport collect(Case& c, bool dry_run = false) {
  const auto done = c.ask(1, node::CollectGarbage{dry_run});
  EXPECT_TRUE(done);
  return std::get<node::GarbageReport>(*done);
}

node::Fetch named(node::Fetch fetch, const std::string& name) {
  fetch.name = name;
  return fetch;
}

std::string selector(const std::string& link) { return Link::parse(link)->share.hex(); }

TEST(Quota, CountsWhatWasFetchedAndRefusesWhatDoesNotFit) {
  Case c(2);
  const std::string one = c.share(0, noise_tree(kSize, 1), "/one");
  const std::string two = c.share(0, noise_tree(kSize, 2), "/two");
  c.share(1, noise_tree(kSize, 3), "/own");
  EXPECT_EQ(quota(c, 2 * kBytes - 1).used, 0U) << "a share in place counts nothing";
  ASSERT_TRUE(c.ask(1, named(Case::fetch_to(one, "/fetched"), "one")));
  EXPECT_EQ(quota(c).used, kBytes);
  const auto refused = c.ask(1, named(Case::fetch_to(two, "/fetched"), "two"));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Errc::kNoSpace);
  EXPECT_THAT(refused.error().what, testing::HasSubstr("1 are missing"));
  EXPECT_THAT(storage::test::names_in(c.world.node(1).disk(), "/fetched"),
              testing::ElementsAre("one"));
  EXPECT_EQ(quota(c).used, kBytes);
  // It is whole here already: that costs nothing.
  EXPECT_TRUE(c.ask(1, named(Case::fetch_to(one, "/fetched"), "one")));
  quota(c, 2 * kBytes);
  EXPECT_TRUE(c.ask(1, named(Case::fetch_to(two, "/fetched"), "two")));
  EXPECT_EQ(quota(c).used, 2 * kBytes);
}

TEST(Quota, IsKept) {
  Case c(2);
  const std::string link = c.share(0, noise_tree(kSize));
  ASSERT_TRUE(c.ask(1, Case::fetch_to(link, "/fetched")));
  quota(c, 123);
  c.world.node(1).crash(Node::Crash::kSystem);
  c.world.node(1).start();
  // Asked at once: what there is was not taken up yet.
  EXPECT_EQ(quota(c).limit, 123U);
  EXPECT_EQ(quota(c).used, kBytes);
  EXPECT_FALSE(c.ask(1, Case::fetch_to(link, "/elsewhere")));
  quota(c, 0);
  EXPECT_TRUE(c.ask(1, Case::fetch_to(link, "/elsewhere")));
}

TEST(Quota, TwoFetchesAtOnceDoNotBothTakeTheRest) {
  Case c(2);
  const std::string one = c.share(0, noise_tree(kSize, 1), "/one");
  const std::string two = c.share(0, noise_tree(kSize, 2), "/two");
  quota(c, kBytes + 10);
  const auto first = c.begin(1, named(Case::fetch_to(one, "/fetched"), "one"));
  const auto second = c.begin(1, named(Case::fetch_to(two, "/fetched"), "two"));
  ASSERT_TRUE(c.world.run_until([&] { return first->has_value() && second->has_value(); }, 120s));
  EXPECT_NE((*first)->has_value(), (*second)->has_value());
}

TEST(Quota, WhatIsUnsharedOrCancelledOrReplacedCountsNoMore) {
  Case c(2);
  const std::string one = c.share(0, noise_tree(kSize, 1), "/one");
  const std::string two = c.share(0, noise_tree(kSize, 2), "/two");
  ASSERT_TRUE(c.ask(1, Case::fetch_to(one, "/fetched")));
  node::Fetch replace = Case::fetch_to(two, "/fetched");
  replace.replace = true;
  ASSERT_TRUE(c.ask(1, replace));
  EXPECT_EQ(quota(c).used, kBytes);
  ASSERT_EQ(c.shares(1).size(), 1U);
  ASSERT_TRUE(c.ask(1, node::Unshare{selector(two)}));
  EXPECT_EQ(quota(c).used, 0U);
  EXPECT_EQ(c.tree_at(1, "/fetched/it"), c.tree_at(0, "/two")) << "the files are the user's";

  ASSERT_TRUE(c.ask(0, node::SetLimit{20'000}));
  c.begin(1, Case::fetch_to(one, "/other"));
  c.world.run_for(2s);
  EXPECT_EQ(quota(c).used, kBytes) << "a fetch counts whole";
  ASSERT_TRUE(c.ask(1, node::CancelFetch{selector(one)}));
  EXPECT_EQ(quota(c).used, 0U);
}

TEST(LowSpace, AFetchStopsBeforeTheReserveAndGoesOnWhenThereIsRoom) {
  constexpr std::uint64_t kCapacity = 40'000'000;
  Case c(2);
  Tree tree = noise_tree(10);
  for (int i = 0; i < 150; ++i) {  // each of them whole in a chunk
    tree["f" + std::to_string(i)] =
        storage::test::file(storage::test::noise(static_cast<std::uint64_t>(i), 200'000));
  }
  const std::string link = c.share(0, tree, "/shared", Chunking::tiny(1));
  MemoryFileIo& disk = c.world.node(1).disk();
  disk.set_capacity(kCapacity);
  ASSERT_TRUE(c.ask(0, node::SetLimit{8'000'000}));
  const auto answer = c.begin(1, Case::fetch_to(link, "/fetched"));
  ASSERT_TRUE(c.world.run_until([&] { return disk.used_bytes() > 4'000'000; }, 60s));
  // Somebody else takes what was free, but for 12 MB.
  disk.set_capacity(disk.used_bytes() + 12'000'000);
  ASSERT_TRUE(c.world.run_until([&] { return answer->has_value(); }, 120s));
  ASSERT_FALSE(**answer);
  EXPECT_EQ((**answer).error().code, Errc::kNoSpace) << to_string((**answer).error());
  const auto info = disk.file_system(disk.open_root("/").value()).value();
  EXPECT_GE(info.free_bytes, info.total_bytes / 100);
  const auto stopped = c.shares(1).front();
  EXPECT_EQ(stopped.state, "failed");
  EXPECT_THAT(stopped.problem, testing::HasSubstr("are to stay so"));
  EXPECT_GT(stopped.bytes_have, 3'000'000U);
  // The same again, and at once: nothing has changed.
  const auto again = c.ask(1, Case::fetch_to(link, "/fetched"));
  ASSERT_FALSE(again);
  EXPECT_EQ(again.error().code, Errc::kNoSpace);
  disk.set_capacity(kCapacity);
  const auto resumed = c.ask(1, Case::fetch_to(link, "/fetched"));
  ASSERT_TRUE(resumed) << to_string(resumed.error());
  EXPECT_LT(std::get<node::FetchResult>(*resumed).bytes_received, 28'000'000U);
  EXPECT_EQ(c.tree_at(1, "/fetched/it"), c.tree_at(0, "/shared"));
}

// A fetch that is stopped while its staging cannot be removed.
std::string cancel_in_vain(Case& c) {
  const std::string link = c.share(0, noise_tree(kSize));
  EXPECT_TRUE(c.ask(0, node::SetLimit{50'000}));
  c.begin(1, Case::fetch_to(link, "/fetched"));
  c.world.run_for(1s);
  c.world.node(1).disk().set_read_only(true);
  EXPECT_TRUE(c.ask(1, node::CancelFetch{selector(link)}));
  c.world.run_for(1s);
  EXPECT_THAT(c.shares(1), testing::IsEmpty());
  return link;
}

TEST(Garbage, AStagingThatCouldNotBeRemovedIsRemovedLater) {
  Case c(2);
  const std::string link = cancel_in_vain(c);
  MemoryFileIo& disk = c.world.node(1).disk();
  const auto kept = collect(c);
  ASSERT_EQ(kept.items.size(), 1U);
  EXPECT_THAT(kept.items[0].problem, testing::Not(testing::IsEmpty()));
  disk.set_read_only(false);
  const auto dry = collect(c, true);
  ASSERT_EQ(dry.items.size(), 1U);
  EXPECT_EQ(dry.items[0].kind, "staging");
  EXPECT_EQ(dry.items[0].path, "/fetched/it");
  EXPECT_GT(dry.items[0].bytes, 0U);
  EXPECT_EQ(dry.items[0].problem, "");
  EXPECT_EQ(storage::test::names_in(disk, "/fetched").size(), 1U) << "it was to look only";
  const auto freed = collect(c);
  ASSERT_EQ(freed.items.size(), 1U);
  EXPECT_EQ(freed.items[0].bytes, dry.items[0].bytes);
  EXPECT_THAT(storage::test::names_in(disk, "/fetched"), testing::IsEmpty());
  EXPECT_THAT(collect(c).items, testing::IsEmpty());
}

TEST(Garbage, AStartRemovesWhatTheLastRunCouldNot) {
  Case c(2);
  cancel_in_vain(c);
  MemoryFileIo& disk = c.world.node(1).disk();
  c.world.node(1).crash(Node::Crash::kSystem);
  disk.set_read_only(false);
  c.world.node(1).start();
  c.world.run_for(1s);
  EXPECT_THAT(storage::test::names_in(disk, "/fetched"), testing::IsEmpty());
  EXPECT_THAT(collect(c).items, testing::IsEmpty());
}

TEST(Garbage, AFetchToTheSamePlaceIsNotTakenForIt) {
  Case c(2);
  const std::string link = cancel_in_vain(c);
  c.world.node(1).disk().set_read_only(false);
  c.begin(1, Case::fetch_to(link, "/fetched"));
  c.world.run_for(1s);
  EXPECT_THAT(collect(c).items, testing::IsEmpty());
  ASSERT_TRUE(c.ask(0, node::SetLimit{0}));
  EXPECT_TRUE(c.ask(1, Case::fetch_to(link, "/fetched")));
  EXPECT_EQ(c.tree_at(1, "/fetched/it"), c.tree_at(0, "/shared"));
}

TEST(Garbage, AFetchedCopyThatItsOwnerRemovedIsForgottenAndAShareIsNot) {
  Case c(2);
  const std::string link = c.share(0, noise_tree(kSize));
  c.share(1, noise_tree(kSize, 3), "/own");
  ASSERT_TRUE(c.ask(1, Case::fetch_to(link, "/fetched")));
  EXPECT_THAT(collect(c).items, testing::IsEmpty());
  MemoryFileIo& disk = c.world.node(1).disk();
  ASSERT_TRUE(storage::remove_tree(disk, disk.open_root("/fetched").value(), "it"));
  ASSERT_TRUE(storage::remove_tree(disk, disk.open_root("/").value(), "own"));
  const auto dry = collect(c, true);
  ASSERT_EQ(dry.items.size(), 1U);
  EXPECT_EQ(dry.items[0].kind, "copy");
  EXPECT_EQ(dry.items[0].path, "/fetched/it");
  EXPECT_EQ(c.shares(1).size(), 2U);
  EXPECT_EQ(collect(c).items.size(), 1U);
  ASSERT_EQ(c.shares(1).size(), 1U);
  EXPECT_EQ(c.shares(1).front().path, "/own");
  EXPECT_EQ(quota(c).used, 0U);
}

// After a crash at every single call of a cancel the staging goes, or the fetch is still there.
TEST(Garbage, ACrashWhileAFetchIsCancelledLeavesNothingBehind) {
  for (const auto kind : {MemoryFileIo::Crash::kProcess, MemoryFileIo::Crash::kSystem}) {
    bool crashed = true;
    for (std::uint64_t call = 1; crashed && !testing::Test::HasFailure(); ++call) {
      SCOPED_TRACE(testing::Message() << "call " << call << ", kind " << static_cast<int>(kind));
      Case c(2, call);
      const std::string link = c.share(0, noise_tree(20'000));
      MemoryFileIo& disk = c.world.node(1).disk();
      ASSERT_TRUE(c.ask(0, node::SetLimit{2'000}));
      c.begin(1, Case::fetch_to(link, "/fetched"));
      c.world.run_for(2s);
      c.world.node(1).crash_at(call, kind);
      c.begin(1, node::CancelFetch{selector(link)});
      c.world.run_for(1s);
      crashed = !c.world.node(1).is_up();
      disk.forget_script();
      if (crashed) c.world.node(1).start();
      c.world.run_for(1s);
      if (!c.shares(1).empty()) {
        EXPECT_TRUE(c.ask(1, node::CancelFetch{selector(link)}));
        c.world.run_for(1s);
      }
      if (!storage::test::exists(disk, "/fetched")) continue;
      EXPECT_THAT(storage::test::names_in(disk, "/fetched"), testing::IsEmpty());
      EXPECT_THAT(collect(c).items, testing::IsEmpty());
    }
  }
}

}  // namespace
}  // namespace kith::sim
