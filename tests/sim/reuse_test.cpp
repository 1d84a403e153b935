// What a fetch does not ask of peers, because this device has it in another share.
#include "tests/sim/case.hpp"

namespace kith::sim {
namespace {

using storage::MemoryFileIo;

// Large and small files; the second version differs in one small file, and has a new one.
Tree version(int number, std::uint64_t docs = 300, std::size_t large = 200'000) {
  Tree tree = {{"", storage::test::directory()}, {"docs", storage::test::directory()}};
  for (std::uint64_t i = 0; i < docs; ++i) {
    tree["docs/" + std::to_string(100 + i)] = storage::test::file(storage::test::noise(i + 1, 100));
  }
  tree["large"] = storage::test::file(storage::test::noise(7, large));
  if (number > 1) {
    tree["docs/101"] = storage::test::file(storage::test::noise(1'000, 90));
    tree["new"] = storage::test::file("new");
  }
  return tree;
}

// So small that a crash at each of its calls takes no time.
Tree small_version(int number) { return version(number, 10, 8'000); }

TEST(Reuse, ANewVersionCostsWhatChangedInIt) {
  Case c(2);
  const std::string first = c.share(0, version(1), "/v1");
  const std::string second = c.share(0, version(2), "/v2");
  const auto whole = c.fetched(1, Case::fetch_to(first, "/one"));
  EXPECT_EQ(whole.bytes_copied, 0U);
  const auto delta = c.fetched(1, Case::fetch_to(second, "/two"));
  EXPECT_EQ(c.tree_at(1, "/two/it"), c.tree_at(0, "/v2"));
  EXPECT_GT(delta.bytes_copied, 200'000U);
  EXPECT_LT(delta.bytes_received, 30'000U) << "of " << whole.bytes_received;
}

TEST(Reuse, WhatIsSharedHereIsNotFetched) {
  Case c(2);
  const std::string link = c.share(0, version(2), "/theirs");
  c.share(1, version(1), "/mine");
  const auto delta = c.fetched(1, Case::fetch_to(link, "/two"));
  EXPECT_EQ(c.tree_at(1, "/two/it"), c.tree_at(0, "/theirs"));
  EXPECT_GT(delta.bytes_copied, 200'000U);
}

TEST(Reuse, AFileThatChangedHereIsFetched) {
  Case c(2);
  const std::string first = c.share(0, version(1), "/v1");
  const std::string second = c.share(0, version(2), "/v2");
  c.fetched(1, Case::fetch_to(first, "/one"));
  c.edit(1, "/one/it", "large", 100'000);
  const auto delta = c.fetched(1, Case::fetch_to(second, "/two"));
  EXPECT_EQ(c.tree_at(1, "/two/it"), c.tree_at(0, "/v2"));
  EXPECT_GT(delta.bytes_copied, 100'000U);
}

TEST(Reuse, AnEarlierVersionThatIsGoneIsFetched) {
  Case c(2);
  const std::string first = c.share(0, version(1), "/v1");
  const std::string second = c.share(0, version(2), "/v2");
  c.fetched(1, Case::fetch_to(first, "/one"));
  auto& disk = c.world.node(1).disk();
  ASSERT_TRUE(storage::remove_tree(disk, *disk.open_root("/one"), "it"));
  const auto delta = c.fetched(1, Case::fetch_to(second, "/two"));
  EXPECT_EQ(c.tree_at(1, "/two/it"), c.tree_at(0, "/v2"));
  EXPECT_EQ(delta.bytes_copied, 0U);
}

TEST(Reuse, AnUnsharedVersionIsNoSource) {
  Case c(2);
  const std::string first = c.share(0, version(1), "/v1");
  const std::string second = c.share(0, version(2), "/v2");
  c.fetched(1, Case::fetch_to(first, "/one"));
  ASSERT_TRUE(c.ask(1, node::Unshare{first}));
  const auto delta = c.fetched(1, Case::fetch_to(second, "/two"));
  EXPECT_EQ(c.tree_at(1, "/two/it"), c.tree_at(0, "/v2"));
  EXPECT_EQ(delta.bytes_copied, 0U);
}

TEST(Reuse, WithoutASourceTheRestWaitsAndWhatIsHereIsTaken) {
  Case c(2);
  const std::string first = c.share(0, version(1), "/v1");
  const std::string second = c.share(0, version(2), "/v2");
  c.fetched(1, Case::fetch_to(first, "/one"));
  node::Fetch command = Case::fetch_to(second, "/two");
  const auto answer = c.begin(1, command);
  // The root must come; then the source goes for good.
  ASSERT_TRUE(c.world.run_until([&] { return c.shares(1).size() == 2; }, 60s));
  c.world.node(0).crash(MemoryFileIo::Crash::kProcess);
  ASSERT_TRUE(c.world.run_until([&] { return answer->has_value(); }, 120s));
  if (!**answer) {
    EXPECT_EQ((*answer)->error().code, Errc::kNotFound);
  }
  c.world.node(0).start();
  const auto rest = c.fetched(1, command);
  EXPECT_EQ(c.tree_at(1, "/two/it"), c.tree_at(0, "/v2"));
  EXPECT_LT(rest.bytes_received, 30'000U);
}

// --- a tree that is no share ---

node::Fetch reusing(node::Fetch command, const std::string& tree) {
  command.reuse = tree;
  return command;
}

void put_tree(Case& c, std::size_t node, const std::string& path, const Tree& tree) {
  storage::test::write_tree(c.world.node(node).disk(), path, tree);
}

TEST(ReuseTree, WhatIsTheSameIsTakenFromIt) {
  Case c(2);
  const std::string link = c.share(0, version(2), "/v2");
  put_tree(c, 1, "/old", version(1));
  const auto delta = c.fetched(1, reusing(Case::fetch_to(link, "/two"), "/old"));
  EXPECT_EQ(c.tree_at(1, "/two/it"), c.tree_at(0, "/v2"));
  EXPECT_EQ(c.tree_at(1, "/old"), storage::test::without_link_times(version(1)));
  EXPECT_GT(delta.bytes_copied, 200'000U);
  EXPECT_LT(delta.bytes_received, 45'000U);
}

TEST(ReuseTree, TheSameTreeCostsTheManifest) {
  Chunking fixed = kTiny;
  fixed.mode = ChunkingMode::kFixed;
  for (const Chunking& chunking : {kTiny, fixed}) {
    SCOPED_TRACE(static_cast<int>(chunking.mode));
    Case c(2);
    const std::string link = c.share(0, version(1), "/v1", chunking);
    put_tree(c, 1, "/old", version(1));
    const auto all = c.fetched(1, reusing(Case::fetch_to(link, "/two"), "/old"));
    EXPECT_EQ(c.tree_at(1, "/two/it"), c.tree_at(0, "/v1"));
    EXPECT_GT(all.bytes_copied, 200'000U);
    EXPECT_LT(all.bytes_received, 40'000U);
  }
}

TEST(ReuseTree, AFileOfAnotherNameServesASingleFile) {
  Case c(2);
  const Tree single = {{"", storage::test::file(storage::test::noise(9, 100'000))}};
  const std::string link = c.share(0, single, "/film");
  put_tree(c, 1, "/copy", single);
  const auto all = c.fetched(1, reusing(Case::fetch_to(link, "/two"), "/copy"));
  EXPECT_EQ(c.tree_at(1, "/two/it"), c.tree_at(0, "/film"));
  EXPECT_EQ(all.bytes_copied, 100'000U);
}

TEST(ReuseTree, OneThatIsNotThereIsAnError) {
  Case c(2);
  const std::string link = c.share(0, version(1), "/v1");
  const auto answer = c.ask(1, reusing(Case::fetch_to(link, "/two"), "/none"));
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().code, Errc::kNotFound);
  c.fetched(1, Case::fetch_to(link, "/two"));
  EXPECT_EQ(c.tree_at(1, "/two/it"), c.tree_at(0, "/v1"));
}

TEST(ReuseTree, NothingInCommonIsFetched) {
  Case c(2);
  const std::string link = c.share(0, version(1), "/v1");
  put_tree(c, 1, "/old", noise_tree(100'000, 77));
  const auto all = c.fetched(1, reusing(Case::fetch_to(link, "/two"), "/old"));
  EXPECT_EQ(c.tree_at(1, "/two/it"), c.tree_at(0, "/v1"));
  EXPECT_EQ(all.bytes_copied, 0U);
}

TEST(ReuseTree, AFetchThatIsBrokenOffGoesOnWithoutIt) {
  for (std::uint64_t call = 1;; ++call) {
    SCOPED_TRACE(call);
    Case c(2, call);
    const std::string link = c.share(0, small_version(2), "/v2");
    put_tree(c, 1, "/old", small_version(1));
    c.world.node(1).crash_at(call, MemoryFileIo::Crash::kSystem);
    c.begin(1, reusing(Case::fetch_to(link, "/two"), "/old"));
    c.world.run_for(3s);
    const bool crashed = !c.world.node(1).is_up();
    if (crashed) c.world.node(1).start();
    c.world.node(1).disk().forget_script();
    c.world.run_for(1s);
    c.fetched(1, Case::fetch_to(link, "/two"));
    EXPECT_EQ(c.tree_at(1, "/two/it"), c.tree_at(0, "/v2"));
    if (testing::Test::HasFailure() || !crashed) return;
  }
}

TEST(Reuse, ACrashAtAnyMomentLosesNothing) {
  bool crashed = true;
  for (std::uint64_t call = 1; crashed; ++call) {
    crashed = false;
    for (const auto kind : {MemoryFileIo::Crash::kProcess, MemoryFileIo::Crash::kSystem}) {
      SCOPED_TRACE(testing::Message() << "call " << call << ", kind " << static_cast<int>(kind));
      Case c(2, call);
      const std::string first = c.share(0, small_version(1), "/v1");
      const std::string second = c.share(0, small_version(2), "/v2");
      c.fetched(1, Case::fetch_to(first, "/one"));
      c.world.node(1).crash_at(call, kind);
      c.begin(1, Case::fetch_to(second, "/two"));
      c.world.run_for(5s);
      if (!c.world.node(1).is_up()) {
        crashed = true;
        c.world.node(1).start();
      }
      c.world.node(1).disk().forget_script();
      c.world.run_for(1s);
      c.fetched(1, Case::fetch_to(second, "/two"));
      EXPECT_EQ(c.tree_at(1, "/two/it"), c.tree_at(0, "/v2"));
      EXPECT_EQ(c.tree_at(1, "/one/it"), c.tree_at(0, "/v1"));
      if (testing::Test::HasFailure()) return;
    }
  }
}

}  // namespace
}  // namespace kith::sim
