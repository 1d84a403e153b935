// A swarm from its first operation to the last byte, under faults. 50 nodes join by invites, some
// share random trees with tiny chunks, all fetch something by link alone; datagrams are lost,
// reordered and duplicated, a partition comes and heals, nodes crash and come back. Every fetch
// must complete with the very same tree.
#include <atomic>
#include <cstdlib>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <thread>

#include "proto/swarm/invite.hpp"
#include "tests/sim/world.hpp"
#include "tests/unit/storage/support.hpp"

namespace kith::sim {
namespace {

using namespace std::chrono_literals;
using storage::test::Tree;

constexpr std::uint32_t kDivisor = 256;  // chunks of 1 to 16 KiB

std::uint64_t from_environment(const char* name, std::uint64_t otherwise) {
  const char* text = std::getenv(name);
  return text == nullptr ? otherwise : std::strtoull(text, nullptr, 10);
}

struct Options {
  std::size_t nodes = 50;
  std::size_t sharers = 3;
  std::size_t fetchers = 12;
  std::size_t crashes = 4;
  std::size_t sharer_crashes = 2;
  bool partition = true;
};

// One run. Its state is what the callbacks of commands write to.
class Scenario {
 public:
  Scenario(std::uint64_t seed, Options options, NetworkFaults faults)
      : options_(options), world_(seed, faults) {}

  void run() {
    for (std::size_t i = 0; i < options_.nodes; ++i) world_.add_node();
    ASSERT_NO_FATAL_FAILURE(join_all());
    ASSERT_NO_FATAL_FAILURE(share_some());
    ASSERT_NO_FATAL_FAILURE(fetch_all());
    ASSERT_NO_FATAL_FAILURE(compare_all());
    ASSERT_THAT(world_.catalog_errors(), testing::IsEmpty());
  }
  [[nodiscard]] std::string trace() const { return world_.trace(); }

 private:
  struct Wanted {
    std::size_t node = 0;
    std::size_t share = 0;
    bool done = false;
    std::string problem;
  };

  void join_all() {
    bool created = false;
    world_.node(0).command(node::CreateSwarm{"swarm"}, [&](auto r) { created = r.has_value(); });
    ASSERT_TRUE(world_.run_until([&] { return created; }, 10s));
    std::size_t joined = 0;
    for (std::size_t i = 1; i < options_.nodes; ++i) {
      std::string text;
      world_.node(0).command(node::MakeInvite{}, [&](auto r) {
        if (r) text = std::get<node::InviteMade>(*r).text;
      });
      ASSERT_TRUE(world_.run_until([&] { return !text.empty(); }, 10s));
      const auto invite = Invite::parse(text);
      ASSERT_TRUE(invite);
      node::Join join{*invite, "node" + std::to_string(i), 300s};
      world_.node(i).command(std::move(join), [&, i](auto r) {
        ASSERT_TRUE(r) << "node " << i << ": " << to_string(r.error());
        ++joined;
      });
    }
    const bool all = world_.run_until([&] { return joined + 1 == options_.nodes; }, 600s);
    ASSERT_TRUE(all) << joined << " of " << options_.nodes - 1 << " joined";
  }

  void share_some() {
    const Chunking chunking = Chunking::tiny(kDivisor);
    for (std::size_t i = 0; i < options_.sharers; ++i) {
      Node& node = world_.node(sharer(i));
      Tree tree = storage::test::random_tree(world_.rng().next_u64(), chunking);
      node.disk().set_time_ns(count(world_.now().wall) * 1'000'000);
      storage::test::write_tree(node.disk(), "/shared", tree);
      // Files that a power cut takes are no fault of kith.
      ASSERT_TRUE(node.disk().sync_all(*node.disk().open_root("/")));
      const auto link = node.share("/shared", chunking);
      ASSERT_TRUE(link) << to_string(link.error());
      links_.push_back(*link);
      trees_.push_back(storage::test::read_tree(node.disk(), "/shared"));
    }
  }

  void fetch(Wanted& wanted) {
    const auto link = Link::parse(links_[wanted.share]);
    ASSERT_TRUE(link);
    node::Fetch command;
    command.link = *link;
    command.directory = "/fetched";
    command.name = "it";
    command.wait = true;
    world_.node(wanted.node).command(command, [&wanted](auto r) {
      wanted.done = r.has_value();
      if (!r) wanted.problem = to_string(r.error());
    });
  }

  void fetch_all() {
    for (std::size_t i = 0; i < options_.fetchers; ++i) {
      const std::size_t node = options_.nodes - 1 - i;
      wanted_.push_back({node, world_.rng().uniform(links_.size()), false, {}});
    }
    for (Wanted& wanted : wanted_) ASSERT_NO_FATAL_FAILURE(fetch(wanted));
    plan_faults();
    const bool all = world_.run_until([&] { return all_done(); }, 3600s);
    std::string left;
    for (const Wanted& wanted : wanted_) {
      if (!wanted.done) left += " " + std::to_string(wanted.node) + " (" + wanted.problem + ")";
    }
    ASSERT_TRUE(all) << "not fetched:" << left;
  }

  [[nodiscard]] bool all_done() const {
    return std::all_of(wanted_.begin(), wanted_.end(), [](const Wanted& w) { return w.done; });
  }

  void plan_faults() {
    if (options_.partition) {
      world_.after(300ms, [this] {
        std::set<std::size_t> side;
        for (std::size_t i = 0; i < options_.nodes; ++i) {
          if (world_.rng().chance(1, 2)) side.insert(i);
        }
        world_.partition(side);
      });
      world_.after(20s, [this] { world_.heal(); });
    }
    for (std::size_t i = 0; i < options_.crashes; ++i) {
      const auto ms = static_cast<std::int64_t>(world_.rng().uniform(8'000));
      world_.after(std::chrono::milliseconds(ms), [this, i] { crash_fetcher(i); });
    }
    for (std::size_t i = 0; i < options_.sharer_crashes; ++i) {
      const auto ms = static_cast<std::int64_t>(world_.rng().uniform(8'000));
      world_.after(std::chrono::milliseconds(ms),
                   [this, i] { crash(world_.node(sharer(i % options_.sharers)), [] {}); });
    }
  }

  [[nodiscard]] std::size_t sharer(std::size_t number) const { return number * 7 % options_.nodes; }

  void crash_fetcher(std::size_t number) {
    Wanted& wanted = wanted_[number % wanted_.size()];
    if (wanted.done) return;
    crash(world_.node(wanted.node), [this, &wanted] { fetch(wanted); });  // the same command again
  }

  template <class Then>
  void crash(Node& node, Then then) {
    if (!node.is_up()) return;
    const bool system = world_.rng().chance(1, 2);
    node.crash(system ? storage::MemoryFileIo::Crash::kSystem
                      : storage::MemoryFileIo::Crash::kProcess);
    world_.after(2s, [&node, then] {
      node.start();
      then();
    });
  }

  void compare_all() {
    for (const Wanted& wanted : wanted_) {
      const Tree got = storage::test::read_tree(world_.node(wanted.node).disk(), "/fetched/it");
      ASSERT_EQ(got.size(), trees_[wanted.share].size()) << "node " << wanted.node;
      ASSERT_TRUE(got == trees_[wanted.share]) << "node " << wanted.node << " got another tree";
    }
  }

  Options options_;
  World world_;
  std::vector<std::string> links_;
  std::vector<Tree> trees_;
  std::vector<Wanted> wanted_;
};

NetworkFaults faults() { return {.loss_percent = 10, .duplicate_percent = 5}; }

TEST(Swarm, TwoNodesShareAndFetch) {
  Scenario scenario(1,
                    {.nodes = 2,
                     .sharers = 1,
                     .fetchers = 1,
                     .crashes = 0,
                     .sharer_crashes = 0,
                     .partition = false},
                    {});
  scenario.run();
}

std::string trace_of(std::uint64_t seed) {
  Scenario scenario(seed, {}, faults());
  scenario.run();
  return scenario.trace();
}

TEST(Swarm, SameSeedSameTrace) {
  const std::string trace = trace_of(42);
  EXPECT_EQ(trace_of(42), trace);
  EXPECT_NE(trace_of(43), trace);
}

TEST(Swarm, EveryFetchCompletesUnderFaults) {
  const std::uint64_t first = from_environment("KITH_SIM_FIRST", 1);
  const std::uint64_t end = first + from_environment("KITH_SIM_SEEDS", 20);
  // Worlds share nothing: each core has its own.
  std::atomic<std::uint64_t> next = first;
  const auto run = [&] {
    for (std::uint64_t seed = next++; seed < end && !HasFatalFailure(); seed = next++) {
      SCOPED_TRACE("seed " + std::to_string(seed));
      Scenario scenario(seed, {}, faults());
      scenario.run();
    }
  };
  std::vector<std::thread> threads;
  for (unsigned i = 1; i < std::thread::hardware_concurrency(); ++i) threads.emplace_back(run);
  run();
  for (std::thread& thread : threads) thread.join();
}

}  // namespace
}  // namespace kith::sim
