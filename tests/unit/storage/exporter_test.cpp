// Where a fetch goes and what may stand in its way. That the tree comes out right is in
// round_trip_test.cpp, crashes are in export_crash_test.cpp.
#include "storage/exporter.hpp"

#include <algorithm>
#include <cerrno>
#include <thread>

#include "storage/chunk_reader.hpp"
#include "storage/memory_file_io.hpp"
#include "storage/posix_file_io.hpp"
#include "tests/unit/storage/support.hpp"

namespace kith::storage::test {
namespace {

using State = PreparedExport::State;

class ExporterTest : public testing::Test {
 protected:
  void use(Tree tree, MemoryFileIo::Options options = {}) {
    tree_ = std::move(tree);
    MemoryFileIo source;
    write_tree(source, "/tree", tree_);
    shared_ = share(source, pool_, "/tree", import_options(Chunking::tiny(1024)));
    io_ = std::make_unique<MemoryFileIo>(options);
    make_dir(*io_, "/out");
  }
  ExportTarget target() { return {.directory = "/out", .name = {}}; }
  Result<PreparedExport> prepare(const ExportTarget& to, StagedRoot recorded = {}) {
    return prepare_export(*io_, shared_->import.root, shared_->import.share, to, recorded);
  }
  Result<void> write_all(Exporter& exporter) {
    for (std::uint32_t i = 0; i < shared_->chunks.size(); ++i) {
      KITH_CHECK(write_chunk(exporter, pool_, *shared_, i));
    }
    return {};
  }
  Result<Exporter::Finished> finish(Exporter& exporter) {
    return exporter.finish(shared_->pages(), UnixMillis(0), no_stats());
  }
  std::string staging() { return staging_name("tree", shared_->import.share); }

  SlabPool pool_;
  Tree tree_;
  std::unique_ptr<Shared> shared_;
  std::unique_ptr<MemoryFileIo> io_;
};

const Tree kTree = {{"", directory(0750)},
                    {"a", file("one", 0600)},
                    {"d", directory(0555)},
                    {"d/b", file("two", 0777)},
                    {"d/e", directory(0700)},
                    {"empty", file("", 0400)},
                    {"large", file(noise(1, 9000), 0640)},
                    {"link", symlink("d/b")}};

TEST_F(ExporterTest, AnExistingDestinationIsLeftAlone) {
  use(kTree);
  write_tree(*io_, "/out/tree", {{"", file("precious")}});
  const auto prepared = prepare(target());
  ASSERT_OK(prepared);
  EXPECT_EQ(prepared->state, State::kExists);
  EXPECT_EQ(prepared->path, "/out/tree");
  EXPECT_EQ(prepared->exporter, nullptr);
  EXPECT_EQ(names_in(*io_, "/out"), std::vector<std::string>{"tree"});
}

TEST_F(ExporterTest, ADestinationThatAppearsMeanwhileIsLeftAlone) {
  use(kTree);
  auto prepared = prepare(target());
  ASSERT_OK(prepared);
  ASSERT_OK(write_all(*prepared->exporter));
  ASSERT_OK(finish(*prepared->exporter));
  write_tree(*io_, "/out/tree", {{"", directory()}});
  EXPECT_ERROR(prepared->exporter->publish(), Errc::kExists);
  EXPECT_EQ(names_in(*io_, "/out"), (std::vector<std::string>{staging(), "tree"}));
}

TEST_F(ExporterTest, ADirectoryThatWasMovedAwayIsTold) {
  use(kTree);
  auto prepared = prepare(target());
  ASSERT_OK(prepared);
  ASSERT_OK(write_all(*prepared->exporter));
  ASSERT_OK(finish(*prepared->exporter));
  const Dir top = std::move(*io_->open_root("/"));
  ASSERT_OK(io_->rename(top, "out", top, "moved", RenameMode::kPlain));
  EXPECT_ERROR(prepared->exporter->publish(), Errc::kConflict);
  // Nor is it begun anew when a node starts before the directory is back.
  ExportTarget unattended = target();
  unattended.unattended = true;
  EXPECT_ERROR(prepare(unattended, prepared->exporter->staged()), Errc::kConflict);
  EXPECT_FALSE(exists(*io_, "/out"));
  make_dir(*io_, "/out");
  EXPECT_ERROR(prepared->exporter->publish(), Errc::kConflict);
  EXPECT_EQ(names_in(*io_, "/moved"), std::vector<std::string>{staging()});
  ASSERT_OK(io_->remove_dir(top, "out"));
  ASSERT_OK(io_->rename(top, "moved", top, "out", RenameMode::kPlain));
  ASSERT_OK(prepared->exporter->publish());
  EXPECT_EQ(read_tree(*io_, "/out/tree").at("large"), tree_.at("large"));
}

// Paused, and its home's node may not run: nothing but its name tells whose it is.
TEST_F(ExporterTest, AStagingOfAnotherHomeIsLeftAlone) {
  use(kTree);
  ExportTarget mine = target(), other = target();
  mine.owner = "mine";
  other.owner = "other";
  auto prepared = prepare(mine);
  ASSERT_OK(prepared);
  ASSERT_OK(write_all(*prepared->exporter));
  const StagedRoot staged = prepared->exporter->staged();
  prepared->exporter.reset();
  auto second = prepare(other);
  ASSERT_OK(second);
  EXPECT_EQ(second->state, State::kFresh);
  ASSERT_OK(second->exporter->discard());
  auto again = prepare(mine, staged);
  ASSERT_OK(again);
  EXPECT_EQ(again->state, State::kResumed);
  ASSERT_OK(finish(*again->exporter));
  ASSERT_OK(again->exporter->publish());
  EXPECT_EQ(read_tree(*io_, "/out/tree").at("large"), tree_.at("large"));
}

TEST_F(ExporterTest, ReplaceExchangesAndRemovesTheOldTree) {
  use(kTree);
  write_tree(*io_, "/out/tree",
             {{"", directory()},
              {"old", directory()},
              {"old/f", file("x")},
              {"old/closed", directory(0000)}});
  ExportTarget to = target();
  to.replace = true;
  ASSERT_OK(export_all(*io_, pool_, *shared_, to, 1));
  EXPECT_EQ(read_tree(*io_, "/out/tree"), without_link_times(kTree));
  EXPECT_EQ(names_in(*io_, "/out"), std::vector<std::string>{"tree"});
}

TEST_F(ExporterTest, ReplaceWorksWithoutAnythingToReplace) {
  use(kTree);
  ExportTarget to = target();
  to.replace = true;
  EXPECT_OK(export_all(*io_, pool_, *shared_, to, 1));
}

TEST_F(ExporterTest, TakesAnotherNameAndMakesTheDirectory) {
  use(kTree);
  ASSERT_OK(export_all(*io_, pool_, *shared_, {.directory = "/new/deep/er", .name = ".hidden"}, 1));
  EXPECT_EQ(read_tree(*io_, "/new/deep/er/.hidden"), without_link_times(kTree));
}

TEST_F(ExporterTest, NamesThatCannotBeFinal) {
  use(kTree);
  for (const std::string& name :
       {std::string(".."), std::string("a/b"), std::string("x\0y", 3), std::string(256, 'n')}) {
    EXPECT_ERROR(prepare({.directory = "/out", .name = name}), Errc::kRefused);
  }
  Root dotted = shared_->import.root;
  dotted.name = ".bashrc";
  EXPECT_ERROR(prepare_export(*io_, dotted, shared_->import.share, target(), {}), Errc::kRefused);
}

TEST_F(ExporterTest, SpaceIsLookedAtFirst) {
  use({{"", directory()}, {"f", file(noise(1, 100'000))}}, {.capacity = 1024 * 1024 + 99'999});
  EXPECT_ERROR(prepare(target()), Errc::kNoSpace);
  io_->set_capacity(1024 * 1024 + 100'000);
  EXPECT_OK(prepare(target()));
}

TEST_F(ExporterTest, AFileSystemWithoutSymlinksOrModesIsRefused) {
  use(kTree, {.symlinks = false});
  EXPECT_ERROR(prepare(target()), Errc::kUnsupported);
  EXPECT_TRUE(names_in(*io_, "/out").empty());
  use(kTree, {.modes = false});
  EXPECT_ERROR(prepare(target()), Errc::kUnsupported);
  use({{"", directory()}, {"f", file("x")}}, {.symlinks = false});
  EXPECT_OK(export_all(*io_, pool_, *shared_, target(), 1));
}

TEST_F(ExporterTest, NamesThatDifferOnlyInCase) {
  // In one chunk, in several, and as directories.
  const std::vector<Tree> trees = {
      {{"", directory()}, {"Name", file("a")}, {"name", file("b")}},
      {{"", directory()}, {"Name", file(noise(1, 9000))}, {"name", file(noise(2, 9000))}},
      {{"", directory()}, {"Name", directory()}, {"name", directory()}},
      {{"", directory()},
       {"Name", directory()},
       {"Name/a", file("a")},
       {"name", directory()},
       {"name/b", file("b")}}};
  for (const Tree& tree : trees) {
    use(tree, {.folds_case = true});
    EXPECT_ERROR(export_all(*io_, pool_, *shared_, target(), 1), Errc::kUnsupported);
    EXPECT_FALSE(exists(*io_, "/out/tree"));
    use(tree);
    EXPECT_OK(export_all(*io_, pool_, *shared_, target(), 1));
  }
}

TEST_F(ExporterTest, WithoutRenameat2) {
  use(kTree, {.renames2 = false});
  ASSERT_OK(export_all(*io_, pool_, *shared_, target(), 1));
  EXPECT_EQ(read_tree(*io_, "/out/tree"), without_link_times(kTree));
  ExportTarget to = target();
  to.replace = true;
  EXPECT_ERROR(export_all(*io_, pool_, *shared_, to, 1), Errc::kExists);
  EXPECT_EQ(read_tree(*io_, "/out/tree"), without_link_times(kTree));
}

TEST_F(ExporterTest, SafeLinksLeavesOutWhatLeavesTheTree) {
  use({{"", directory()},
       {"in", symlink("x")},
       {"out", symlink("/etc/passwd")},
       {"up", symlink("..")}});
  ExportTarget to = target();
  to.safe_links = true;
  auto prepared = prepare(to);
  ASSERT_OK(prepared);
  const auto report = finish(*prepared->exporter);
  ASSERT_OK(report);
  EXPECT_EQ(report->links_outside, 2U);
  ASSERT_OK(prepared->exporter->publish());
  EXPECT_EQ(names_in(*io_, "/out/tree"), std::vector<std::string>{"in"});
}

TEST_F(ExporterTest, SymlinksInTheStagingAreNotFollowed) {
  use(kTree);
  make_dir(*io_, "/victim");
  write_tree(*io_, "/victim/b", {{"", file("precious")}});
  write_tree(*io_, "/secret", {{"", file("precious")}});
  const struct {
    const char* name;
    const char* target;
  } attacks[] = {{"d", "/victim"}, {"large", "/secret"}, {"a", "/secret"}, {"empty", "/secret"}};
  for (const auto& attack : attacks) {
    auto prepared = prepare(target());
    ASSERT_OK(prepared);
    const auto stage = io_->open_root("/out/" + staging());
    ASSERT_OK(io_->make_symlink(*stage, attack.name, attack.target));
    const auto written = write_all(*prepared->exporter);
    const bool refused = !written || !finish(*prepared->exporter);
    if (std::string_view(attack.name) == "a" || std::string_view(attack.name) == "empty") {
      EXPECT_FALSE(refused);  // a whole file takes the place of whatever is there
    } else {
      EXPECT_TRUE(refused) << attack.name;
    }
    EXPECT_EQ(read_tree(*io_, "/victim").size(), 2U);
    EXPECT_EQ(read_tree(*io_, "/victim/b").at("").content, "precious");
    EXPECT_EQ(read_tree(*io_, "/secret").at("").content, "precious");
    ASSERT_OK(prepared->exporter->discard());
  }
}

TEST_F(ExporterTest, ASymlinkInPlaceOfTheStagingIsRefused) {
  use(kTree);
  make_dir(*io_, "/victim");
  write_tree(*io_, "/victim/f", {{"", file("precious")}});
  ASSERT_OK(io_->make_symlink(*io_->open_root("/out"), staging(), "/victim"));
  EXPECT_ERROR(prepare(target()), Errc::kRefused);
  EXPECT_TRUE(exists(*io_, "/victim/f"));
}

TEST_F(ExporterTest, WhatDoesNotBelongInTheStagingIsNotPublished) {
  use(kTree);
  auto prepared = prepare(target());
  ASSERT_OK(prepared);
  ASSERT_OK(write_all(*prepared->exporter));
  write_tree(*io_, "/out/" + staging() + "/d/extra", {{"", file("x")}});
  EXPECT_ERROR(finish(*prepared->exporter), Errc::kUnsupported);
  ASSERT_OK(io_->remove_file(*io_->open_root("/out/" + staging() + "/d"), "extra"));
  EXPECT_OK(finish(*prepared->exporter));
}

using Change = std::function<void(MemoryFileIo&, const Dir& stage)>;

void overwrite(MemoryFileIo& io, const Dir& dir, std::string_view name, std::uint64_t at) {
  const auto opened = io.open_file(dir, name, OpenMode::kReadWrite);
  char byte = '!';
  const iovec part{&byte, 1};
  ASSERT_OK(io.write(*opened, at, std::span(&part, 1)));
}

const struct {
  const char* what;
  const char* path;
  Change change;
} kChanges[] = {
    {"gone", "a", [](auto& io, const Dir& stage) { ASSERT_OK(io.remove_file(stage, "a")); }},
    {"other bytes", "a", [](auto& io, const Dir& stage) { overwrite(io, stage, "a", 1); }},
    {"longer", "a", [](auto& io, const Dir& stage) { overwrite(io, stage, "a", 3); }},
    {"touched", "d/b",
     [](auto& io, const Dir& stage) {
       ASSERT_OK(io.set_mtime_at(*io.open_dir(stage, "d"), "b", 5'000'000'000));
     }},
    {"linked", "a",
     [](auto& io, const Dir& stage) {
       ASSERT_OK(io.remove_file(stage, "a"));
       ASSERT_OK(io.make_symlink(stage, "a", "large"));
     }},
    {"a large one gone", "large",
     [](auto& io, const Dir& stage) { ASSERT_OK(io.remove_file(stage, "large")); }},
    {"a large one longer", "large",
     [](auto& io, const Dir& stage) { overwrite(io, stage, "large", 9000); }},
};

TEST_F(ExporterTest, AFileThatSomebodyChangedIsNamedAndWrittenAgain) {
  for (const auto& [what, path, change] : kChanges) {
    SCOPED_TRACE(what);
    use(kTree);
    auto prepared = prepare(target());
    ASSERT_OK(prepared);
    ASSERT_OK(write_all(*prepared->exporter));
    change(*io_, *io_->open_root("/out/" + staging()));
    const auto finished = finish(*prepared->exporter);
    ASSERT_OK(finished);
    EXPECT_FALSE(finished->altered.empty());
    EXPECT_EQ(finished->altered_path, "/out/" + staging() + "/" + path);
    const ShareShape shape(shared_->import.root);
    for (const ChunkIndex index : finished->altered) {
      const std::uint32_t chunk = index - shape.index_of_chunk(0);
      ASSERT_OK(write_chunk(*prepared->exporter, pool_, *shared_, chunk));
    }
    const auto again = finish(*prepared->exporter);
    ASSERT_OK(again);
    EXPECT_TRUE(again->altered.empty()) << again->altered_path;
    ASSERT_OK(prepared->exporter->publish());
    EXPECT_EQ(read_tree(*io_, "/out/tree"), without_link_times(kTree));
  }
}

TEST_F(ExporterTest, AFileThatWasOnlyTouchedIsConfirmed) {
  use(kTree);
  auto prepared = prepare(target());
  ASSERT_OK(prepared);
  ASSERT_OK(write_all(*prepared->exporter));
  const auto stage = io_->open_root("/out/" + staging());
  ASSERT_OK(io_->set_mtime_at(*stage, "a", 5'000'000'000));
  ASSERT_EQ(finish(*prepared->exporter)->altered.size(), 1U);
  for (std::uint32_t number = 0; number < shared_->import.root.pages.size(); ++number) {
    const Page page = shared_->page(number);
    for (std::uint32_t row = 0; row < page.rows.size(); ++row) {
      ASSERT_OK(prepared->exporter->confirm_chunk(page, PageLayout(page), row));
    }
  }
  EXPECT_TRUE(finish(*prepared->exporter)->altered.empty());
  ASSERT_OK(prepared->exporter->publish());
  EXPECT_EQ(read_tree(*io_, "/out/tree"), without_link_times(kTree));
}

TEST_F(ExporterTest, ALinkThatLeadsElsewhereIsMadeAnew) {
  use(kTree);
  auto prepared = prepare(target());
  ASSERT_OK(prepared);
  ASSERT_OK(write_all(*prepared->exporter));
  ASSERT_OK(io_->make_symlink(*io_->open_root("/out/" + staging()), "link", "a"));
  ASSERT_OK(finish(*prepared->exporter));
  ASSERT_OK(prepared->exporter->publish());
  EXPECT_EQ(read_tree(*io_, "/out/tree"), without_link_times(kTree));
}

TEST_F(ExporterTest, OnlyOneFillsAStaging) {
  use(kTree);
  auto first = prepare(target());
  ASSERT_OK(first);
  EXPECT_ERROR(prepare(target()), Errc::kConflict);
  EXPECT_ERROR(prepare(target(), first->exporter->staged()), Errc::kConflict);
  ASSERT_OK(write_all(*first->exporter));
  const StagedRoot staged = first->exporter->staged();
  first->exporter.reset();
  const auto resumed = prepare(target(), staged);
  ASSERT_OK(resumed);
  EXPECT_EQ(resumed->state, State::kResumed);
}

TEST_F(ExporterTest, AStagingNobodyKnowsIsMadeAnew) {
  use(kTree);
  auto first = prepare(target());
  ASSERT_OK(first);
  ASSERT_OK(write_all(*first->exporter));
  first->exporter.reset();
  const auto second = prepare(target());
  ASSERT_OK(second);
  EXPECT_EQ(second->state, State::kFresh);
  EXPECT_TRUE(names_in(*io_, "/out/" + staging()).empty());
}

// File systems give the number of an inode that was removed to the next that is made.
TEST_F(ExporterTest, OnlyAFinishedStagingMayHaveItsFinalNameAlready) {
  use(kTree);
  auto prepared = prepare(target());
  ASSERT_OK(prepared);
  const StagedRoot staged = prepared->exporter->staged();
  prepared->exporter.reset();
  const Dir out = *io_->open_root("/out");
  ASSERT_OK(io_->rename(out, staging(), out, "tree", RenameMode::kNoReplace));
  const auto begun = prepare(target(), staged);
  ASSERT_OK(begun);
  EXPECT_EQ(begun->state, State::kExists);
  ExportTarget finished = target();
  finished.finished = true;
  const auto published = prepare(finished, staged);
  ASSERT_OK(published);
  EXPECT_EQ(published->state, State::kPublished);
}

TEST_F(ExporterTest, ChunksMayBeWrittenAgain) {
  use(kTree);
  auto prepared = prepare(target());
  ASSERT_OK(prepared);
  ASSERT_OK(write_all(*prepared->exporter));
  ASSERT_OK(finish(*prepared->exporter));
  // The modes are final now, and one directory is closed to writing.
  const StagedRoot staged = prepared->exporter->staged();
  prepared->exporter.reset();
  prepared = prepare(target(), staged);
  ASSERT_OK(prepared);
  ASSERT_OK(write_all(*prepared->exporter));
  ASSERT_OK(finish(*prepared->exporter));
  ASSERT_OK(prepared->exporter->publish());
  EXPECT_EQ(read_tree(*io_, "/out/tree"), without_link_times(kTree));
}

TEST_F(ExporterTest, AChunkOfTheWrongLengthIsNotWritten) {
  use(kTree);
  auto prepared = prepare(target());
  ASSERT_OK(prepared);
  const Page page = shared_->page(0);
  const SlabChain chunk = SlabChain::from(pool_, Buffer(page.rows[0].length + 1));
  EXPECT_FALSE(prepared->exporter->write_chunk(page, PageLayout(page), 0, chunk));
  EXPECT_FALSE(prepared->exporter->write_chunk(page, PageLayout(page), 99, chunk));
}

TEST_F(ExporterTest, AFullDiskSaysSoAndTheFetchGoesOnLater) {
  use(kTree);
  auto prepared = prepare(target());
  ASSERT_OK(prepared);
  io_->set_capacity(5'000);
  EXPECT_ERROR(write_all(*prepared->exporter), Errc::kNoSpace);
  io_->set_capacity(UINT64_MAX);
  ASSERT_OK(write_all(*prepared->exporter));
  ASSERT_OK(finish(*prepared->exporter));
  ASSERT_OK(prepared->exporter->publish());
  EXPECT_EQ(read_tree(*io_, "/out/tree"), without_link_times(kTree));
}

TEST_F(ExporterTest, RecordsWhatTheReaderExpects) {
  use(kTree);
  auto prepared = prepare(target());
  ASSERT_OK(prepared);
  ASSERT_OK(write_all(*prepared->exporter));
  std::size_t files = 0;
  ASSERT_OK(prepared->exporter->finish(shared_->pages(), UnixMillis(7),
                                       [&](std::uint32_t, Buffer blob) -> Result<void> {
                                         const auto stats = PageStats::decode(blob);
                                         EXPECT_EQ(stats->recorded_at, UnixMillis(7));
                                         files += stats->files.size();
                                         return {};
                                       }));
  std::size_t expected = 0;  // a file that crosses pages stands in each
  for (std::uint32_t i = 0; i < shared_->import.root.pages.size(); ++i) {
    const Page page = shared_->page(i);
    expected +=
        static_cast<std::size_t>(std::ranges::count(page.entries, EntryKind::kFile, &Entry::kind));
  }
  EXPECT_EQ(files, expected);
  EXPECT_GE(files, 4U);
}

TEST_F(ExporterTest, AManifestThatContradictsItselfIsNotPublished) {
  use(kTree);
  auto prepared = prepare(target());
  ASSERT_OK(prepared);
  ASSERT_OK(write_all(*prepared->exporter));
  const PageSource lying = [&](std::uint32_t number) -> Result<Page> {
    Page page = shared_->page(number);
    page.entries.pop_back();
    return page;
  };
  const auto finished = prepared->exporter->finish(lying, UnixMillis(0), no_stats());
  ASSERT_FALSE(finished);
  EXPECT_EQ(finished.error().blame, Blame::kPeer);
}

// Each page alone says what could be; in sum they say more than there was room for.
TEST_F(ExporterTest, LargeFilesGetNoMoreSpaceThanTheShareHas) {
  constexpr std::uint64_t kLarge = 1 << 20;
  use(kTree);
  Root root = shared_->import.root;
  root.totals.bytes = 2 * kLarge - 1;
  auto prepared = prepare_export(*io_, root, shared_->import.share, target(), {});
  ASSERT_OK(prepared);
  const SlabChain chunk = SlabChain::from(pool_, Buffer{'x'});
  const auto write = [&](const std::string& path) {
    Page page;
    page.rows.resize(1);
    page.rows.front().length = 1;
    page.entries.resize(1);
    page.entries.front().path = path;
    page.entries.front().size = kLarge;
    return prepared->exporter->write_chunk(page, PageLayout(page), 0, chunk);
  };
  ASSERT_OK(write("one"));
  ASSERT_OK(write("one"));  // what it has it needs no second time
  EXPECT_ERROR(write("two"), Errc::kVerification);
  EXPECT_LT(io_->used_bytes(), 2 * kLarge);
}

TEST(ExporterOnDisk, ManySmallFilesAndModesUnderAnyMask) {
  PosixFileIo io;
  const TempDir dir;
  SlabPool pool;
  Tree tree = {{"", directory(0700)}};
  for (int i = 0; i < 200; ++i) {
    tree["f" + std::to_string(i)] = file(noise(1, 50), 0400U + static_cast<std::uint32_t>(i));
  }
  write_tree(io, dir.path() + "/tree", tree);
  const auto shared = share(io, pool, dir.path() + "/tree", import_options(Chunking{}));
  ASSERT_OK(export_all(io, pool, *shared, {.directory = dir.path() + "/out", .name = {}}, 1));
  EXPECT_EQ(read_tree(io, dir.path() + "/out/tree"), tree);
}

// So many that several threads look at them, each at its part: what is wrong in any part is found.
TEST(ExporterOnDisk, ManyFilesAreLookedAtInTheirOrder) {
  PosixFileIo io;
  const TempDir dir;
  SlabPool pool;
  Tree tree = {{"", directory()}};
  for (int i = 0; i < 2'000; ++i) {
    const std::string folder = "d" + std::to_string(i % 3);
    tree[folder] = directory(0500);
    tree[folder + "/f" + std::to_string(i)] = file(i % 5 == 0 ? "" : noise(1, 50));
  }
  write_tree(io, dir.path() + "/tree", tree);
  const auto shared = share(io, pool, dir.path() + "/tree", import_options(Chunking{}));
  ASSERT_EQ(shared->import.root.pages.size(), 1U);
  const ExportTarget to{.directory = dir.path() + "/out", .name = {}};
  auto prepared = prepare_export(io, shared->import.root, shared->import.share, to, {});
  ASSERT_OK(prepared);
  for (std::uint32_t chunk = 0; chunk < shared->chunks.size(); ++chunk) {
    ASSERT_OK(write_chunk(*prepared->exporter, pool, *shared, chunk));
  }
  const std::string staging =
      join_native(dir.path() + "/out", staging_name("tree", shared->import.share));
  const auto in = [&](const char* folder) { return io.open_root(staging + "/" + folder).value(); };
  ASSERT_OK(io.remove_file(in("d0"), "f3"));
  ASSERT_OK(io.set_mtime_at(in("d1"), "f1999", 1));
  ASSERT_OK(io.set_mode_at(in("d2"), "f1001", 0600));
  const auto at_once = [](std::size_t count, const std::function<void(std::size_t)>& f) {
    EXPECT_GT(count, 5U);
    std::vector<std::jthread> threads;
    for (std::size_t i = count; i-- > 0;) threads.emplace_back([&f, i] { f(i); });
  };
  std::vector<FileStat> stats;
  const auto sink = [&stats](std::uint32_t, const Buffer& page) -> Result<void> {
    stats = PageStats::decode(page)->files;
    return {};
  };
  auto finished = prepared->exporter->finish(shared->pages(), UnixMillis(0), sink, at_once);
  ASSERT_OK(finished);
  EXPECT_FALSE(finished->altered.empty());
  EXPECT_EQ(finished->altered_path, staging + "/d0/f3");
  EXPECT_EQ(stats.size(), 2'000U);
  for (std::uint32_t chunk = 0; chunk < shared->chunks.size(); ++chunk) {
    ASSERT_OK(write_chunk(*prepared->exporter, pool, *shared, chunk));
  }
  finished = prepared->exporter->finish(shared->pages(), UnixMillis(0), sink, at_once);
  ASSERT_OK(finished);
  EXPECT_TRUE(finished->altered.empty());
  const Page page = shared->page(0);
  std::size_t number = 0;
  for (const Entry& entry : page.entries) {
    if (entry.kind != EntryKind::kFile) continue;
    const std::string path = staging + "/" + entry.path;
    const SplitPath place = split_native(path);
    const auto info = io.stat_at(*io.open_root(std::string(place.parent)), place.name);
    ASSERT_OK(info);
    EXPECT_EQ(stats.at(number++), FileStat::of(*info)) << entry.path;
  }
  ASSERT_OK(prepared->exporter->publish());
  EXPECT_EQ(read_tree(io, dir.path() + "/out/tree"), tree);
}

TEST(ExporterOnDisk, AFileThatWasReadBackIsWrittenOn) {
  PosixFileIo io;
  const TempDir dir;
  SlabPool pool;
  write_tree(io, dir.path() + "/tree", {{"", directory()}, {"f", file(noise(1, 20'000))}});
  const auto shared = share(io, pool, dir.path() + "/tree", import_options(Chunking::tiny(1024)));
  const Root& root = shared->import.root;
  const ExportTarget to{.directory = dir.path() + "/out", .name = {}};
  auto prepared = prepare_export(io, root, shared->import.share, to, {});
  ASSERT_OK(prepared);
  const StagedRoot staged = prepared->exporter->staged();
  ASSERT_OK(write_chunk(*prepared->exporter, pool, *shared, 0));
  prepared->exporter.reset();
  // In the next run the first chunk is asked for before another is fetched.
  prepared = prepare_export(io, root, shared->import.share, to, staged);
  ASSERT_OK(prepared);
  std::vector<Stretch> parts;
  const Page page = shared->page(0);
  append_stretches(page, PageLayout(page), 0, nullptr, parts);
  ASSERT_OK(read_chunk(prepared->exporter->files(), pool, parts, 0, page.rows[0].length));
  EXPECT_OK(write_chunk(*prepared->exporter, pool, *shared, 1));
}

}  // namespace
}  // namespace kith::storage::test
