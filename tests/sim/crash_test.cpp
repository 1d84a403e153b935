// A node that crashes at every single call on its disk, as a process and as a machine, while it
// fetches, serves or shares. After a restart the same command gives what it would have given; at no
// moment is anything but the whole tree, or what was there before, under the final name.
#include "tests/sim/case.hpp"

namespace kith::sim {
namespace {

using storage::split;
using storage::test::directory;
using storage::test::file;
using Crash = Node::Crash;

const Tree& small_tree() {
  static const Tree kTree = {{"", directory(0750)},
                             {"a", file(storage::test::noise(1, 30'000), 0600)},
                             {"deep", directory()},
                             {"deep/er", directory(0700)},
                             {"deep/er/b", file("some words")},
                             {"deep/er/c", file("", 0444)},
                             {"empty", directory(0555)},
                             {"link", storage::test::symlink("deep/er/b")},
                             {"z", file(storage::test::noise(2, 5'000), 0755)}};
  return kTree;
}

void write_durably(storage::MemoryFileIo& disk, const std::string& path, const Tree& tree) {
  storage::test::write_tree(disk, path, tree);
  ASSERT_TRUE(disk.sync_all(disk.open_root("/").value()));
}

// So many calls before its end a fetch of small_tree() has everything, and its rename is to come.
constexpr std::uint64_t kCallsAtTheEnd = 12;

// Node 0 shares; what it wrote is safe.
std::string share_small(Case& c) {
  storage::MemoryFileIo& disk = c.world.node(0).disk();
  disk.set_time_ns(count(c.world.now().wall) * 1'000'000);
  write_durably(disk, "/shared", small_tree());
  c.world.run_for(10s);
  return c.world.node(0).share("/shared", kTiny).value();
}

// Bytes come to a file of the staging.
void change_staged(storage::MemoryFileIo& disk, const ShareId& share, const std::string& name) {
  const std::string staging = "/fetched/" + storage::staging_name("it", share);
  const storage::Dir top = disk.open_root(staging + "/" + std::string(split(name).parent)).value();
  const auto file = disk.open_file(top, split(name).name, storage::OpenMode::kReadWrite).value();
  char bytes[] = "xx";
  const iovec part{bytes, 2};
  ASSERT_TRUE(disk.write(file, disk.stat(file)->size, std::span(&part, 1)));
}

class CrashTest : public testing::TestWithParam<Crash> {
 protected:
  // The fetch, with a crash before call number `call` and perhaps another one after the restart.
  // False: it ended before that many calls.
  static bool fetch_with_crash(std::uint64_t call, std::uint64_t again, const Tree& before) {
    SCOPED_TRACE(testing::Message() << "crash at call " << call << ", then at " << again);
    Case c(2, call);
    Node& node = c.world.node(1);
    const std::string link = share_small(c);
    const Tree whole = storage::test::without_link_times(small_tree());
    if (!before.empty()) {
      storage::test::make_dir(node.disk(), "/fetched");
      write_durably(node.disk(), "/fetched/it", before);
    }
    node::Fetch command = Case::fetch_to(link, "/fetched");
    command.replace = !before.empty();
    const auto expect_sound = [&] {
      const Tree now = visible(node.disk());
      EXPECT_TRUE(now == whole || now == before) << "something half is visible";
    };

    node.crash_at(call, GetParam());
    if (!run_to_crash(c, command)) return false;
    expect_sound();
    node.start();
    if (again > 0) {
      node.crash_at(again, GetParam());
      if (run_to_crash(c, command)) {
        expect_sound();
        node.start();
      }
      node.disk().forget_script();
    }
    const auto fetched = c.ask(1, command);
    EXPECT_TRUE(fetched) << to_string(fetched.error());
    EXPECT_EQ(visible(node.disk()), whole);
    c.world.run_for(1s);
    EXPECT_THAT(storage::test::names_in(node.disk(), "/fetched"), testing::ElementsAre("it"));
    const auto shares = c.shares(1);
    EXPECT_EQ(shares.size(), 1U);
    EXPECT_TRUE(shares.empty() || shares.front().state == "complete") << shares.front().state;
    return true;
  }

  static Tree visible(storage::MemoryFileIo& disk) {
    if (!storage::test::exists(disk, "/fetched")) return {};
    return storage::test::read_tree(disk, "/fetched/it");
  }

  // False: the command was answered, well, before the crash.
  static bool run_to_crash(Case& c, const node::Fetch& command) {
    Node& node = c.world.node(1);
    const auto answer = c.begin(1, command);
    EXPECT_TRUE(c.world.run_until([&] { return answer->has_value() || !node.is_up(); }, 120s));
    if (!node.is_up()) return true;
    EXPECT_TRUE(**answer) << to_string((**answer).error());
    return false;
  }
};

TEST_P(CrashTest, WhileItFetches) {
  std::uint64_t call = 1;
  while (fetch_with_crash(call, 0, {}) && !HasFailure()) ++call;
  EXPECT_GT(call, 60U) << "so few calls?";
}

TEST_P(CrashTest, WhileItFetchesAndWhileItGoesOn) {
  SeededRng rng(1);
  std::uint64_t call = 1;
  while (fetch_with_crash(call, 1 + rng.uniform(60), {}) && !HasFailure()) ++call;
}

TEST_P(CrashTest, WhileItReplacesWhatWasThere) {
  const Tree before = {{"", directory()}, {"a", file("of an earlier version")}};
  std::uint64_t call = 1;
  while (fetch_with_crash(call, 0, before) && !HasFailure()) ++call;
  EXPECT_GT(call, 60U) << "so few calls?";
}

std::uint64_t calls_of_a_fetch(std::uint64_t seed) {
  Case c(2, seed);
  const node::Fetch command = Case::fetch_to(share_small(c), "/fetched");
  const std::uint64_t before = c.world.node(1).disk().calls();
  EXPECT_TRUE(c.ask(1, command));
  return c.world.node(1).disk().calls() - before;
}

// What came before the first crash is changed while the node is down, so that it is found out at
// the end, and fetched again. False: it ended before that many calls.
bool repair_with_crash(std::uint64_t call, Crash kind, const std::string& name) {
  const std::uint64_t calls = calls_of_a_fetch(call);
  SCOPED_TRACE(testing::Message() << "crash at call " << call << ", " << name << " changed");
  Case c(2, call);
  Node& node = c.world.node(1);
  const node::Fetch command = Case::fetch_to(share_small(c), "/fetched");
  node.crash_at(calls - kCallsAtTheEnd, Crash::kProcess);
  c.begin(1, command);
  c.world.run_for(20s);
  EXPECT_FALSE(node.is_up());
  change_staged(node.disk(), command.link.share, name);
  node.start();
  node.crash_at(call, kind);
  const auto answer = c.begin(1, command);
  EXPECT_TRUE(c.world.run_until([&] { return answer->has_value() || !node.is_up(); }, 120s));
  const bool crashed = !node.is_up();
  if (crashed) node.start();
  node.disk().forget_script();
  const auto fetched = c.ask(1, command);
  EXPECT_TRUE(fetched) << to_string(fetched.error());
  EXPECT_EQ(c.tree_at(1, "/fetched/it"), storage::test::without_link_times(small_tree()));
  return crashed;
}

TEST_P(CrashTest, WhileItRepairsWhatWasChanged) {
  for (const char* name : {"a", "deep/er/b"}) {
    std::uint64_t call = 1;
    while (repair_with_crash(call, GetParam(), name) && !HasFailure()) ++call;
    EXPECT_GT(call, 40U) << "so few calls?";
  }
}

// False: it served everything before that many calls.
bool serve_with_crash(std::uint64_t call, Crash kind) {
  SCOPED_TRACE(testing::Message() << "crash at call " << call);
  Case c(2, call);
  Node& node = c.world.node(0);
  node::Fetch command = Case::fetch_to(share_small(c), "/fetched");
  command.wait = true;
  node.crash_at(call, kind);
  const auto answer = c.begin(1, command);
  EXPECT_TRUE(c.world.run_until([&] { return answer->has_value() || !node.is_up(); }, 120s));
  const bool crashed = !node.is_up();
  if (crashed) {
    node.start();
    EXPECT_TRUE(c.world.run_until([&] { return answer->has_value(); }, 10min));
  }
  if (!answer->has_value()) return false;
  EXPECT_TRUE(**answer) << to_string((**answer).error());
  node.disk().forget_script();  // or it would crash while it looks at its files
  EXPECT_EQ(c.tree_at(1, "/fetched/it"), storage::test::without_link_times(small_tree()));
  EXPECT_EQ(c.shares(0).front().state, "shared");
  return crashed;
}

TEST_P(CrashTest, WhileItServes) {
  std::uint64_t call = 1;
  while (serve_with_crash(call, GetParam()) && !HasFailure()) ++call;
  EXPECT_GT(call, 20U) << "so few calls?";
}

TEST_P(CrashTest, WhileItShares) {
  std::string link;
  std::uint64_t call = 0;
  for (bool crashed = true; crashed && !HasFailure(); ++call) {
    SCOPED_TRACE(testing::Message() << "crash at call " << call);
    Case c(2, 7);  // the same swarm each time, so that the link is the same
    Node& node = c.world.node(0);
    node.disk().set_time_ns(count(c.world.now().wall) * 1'000'000);
    write_durably(node.disk(), "/shared", small_tree());
    c.world.run_for(10s);
    if (call > 0) node.crash_at(call, GetParam());
    auto shared = node.share("/shared", kTiny);
    crashed = !node.is_up();
    if (crashed) {
      node.start();
      EXPECT_THAT(c.shares(0), testing::IsEmpty());
      shared = node.share("/shared", kTiny);
    }
    node.disk().forget_script();  // or it would crash while it serves
    ASSERT_TRUE(shared) << to_string(shared.error());
    if (call == 0) {
      link = *shared;
      crashed = true;  // the first one was to go well
    }
    EXPECT_EQ(*shared, link);
    EXPECT_EQ(c.shares(0).size(), 1U);
    const auto fetched = c.ask(1, Case::fetch_to(*shared, "/fetched"));
    ASSERT_TRUE(fetched) << to_string(fetched.error());
    EXPECT_EQ(c.tree_at(1, "/fetched/it"), storage::test::without_link_times(small_tree()));
  }
  EXPECT_GT(call, 30U) << "so few calls?";
}

INSTANTIATE_TEST_SUITE_P(, CrashTest, testing::Values(Crash::kProcess, Crash::kSystem),
                         [](const auto& kind) {
                           return kind.param == Crash::kProcess ? "Process" : "System";
                         });

}  // namespace
}  // namespace kith::sim
