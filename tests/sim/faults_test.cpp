// Machines that behave badly while something is fetched: clocks that jump, machines that sleep,
// disks that rot or fail, peers that hardly read.
#include "tests/sim/case.hpp"

namespace kith::sim {
namespace {

using storage::MemoryFileIo;

constexpr std::chrono::milliseconds kJumps[] = {1h, -1h, 24h, -24h};

std::string text(std::chrono::milliseconds time) { return std::to_string(time.count()) + " ms"; }

// A share of a tree that had stood there for a while: its files are believed by their times.
std::string share_settled(Case& c, std::size_t node, const Tree& tree) {
  MemoryFileIo& disk = c.world.node(node).disk();
  disk.set_time_ns(count(c.world.now().wall) * 1'000'000);
  storage::test::write_tree(disk, "/shared", tree);
  c.world.run_for(61s);
  return c.world.node(node).share("/shared", kTiny).value();
}

// Bytes of a file change, and nothing that can be seen from outside.
void rot(MemoryFileIo& disk, const std::string& name, std::uint64_t at, std::string bytes) {
  const storage::Dir root = disk.open_root("/shared").value();
  const storage::FileInfo info = disk.stat_at(root, name).value();
  const storage::File file = disk.open_file(root, name, storage::OpenMode::kReadWrite).value();
  disk.set_time_ns(info.ctime_ns);
  const iovec part{bytes.data(), bytes.size()};
  ASSERT_TRUE(disk.write(file, at, std::span(&part, 1)));
  ASSERT_TRUE(disk.set_mtime(file, info.mtime_ns));
}

std::size_t count_events(const Node& node, const std::string& kind) {
  return static_cast<std::size_t>(std::ranges::count(node.events(), kind, &node::NodeEvent::kind));
}

void expect_fetched(Case& c, std::size_t node, const std::shared_ptr<Answer>& answer,
                    Duration limit = 120s) {
  ASSERT_TRUE(c.world.run_until([&] { return answer->has_value(); }, limit)) << "no answer";
  ASSERT_TRUE(**answer) << to_string((**answer).error());
  EXPECT_EQ(c.tree_at(node, "/fetched/it"), c.tree_at(0, "/shared"));
}

// --- clocks ---

TEST(Clocks, AJumpDuringAFetchDoesNotDisturbIt) {
  for (const auto jump : kJumps) {
    for (const std::size_t who : {0U, 1U}) {
      SCOPED_TRACE(text(jump) + " at node " + std::to_string(who));
      Case c(2);
      const std::string link = c.share(0, noise_tree(2 << 20));
      const auto answer = c.begin(1, Case::fetch_to(link, "/fetched"));
      c.world.run_for(700ms);
      ASSERT_FALSE(answer->has_value()) << "it was to be disturbed";
      c.world.node(who).shift_clock(jump);
      expect_fetched(c, 1, answer);
    }
  }
}

std::string state_of_clock(Case& c, std::size_t node) {
  const auto answer = c.ask(node, node::GetDoctor{});
  for (const auto& check : std::get<node::DoctorAnswer>(*answer).checks) {
    if (check.name == "clock") return check.state;
  }
  return "not checked";
}

// Devices that are connected stay so. New connections wait for the clock to be set right, and the
// doctor says what is in the way.
TEST(Clocks, AJumpWhileIdleIsNamedByTheDoctorAndNoMoreThanThat) {
  for (const auto jump : kJumps) {
    SCOPED_TRACE(text(jump));
    Case c(2);
    c.world.run_for(10min);
    c.world.node(1).shift_clock(jump);
    c.world.run_for(45min);
    const std::string link = c.share(0, noise_tree(100'000));
    expect_fetched(c, 1, c.begin(1, Case::fetch_to(link, "/fetched")));

    c.world.node(1).crash(Node::Crash::kProcess);
    c.world.node(1).start();
    node::Fetch other = Case::fetch_to(c.share(0, noise_tree(50'000, 8), "/other"), "/fetched");
    other.name = "other";
    other.wait = true;
    const auto waiting = c.begin(1, other);
    c.world.run_for(5min);
    ASSERT_FALSE(waiting->has_value()) << "they should not have met";
    EXPECT_EQ(state_of_clock(c, 0), "problem");
    EXPECT_EQ(state_of_clock(c, 1), "problem");

    c.world.node(1).shift_clock(-jump);
    ASSERT_TRUE(c.world.run_until([&] { return waiting->has_value(); }, 10min));
    ASSERT_TRUE(**waiting) << to_string((**waiting).error());
    c.world.run_for(node::kClockMemory);
    EXPECT_EQ(state_of_clock(c, 0), "ok");
    EXPECT_EQ(state_of_clock(c, 1), "ok");
  }
}

TEST(Clocks, LessThanHalfAnHourIsBorne) {
  for (const std::chrono::milliseconds jump : {29min, -29min}) {
    SCOPED_TRACE(text(jump));
    Case c(2);
    c.world.node(1).crash(Node::Crash::kProcess);
    c.world.node(1).shift_clock(jump);
    c.world.node(1).start();
    const std::string link = c.share(0, noise_tree(100'000));
    expect_fetched(c, 1, c.begin(1, Case::fetch_to(link, "/fetched")));
    EXPECT_EQ(state_of_clock(c, 0), "ok");
  }
}

// --- sleep ---

constexpr Duration kNaps[] = {1min, 10min, 3h};

TEST(Sleep, WhoeverSleepsDuringAFetchGoesOnWhenItWakes) {
  for (const Duration nap : kNaps) {
    for (const std::size_t who : {0U, 1U}) {
      SCOPED_TRACE(std::to_string(nap / 1min) + " minutes at node " + std::to_string(who));
      Case c(2);
      const std::string link = c.share(0, noise_tree(2 << 20));
      node::Fetch command = Case::fetch_to(link, "/fetched");
      command.wait = who == 0;  // or it would give up when nobody provides it
      const auto answer = c.begin(1, command);
      c.world.run_for(700ms);
      ASSERT_FALSE(answer->has_value()) << "it was to be disturbed";
      c.world.node(who).sleep(nap);
      expect_fetched(c, 1, answer, nap + 7min);
    }
  }
}

TEST(Sleep, BothAtOnce) {
  Case c(2);
  const std::string link = c.share(0, noise_tree(2 << 20));
  const auto answer = c.begin(1, Case::fetch_to(link, "/fetched"));
  c.world.run_for(700ms);
  ASSERT_FALSE(answer->has_value()) << "it was to be disturbed";
  c.world.node(0).sleep(1h);
  c.world.node(1).sleep(1h);
  expect_fetched(c, 1, answer, 2h);
}

TEST(Sleep, ANapWhileIdleIsForgottenSoon) {
  for (const Duration nap : kNaps) {
    SCOPED_TRACE(std::to_string(nap / 1min) + " minutes");
    Case c(3);
    c.world.run_for(10s);
    c.world.node(1).sleep(nap);
    c.world.run_for(nap + 1s);
    const std::string link = c.share(0, noise_tree(100'000));
    expect_fetched(c, 1, c.begin(1, Case::fetch_to(link, "/fetched")));
    // What had waited for it was old. It does not count for long.
    c.world.run_for(node::kClockMemory);
    EXPECT_EQ(state_of_clock(c, 1), "ok");
  }
}

TEST(Sleep, WhoeverLooksForAShareLooksOnWhenItWakes) {
  Case c(2);
  const std::string link = c.share(0, noise_tree(100'000));
  c.world.run_for(1s);
  c.world.node(0).crash(Node::Crash::kProcess);
  const auto answer = c.begin(1, Case::fetch_to(link, "/fetched"));
  c.world.run_for(10s);
  ASSERT_FALSE(answer->has_value());
  c.world.node(1).sleep(1h);
  c.world.run_for(30min);
  c.world.node(0).start();
  expect_fetched(c, 1, answer, 40min);
}

TEST(Sleep, AJoinThatIsSleptThroughIsStillMade) {
  Case c(1);
  c.world.add_node();
  const auto answer = c.begin(1, node::Join{*Invite::parse(c.invite()), "a device", 30s});
  c.world.run_for(50ms);
  ASSERT_FALSE(answer->has_value());
  c.world.node(1).sleep(10min);
  ASSERT_TRUE(c.world.run_until([&] { return answer->has_value(); }, 12min));
  EXPECT_TRUE(**answer) << to_string((**answer).error());
}

// --- peers that hardly read ---

TEST(SlowReaders, HoldNobodyUpAndGoOnWhenTheyReadAgain) {
  for (const std::size_t rate : {0U, 1U}) {
    SCOPED_TRACE(std::to_string(rate) + " bytes a second");
    Case c(3);
    const std::string link = c.share(0, noise_tree(4 << 20));
    node::Fetch command = Case::fetch_to(link, "/fetched");
    command.wait = true;
    const auto slow = c.begin(1, command);
    c.world.run_for(500ms);
    ASSERT_FALSE(slow->has_value());
    c.world.node(1).read_slowly(rate);
    expect_fetched(c, 2, c.begin(2, Case::fetch_to(link, "/fetched")), 30s);
    // A connection whose first rate is known has little on its way.
    EXPECT_LE(c.world.node(0).slabs_in_use() * kSlabBytes, 4U << 20);
    c.world.run_for(3min);
    EXPECT_EQ(c.world.node(0).engine().send_memory(), 0U) << "it is shut out by now";
    EXPECT_EQ(c.world.node(0).slabs_in_use(), 0U);
    c.world.node(1).read_slowly(std::nullopt);
    expect_fetched(c, 1, slow, 10min);
    c.world.run_for(limits::kCancelAnswer + 1s);  // what was taken back has ended, too
    EXPECT_EQ(c.world.node(1).engine().receive_memory(), 0U);
  }
}

// --- disks ---

TEST(Disks, ALyingPeerIsShutOutAndAnotherDelivers) {
  Case c(3);
  const Tree tree = noise_tree(1 << 20);
  const std::string link = share_settled(c, 0, tree);
  ASSERT_EQ(share_settled(c, 1, tree), link);
  rot(c.world.node(1).disk(), "a", 0, storage::test::noise(99, 1 << 20));
  const auto answer = c.begin(2, Case::fetch_to(link, "/fetched"));
  expect_fetched(c, 2, answer);
  EXPECT_EQ(count_events(c.world.node(2), "device-banned"), 1U);
  const auto& result = std::get<node::FetchResult>(***answer);
  std::uint64_t most = 0;
  for (const node::SourceView& source : result.sources) most = std::max(most, source.bytes);
  EXPECT_GE(most, 1U << 20);
  // It stays out, whatever it says.
  c.world.run_for(10min);
  const auto peers = c.ask(2, node::ListPeers{});
  for (const auto& peer : std::get<node::PeersAnswer>(*peers).peers) {
    EXPECT_FALSE(peer.connected && peer.address == c.world.node(1).address().to_string());
  }
}

TEST(Disks, OneRottenChunkOfASoleSourceIsNamedAndTheRestComes) {
  Case c(2);
  const std::string link = share_settled(c, 0, noise_tree(1 << 20));
  const std::string good = c.tree_at(0, "/shared").at("a").content.substr(500'000, 10);
  rot(c.world.node(0).disk(), "a", 500'000, "rotten now");
  const auto failed = c.ask(1, Case::fetch_to(link, "/fetched"), 10min);
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().code, Errc::kVerification) << to_string(failed.error());
  EXPECT_EQ(failed.error().subject, "a");
  const auto fetched = c.shares(1);
  ASSERT_EQ(fetched.size(), 1U);
  EXPECT_GE(fetched.front().bytes_have + kTiny.max, 1U << 20);
  // The source was told, looked, and names the file.
  const auto shared = c.shares(0);
  EXPECT_EQ(shared.front().state, "withdrawn");
  EXPECT_THAT(shared.front().problem, testing::HasSubstr("a"));

  rot(c.world.node(0).disk(), "a", 500'000, good);
  const auto verified = c.ask(0, node::VerifyShare{});
  ASSERT_TRUE(verified);
  ASSERT_THAT(std::get<node::VerifyReport>(*verified).bad, testing::IsEmpty());
  const auto answer = c.begin(1, Case::fetch_to(link, "/fetched"));
  expect_fetched(c, 1, answer);
  EXPECT_LE(std::get<node::FetchResult>(***answer).bytes_received, 4 * kTiny.max);
  EXPECT_EQ(c.shares(1).size(), 1U);
}

void change_file(Case& c, std::size_t node, const std::string& name) {
  auto& disk = c.world.node(node).disk();
  disk.set_time_ns(count(c.world.now().wall) * 1'000'000);
  const storage::Dir root = disk.open_root("/shared").value();
  const storage::File file = disk.open_file(root, name, storage::OpenMode::kReadWrite).value();
  char byte = '!';
  const iovec part{&byte, 1};
  ASSERT_TRUE(disk.write(file, 0, std::span(&part, 1)));
}

TEST(Disks, AFileThatItsOwnerChangedIsNamedWhereItIsMissed) {
  Case c(2);
  const std::string link = share_settled(c, 0, noise_tree(1 << 20));
  c.world.run_for(1min);
  change_file(c, 0, "b");
  const TimePoint began = c.world.now().mono;
  const auto failed = c.ask(1, Case::fetch_to(link, "/fetched"), 10min);
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().code, Errc::kNotFound) << to_string(failed.error());
  EXPECT_EQ(failed.error().subject, "b");
  EXPECT_LT(c.world.now().mono - began, node::kLookFor + 10s) << "it waited twice";
  EXPECT_GE(c.shares(1).front().bytes_have, 1U << 20);
}

TEST(Disks, WhatIsMissedIsToldWhileAnotherFetchGoesOn) {
  Case c(2);
  const std::string link = share_settled(c, 0, noise_tree(64 << 10));
  Tree elsewhere = noise_tree(2 << 20, 8);
  elsewhere.erase("b");  // or it would be copied from there
  const std::string other = c.share(0, elsewhere, "/other");
  c.world.run_for(1min);
  change_file(c, 0, "b");
  ASSERT_TRUE(c.ask(0, node::SetLimit{16 * 1024}));
  const auto large = c.begin(1, Case::fetch_to(other, "/large"));
  const auto failed = c.ask(1, Case::fetch_to(link, "/fetched"), 2min);
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().code, Errc::kNotFound) << to_string(failed.error());
  EXPECT_FALSE(large->has_value()) << "it was to go on meanwhile";
}

// While it stood still somebody changed what had come: a small file, a large one, and more.
TEST(Disks, AStagingThatWasChangedIsRepairedByTheSameCommand) {
  Case c(2);
  Tree tree = noise_tree(1 << 20);
  // As much that b is not in the shortest chunk, which comes last.
  for (const char* name : {"c", "d", "e", "f", "g"}) {
    tree[name] = storage::test::file(std::string(1'000, *name));
  }
  const std::string link = share_settled(c, 0, tree);
  ASSERT_TRUE(c.ask(0, node::SetLimit{256 * 1024}));
  c.begin(1, Case::fetch_to(link, "/fetched"));
  const std::string staging = "/fetched/" + storage::staging_name("it", Link::parse(link)->share);
  auto& disk = c.world.node(1).disk();
  const auto has_b = [&] {
    const auto root = disk.open_root(staging);
    return root && disk.stat_at(*root, "b");
  };
  ASSERT_TRUE(c.world.run_until(has_b, 60s));
  c.world.run_for(2 * node::kFlushEvery);  // and knows that it has it
  c.world.node(1).crash(Node::Crash::kProcess);
  const storage::Dir root = disk.open_root(staging).value();
  for (const char* name : {"a", "b"}) {
    const auto file = disk.open_file(root, name, storage::OpenMode::kReadWrite);
    if (!file) continue;
    char bytes[] = "xx";
    const iovec part{bytes, 2};
    const std::uint64_t at = disk.stat(*file)->size;
    ASSERT_TRUE(disk.write(*file, std::string_view(name) == "a" ? at : 0, std::span(&part, 1)));
  }
  c.world.node(1).start();
  expect_fetched(c, 1, c.begin(1, Case::fetch_to(link, "/fetched")));
}

// Every read fails for a while.
void fail_reads(MemoryFileIo& disk, std::uint64_t calls) {
  for (std::uint64_t i = 1; i <= calls; ++i) disk.fail_at(disk.calls() + i, EIO);
}

// Content that a fetch wrote is lost, and an error is all that tells of it: the machine does not
// boot anew. `strike`: what happens to the disk when half of it is there.
void lose_written(const std::function<void(MemoryFileIo&)>& strike, Errc told) {
  Case c(2);
  const std::string link = c.share(0, noise_tree(4 << 20));
  ASSERT_TRUE(c.ask(0, node::SetLimit{256 * 1024}));
  const node::Fetch command = Case::fetch_to(link, "/fetched");
  const auto first = c.begin(1, command);
  c.world.run_for(2 * node::kSyncEvery - 2s);
  ASSERT_FALSE(first->has_value()) << "it was to be disturbed";
  strike(c.world.node(1).disk());
  ASSERT_TRUE(c.world.run_until([&] { return first->has_value(); }, 30s));
  ASSERT_FALSE(**first);
  EXPECT_EQ((**first).error().code, told) << to_string((**first).error());
  c.world.node(1).disk().set_read_only(false);
  ASSERT_TRUE(c.ask(0, node::SetLimit{0}));
  expect_fetched(c, 1, c.begin(1, command));
}

TEST(Disks, WhatASyncThatFailedWasToKeepDoesNotCount) {
  for (const auto& [error, told] : {std::pair(EIO, Errc::kIo), std::pair(ENOSPC, Errc::kNoSpace),
                                    std::pair(EROFS, Errc::kUnsupported)}) {
    SCOPED_TRACE(error);
    lose_written([error = error](MemoryFileIo& disk) { disk.fail_next_sync(error); }, told);
  }
}

TEST(Disks, WhatWasWrittenToADiskThatWentAwayDoesNotCount) {
  lose_written(
      [](MemoryFileIo& disk) {
        disk.before_call(disk.calls() + 1, [&disk] {
          disk.lose_content();
          return EIO;
        });
      },
      Errc::kIo);
  lose_written(
      [](MemoryFileIo& disk) {
        disk.lose_content();
        disk.set_read_only(true);
      },
      Errc::kUnsupported);
}

// Once it was durable in a staging that somebody removed; in the next one it is not, and power
// goes.
void lose_a_staging(std::uint64_t seed) {
  Case c(2, seed);
  const std::string link = c.share(0, noise_tree(4 << 20));
  ASSERT_TRUE(c.ask(0, node::SetLimit{256 * 1024}));
  const node::Fetch command = Case::fetch_to(link, "/fetched");
  auto& disk = c.world.node(1).disk();
  const auto go_on_for = [&](Duration time) {
    const auto answer = c.begin(1, command);
    c.world.run_for(time);
    EXPECT_FALSE(answer->has_value()) << "it was to be disturbed";
  };
  go_on_for(2 * node::kSyncEvery);
  c.world.node(1).crash(Node::Crash::kProcess);
  const auto names = storage::test::names_in(disk, "/fetched");
  ASSERT_EQ(names.size(), 1U);
  ASSERT_TRUE(storage::remove_tree(disk, disk.open_root("/fetched").value(), names[0]));
  c.world.node(1).start();
  go_on_for(node::kSyncEvery - 1s);
  // Its names are on the disk, and so is the room for it.
  disk.keep_names();
  c.world.node(1).crash(Node::Crash::kSystem);
  c.world.node(1).start();
  ASSERT_TRUE(c.ask(0, node::SetLimit{0}));
  expect_fetched(c, 1, c.begin(1, command));
}

TEST(Disks, WhatWasDurableInAStagingThatIsGoneIsNotInTheNext) {
  for (std::uint64_t seed = 1; seed <= 12 && !testing::Test::HasFailure(); ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    lose_a_staging(seed);
  }
}

// What stands at the destination has the inode of the staging: here because somebody moved that,
// else because a file system gives numbers again.
TEST(Disks, WhatIsNotFinishedIsNotTakenForIt) {
  for (const bool replace : {false, true}) {
    Case c(2);
    const Tree tree = noise_tree(2 << 20);
    node::Fetch command = Case::fetch_to(c.share(0, tree), "/fetched");
    const auto answer = c.begin(1, command);
    c.world.run_for(700ms);
    ASSERT_FALSE(answer->has_value()) << "it was to be disturbed";
    c.world.node(1).crash(Node::Crash::kProcess);
    MemoryFileIo& disk = c.world.node(1).disk();
    const auto names = storage::test::names_in(disk, "/fetched");
    ASSERT_EQ(names.size(), 1U);
    const storage::Dir dir = disk.open_root("/fetched").value();
    ASSERT_TRUE(disk.rename(dir, names[0], dir, "it", storage::RenameMode::kNoReplace));
    c.world.node(1).start();
    command.replace = replace;
    const auto again = c.ask(1, command);
    EXPECT_EQ(bool(again), replace);
    if (!again) {
      EXPECT_EQ(again.error().code, Errc::kExists) << to_string(again.error());
    }
    EXPECT_EQ(c.tree_at(1, "/fetched/it") == c.tree_at(0, "/shared"), replace);
  }
}

TEST(Disks, WhileOneSourceCannotReadAnotherDelivers) {
  Case c(3);
  const std::string link = share_settled(c, 0, noise_tree(1 << 20));
  ASSERT_TRUE(c.ask(1, Case::fetch_to(link, "/fetched")));
  const auto answer = c.begin(2, Case::fetch_to(link, "/fetched"));
  c.world.run_for(300ms);
  ASSERT_FALSE(answer->has_value()) << "it was to be disturbed";
  fail_reads(c.world.node(0).disk(), 5'000);
  ASSERT_TRUE(c.world.run_until([&] { return answer->has_value(); }, 120s));
  ASSERT_TRUE(**answer) << to_string((**answer).error());
  c.world.node(0).disk().forget_script();
  EXPECT_EQ(c.tree_at(2, "/fetched/it"), c.tree_at(1, "/fetched/it"));
  // A disk that fails to read says nothing about what is on it.
  EXPECT_EQ(c.shares(0).front().state, "shared") << c.shares(0).front().problem;
}

TEST(Disks, ASoleSourceThatCouldNotReadServesWhenItCanAgain) {
  Case c(2);
  const std::string link = share_settled(c, 0, noise_tree(1 << 20));
  const auto answer = c.begin(1, Case::fetch_to(link, "/fetched"));
  c.world.run_for(500ms);
  ASSERT_FALSE(answer->has_value()) << "it was to be disturbed";
  fail_reads(c.world.node(0).disk(), 20'000);
  ASSERT_TRUE(c.world.run_until([&] { return answer->has_value(); }, 10min));
  ASSERT_FALSE(**answer) << "it had no source";
  EXPECT_EQ((**answer).error().code, Errc::kNotFound) << to_string((**answer).error());
  c.world.node(0).disk().forget_script();
  expect_fetched(c, 1, c.begin(1, Case::fetch_to(link, "/fetched")));
}

}  // namespace
}  // namespace kith::sim
