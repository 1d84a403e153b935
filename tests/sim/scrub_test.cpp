// The scrub: reads everything once in a while, slowly, goes on after a restart, and repairs.
#include "tests/sim/case.hpp"

namespace kith::sim {
namespace {

using storage::MemoryFileIo;

constexpr std::chrono::milliseconds kMonth = std::chrono::hours(24 * 30);

struct Scrubbed : Case {
  explicit Scrubbed(std::size_t bytes = 50'000) : Case(2) {
    tree = noise_tree(bytes);
    for (auto& [path, item] : tree) item.mtime_ns = 1'600'000'000'123'456'789;
    link = share(0, tree);
    EXPECT_TRUE(ask(1, fetch_to(link, "/fetched")));
    world.run_for(10s);
  }
  void set(std::uint64_t rate, std::chrono::milliseconds every) {
    EXPECT_TRUE(ask(1, node::SetScrub{{rate, every}}));
  }
  node::ShareView view() { return shares(1).front(); }
  node::ScrubView scrub() { return std::get<node::StatusView>(*ask(1, node::GetStatus{})).scrub; }
  bool is_whole() { return tree_at(1, "/fetched/it") == tree; }
  void restart() {
    world.node(1).crash(MemoryFileIo::Crash::kProcess);
    world.node(1).start();
  }
  std::size_t events(const std::string& kind) {
    const auto& all = world.node(1).events();
    return static_cast<std::size_t>(std::ranges::count(all, kind, &node::NodeEvent::kind));
  }

  Tree tree;
  std::string link;
};

TEST(Scrub, FindsAndRepairsWhatRotted) {
  Scrubbed c;
  c.world.node(1).disk().rot("/fetched/it/a", 30'000);
  c.set(100'000, 5s);
  EXPECT_TRUE(c.world.run_until([&] { return c.is_whole(); }, 60s));
  c.world.run_for(1s);
  EXPECT_EQ(c.events("chunk-damaged"), 1U);
  EXPECT_EQ(c.events("chunk-repaired"), 1U);
  EXPECT_EQ(c.view().state, "complete");
  EXPECT_EQ(c.view().repaired, 1U);
  c.restart();
  c.world.run_for(1s);
  EXPECT_EQ(c.view().repaired, 1U) << "the ledger is kept";
}

TEST(Scrub, ReadsNoFasterThanItMay) {
  Scrubbed c;
  c.set(1'000, 5s);
  const UnixMillis before = c.view().scrubbed;
  c.world.run_for(45s);
  EXPECT_EQ(c.view().scrubbed, before);
  EXPECT_EQ(c.scrub().name, "it");
  EXPECT_GT(c.scrub().done, 0U);
  EXPECT_LT(c.scrub().done, c.scrub().total);
  EXPECT_TRUE(c.world.run_until([&] { return c.view().scrubbed != before; }, 60s));
}

TEST(Scrub, GoesOnWhereItWasAfterARestart) {
  Scrubbed c(400'000);
  c.set(4'000, 5s);
  c.world.run_for(70s);
  const std::uint64_t done = c.scrub().done;
  ASSERT_GT(done, 40U) << c.scrub().total;
  c.restart();
  c.set(4'000, 5s);
  c.world.run_for(1s);
  EXPECT_GT(c.scrub().done, done / 2) << "half a minute is read again at most";
}

TEST(Scrub, WhatWasJustMadeIsNotDueBeforeAMonthIsOver) {
  Scrubbed c;
  c.set(1'000'000'000, kMonth);
  const UnixMillis made = c.view().scrubbed;
  EXPECT_NE(made, UnixMillis{});
  c.world.run_for(300s);
  EXPECT_EQ(c.view().scrubbed, made);
  c.world.node(1).shift_clock(kMonth);
  EXPECT_TRUE(c.world.run_until([&] { return c.view().scrubbed != made; }, 120s));
}

TEST(Scrub, AClockThatWasSetBackDoesNotPutItOff) {
  Scrubbed c;
  c.set(1'000'000'000, kMonth);
  const UnixMillis made = c.view().scrubbed;
  c.world.node(1).shift_clock(-std::chrono::hours(1));
  EXPECT_TRUE(c.world.run_until([&] { return c.view().scrubbed < made; }, 120s));
}

// It was asked for a good chunk, so what it has is looked at before its turn.
TEST(Scrub, ACopyThatCouldNotHelpIsRepairedTooAtOnce) {
  Scrubbed c;
  ASSERT_TRUE(c.ask(1, Case::fetch_to(c.link, "/second")));
  c.world.run_for(10s);
  c.world.node(1).disk().rot("/fetched/it/a", 45'000);
  c.world.node(1).disk().rot("/second/it/a", 45'000);
  c.set(500, 5s);
  const auto are_whole = [&] { return c.is_whole() && c.tree_at(1, "/second/it") == c.tree; };
  ASSERT_TRUE(c.world.run_until([&] { return c.events("chunk-damaged") > 0; }, 300s));
  EXPECT_TRUE(c.world.run_until(are_whole, 20s));
}

TEST(Scrub, CanBeTurnedOff) {
  Scrubbed c;
  c.set(0, 5s);
  c.world.node(1).disk().rot("/fetched/it/a", 30'000);
  c.world.run_for(300s);
  EXPECT_FALSE(c.is_whole());
  EXPECT_EQ(c.scrub().rate, 0U);
  c.set(1'000'000, 5s);
  EXPECT_TRUE(c.world.run_until([&] { return c.is_whole(); }, 60s));
}

TEST(Scrub, DamageThatWasNotRepairedIsLookedAtAgainAfterARestart) {
  Scrubbed c;
  c.world.node(0).crash(MemoryFileIo::Crash::kProcess);
  c.world.node(1).disk().rot("/fetched/it/a", 30'000);
  ASSERT_TRUE(c.ask(1, node::VerifyShare{}));
  c.world.run_for(1s);
  c.restart();
  c.world.run_for(5s);
  EXPECT_EQ(c.view().damaged, 1U);
  c.world.node(0).start();
  EXPECT_TRUE(c.world.run_until([&] { return c.is_whole(); }, 120s));
}

TEST(Scrub, StandsBackWhileChunksAreFetched) {
  const auto read_in = [](bool busy) {
    Scrubbed c(400'000);
    const std::string other = c.share(0, noise_tree(4 << 20, 9), "/other");
    c.set(20'000, 5s);
    std::shared_ptr<Answer> fetch;
    if (busy) {
      EXPECT_TRUE(c.ask(1, node::SetLimit{200'000}));
      fetch = c.begin(1, Case::fetch_to(other, "/more"));
    }
    c.world.run_for(15s);
    EXPECT_FALSE(busy && fetch->has_value()) << "it was to be under way";
    return c.scrub().done;
  };
  const std::uint64_t alone = read_in(false);
  const std::uint64_t beside = read_in(true);
  EXPECT_GT(beside, 0U);
  EXPECT_LT(beside * 2, alone);
}

}  // namespace
}  // namespace kith::sim
