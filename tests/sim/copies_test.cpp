// What becomes of copies when their files go, change or move under them, and of the commands that
// are about them.
#include "tests/sim/case.hpp"

namespace kith::sim {
namespace {

using storage::MemoryFileIo;

std::vector<std::string> bad_files(Case& c, std::size_t node) {
  const auto report = c.ask(node, node::VerifyShare{});
  EXPECT_TRUE(report) << to_string(report.error());
  return report ? std::get<node::VerifyReport>(*report).bad : std::vector<std::string>();
}

storage::Dir root_of(Case& c, std::size_t node) {
  return std::move(*c.world.node(node).disk().open_root("/"));
}

const Tree kSingle = {{"", storage::test::file(storage::test::noise(1, 50'000))}};

TEST(Copies, AFileThatIsGoneIsNoticedAfterItWasServed) {
  Case c(2);
  const std::string link = c.share(0, kSingle);
  ASSERT_TRUE(c.ask(1, Case::fetch_to(link, "/fetched")));
  ASSERT_THAT(bad_files(c, 0), testing::IsEmpty());
  ASSERT_TRUE(c.world.node(0).disk().remove_file(root_of(c, 0), "shared"));
  EXPECT_EQ(bad_files(c, 0).size(), 1U);
  EXPECT_EQ(c.shares(0).front().state, "withdrawn");
}

TEST(Copies, ATreeThatWasMovedAwayIsNoticedAfterItWasServed) {
  Case c(2);
  const std::string link = c.share(0, noise_tree(50'000));
  ASSERT_TRUE(c.ask(1, Case::fetch_to(link, "/fetched")));
  const auto root = root_of(c, 0);
  auto& disk = c.world.node(0).disk();
  ASSERT_TRUE(disk.rename(root, "shared", root, "away", storage::RenameMode::kNoReplace));
  EXPECT_EQ(bad_files(c, 0), std::vector<std::string>{"/shared"});
}

TEST(Copies, AFileThatGrewIsNamed) {
  Case c(1);
  c.share(0, noise_tree(50'000));
  auto& disk = c.world.node(0).disk();
  const auto dir = disk.open_root("/shared");
  const auto file = disk.open_file(*dir, "b", storage::OpenMode::kReadWrite);
  char more = 'x';
  const iovec part{&more, 1};
  ASSERT_TRUE(disk.write(*file, 5, std::span(&part, 1)));
  EXPECT_EQ(bad_files(c, 0), std::vector<std::string>{"b"});
}

TEST(Copies, ADeletedFileThatWasServedGivesItsSpaceBack) {
  Case c(2);
  const std::string link = c.share(0, kSingle);
  ASSERT_TRUE(c.ask(1, Case::fetch_to(link, "/fetched")));
  const std::size_t serving = c.world.node(0).disk().open_count();
  c.world.run_for(node::kCloseAfter + 1s);
  EXPECT_LT(c.world.node(0).disk().open_count(), serving);
}

TEST(Copies, NothingStaysOpenOfWhatIsOnlyHeld) {
  Case c(1);
  c.share(0, noise_tree(50'000));
  c.world.run_for(1s);
  c.world.node(0).crash(MemoryFileIo::Crash::kProcess);
  c.world.node(0).start();
  c.world.run_for(node::kCloseAfter + 1s);
  EXPECT_EQ(c.world.node(0).disk().open_count(), 0U);
}

TEST(Copies, AFetchedTreeThatWasDeletedIsFetchedAgainFromPeers) {
  for (const std::string to : {"/fetched", "/other"}) {
    SCOPED_TRACE(to);
    Case c(2);
    const std::string link = c.share(0, noise_tree(50'000));
    ASSERT_TRUE(c.ask(1, Case::fetch_to(link, "/fetched")));
    auto& disk = c.world.node(1).disk();
    ASSERT_TRUE(storage::remove_tree(disk, *disk.open_root("/fetched"), "it"));
    const auto again = c.ask(1, Case::fetch_to(link, to));
    ASSERT_TRUE(again) << to_string(again.error());
    EXPECT_EQ(c.tree_at(1, to + "/it"), c.tree_at(0, "/shared"));
    EXPECT_EQ(storage::test::names_in(disk, to), std::vector<std::string>{"it"});
    const auto shares = c.shares(1);
    if (to != "/fetched") continue;
    ASSERT_EQ(shares.size(), 1U) << "what was there before is still listed";
    EXPECT_EQ(shares.front().state, "complete");
  }
}

TEST(Copies, CommandsRightAfterAStartKnowWhatIsHere) {
  const std::vector<node::CommandBody> commands = {node::ListShares{}, node::VerifyShare{},
                                                   node::ShowShare{}, node::VerifyShare{},
                                                   node::MovedShare{}};
  for (std::size_t i = 0; i < commands.size(); ++i) {
    SCOPED_TRACE(i);
    Case c(1);
    const std::string link = c.share(0, noise_tree(50'000));
    node::CommandBody command = commands[i];
    if (auto* show = std::get_if<node::ShowShare>(&command)) show->share = link;
    if (auto* moved = std::get_if<node::MovedShare>(&command)) *moved = {link, "/shared"};
    if (auto* verify = std::get_if<node::VerifyShare>(&command); i > 1 && verify != nullptr) {
      verify->share = link;
    }
    c.world.run_for(1s);
    c.world.node(0).crash(MemoryFileIo::Crash::kProcess);
    c.world.node(0).start();
    const auto answer = c.ask(0, command);
    ASSERT_TRUE(answer) << to_string(answer.error());
    if (const auto* list = std::get_if<node::SharesAnswer>(&*answer)) {
      EXPECT_EQ(list->shares.front().state, "shared");
    }
    if (const auto* show = std::get_if<node::ShareAnswer>(&*answer)) {
      EXPECT_EQ(show->share.state, "shared");
    }
    if (const auto* report = std::get_if<node::VerifyReport>(&*answer)) {
      EXPECT_GT(report->chunks, 0U);
    }
  }
}

void overwrite(Case& c, std::size_t node, const std::string& name, char byte) {
  auto& disk = c.world.node(node).disk();
  const auto dir = disk.open_root("/shared");
  const auto file = disk.open_file(*dir, name, storage::OpenMode::kReadWrite);
  const iovec part{&byte, 1};
  ASSERT_TRUE(disk.write(*file, 0, std::span(&part, 1)));
}

void expect_withdrawn(Case& c, const std::string& problem) {
  const node::ShareView view = c.shares(0).front();
  EXPECT_EQ(view.state, "withdrawn");
  EXPECT_EQ(view.problem, problem);
}

// Nobody asked for it, nobody verified it: whoever looks what there is sees it.
TEST(Copies, AListTellsOfFilesThatChanged) {
  Case c(1);
  c.share(0, noise_tree(50'000));
  EXPECT_EQ(c.shares(0).front().state, "shared");
  c.world.run_for(10s);
  c.world.node(0).disk().set_time_ns(count(c.world.now().wall) * 1'000'000);
  overwrite(c, 0, "b", 'S');
  expect_withdrawn(c, "1 file changed or missing, first b");
  ASSERT_TRUE(
      c.world.node(0).disk().remove_file(*c.world.node(0).disk().open_root("/shared"), "a"));
  expect_withdrawn(c, "2 files changed or missing, first a");
}

TEST(Copies, AListTellsOfATreeThatIsGone) {
  Case c(1);
  c.share(0, noise_tree(50'000));
  auto& disk = c.world.node(0).disk();
  ASSERT_TRUE(
      disk.rename(root_of(c, 0), "shared", root_of(c, 0), "away", storage::RenameMode::kNoReplace));
  EXPECT_EQ(c.shares(0).front().state, "withdrawn");
}

TEST(Copies, OfTwoCopiesTheOneThatIsGoneWasMovedAndBothAreUnshared) {
  Case c(2);
  const std::string link = c.share(0, noise_tree(50'000));
  for (const std::string to : {"/first", "/second"}) {
    ASSERT_TRUE(c.ask(1, Case::fetch_to(link, to)));
  }
  auto& disk = c.world.node(1).disk();
  for (const std::string gone : {"/first", "/second"}) {
    const auto dir = disk.open_root(gone);
    const std::string there = gone + "/moved";
    ASSERT_TRUE(disk.rename(*dir, "it", *dir, "moved", storage::RenameMode::kNoReplace));
    ASSERT_THAT(c.shares(1),
                testing::Contains(testing::Field(&node::ShareView::state, "withdrawn")));
    const auto moved = c.ask(1, node::MovedShare{link, there});
    ASSERT_TRUE(moved) << to_string(moved.error());
    const auto shares = c.shares(1);
    EXPECT_THAT(shares, testing::Each(testing::Field(&node::ShareView::state, "complete")));
    EXPECT_THAT(shares, testing::Contains(testing::Field(&node::ShareView::path, there)));
  }
  ASSERT_TRUE(c.ask(1, node::Unshare{link}));
  EXPECT_THAT(c.shares(1), testing::IsEmpty());
}

TEST(Copies, AFileThatWasTouchedIsStillShared) {
  Case c(1);
  c.share(0, noise_tree(50'000));
  auto& disk = c.world.node(0).disk();
  ASSERT_TRUE(disk.set_mtime_at(*disk.open_root("/shared"), "b", 5'000'000'000));
  EXPECT_EQ(c.shares(0).front().state, "shared");
}

TEST(Copies, WhatWasWithdrawnIsSoAfterARestartAndUntilItIsGoodAgain) {
  Case c(1);
  c.share(0, noise_tree(50'000));
  overwrite(c, 0, "b", 'S');
  ASSERT_EQ(bad_files(c, 0), std::vector<std::string>{"b"});
  const node::ShareView before = c.shares(0).front();
  EXPECT_EQ(before.state, "withdrawn");
  EXPECT_LT(before.bytes_have, before.totals.bytes);
  EXPECT_EQ(before.problem, "1 file changed or missing, first b");
  c.world.run_for(1s);
  c.world.node(0).crash(MemoryFileIo::Crash::kProcess);
  c.world.node(0).start();
  const node::ShareView after = c.shares(0).front();
  EXPECT_EQ(after.state, before.state);
  EXPECT_EQ(after.bytes_have, before.bytes_have);
  EXPECT_EQ(after.problem, before.problem);
  overwrite(c, 0, "b", 's');
  ASSERT_THAT(bad_files(c, 0), testing::IsEmpty());
  const node::ShareView again = c.shares(0).front();
  EXPECT_EQ(again.state, "shared");
  EXPECT_EQ(again.bytes_have, again.totals.bytes);
  EXPECT_EQ(again.problem, "");
}

TEST(Copies, WhatIsNotThereAtAStartIsWithdrawn) {
  for (const Tree& tree : {kSingle, noise_tree(50'000)}) {
    Case c(1);
    c.share(0, tree);
    c.world.run_for(1s);
    c.world.node(0).crash(MemoryFileIo::Crash::kProcess);
    ASSERT_TRUE(storage::remove_tree(c.world.node(0).disk(), root_of(c, 0), "shared"));
    c.world.node(0).start();
    const node::ShareView view = c.shares(0).front();
    EXPECT_EQ(view.state, "withdrawn");
    EXPECT_EQ(view.bytes_have, 0U);
    EXPECT_NE(view.problem, "");
  }
}

TEST(Copies, WhoJoinsAFetchThatGoesOnForOthersWaitsNoLonger) {
  Case c(2);
  const std::string link = c.share(0, noise_tree(50'000));
  c.world.node(0).crash(MemoryFileIo::Crash::kProcess);
  node::Fetch detached = Case::fetch_to(link, "/fetched");
  detached.detached = true;
  ASSERT_TRUE(c.ask(1, detached));
  c.world.run_for(60s);
  node::Fetch patient = Case::fetch_to(link, "/fetched");
  patient.wait = true;
  const auto waits = c.begin(1, patient);
  const auto joins = c.begin(1, Case::fetch_to(link, "/fetched"));
  const auto second = c.begin(1, Case::fetch_to(link, "/elsewhere"));
  c.world.run_for(node::kLookFor - 1s);
  EXPECT_FALSE(joins->has_value());
  EXPECT_FALSE(second->has_value());
  c.world.run_for(2s);
  for (const auto& answer : {joins, second}) {
    ASSERT_TRUE(answer->has_value());
    ASSERT_TRUE(answer->value().has_error());
    EXPECT_EQ(answer->value().error().code, Errc::kNotFound);
  }
  EXPECT_FALSE(waits->has_value());
  c.world.node(0).start();
  ASSERT_TRUE(c.world.run_until([&] { return waits->has_value(); }, 120s));
  EXPECT_TRUE(waits->value().has_value());
}

TEST(Copies, SourcesAreThoseOfThisFetch) {
  Case c(2);
  const std::string link = c.share(0, noise_tree(50'000));
  const auto fetch = [&](const std::string& to) {
    const auto fetched = c.ask(1, Case::fetch_to(link, to));
    EXPECT_TRUE(fetched) << to_string(fetched.error());
    return fetched ? std::get<node::FetchResult>(*fetched) : node::FetchResult();
  };
  const auto expect_from_peer = [](const node::FetchResult& result) {
    ASSERT_EQ(result.sources.size(), 1U);
    // The content, and what was needed of the manifest.
    EXPECT_GE(result.sources.front().bytes, result.totals.stored);
    EXPECT_LE(result.sources.front().bytes, result.bytes_received);
  };
  expect_from_peer(fetch("/fetched"));
  for (const std::string to : {"/fetched", "/copied"}) {
    const node::FetchResult again = fetch(to);
    EXPECT_THAT(again.sources, testing::IsEmpty());
    EXPECT_EQ(again.bytes_received, 0U);
  }
  // Fetched a second time from the network, in the same run.
  auto& disk = c.world.node(1).disk();
  for (const std::string gone : {"/fetched", "/copied"}) {
    ASSERT_TRUE(storage::remove_tree(disk, *disk.open_root(gone), "it"));
  }
  expect_from_peer(fetch("/fetched"));
}

TEST(Copies, AMoveThatIsRefusedSaysWhatDiffers) {
  Case c(1);
  const Tree tree = noise_tree(50'000);
  const std::string link = c.share(0, tree);
  Tree touched = tree;
  touched["b"].mtime_ns += 1;
  storage::test::write_tree(c.world.node(0).disk(), "/moved", touched);
  const auto moved = c.ask(0, node::MovedShare{link, "/moved"});
  ASSERT_FALSE(moved);
  EXPECT_EQ(moved.error().subject, "/moved/b");
  EXPECT_THAT(moved.error().what, testing::HasSubstr("modification time"));
}

}  // namespace
}  // namespace kith::sim
