// What may go wrong with a fetch: pages that come in any order, sources that go, a staging that is
// removed, files that change under a node that serves them already.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "proto/swarm/invite.hpp"
#include "tests/sim/world.hpp"
#include "tests/unit/storage/support.hpp"

namespace kith::sim {
namespace {

using namespace std::chrono_literals;
using storage::test::Tree;

using Answer = std::optional<Result<node::Done>>;

const Chunking kTiny = Chunking::tiny(256);

class FetchCase {
 public:
  explicit FetchCase(std::size_t nodes, std::uint64_t seed = 1) : world(seed) {
    for (std::size_t i = 0; i < nodes; ++i) world.add_node();
    EXPECT_TRUE(ask(0, node::CreateSwarm{"swarm"}));
    for (std::size_t i = 1; i < nodes; ++i) join(i);
  }
  ~FetchCase() { EXPECT_THAT(world.catalog_errors(), testing::IsEmpty()); }

  std::string invite(std::chrono::milliseconds lifetime = 24h) {
    node::MakeInvite command;
    command.lifetime = lifetime;
    return std::get<node::InviteMade>(*ask(0, command)).text;
  }

  void join(std::size_t node) {
    const auto joined = ask(node, node::Join{*Invite::parse(invite()), "a device", 60s});
    ASSERT_TRUE(joined) << to_string(joined.error());
  }

  /// The final answer of a command, within `limit`.
  Result<node::Done> ask(std::size_t node, node::CommandBody body, Duration limit = 120s) {
    const auto answer = begin(node, std::move(body));
    if (!world.run_until([&] { return answer->has_value(); }, limit)) {
      return local_error(Errc::kTimeout, "no answer");
    }
    return std::move(**answer);
  }

  std::shared_ptr<Answer> begin(std::size_t node, node::CommandBody body) {
    auto answer = std::make_shared<Answer>();
    request =
        world.node(node).command(std::move(body), [answer](auto r) { *answer = std::move(r); });
    return answer;
  }

  std::string share(std::size_t node, const Tree& tree, const std::string& path = "/shared",
                    const Chunking& chunking = kTiny) {
    storage::MemoryFileIo& disk = world.node(node).disk();
    disk.set_time_ns(count(world.now().wall) * 1'000'000);
    storage::test::write_tree(disk, path, tree);
    const auto link = world.node(node).share(path, chunking);
    EXPECT_TRUE(link) << to_string(link.error());
    return link ? *link : std::string();
  }

  static node::Fetch fetch_to(const std::string& link, const std::string& directory) {
    node::Fetch out;
    out.link = *Link::parse(link);
    out.directory = directory;
    out.name = "it";
    return out;
  }

  Tree tree_at(std::size_t node, const std::string& path) {
    return storage::test::read_tree(world.node(node).disk(), path);
  }

  std::vector<node::ShareView> shares(std::size_t node) {
    return std::get<node::SharesAnswer>(*ask(node, node::ListShares{})).shares;
  }

  World world;
  node::RequestId request{};  // of the last command
};

Tree noise_tree(std::size_t bytes, std::uint64_t seed = 7) {
  return {{"", storage::test::directory()},
          {"a", storage::test::file(storage::test::noise(seed, bytes))},
          {"b", storage::test::file("small")}};
}

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
    FetchCase c(4, seed);
    const std::string link = c.share(0, tree, "/shared", chunking);
    std::vector<std::shared_ptr<Answer>> answers;
    for (std::size_t node = 1; node < 4; ++node) {
      answers.push_back(c.begin(node, FetchCase::fetch_to(link, "/fetched")));
    }
    for (const auto& answer : answers) {
      ASSERT_TRUE(c.world.run_until([&] { return answer->has_value(); }, 120s));
      ASSERT_TRUE(**answer) << to_string((**answer).error());
    }
  }
}

TEST(FetchCases, ASourceThatStopsSharingIsNotSaidToHaveItWrong) {
  FetchCase c(2);
  const std::string link = c.share(0, noise_tree(4 << 20));
  const auto answer = c.begin(1, FetchCase::fetch_to(link, "/fetched"));
  c.world.run_for(1500ms);
  ASSERT_FALSE(answer->has_value()) << "it was to be interrupted";
  ASSERT_TRUE(c.ask(0, node::Unshare{Link::parse(link)->share.hex()}));
  ASSERT_TRUE(c.world.run_until([&] { return answer->has_value(); }, 120s));
  ASSERT_FALSE(**answer);
  EXPECT_EQ((**answer).error().code, Errc::kNotFound) << to_string((**answer).error());
}

TEST(FetchCases, APausedFetchWhoseStagingWasRemovedBeginsAnew) {
  FetchCase c(2);
  const Tree tree = noise_tree(4 << 20);
  const std::string link = c.share(0, tree);
  const auto answer = c.begin(1, FetchCase::fetch_to(link, "/fetched"));
  c.world.run_for(1500ms);
  ASSERT_FALSE(answer->has_value()) << "it was to be interrupted";
  c.world.node(1).hang_up(c.request);
  c.world.run_for(1s);
  storage::MemoryFileIo& disk = c.world.node(1).disk();
  const auto names = storage::test::names_in(disk, "/fetched");
  ASSERT_EQ(names.size(), 1U);
  ASSERT_TRUE(storage::remove_tree(disk, disk.open_root("/fetched").value(), names.front()));
  const auto again = c.ask(1, FetchCase::fetch_to(link, "/fetched"));
  ASSERT_TRUE(again) << to_string(again.error());
  EXPECT_EQ(c.tree_at(1, "/fetched/it"), c.tree_at(0, "/shared"));
}

TEST(FetchCases, APausedFetchGoesOnWithTheFlagsOfTheLastCommand) {
  FetchCase c(2);
  const std::string link = c.share(0, noise_tree(4 << 20));
  const auto answer = c.begin(1, FetchCase::fetch_to(link, "/fetched"));
  c.world.run_for(1500ms);
  ASSERT_FALSE(answer->has_value()) << "it was to be interrupted";
  c.world.node(1).hang_up(c.request);
  c.world.run_for(1s);
  // Now something has its name.
  storage::test::write_tree(c.world.node(1).disk(), "/fetched/it",
                            {{"", storage::test::file("other")}});
  node::Fetch replace = FetchCase::fetch_to(link, "/fetched");
  replace.replace = true;
  const auto again = c.ask(1, replace);
  ASSERT_TRUE(again) << to_string(again.error());
  EXPECT_EQ(c.tree_at(1, "/fetched/it"), c.tree_at(0, "/shared"));
}

}  // namespace
}  // namespace kith::sim
