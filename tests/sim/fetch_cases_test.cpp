// What may go wrong with a fetch: pages that come in any order, sources that go, a staging that is
// removed, files that change under a node that serves them already.
#include "tests/sim/case.hpp"

namespace kith::sim {
namespace {

// Many files lie in one chunk, and many pages describe it.
TEST(FetchCases, AChunkOfManyPagesIsAskedForWhenAllOfThemAreHere) {
  Tree tree{{"", storage::test::directory()}};
  for (int i = 0; i < 1000; ++i) {
    tree["file" + std::to_string(10'000 + i)] = storage::test::file("x" + std::to_string(i));
  }
  Chunking chunking = kTiny;
  chunking.mode = ChunkingMode::kFixed;
  for (std::uint64_t seed = 1; seed <= 4; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Case c(4, seed);
    const std::string link = c.share(0, tree, "/shared", chunking);
    std::vector<std::shared_ptr<Answer>> answers;
    for (std::size_t node = 1; node < 4; ++node) {
      answers.push_back(c.begin(node, Case::fetch_to(link, "/fetched")));
    }
    for (const auto& answer : answers) {
      ASSERT_TRUE(c.world.run_until([&] { return answer->has_value(); }, 120s));
      ASSERT_TRUE(**answer) << to_string((**answer).error());
    }
  }
}

TEST(FetchCases, ASourceThatStopsSharingIsNotSaidToHaveItWrong) {
  Case c(2);
  const std::string link = c.share(0, noise_tree(4 << 20));
  const auto answer = c.begin(1, Case::fetch_to(link, "/fetched"));
  c.world.run_for(1500ms);
  ASSERT_FALSE(answer->has_value()) << "it was to be interrupted";
  ASSERT_TRUE(c.ask(0, node::Unshare{Link::parse(link)->share.hex()}));
  ASSERT_TRUE(c.world.run_until([&] { return answer->has_value(); }, 120s));
  ASSERT_FALSE(**answer);
  EXPECT_EQ((**answer).error().code, Errc::kNotFound) << to_string((**answer).error());
}

TEST(FetchCases, APausedFetchWhoseStagingWasRemovedBeginsAnew) {
  Case c(2);
  const Tree tree = noise_tree(4 << 20);
  const std::string link = c.share(0, tree);
  const auto answer = c.begin(1, Case::fetch_to(link, "/fetched"));
  c.world.run_for(1500ms);
  ASSERT_FALSE(answer->has_value()) << "it was to be interrupted";
  c.world.node(1).hang_up(c.request);
  c.world.run_for(1s);
  storage::MemoryFileIo& disk = c.world.node(1).disk();
  const auto names = storage::test::names_in(disk, "/fetched");
  ASSERT_EQ(names.size(), 1U);
  ASSERT_TRUE(storage::remove_tree(disk, disk.open_root("/fetched").value(), names.front()));
  const auto again = c.ask(1, Case::fetch_to(link, "/fetched"));
  ASSERT_TRUE(again) << to_string(again.error());
  EXPECT_EQ(c.tree_at(1, "/fetched/it"), c.tree_at(0, "/shared"));
}

TEST(FetchCases, APausedFetchGoesOnWithTheFlagsOfTheLastCommand) {
  Case c(2);
  const std::string link = c.share(0, noise_tree(4 << 20));
  const auto answer = c.begin(1, Case::fetch_to(link, "/fetched"));
  c.world.run_for(1500ms);
  ASSERT_FALSE(answer->has_value()) << "it was to be interrupted";
  c.world.node(1).hang_up(c.request);
  c.world.run_for(1s);
  // Now something has its name.
  storage::test::write_tree(c.world.node(1).disk(), "/fetched/it",
                            {{"", storage::test::file("other")}});
  node::Fetch replace = Case::fetch_to(link, "/fetched");
  replace.replace = true;
  const auto again = c.ask(1, replace);
  ASSERT_TRUE(again) << to_string(again.error());
  EXPECT_EQ(c.tree_at(1, "/fetched/it"), c.tree_at(0, "/shared"));
}

TEST(FetchCases, ReplaceLeavesWhatIsTheShareAlready) {
  Case c(2);
  const std::string link = c.share(0, noise_tree(50'000));
  node::Fetch fetch = Case::fetch_to(link, "/fetched");
  fetch.replace = true;
  for (const bool already_there : {false, true}) {
    const auto fetched = c.ask(1, fetch);
    ASSERT_TRUE(fetched) << to_string(fetched.error());
    EXPECT_EQ(std::get<node::FetchResult>(*fetched).already_there, already_there);
  }
  auto& disk = c.world.node(1).disk();
  ASSERT_TRUE(disk.remove_file(*disk.open_root("/fetched/it"), "b"));
  const auto fetched = c.ask(1, fetch);
  ASSERT_TRUE(fetched) << to_string(fetched.error());
  EXPECT_FALSE(std::get<node::FetchResult>(*fetched).already_there);
  EXPECT_EQ(c.tree_at(1, "/fetched/it"), c.tree_at(0, "/shared"));
}

}  // namespace
}  // namespace kith::sim
