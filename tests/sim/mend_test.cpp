// Bytes that rot on the disk: found, fetched again and written in place; what a user changed is
// not.
#include "tests/sim/case.hpp"

namespace kith::sim {
namespace {

using storage::MemoryFileIo;
using testing::IsEmpty;
using testing::SizeIs;

// Long before it is shared, as most of what people share: else an edit could have gone unseen.
Tree old_tree(std::size_t bytes, std::uint64_t seed = 7) {
  Tree tree = noise_tree(bytes, seed);
  tree["c"] = storage::test::file("protected", 0444);
  for (auto& [path, item] : tree) item.mtime_ns = 1'600'000'000'123'456'789;
  return tree;
}

node::VerifyReport verify(Case& c, std::size_t node) {
  const auto report = c.ask(node, node::VerifyShare{});
  EXPECT_TRUE(report) << to_string(report.error());
  return report ? std::get<node::VerifyReport>(*report) : node::VerifyReport();
}

// Two devices with the share; the second fetched it.
struct Fetched : Case {
  explicit Fetched(const Tree& shared = old_tree(50'000), std::size_t nodes = 2) : Case(nodes) {
    tree = shared;
    link = share(0, tree);
    for (std::size_t i = 1; i < nodes; ++i) {
      EXPECT_TRUE(ask(i, fetch_to(link, "/fetched")));
    }
    world.run_for(10s);
  }
  MemoryFileIo& disk(std::size_t node) { return world.node(node).disk(); }
  void rot(std::size_t node, const std::string& path, std::uint64_t offset) {
    disk(node).rot(path, offset);
  }
  void expect_whole(std::size_t node, const std::string& path) {
    EXPECT_EQ(tree_at(node, path), tree) << "contents, modes and times";
    const node::ShareView view = shares(node).front();
    EXPECT_THAT(view.state, testing::AnyOf("shared", "complete"));
    EXPECT_EQ(view.problem, "");
    EXPECT_EQ(view.damaged, 0U);
    EXPECT_EQ(view.bytes_have, view.totals.bytes);
  }
  void edit(std::size_t node, const std::string& directory, const std::string& name, char byte) {
    disk(node).set_time_ns(count(world.now().wall) * 1'000'000);
    const auto dir = disk(node).open_root(directory);
    const auto file = disk(node).open_file(*dir, name, storage::OpenMode::kReadWrite);
    const iovec part{&byte, 1};
    ASSERT_TRUE(disk(node).write(*file, 0, std::span(&part, 1)));
    ASSERT_TRUE(disk(node).set_mtime(*file, tree.at(name).mtime_ns));
  }
  void restart(std::size_t node) {
    world.run_for(1s);
    world.node(node).crash(MemoryFileIo::Crash::kProcess);
    world.node(node).start();
  }

  Tree tree;
  std::string link;
};

// Of a file that is new when it is fetched an edit may have left no trace, until it was found good
// later, and written back: that is kept.
TEST(Mend, WhatWasNewIsRepairedOnceItWasFoundGoodLater) {
  for (const Duration later : {1s, 10s}) {
    Fetched c;
    const std::int64_t now = count(c.world.now().wall) * 1'000'000;
    Tree tree = noise_tree(20'000, 9);
    for (auto& [path, item] : tree) item.mtime_ns = now;
    const std::string link = c.share(0, tree, "/new");
    c.disk(1).set_time_ns(now);
    ASSERT_TRUE(c.ask(1, Case::fetch_to(link, "/fresh")));
    c.world.run_for(later);
    EXPECT_THAT(verify(c, 1).bad, IsEmpty());
    c.restart(1);
    c.world.run_for(10s);
    c.rot(1, "/fresh/it/a", 5);
    const node::VerifyReport report = verify(c, 1);
    EXPECT_EQ(report.repaired, later == 10s ? 1U : 0U);
    EXPECT_THAT(report.bad, SizeIs(later == 10s ? 0U : 1U));
  }
}

TEST(Mend, VerifyRepairsWhatRotted) {
  for (const std::string name : {"a", "b", "c"}) {
    SCOPED_TRACE(name);
    Fetched c;
    c.rot(1, "/fetched/it/" + name, 3);
    const node::VerifyReport report = verify(c, 1);
    EXPECT_THAT(report.bad, IsEmpty());
    EXPECT_EQ(report.damaged, 1U);
    EXPECT_EQ(report.repaired, 1U);
    ASSERT_THAT(report.damage, SizeIs(1));
    const node::DamageView& damage = report.damage.front();
    EXPECT_EQ(damage.path, name);
    EXPECT_EQ(damage.copy_path, "/fetched/it");
    EXPECT_TRUE(damage.repaired);
    EXPECT_EQ(damage.device, c.world.node(0).engine().device());
    EXPECT_FALSE(damage.local);
    EXPECT_EQ(damage.why, "");
    c.expect_whole(1, "/fetched/it");
    EXPECT_EQ(c.shares(1).front().repaired, 1U);
    EXPECT_EQ(verify(c, 1).damaged, 0U);
  }
}

TEST(Mend, TheSharersOwnCopyIsRepairedFromWhoFetchedIt) {
  Fetched c;
  for (std::uint64_t at = 0; at < 50'000; at += 10'000) c.rot(0, "/shared/a", at);
  const node::VerifyReport report = verify(c, 0);
  EXPECT_THAT(report.bad, IsEmpty());
  EXPECT_GE(report.damaged, 4U);
  EXPECT_EQ(report.repaired, report.damaged) << "several chunks of one file";
  c.expect_whole(0, "/shared");
}

// Each of its pages has its state, and each of them must hear of a repair.
TEST(Mend, ChunksOfAFileThatManyPagesDescribeAreAllRepaired) {
  const std::size_t size = 2'000'000;
  Fetched c(old_tree(size));
  for (const std::size_t at : {std::size_t{5}, size / 3, size / 2, size - 5}) {
    c.rot(1, "/fetched/it/a", at);
  }
  const node::VerifyReport report = verify(c, 1);
  EXPECT_THAT(report.bad, IsEmpty());
  EXPECT_EQ(report.repaired, 4U);
  c.expect_whole(1, "/fetched/it");
  c.restart(1);
  for (const std::size_t at : {size / 4, size - 5}) c.rot(1, "/fetched/it/a", at);
  EXPECT_EQ(verify(c, 1).repaired, 2U);
  c.expect_whole(1, "/fetched/it");
}

TEST(Mend, AfterARepairFurtherRotInTheFileIsRepairedAlsoAfterARestart) {
  Fetched c;
  for (std::uint64_t round = 0; round < 3; ++round) {
    c.rot(1, "/fetched/it/a", 7'000 * round);
    EXPECT_EQ(verify(c, 1).repaired, 1U) << round;
    c.expect_whole(1, "/fetched/it");
    if (round == 1) c.restart(1);
  }
}

// One file, of many chunks and pages, that has two names in the share.
TEST(Mend, HardLinksAreRepairedUnderAllTheirNames) {
  Case c(2);
  Tree tree = old_tree(200'000);
  tree["z"] = tree["a"];
  MemoryFileIo& disk = c.world.node(0).disk();
  disk.set_time_ns(count(c.world.now().wall) * 1'000'000);
  storage::test::write_tree(disk, "/shared", tree);
  const auto top = disk.open_root("/shared");
  ASSERT_TRUE(disk.remove_file(*top, "z"));
  ASSERT_TRUE(disk.make_link(*top, "z", "a"));
  ASSERT_TRUE(disk.set_mtime(*top, tree[""].mtime_ns));
  const auto link = c.world.node(0).share("/shared", kTiny);
  ASSERT_TRUE(link);
  ASSERT_TRUE(c.ask(1, Case::fetch_to(*link, "/fetched")));
  c.world.run_for(10s);
  for (const std::string name : {"a", "z"}) {
    for (const std::uint64_t at : {5U, 100'000U, 199'000U}) disk.rot("/shared/" + name, at);
    const node::VerifyReport report = verify(c, 0);
    EXPECT_THAT(report.bad, IsEmpty()) << name;
    EXPECT_GE(report.repaired, 3U);
    EXPECT_EQ(c.tree_at(0, "/shared"), tree);
    EXPECT_EQ(c.shares(0).front().problem, "");
    EXPECT_EQ(c.shares(0).front().damaged, 0U);
    c.world.run_for(1s);
    c.world.node(0).crash(MemoryFileIo::Crash::kProcess);
    c.world.node(0).start();
    c.world.run_for(10s);
  }
}

TEST(Mend, AnEditIsReportedAndNotWrittenOver) {
  Fetched c;
  c.edit(1, "/fetched/it", "b", 'X');
  const node::VerifyReport report = verify(c, 1);
  EXPECT_EQ(report.bad, std::vector<std::string>{"b"});
  EXPECT_EQ(report.damaged, 0U);
  c.world.run_for(60s);
  EXPECT_EQ(c.tree_at(1, "/fetched/it")["b"].content, "Xmall");
  EXPECT_EQ(c.shares(1).front().state, "withdrawn");
  EXPECT_EQ(c.shares(1).front().problem, "1 file changed or missing, first b");
}

TEST(Mend, AnEditWhileAGoodChunkIsLookedForIsNotWrittenOver) {
  Fetched c;
  c.world.node(0).crash(MemoryFileIo::Crash::kProcess);
  c.rot(1, "/fetched/it/b", 2);
  const auto answer = c.begin(1, node::VerifyShare{});
  c.world.run_for(5s);
  ASSERT_FALSE(answer->has_value());
  c.edit(1, "/fetched/it", "b", 'X');
  c.world.node(0).start();
  ASSERT_TRUE(c.world.run_until([&] { return answer->has_value(); }, 60s));
  const auto report = std::get<node::VerifyReport>(***answer);
  EXPECT_EQ(report.bad, std::vector<std::string>{"b"});
  EXPECT_EQ(report.damaged, 1U);
  EXPECT_EQ(report.repaired, 0U);
  EXPECT_EQ(c.tree_at(1, "/fetched/it")["b"].content[0], 'X');
  EXPECT_EQ(c.shares(1).front().problem, "1 file changed or missing, first b");
}

TEST(Mend, NothingIsWrongWithAShareThatIsRemovedWhileItIsVerified) {
  Case c(1);
  const std::string link =
      c.share(0, {{"", storage::test::file(storage::test::noise(1, 1 << 20))}});
  const auto answer = c.begin(0, node::VerifyShare{});
  ASSERT_TRUE(c.ask(0, node::Unshare{link}));
  ASSERT_TRUE(c.world.run_until([&] { return answer->has_value(); }, 60s));
  const auto report = std::get<node::VerifyReport>(***answer);
  EXPECT_THAT(report.bad, testing::IsEmpty());
  EXPECT_GT(report.chunks, 0U);
  EXPECT_LT(report.bytes, 1U << 20) << "it was verified before it was removed";
}

TEST(Mend, WithoutASourceDamageIsReportedAndRepairedWhenOneComes) {
  Fetched c;
  c.world.node(0).crash(MemoryFileIo::Crash::kProcess);
  c.rot(1, "/fetched/it/a", 20'000);
  const node::VerifyReport report = verify(c, 1);
  EXPECT_EQ(report.bad, std::vector<std::string>{"a"});
  EXPECT_EQ(report.damaged, 1U);
  EXPECT_EQ(report.repaired, 0U);
  ASSERT_THAT(report.damage, SizeIs(1));
  EXPECT_EQ(report.damage.front().why, "nobody who is reachable has it");
  const node::ShareView view = c.shares(1).front();
  EXPECT_EQ(view.state, "withdrawn");
  EXPECT_EQ(view.damaged, 1U);
  EXPECT_EQ(view.problem, "1 chunk damaged on the disk, first in a");
  c.world.node(0).start();
  EXPECT_TRUE(c.world.run_until([&] { return c.tree_at(1, "/fetched/it") == c.tree; }, 120s));
  c.world.run_for(1s);
  c.expect_whole(1, "/fetched/it");
}

TEST(Mend, WhoHasItWrongTooIsNoSource) {
  Fetched c;
  c.rot(0, "/shared/a", 20'000);
  c.rot(1, "/fetched/it/a", 20'001);
  const node::VerifyReport report = verify(c, 1);
  EXPECT_EQ(report.bad, std::vector<std::string>{"a"});
  EXPECT_EQ(report.repaired, 0U);
}

TEST(Mend, AnotherCopyOfThisDeviceIsAskedFirst) {
  Fetched c;
  ASSERT_TRUE(c.ask(1, Case::fetch_to(c.link, "/second")));
  c.world.run_for(10s);
  c.world.node(0).crash(MemoryFileIo::Crash::kProcess);
  c.rot(1, "/fetched/it/a", 20'000);
  const node::VerifyReport report = verify(c, 1);
  EXPECT_THAT(report.bad, IsEmpty());
  ASSERT_THAT(report.damage, SizeIs(1));
  EXPECT_TRUE(report.damage.front().local);
  EXPECT_EQ(c.tree_at(1, "/fetched/it"), c.tree);
}

// Node 1 has it at /fetched and at /second.
void expect_both_are_repaired(Fetched& c) {
  c.rot(1, "/fetched/it/a", 20'000);
  c.rot(1, "/second/it/a", 20'000);
  const node::VerifyReport report = verify(c, 1);
  EXPECT_THAT(report.bad, IsEmpty());
  EXPECT_EQ(report.repaired, 2U);
  EXPECT_EQ(c.tree_at(1, "/fetched/it"), c.tree);
  EXPECT_EQ(c.tree_at(1, "/second/it"), c.tree);
}

TEST(Mend, TwoCopiesWithTheSameDamageAreBothRepaired) {
  Fetched c;
  ASSERT_TRUE(c.ask(1, Case::fetch_to(c.link, "/second")));
  c.world.run_for(10s);
  expect_both_are_repaired(c);
}

// A link of the same share in another swarm.
std::string link_in(const std::string& link, const SwarmId& swarm) {
  Link out = *Link::parse(link);
  std::copy_n(swarm.bytes.begin(), out.swarm_prefix.size(), out.swarm_prefix.begin());
  return out.to_string();
}

// Node 1 has it in the swarm of both, at /fetched, and in one of its own, at /second.
struct InTwoSwarms : Fetched {
  InTwoSwarms() {
    const auto made = ask(1, node::CreateSwarm{"second"});
    other = std::get<node::SwarmCreated>(*made).swarm.id;
    EXPECT_TRUE(ask(1, fetch_to(link_in(link, other), "/second")));
    world.run_for(10s);
  }
  SwarmId other;
};

TEST(Mend, TheSameDamageUnderTwoRostersIsRepairedInBoth) {
  InTwoSwarms c;
  expect_both_are_repaired(c);
}

// Whichever of its swarms the share is served in.
TEST(Mend, WhatIsChangedUnderOneRosterAndDamagedUnderAnotherIsRepaired) {
  for (const bool first_is_changed : {true, false}) {
    SCOPED_TRACE(first_is_changed);
    InTwoSwarms c;
    const std::string changed = first_is_changed ? "/fetched" : "/second";
    const std::string damaged = first_is_changed ? "/second" : "/fetched";
    c.edit(1, changed + "/it", "b", 'X');
    c.rot(1, damaged + "/it/b", 2);
    const node::VerifyReport report = verify(c, 1);
    EXPECT_EQ(report.bad, std::vector<std::string>{"b"}) << "the changed one";
    EXPECT_EQ(report.repaired, 1U);
    EXPECT_EQ(c.tree_at(1, damaged + "/it"), c.tree);
  }
}

// Node 2 is in the second swarm only.
struct WithAThird : InTwoSwarms {
  WithAThird() {
    node::MakeInvite command;
    command.swarm = "second";
    const std::string text = std::get<node::InviteMade>(*ask(1, command)).text;
    world.add_node();
    EXPECT_TRUE(ask(2, node::Join{*Invite::parse(text), "a device", 60s}));
  }
};

TEST(Mend, PeersOfEverySwarmInWhichItIsHeldAreAsked) {
  for (const std::size_t gone : {0U, 2U}) {
    SCOPED_TRACE(gone);
    WithAThird c;
    (void)c.fetched(2, Case::fetch_to(link_in(c.link, c.other), "/third"));
    c.world.run_for(10s);
    c.world.node(gone).crash(MemoryFileIo::Crash::kProcess);
    expect_both_are_repaired(c);
  }
}

TEST(Mend, AShareIsServedInEverySwarmInWhichItIsHeld) {
  WithAThird c;
  c.world.add_node();
  c.join(3);
  c.world.run_for(10s);  // until the two know each other
  c.world.node(0).crash(MemoryFileIo::Crash::kProcess);
  (void)c.fetched(2, Case::fetch_to(link_in(c.link, c.other), "/third"));
  (void)c.fetched(3, Case::fetch_to(c.link, "/fourth"));
  EXPECT_EQ(c.tree_at(2, "/third/it"), c.tree);
  EXPECT_EQ(c.tree_at(3, "/fourth/it"), c.tree);
}

TEST(Mend, AShareOfARosterThatWasLeftIsServedUnderTheOther) {
  WithAThird c;
  ASSERT_TRUE(c.ask(1, node::LeaveSwarm{"swarm"}));
  (void)c.fetched(2, Case::fetch_to(link_in(c.link, c.other), "/third"));
  EXPECT_EQ(c.tree_at(2, "/third/it"), c.tree);
}

TEST(Mend, AfterARestartEachCopyIsInItsOwnSwarm) {
  WithAThird c;
  c.world.node(1).crash(MemoryFileIo::Crash::kProcess);
  c.world.node(1).start();
  c.world.run_for(10s);
  (void)c.fetched(2, Case::fetch_to(link_in(c.link, c.other), "/third"));
  ASSERT_TRUE(c.ask(1, node::LeaveSwarm{"swarm"}));
  ASSERT_EQ(c.shares(1).size(), 1U);
  EXPECT_EQ(c.shares(1).front().path, "/second/it");
}

// Node 3 is in the first swarm only, where nothing is left but a fetch that failed.
TEST(Mend, AFetchThatFailedIsNoReasonToServeAShareInItsSwarm) {
  WithAThird c;
  c.world.add_node();
  c.join(3);
  MemoryFileIo& disk = c.disk(1);
  node::Fetch failing = Case::fetch_to(c.link, "/no-room");
  failing.detached = true;
  disk.set_capacity(disk.used_bytes() + (1U << 20) + 10'000);
  (void)c.ask(1, failing);
  c.world.run_for(1s);
  disk.set_capacity(std::uint64_t{1} << 30);
  EXPECT_TRUE(storage::remove_tree(disk, *disk.open_root("/fetched"), "it"));
  (void)c.fetched(1, Case::fetch_to(link_in(c.link, c.other), "/fetched"));
  c.world.run_for(10s);
  ASSERT_EQ(c.shares(1).size(), 3U);
  c.world.node(0).crash(MemoryFileIo::Crash::kProcess);
  EXPECT_FALSE(c.ask(3, Case::fetch_to(c.link, "/fourth")));
  (void)c.fetched(2, Case::fetch_to(link_in(c.link, c.other), "/third"));
}

// --- beside `kith cat` ---

// Five bytes of a file at node 1, or the error.
std::string read(Case& c, const std::string& link, const std::string& path, std::uint64_t offset) {
  const auto found = c.read(1, {link, path, offset, 5});
  return found ? *found : to_string(found.error());
}

TEST(Mend, AReaderWhoNeverEndsHoldsNothingUp) {
  Fetched c;
  // The reader needs what is not here any more: peers are asked for it.
  c.edit(1, "/fetched/it", "b", 'X');
  EXPECT_EQ(read(c, c.link, "b", 0), "small");
  c.rot(1, "/fetched/it/a", 20'000);
  c.rot(1, "/fetched/it/a", 40'000);
  const auto answer = c.begin(1, node::VerifyShare{});
  for (int i = 0; i < 20 && !answer->has_value(); ++i) {
    c.world.run_for(500ms);
    EXPECT_EQ(read(c, c.link, "b", 0), "small");
  }
  ASSERT_TRUE(answer->has_value());
  const auto report = std::get<node::VerifyReport>(***answer);
  EXPECT_EQ(report.bad, std::vector<std::string>{"b"});
  EXPECT_EQ(report.repaired, 2U);
  EXPECT_EQ(c.tree_at(1, "/fetched/it").at("a"), c.tree.at("a"));
  c.world.run_for(20s);
  EXPECT_EQ(c.world.node(1).slabs_in_use(), 0U);
}

TEST(Mend, WhatWasAskedForBeforeAReaderCameIsStillAskedFor) {
  Fetched c;
  c.edit(1, "/fetched/it", "b", 'X');
  c.world.node(0).crash(MemoryFileIo::Crash::kProcess);
  c.rot(1, "/fetched/it/a", 20'000);
  const auto answer = c.begin(1, node::VerifyShare{});
  c.world.run_for(2s);
  const auto first = c.begin(1, node::ReadFile{c.link, "b", 0, 5});
  c.world.run_for(2s);
  ASSERT_FALSE(answer->has_value() || first->has_value());
  c.world.node(0).start();
  ASSERT_TRUE(c.world.run_until([&] { return first->has_value(); }, 60s));
  for (int i = 0; i < 10 && !answer->has_value(); ++i) {
    EXPECT_EQ(read(c, c.link, "b", 0), "small");
    c.world.run_for(500ms);
  }
  ASSERT_TRUE(answer->has_value());
  EXPECT_EQ(std::get<node::VerifyReport>(***answer).repaired, 1U);
}

TEST(Mend, WhatIsDamagedIsReadAndRepaired) {
  Fetched c;
  c.edit(1, "/fetched/it", "b", 'X');
  EXPECT_EQ(read(c, c.link, "b", 0), "small");
  for (std::uint64_t at = 0; at < 50'000; at += 10'000) c.rot(1, "/fetched/it/a", at + 3);
  for (std::uint64_t at = 0; at < 50'000; at += 10'000) {
    EXPECT_EQ(read(c, c.link, "a", at), c.tree.at("a").content.substr(at, 5));
  }
  c.world.run_for(5s);
  EXPECT_EQ(c.tree_at(1, "/fetched/it").at("a"), c.tree.at("a"));
}

TEST(Mend, AReadingGoesOnWhereARepairCannotBeWritten) {
  Fetched c;
  c.disk(1).set_read_only(true);
  for (std::uint64_t at = 0; at < 50'000; at += 10'000) c.rot(1, "/fetched/it/a", at + 3);
  for (std::uint64_t at = 0; at < 50'000; at += 10'000) {
    EXPECT_EQ(read(c, c.link, "a", at), c.tree.at("a").content.substr(at, 5));
  }
  c.world.run_for(20s);
  EXPECT_GT(c.shares(1).front().damaged, 0U);
  c.disk(1).set_read_only(false);
  EXPECT_THAT(verify(c, 1).bad, IsEmpty());
  c.expect_whole(1, "/fetched/it");
}

// A small share, so that the calls of a repair are the last of a verify.
const Tree kSmall = old_tree(100);

std::uint64_t calls_of_verify() {
  Fetched c(kSmall);
  c.rot(1, "/fetched/it/c", 2);
  const std::uint64_t before = c.disk(1).calls();
  EXPECT_EQ(verify(c, 1).repaired, 1U);
  return c.disk(1).calls() - before;
}

TEST(Mend, ADiskThatFailsIsReportedAndNothingIsTakenForGoodThatIsNot) {
  const std::uint64_t calls = calls_of_verify();
  std::size_t not_repaired = 0, repaired_later = 0;
  for (std::uint64_t call = 1; call <= calls; ++call) {
    SCOPED_TRACE(call);
    Fetched c(kSmall);
    c.rot(1, "/fetched/it/c", 2);
    c.disk(1).fail_at(c.disk(1).calls() + call, EROFS);
    const node::VerifyReport report = verify(c, 1);
    if (!report.bad.empty()) ++not_repaired;
    for (const node::DamageView& damage : report.damage) {
      EXPECT_NE(damage.repaired, !damage.why.empty());
    }
    const bool failed = c.shares(1).front().damaged == 1;
    const node::VerifyReport again = verify(c, 1);
    EXPECT_EQ(again.bad.empty(), c.tree_at(1, "/fetched/it")["c"].content == "protected");
    if (failed && again.repaired == 1) ++repaired_later;
  }
  EXPECT_GT(not_repaired, 3U);
  EXPECT_GT(repaired_later, 0U) << "what was in the way is gone";
}

TEST(Mend, ACrashAtAnyStepLeavesNothingThatIsTakenForGoodAndIsNot) {
  const std::uint64_t calls = calls_of_verify();
  for (const auto kind : {MemoryFileIo::Crash::kProcess, MemoryFileIo::Crash::kSystem}) {
    for (std::uint64_t call = 1; call <= calls; ++call) {
      SCOPED_TRACE(std::to_string(call) + (kind == MemoryFileIo::Crash::kSystem ? " system" : ""));
      Fetched c(kSmall);
      c.rot(1, "/fetched/it/c", 2);
      c.world.node(1).crash_at(call, kind);
      (void)c.begin(1, node::VerifyShare{});
      ASSERT_TRUE(c.world.run_until([&] { return !c.world.node(1).is_up(); }, 60s));
      c.world.node(1).start();
      c.world.run_for(1s);
      const node::VerifyReport report = verify(c, 1);
      const Tree found = c.tree_at(1, "/fetched/it");
      EXPECT_EQ(report.bad.empty(), found.at("c").content == "protected");
      EXPECT_EQ(found.at("a"), kSmall.at("a"));
      EXPECT_EQ(found.at("b"), kSmall.at("b"));
    }
  }
}

TEST(Mend, AnUnsharedCopyEndsItsMending) {
  Fetched c;
  c.world.node(0).crash(MemoryFileIo::Crash::kProcess);
  c.rot(1, "/fetched/it/a", 20'000);
  const auto answer = c.begin(1, node::VerifyShare{});
  c.world.run_for(5s);
  ASSERT_TRUE(c.ask(1, node::Unshare{c.link}));
  ASSERT_TRUE(c.world.run_until([&] { return answer->has_value(); }, 60s));
  c.world.node(0).start();
  c.world.run_for(60s);
  EXPECT_NE(c.tree_at(1, "/fetched/it"), c.tree);
}

}  // namespace
}  // namespace kith::sim
