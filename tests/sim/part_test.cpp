// Copies of a part of a share: what is fetched, written, served and kept of it.
#include "storage/path_policy.hpp"
#include "tests/sim/case.hpp"

namespace kith::sim {
namespace {

using storage::MemoryFileIo;
using storage::test::directory;
using storage::test::file;
using storage::test::noise;
using storage::test::symlink;

// Packs of small files, a large file, and what has no content.
Tree album() {
  Tree tree = {{"", directory()},
               {"docs", directory(0750)},
               {"docs/deep", directory()},
               {"empty", directory()},
               {"docs/none", file("")},
               {"docs/link", symlink("deep")},
               {"film", file(noise(7, 200'000))}};
  for (std::uint64_t i = 0; i < 150; ++i) {
    const std::string kind = i % 3 == 0 ? ".jpg" : ".txt";
    tree["docs/" + std::to_string(100 + i) + kind] = file(noise(i + 1, 100));
    tree["docs/deep/" + std::to_string(100 + i) + kind] = file(noise(i + 500, 90));
  }
  return tree;
}

// What is meant, what lies in it, and the directories on the way there.
template <class Meant>
Tree part_of(const Tree& tree, Meant&& meant) {
  Tree out = {{"", tree.at("")}};
  for (const auto& [path, item] : tree) {
    bool taken = meant(path);
    for (auto up = storage::split(path).parent; !up.empty(); up = storage::split(up).parent) {
      taken = taken || meant(std::string(up));
    }
    if (!taken) continue;
    out[path] = item;
    for (auto up = storage::split(path).parent; !up.empty(); up = storage::split(up).parent) {
      out[std::string(up)] = tree.at(std::string(up));
    }
  }
  return storage::test::without_link_times(out);
}

Tree named(const Tree& tree, const std::string& path) {
  return part_of(tree, [&](const std::string& p) { return p == path; });
}
Tree ending(const Tree& tree, const std::string& end) {
  return part_of(tree, [&](const std::string& p) { return p.ends_with(end); });
}

node::Fetch part_to(const std::string& link, const std::string& directory,
                    std::vector<std::string> globs) {
  node::Fetch out = Case::fetch_to(link, directory);
  out.part = std::move(globs);
  return out;
}

Errc error_of(Case& c, std::size_t node, const node::Fetch& command) {
  const auto answer = c.ask(node, command);
  return answer ? Errc::kInternal : answer.error().code;
}

node::VerifyReport verified(Case& c, std::size_t node) {
  return std::get<node::VerifyReport>(*c.ask(node, node::VerifyShare{}));
}

TEST(Part, OnlyWhatFitsIsFetched) {
  Chunking fixed = kTiny;
  fixed.mode = ChunkingMode::kFixed;
  for (const Chunking& chunking : {kTiny, fixed}) {
    SCOPED_TRACE(static_cast<int>(chunking.mode));
    Case c(2);
    const std::string link = c.share(0, album(), "/album", chunking);
    const auto film = c.fetched(1, part_to(link, "/film", {"film"}));
    EXPECT_EQ(c.tree_at(1, "/film/it"), named(album(), "film"));
    EXPECT_EQ(film.files_taken, 1U);
    EXPECT_EQ(film.bytes_taken, 200'000U);
    const auto deep = c.fetched(1, part_to(link, "/deep", {"/docs/deep"}));
    EXPECT_EQ(c.tree_at(1, "/deep/it"), named(album(), "docs/deep"));
    EXPECT_EQ(deep.files_taken, 150U);
    EXPECT_LT(deep.bytes_received, 100'000U);
    c.fetched(1, part_to(link, "/jpg", {"*.jpg", "none", "link", "empty/"}));
    EXPECT_EQ(c.tree_at(1, "/jpg/it"), part_of(album(), [](const std::string& p) {
                return p.ends_with(".jpg") || p == "docs/none" || p == "docs/link" || p == "empty";
              }));
  }
}

TEST(Part, WhatFitsNothingIsAnErrorAndLeavesNothing) {
  Case c(2);
  const std::string link = c.share(0, album());
  EXPECT_EQ(error_of(c, 1, part_to(link, "/out", {"*.png"})), Errc::kNotFound);
  c.world.run_for(1s);
  EXPECT_TRUE(storage::test::names_in(c.world.node(1).disk(), "/out").empty());
  EXPECT_TRUE(c.shares(1).empty());
  // With something at the destination, and with the pages at hand.
  c.fetched(1, part_to(link, "/out", {"film"}));
  EXPECT_EQ(error_of(c, 1, part_to(link, "/out", {"*.png"})), Errc::kNotFound);
  c.fetched(1, Case::fetch_to(link, "/whole"));
  EXPECT_EQ(error_of(c, 1, part_to(link, "/other", {"*.png"})), Errc::kNotFound);
  EXPECT_EQ(c.shares(1).size(), 2U);
}

TEST(Part, TheSameCommandAgainFindsItThere) {
  Case c(2);
  const std::string link = c.share(0, album());
  const auto command = part_to(link, "/out", {"*.jpg"});
  c.fetched(1, command);
  const auto again = c.fetched(1, command);
  EXPECT_TRUE(again.already_there);
  EXPECT_EQ(c.shares(1).size(), 1U);
  EXPECT_EQ(c.shares(1)[0].part, std::vector<std::string>{"*.jpg"});
  EXPECT_EQ(c.shares(1)[0].bytes_have, c.shares(1)[0].bytes_taken);
}

TEST(Part, AnotherPartOfItTakesItsPlaceOnlyIfToldTo) {
  Case c(2);
  const std::string link = c.share(0, album());
  c.fetched(1, part_to(link, "/out", {"film"}));
  EXPECT_EQ(error_of(c, 1, part_to(link, "/out", {"film", "*.jpg"})), Errc::kExists);
  EXPECT_EQ(error_of(c, 1, Case::fetch_to(link, "/out")), Errc::kExists);
  EXPECT_EQ(c.tree_at(1, "/out/it"), named(album(), "film"));
  auto more = part_to(link, "/out", {"film", "*.jpg"});
  more.replace = true;
  const auto both = c.fetched(1, more);
  EXPECT_EQ(c.tree_at(1, "/out/it"), part_of(album(), [](const std::string& p) {
              return p == "film" || p.ends_with(".jpg");
            }));
  EXPECT_EQ(both.bytes_copied, 200'000U);
  auto whole = Case::fetch_to(link, "/out");
  whole.replace = true;
  EXPECT_GE(c.fetched(1, whole).bytes_copied, 200'000U);
  EXPECT_EQ(c.tree_at(1, "/out/it"), c.tree_at(0, "/shared"));
  ASSERT_EQ(c.shares(1).size(), 1U);
  EXPECT_TRUE(c.shares(1)[0].part.empty());
}

TEST(Part, WhileItIsFetchedAnotherPartIsRefused) {
  Case c(2);
  const std::string link = c.share(0, album());
  const auto first = c.begin(1, part_to(link, "/out", {"film"}));
  EXPECT_EQ(error_of(c, 1, part_to(link, "/out", {"*.jpg"})), Errc::kConflict);
  ASSERT_TRUE(c.world.run_until([&] { return first->has_value(); }, 60s));
  EXPECT_EQ(c.tree_at(1, "/out/it"), named(album(), "film"));
}

TEST(Part, AWholeCopyFillsIt) {
  Case c(2);
  const std::string link = c.share(0, album());
  c.fetched(1, Case::fetch_to(link, "/whole"));
  const auto part = c.fetched(1, part_to(link, "/part", {"*.txt"}));
  EXPECT_EQ(part.bytes_received, 0U);
  EXPECT_EQ(c.tree_at(1, "/part/it"), ending(album(), ".txt"));
}

TEST(Part, WhatIsWholeInItIsServedAndNothingElse) {
  Case c(3);
  const std::string link = c.share(0, album());
  c.fetched(1, part_to(link, "/film", {"film"}));
  c.fetched(1, part_to(link, "/jpg", {"*.jpg"}));
  c.world.node(0).crash(MemoryFileIo::Crash::kProcess);
  const auto film = c.fetched(2, part_to(link, "/out", {"film"}));
  EXPECT_EQ(c.tree_at(2, "/out/it"), named(album(), "film"));
  EXPECT_GT(film.bytes_received, 200'000U);
  // Of the packs it has some files only.
  EXPECT_EQ(error_of(c, 2, part_to(link, "/more", {"*.jpg"})), Errc::kNotFound);
  c.world.node(0).start();
  c.fetched(2, part_to(link, "/more", {"*.jpg"}));
  EXPECT_EQ(c.tree_at(2, "/more/it"), ending(album(), ".jpg"));
}

TEST(Part, IsTakenUpAfterARestart) {
  Case c(3);
  const std::string link = c.share(0, album());
  c.fetched(1, part_to(link, "/film", {"film", "*.jpg"}));
  c.world.node(1).crash(MemoryFileIo::Crash::kSystem);
  c.world.node(1).start();
  c.world.run_for(1s);  // the crash may have taken the mark that it is complete
  ASSERT_EQ(c.shares(1).size(), 1U);
  EXPECT_EQ(c.shares(1)[0].state, "complete");
  EXPECT_EQ(c.shares(1)[0].bytes_taken, c.shares(1)[0].bytes_have);
  EXPECT_TRUE(verified(c, 1).bad.empty());
  EXPECT_EQ(c.shares(1)[0].state, "complete");
  c.world.node(0).crash(MemoryFileIo::Crash::kProcess);
  c.fetched(2, part_to(link, "/out", {"film"}));
  EXPECT_EQ(c.tree_at(2, "/out/it"), named(album(), "film"));
}

TEST(Part, ADamagedFileOfItIsNamedByVerify) {
  for (const std::string& path : {std::string("film"), std::string("docs/102.txt")}) {
    SCOPED_TRACE(path);
    Case c(2);
    const std::string link = c.share(0, album());
    c.fetched(1, part_to(link, "/out", {"film", "102.txt"}));
    c.world.run_for(5s);
    const auto place = storage::split(path);
    c.edit(1, storage::join_native("/out/it", place.parent), std::string(place.name), 50);
    EXPECT_EQ(verified(c, 1).bad, std::vector<std::string>{path});
    EXPECT_EQ(c.shares(1)[0].state, "withdrawn");
    EXPECT_NE(c.shares(1)[0].problem.find(path), std::string::npos);
    // Another command does not take it for what it was.
    EXPECT_EQ(error_of(c, 1, part_to(link, "/out", {"film", "102.txt"})), Errc::kExists);
  }
}

// All that it does not take comes before it.
TEST(Part, ADamagedFileOfItIsNamedAfterARestart) {
  Case c(2);
  const std::string link = c.share(0, noise_tree(1'000'000));
  c.fetched(1, part_to(link, "/out", {"b"}));
  c.world.run_for(5s);
  c.edit(1, "/out/it", "b", 1);
  EXPECT_EQ(verified(c, 1).bad, std::vector<std::string>{"b"});
  c.world.run_for(1s);
  c.world.node(1).crash(storage::MemoryFileIo::Crash::kProcess);
  c.world.node(1).start();
  c.world.run_for(100ms);
  EXPECT_EQ(c.shares(1)[0].state, "withdrawn");
  EXPECT_EQ(c.shares(1)[0].problem, "1 file changed or missing, first b");
}

TEST(Part, MovesWithItsFiles) {
  Case c(2);
  const std::string link = c.share(0, album());
  c.fetched(1, part_to(link, "/out", {"film", "*.jpg"}));
  auto& disk = c.world.node(1).disk();
  const auto out = disk.open_root("/out");
  ASSERT_TRUE(disk.rename(*out, "it", *out, "there", storage::RenameMode::kNoReplace));
  EXPECT_EQ(c.shares(1)[0].state, "withdrawn");
  ASSERT_TRUE(c.ask(1, node::MovedShare{link, "/out/there"}));
  EXPECT_EQ(c.shares(1)[0].state, "complete");
  EXPECT_TRUE(verified(c, 1).bad.empty());
}

TEST(Part, BrokenOffWhileItsListComesItGoesOn) {
  for (int moment = 0; moment < 60; ++moment) {
    SCOPED_TRACE(moment);
    Case c(2);
    const std::string link = c.share(0, album());
    const auto command = part_to(link, "/out", {"film", "*.jpg"});
    c.begin(1, command);
    c.world.run_for(std::chrono::milliseconds(5 * moment));
    c.world.node(1).hang_up(c.request);
    c.world.run_for(1s);
    c.fetched(1, command);
    if (testing::Test::HasFailure()) return;
  }
}

TEST(Part, TheTopAloneIsNothing) {
  Case c(2);
  const std::string link = c.share(0, album());
  EXPECT_EQ(error_of(c, 1, part_to(link, "/out", {"/"})), Errc::kNotFound);
}

TEST(Part, AQuotaCountsWhatItTakes) {
  Case c(2);
  const std::string link = c.share(0, album());
  ASSERT_TRUE(c.ask(1, node::ChangeQuota{250'000}));
  c.fetched(1, part_to(link, "/film", {"film"}));
  EXPECT_TRUE(c.fetched(1, part_to(link, "/film", {"film"})).already_there);
  c.fetched(1, part_to(link, "/texts", {"*.txt"}));
  for (int i = 0; i < 2; ++i) {
    EXPECT_EQ(error_of(c, 1, part_to(link, "/more", {"film"})), Errc::kNoSpace);
  }
  EXPECT_EQ(std::get<node::QuotaAnswer>(*c.ask(1, node::ChangeQuota{})).used, 219'000U);
}

// So much may be written beyond what always stays free.
void leave_free(Case& c, std::size_t node, std::uint64_t bytes) {
  MemoryFileIo& disk = c.world.node(node).disk();
  disk.set_capacity(disk.used_bytes() + (1U << 20) + bytes);
}

TEST(Part, WhatDoesNotFitIsRefusedBeforeAnythingOfItComes) {
  for (const bool is_here : {false, true}) {
    SCOPED_TRACE(is_here);
    Case c(2);
    const std::string link = c.share(0, album());
    if (is_here) c.fetched(1, Case::fetch_to(link, "/whole"));
    leave_free(c, 1, 199'999);
    const std::uint64_t before = c.world.node(1).disk().used_bytes();
    const auto refused = c.ask(1, part_to(link, "/film", {"film"}));
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, Errc::kNoSpace);
    EXPECT_THAT(refused.error().what, testing::HasSubstr("200000 bytes, and only"));
    c.world.run_for(1s);
    EXPECT_EQ(c.world.node(1).disk().used_bytes(), before);
    EXPECT_TRUE(storage::test::names_in(c.world.node(1).disk(), "/film").empty());
    EXPECT_EQ(c.shares(1).size(), is_here ? 1U : 0U);
    const auto peers = std::get<node::PeersAnswer>(*c.ask(1, node::ListPeers{})).peers;
    EXPECT_LT(peers.at(0).bytes_received, is_here ? 600'000U : 150'000U) << "no content came";
    // All of the share would not fit either; what fits is what counts.
    c.fetched(1, part_to(link, "/texts", {"*.txt"}));
    leave_free(c, 1, 200'000);
    c.fetched(1, part_to(link, "/film", {"film"}));
    EXPECT_EQ(c.tree_at(1, "/film/it"), named(album(), "film"));
  }
}

TEST(Part, GoesOnIfTheRestOfItFits) {
  for (const bool restarts : {false, true}) {
    SCOPED_TRACE(restarts);
    Case c(2);
    const std::string link = c.share(0, album());
    MemoryFileIo& disk = c.world.node(1).disk();
    const std::uint64_t before = disk.used_bytes();
    ASSERT_TRUE(c.ask(0, node::SetLimit{50'000}));
    const auto command = part_to(link, "/out", {"film"});
    c.begin(1, command);
    ASSERT_TRUE(c.world.run_until([&] { return disk.used_bytes() > before + 100'000; }, 60s));
    c.world.node(1).hang_up(c.request);
    c.world.run_for(1s);
    if (restarts) c.world.node(1).crash(MemoryFileIo::Crash::kProcess);
    if (restarts) c.world.node(1).start();
    c.world.run_for(1s);
    ASSERT_TRUE(c.ask(0, node::SetLimit{0}));
    const std::uint64_t rest = 200'000 - (disk.used_bytes() - before);
    ASSERT_GT(rest, 0U);
    const std::uint64_t have = c.shares(1).at(0).bytes_have;
    EXPECT_GT(have, 0U);
    leave_free(c, 1, rest - 1);
    EXPECT_EQ(error_of(c, 1, command), Errc::kNoSpace);
    ASSERT_EQ(c.shares(1).size(), 1U) << "what came is kept";
    EXPECT_EQ(c.shares(1)[0].bytes_have, have);
    leave_free(c, 1, rest);
    EXPECT_LT(c.fetched(1, command).bytes_received, 200'000U);
    EXPECT_EQ(c.tree_at(1, "/out/it"), named(album(), "film"));
  }
}

TEST(Part, AQuotaThatGotTooSmallTakesNothingAway) {
  Case c(2);
  const std::string link = c.share(0, album());
  ASSERT_TRUE(c.ask(0, node::SetLimit{50'000}));
  const auto command = part_to(link, "/out", {"film"});
  c.begin(1, command);
  c.world.run_for(3s);
  c.world.node(1).hang_up(c.request);
  c.world.run_for(1s);
  const std::uint64_t have = c.shares(1).at(0).bytes_have;
  EXPECT_GT(have, 0U);
  ASSERT_TRUE(c.ask(1, node::ChangeQuota{100'000}));
  EXPECT_EQ(error_of(c, 1, command), Errc::kNoSpace);
  EXPECT_EQ(c.shares(1).at(0).bytes_have, have);
  ASSERT_TRUE(c.ask(1, node::ChangeQuota{0}));
  ASSERT_TRUE(c.ask(0, node::SetLimit{0}));
  c.fetched(1, command);
}

TEST(Part, WhatItIsFilledFromMayGoAwayAtAnyMoment) {
  for (int moment = 0; moment < 40; ++moment) {
    for (const bool whole : {false, true}) {
      SCOPED_TRACE(testing::Message() << moment << (whole ? ", whole" : ", part"));
      Case c(2);
      const std::string link = c.share(0, album());
      c.fetched(1, Case::fetch_to(link, "/whole"));
      storage::test::make_dir(c.world.node(1).disk(), "/out");
      storage::test::write_tree(c.world.node(1).disk(), "/out/it", noise_tree(1'000));
      auto command = whole ? Case::fetch_to(link, "/out") : part_to(link, "/out", {"film"});
      command.replace = true;
      const auto answer = c.begin(1, command);
      c.world.run_for(std::chrono::milliseconds(moment));
      ASSERT_TRUE(c.ask(1, node::Unshare{link}));
      ASSERT_TRUE(c.world.run_until([&] { return answer->has_value(); }, 60s));
      ASSERT_TRUE(**answer || (*answer)->error().code == Errc::kConflict)
          << to_string((*answer)->error());
      if (!**answer) c.fetched(1, command);
      const Tree want = whole ? c.tree_at(0, "/shared") : named(album(), "film");
      EXPECT_EQ(c.tree_at(1, "/out/it"), want);
      if (testing::Test::HasFailure()) return;
    }
  }
}

TEST(Part, ATreeOfThisMachineServesIt) {
  Case c(2);
  const std::string link = c.share(0, album());
  storage::test::write_tree(c.world.node(1).disk(), "/old", album());
  auto command = part_to(link, "/out", {"film", "*.jpg"});
  command.reuse = "/old";
  const auto part = c.fetched(1, command);
  EXPECT_GE(part.bytes_copied, 200'000U);
  EXPECT_EQ(c.tree_at(1, "/out/it"), part_of(album(), [](const std::string& p) {
              return p == "film" || p.ends_with(".jpg");
            }));
}

TEST(Part, ACrashAtAnyMomentLosesNothing) {
  for (std::uint64_t call = 1; call < 300; call += 7) {
    for (const auto kind : {MemoryFileIo::Crash::kProcess, MemoryFileIo::Crash::kSystem}) {
      SCOPED_TRACE(testing::Message() << "call " << call << ", kind " << static_cast<int>(kind));
      Case c(2, call);
      const std::string link = c.share(0, album());
      const auto command = part_to(link, "/out", {"film", "/docs/deep/*.jpg", "empty"});
      c.world.node(1).crash_at(call, kind);
      c.begin(1, command);
      c.world.run_for(5s);
      if (!c.world.node(1).is_up()) c.world.node(1).start();
      c.world.run_for(1s);
      c.fetched(1, command);
      EXPECT_EQ(c.tree_at(1, "/out/it"), part_of(album(), [](const std::string& p) {
                  return p == "film" || p == "empty" ||
                         (p.starts_with("docs/deep/") && p.ends_with(".jpg"));
                }));
      if (testing::Test::HasFailure()) return;
    }
  }
}

// A pattern that fits exactly this path.
std::string literal(const std::string& path) {
  std::string out = "/";
  for (const char c : path) {
    if (std::string_view("*?[]\\").find(c) != std::string_view::npos) out += '\\';
    out += c;
  }
  return out;
}

TEST(Part, RandomPartsOfRandomTrees) {
  for (std::uint64_t seed = 1; seed <= 40; ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    Chunking chunking = Chunking::tiny(1024);
    if (seed % 2 == 0) chunking.mode = ChunkingMode::kFixed;
    const Tree tree = storage::test::random_tree(seed, chunking);
    if (tree.at("").kind != EntryKind::kDirectory || tree.size() < 2) continue;
    Case c(2, seed);
    const std::string link = c.share(0, tree, "/shared", chunking);
    std::set<std::string> meant;
    for (int i = 0; i < 3; ++i) {
      meant.insert(std::next(tree.begin(), 1 + static_cast<std::ptrdiff_t>(
                                                   c.world.rng().uniform(tree.size() - 1)))
                       ->first);
    }
    std::vector<std::string> globs;
    for (const std::string& path : meant) globs.push_back(literal(path));
    c.fetched(1, part_to(link, "/out", globs));
    EXPECT_EQ(c.tree_at(1, "/out/it"),
              part_of(tree, [&](const std::string& p) { return meant.contains(p); }));
    EXPECT_TRUE(verified(c, 1).bad.empty());
    if (testing::Test::HasFailure()) return;
  }
}

}  // namespace
}  // namespace kith::sim
