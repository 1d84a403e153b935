#include "proto/content/checker.hpp"

#include <functional>
#include <gtest/gtest.h>

#include "tests/unit/proto/content/share_model.hpp"

namespace kith {
namespace {

using test::Built;
using test::directory;
using test::file;
using test::row;
using test::symlink;

// Three pages: the second begins within chunk 1, the third within file "m".
Built sample() {
  Built built;
  built.pages.resize(3);
  built.pages[0].rows = {row(10, 1), row(20, 2)};
  built.pages[0].entries = {directory(""), directory("a"), file("a/x", 15), symlink("a/y", "x")};
  built.pages[1].skip = 5;
  built.pages[1].rows = {row(20, 2), row(30, 3)};
  built.pages[1].entries = {file("a/z", 15), file("m", 100)};
  built.pages[2].rows = {row(40, 4), row(33, 5)};
  built.pages[2].entries = {file("m", 100, 30), directory("n"), file("n/o", 3)};
  return built;
}

// The root that says of the pages what they hold.
void describe(Built& built, std::uint64_t stored) {
  Root& root = built.root;
  root.name = "share";
  root.pages.clear();
  Totals totals;
  for (const Page& page : built.pages) {
    root.pages.push_back({.id = {},
                          .key = {},
                          .length = 100,
                          .chunks = static_cast<std::uint32_t>(page.rows.size()),
                          .entries = static_cast<std::uint32_t>(page.entries.size()),
                          .shares_first = page.skip != 0,
                          .bytes = page.content_bytes(),
                          .first_path = page.entries.front().path});
    totals.bytes += page.content_bytes();
    totals.chunks += page.rows.size() - (page.skip != 0 ? 1 : 0);
    for (const Entry& entry : page.entries) {
      if (entry.offset != 0) continue;
      totals.files += entry.kind == EntryKind::kFile;
      totals.directories += entry.kind == EntryKind::kDirectory;
      totals.symlinks += entry.kind == EntryKind::kSymlink;
    }
  }
  totals.stored = stored;
  root.totals = totals;
}

std::string check(const Built& built) {
  ManifestChecker checker(built.root);
  for (const Page& page : built.pages) {
    const auto ok = checker.add(page);
    if (!ok) {
      EXPECT_EQ(ok.error().blame, Blame::kPeer);
      return ok.error().what;
    }
  }
  const auto ok = checker.finish();
  return ok ? "" : ok.error().what;
}

// The sample after a change that the root goes along with.
std::string check_after(const std::function<void(Built&)>& change) {
  Built built = sample();
  change(built);
  describe(built, 133);
  return check(built);
}

// The sample after a change that the root does not know of.
std::string check_against_root(const std::function<void(Built&)>& change) {
  Built built = sample();
  describe(built, 133);
  change(built);
  return check(built);
}

TEST(ManifestChecker, AcceptsASoundManifest) {
  EXPECT_EQ(check_after([](Built&) {}), "");
  Built built = sample();
  describe(built, 133);
  EXPECT_TRUE(Root::decode(built.root.encode())) << "the sample itself is sound";
  for (const Page& page : built.pages) EXPECT_TRUE(Page::decode(page.encode()));
}

TEST(ManifestChecker, ComparesEachPageWithTheRoot) {
  EXPECT_EQ(check_against_root([](Built& b) { b.root.pages[1].chunks += 1; }),
            "page and root differ in chunks");
  EXPECT_EQ(check_against_root([](Built& b) { b.root.pages[1].entries += 1; }),
            "page and root differ in entries");
  EXPECT_EQ(check_against_root([](Built& b) { b.root.pages[1].bytes += 1; }),
            "page and root differ in bytes");
  EXPECT_EQ(check_against_root([](Built& b) { b.root.pages[1].shares_first = false; }),
            "page and root differ in sharing");
  EXPECT_EQ(check_against_root([](Built& b) { b.root.pages[1].first_path = "a/zz"; }),
            "page and root differ in the first path");
}

TEST(ManifestChecker, WantsTheTopEntryFirst) {
  const std::string top = "share does not begin with its top entry";
  EXPECT_EQ(check_after([](Built& b) { b.pages[0].entries.erase(b.pages[0].entries.begin()); }),
            top);
  Built single;
  single.pages.resize(1);
  single.pages[0].rows = {row(10)};
  single.pages[0].entries = {file("share", 10)};
  describe(single, 10);
  EXPECT_EQ(check(single), top) << "it is no tree";
  single.root.single_file = true;
  EXPECT_EQ(check(single), "");
  single.root.name = "other";
  EXPECT_EQ(check(single), top);
  single.pages[0].entries = {symlink("share", "x")};
  single.pages[0].rows.clear();
  describe(single, 0);
  single.root.single_file = true;
  EXPECT_EQ(check(single), top);
}

TEST(ManifestChecker, RefusesAShareThatBeginsWithinAFile) {
  Built single;
  single.pages.resize(1);
  single.pages[0].rows = {row(10)};
  single.pages[0].entries = {file("share", 20, 10)};
  describe(single, 10);
  single.root.single_file = true;
  EXPECT_EQ(check(single), "share begins within a file");
}

TEST(ManifestChecker, WantsParentsAndOrderAcrossPages) {
  EXPECT_EQ(check_after([](Built& b) { b.pages[1].entries[0].path = "b/z"; }),
            "an entry's directory has no entry before it");
  EXPECT_EQ(check_after([](Built& b) { b.pages[1].entries[0].path = "a/y/z"; }),
            "an entry lies below a file or symlink");
  EXPECT_EQ(check_after([](Built& b) { b.pages[1].entries[0].path = "a/x"; }),
            "page reaches into the next one");
  EXPECT_EQ(check_after([](Built& b) { b.pages[1].entries[0].path = "a/y"; }),
            "page reaches into the next one");
}

TEST(ManifestChecker, WantsAFileToGoOnWhereItStopped) {
  const std::string broken = "a file does not go on where the page before ended";
  EXPECT_EQ(check_after([](Built& b) { b.pages[2].entries[0].offset = 31; }), broken);
  EXPECT_EQ(check_after([](Built& b) { b.pages[2].entries[0].mtime_ns += 1; }), broken);
  EXPECT_EQ(check_after([](Built& b) { b.pages[2].entries[0].mode ^= 1; }), broken);
  // The last page tells by itself.
  const std::string ends = "last file ends before its size";
  EXPECT_EQ(check_after([](Built& b) { b.pages[2].entries[0].offset = 0; }), ends);
  EXPECT_EQ(check_after([](Built& b) { b.pages[2].entries[0].size = 101; }), ends);
  EXPECT_EQ(check_after([](Built& b) { b.pages[2].entries.erase(b.pages[2].entries.begin()); }),
            "page reaches into the next one");
  EXPECT_EQ(check_after([](Built& b) {
              b.pages[1].entries[1] = file("m", 30);
              b.pages[2].entries[0] = file("mm", 100, 30);
            }),
            "page begins within a file that did not begin");
  EXPECT_EQ(check_after([](Built& b) { b.pages.pop_back(); }), ends);
}

TEST(ManifestChecker, WantsAChunkToGoOnWhereItStopped) {
  const std::string broken = "page does not go on where the chunk before ended";
  EXPECT_EQ(check_after([](Built& b) { b.pages[1].skip = 6; }), broken);
  EXPECT_EQ(check_after([](Built& b) { b.pages[1].skip = 4; }), broken);
  EXPECT_EQ(check_after([](Built& b) { b.pages[1].skip = 0; }), broken);
  EXPECT_EQ(check_after([](Built& b) { b.pages[1].rows[0] = row(20, 9); }),
            "pages differ in a shared chunk");
  EXPECT_EQ(check_after([](Built& b) { b.pages[1].rows[0] = row(21, 2); }),
            "pages differ in a shared chunk");
  EXPECT_EQ(check_after([](Built& b) { b.pages[1].rows[0].key = {}; }),
            "pages differ in a shared chunk");
  EXPECT_EQ(check_after([](Built& b) {
              b.pages[2].skip = 1;
              b.pages[2].entries[0] = file("mm", 69);
              b.pages[1].entries[1] = file("m", 30);
            }),
            broken);
}

TEST(ManifestChecker, AllowsAPageWithoutRowsWithinAChunk) {
  const auto with_empty_page = [](std::uint32_t skip) {
    Built built = sample();
    Page between;
    between.entries = {directory("a/yy")};
    built.pages.insert(built.pages.begin() + 1, between);
    built.pages[2].skip = skip;
    describe(built, 133);
    return check(built);
  };
  EXPECT_EQ(with_empty_page(5), "");
  EXPECT_NE(with_empty_page(6), "");
  EXPECT_NE(with_empty_page(0), "");
}

TEST(ManifestChecker, ComparesTheTotals) {
  const std::string totals = "pages and totals differ";
  EXPECT_EQ(check_against_root([](Built& b) { b.root.totals.files += 1; }), totals);
  EXPECT_EQ(check_against_root([](Built& b) { b.root.totals.directories -= 1; }), totals);
  EXPECT_EQ(check_against_root([](Built& b) { b.root.totals.symlinks += 1; }), totals);
  EXPECT_EQ(check_against_root([](Built& b) { b.root.totals.stored += 1; }), totals);
  EXPECT_EQ(check_against_root([](Built& b) { b.root.totals.bytes += 1; }), totals);
  EXPECT_EQ(check_against_root([](Built& b) { b.root.totals.chunks += 1; }), totals);
}

TEST(ManifestChecker, LeavesNoRoomForPaddingWithoutFixedChunks) {
  Built built = sample();
  built.pages[2].entries.pop_back();  // the last chunk holds three bytes more than the content
  describe(built, 133);
  EXPECT_EQ(Root::decode(built.root.encode()).error().what, "stored bytes are not the content");
  describe(built, 130);
  EXPECT_TRUE(Root::decode(built.root.encode()));
  EXPECT_EQ(check(built), "pages and totals differ");
}

TEST(ManifestChecker, WantsEveryPage) {
  EXPECT_EQ(check_against_root([](Built& b) { b.pages.pop_back(); }),
            "fewer pages than the root has");
  EXPECT_EQ(check_against_root([](Built& b) { b.pages.push_back(b.pages.back()); }),
            "more pages than the root has");
}

TEST(ManifestChecker, ChecksLengthsByTheChunking) {
  Built built;
  built.pages.resize(1);
  built.root.chunking.mode = ChunkingMode::kFixed;
  built.root.chunking.fixed = 100;
  built.pages[0].rows = {row(100, 1), row(100, 2)};
  built.pages[0].entries = {directory(""), file("a", 150)};
  describe(built, 200);
  EXPECT_EQ(check(built), "");
  built.pages[0].rows[1].length = 99;
  describe(built, 199);
  EXPECT_EQ(check(built), "chunk does not have the fixed length");
  built.root.chunking = Chunking::tiny(4096);  // at most 1,024 bytes
  built.pages[0].rows = {row(1024)};
  built.pages[0].entries[1] = file("a", 1024);
  describe(built, 1024);
  EXPECT_EQ(check(built), "");
  built.pages[0].rows = {row(1025)};
  built.pages[0].entries[1] = file("a", 1025);
  describe(built, 1025);
  EXPECT_EQ(check(built), "chunk is longer than any of its chunking");
}

TEST(CheckPage, WorksInAnyOrder) {
  Built built = sample();
  describe(built, 133);
  for (const std::uint32_t i : {2u, 0u, 1u}) EXPECT_TRUE(check_page(built.root, i, built.pages[i]));
  EXPECT_FALSE(check_page(built.root, 0, built.pages[1]));
  EXPECT_FALSE(check_page(built.root, 1, built.pages[2]));
}

TEST(CheckPage, AFileIsNoLargerThanTheShareHoldsNow) {
  // The last page ends where its last file does.
  Built built = sample();
  built.pages[2].entries.back() = file("n/o", std::uint64_t{1} << 40);
  describe(built, 163);
  const auto last = check_page(built.root, 2, built.pages[2]);
  ASSERT_FALSE(last);
  EXPECT_EQ(last.error().what, "last file ends before its size");
  // Another may cross, but not by more than there is.
  built = sample();
  built.pages[1].entries.back() = file("m", std::uint64_t{1} << 40);
  describe(built, 163);
  const auto crossing = check_page(built.root, 1, built.pages[1]);
  ASSERT_FALSE(crossing);
  EXPECT_EQ(crossing.error().what, "file is larger than its share");
}

}  // namespace
}  // namespace kith
