// A tree that is imported and exported again is the same tree: in memory and on the real file
// system, with every kind of chunking.
#include <algorithm>

#include "storage/compare.hpp"
#include "storage/memory_file_io.hpp"
#include "storage/posix_file_io.hpp"
#include "tests/unit/storage/support.hpp"

namespace kith::storage::test {
namespace {

Chunking tiny_fixed() {
  Chunking chunking = Chunking::tiny(1024);
  chunking.mode = ChunkingMode::kFixed;
  return chunking;
}

void expect_round_trip(FileIo& io, const std::string& base, const Chunking& chunking,
                       const Tree& tree, std::uint64_t seed) {
  SCOPED_TRACE(testing::Message() << "seed " << seed << ", mode "
                                  << static_cast<int>(chunking.mode));
  SlabPool pool;
  const std::string source = base + "/tree";
  write_tree(io, source, tree);
  const auto shared = share(io, pool, source, import_options(chunking));
  make_dir(io, base + "/out");
  ASSERT_OK(export_all(io, pool, *shared, {.directory = base + "/out", .name = {}}, seed));
  const Tree copy = read_tree(io, base + "/out/tree");
  EXPECT_EQ(copy, without_link_times(tree));
  EXPECT_EQ(names_in(io, base + "/out"), std::vector<std::string>{"tree"});
  EXPECT_EQ(shared->import.root.totals.entries(), tree.size());

  const bool single = tree.at("").kind == EntryKind::kFile;
  auto files = CopyFiles::open(io, base + "/out/tree", single);
  ASSERT_OK(files);
  const auto difference =
      differs_from_share(**files, pool, shared->import.root, shared->pages(), {});
  ASSERT_OK(difference);
  EXPECT_FALSE(*difference) << (*difference)->path << " " << (*difference)->what;
}

TEST(RoundTrip, RandomTreesInMemory) {
  for (std::uint64_t seed = 1; seed <= 150; ++seed) {
    for (const Chunking& chunking : {Chunking::tiny(1024), tiny_fixed()}) {
      MemoryFileIo io;
      expect_round_trip(io, "", chunking, random_tree(seed, chunking), seed);
      if (HasFailure()) return;
    }
  }
}

TEST(RoundTrip, RandomTreesOnDisk) {
  for (std::uint64_t seed = 1; seed <= 25; ++seed) {
    for (const Chunking& chunking : {Chunking::tiny(1024), tiny_fixed()}) {
      PosixFileIo io;
      const TempDir dir;
      expect_round_trip(io, dir.path(), chunking, random_tree(seed, chunking), seed);
      if (HasFailure()) return;
    }
  }
}

TEST(RoundTrip, DefaultChunking) {
  PosixFileIo io;
  const TempDir dir;
  Tree tree = {{"", directory()}, {"large", file(noise(1, 9'000'001))}, {"small", file("x")}};
  for (int i = 0; i < 300; ++i) tree["d" + std::to_string(i)] = file(noise(2, 10'000));
  expect_round_trip(io, dir.path(), Chunking{}, tree, 1);
}

TEST(RoundTrip, SingleFiles) {
  const Chunking tiny = Chunking::tiny(1024);
  for (const std::size_t size :
       {0UL, 1UL, tiny.large_file - 1UL, 0UL + tiny.large_file, 2'000'000UL}) {
    for (const Chunking& chunking : {tiny, tiny_fixed()}) {
      MemoryFileIo io;
      Tree tree = {{"", file(noise(size, size), 0640)}};
      tree[""].mtime_ns = 12345;
      expect_round_trip(io, "", chunking, tree, size);
    }
  }
}

TEST(RoundTrip, AnEmptyDirectory) {
  MemoryFileIo io;
  expect_round_trip(io, "", Chunking{}, {{"", directory(0711)}}, 1);
}

TEST(RoundTrip, AVeryDeepTree) {
  PosixFileIo io;
  const TempDir dir;
  Tree tree = {{"", directory()}};
  std::string path = "d";
  for (int i = 0; i < 1500; ++i, path += "/d") tree[path] = directory();
  tree[path] = file("at the bottom");
  expect_round_trip(io, dir.path(), Chunking{}, tree, 1);
}

TEST(RoundTrip, EntriesOfOneChunkThatFillManyPages) {
  // fixed packs thousands of tiny files into one chunk; they need several pages.
  Chunking chunking = Chunking::tiny(1024);
  chunking.mode = ChunkingMode::kFixed;
  chunking.fixed = 100'000;
  MemoryFileIo io;
  Tree tree = {{"", directory()}};
  for (int i = 0; i < 400; ++i) tree["file" + std::to_string(i)] = file(noise(7, 100));
  {
    SlabPool pool;
    write_tree(io, "/probe", tree);
    const auto shared = share(io, pool, "/probe", import_options(chunking));
    EXPECT_TRUE(std::ranges::any_of(shared->import.root.pages, &PageRef::shares_first));
  }
  expect_round_trip(io, "", chunking, tree, 1);
}

TEST(RoundTrip, TheSameTreeHasTheSameLink) {
  MemoryFileIo io;
  SlabPool pool;
  const Tree tree = random_tree(5, Chunking::tiny(1024));
  write_tree(io, "/tree", tree);
  const auto first = share(io, pool, "/tree", import_options(Chunking::tiny(1024)));
  const auto second = share(io, pool, "/tree", import_options(Chunking::tiny(1024)));
  EXPECT_EQ(first->import.share, second->import.share);
  EXPECT_EQ(first->import.key, second->import.key);
}

TEST(RoundTrip, AnyChangeIsSeenByTheComparisonAndNamed) {
  const Chunking chunking = Chunking::tiny(1024);
  const Tree tree = {{"", directory()},      {"a", file("one")},
                     {"dir", directory()},   {"dir/b", file("twenty")},
                     {"link", symlink("a")}, {"z", file(noise(3, 5000))}};
  struct Changed {
    std::string path;
    std::string what;
    Tree tree;
  };
  std::vector<Changed> changed;
  const auto change = [&](const std::string& path, const std::string& what, auto&& edit) {
    Tree copy = tree;
    edit(copy);
    changed.push_back({path, what, copy});
  };
  change("a", "or a file behind it has other bytes",
         [](Tree& t) { t["dir/b"].content = "twentx"; });
  change("z", "has other bytes", [](Tree& t) { t["z"].content[4000] ^= 1; });
  change("a", "has another size", [](Tree& t) { t["a"].content += "!"; });
  change("a", "has another mode", [](Tree& t) { t["a"].mode = 0600; });
  change("dir", "has another mode", [](Tree& t) { t["dir"].mode = 0700; });
  change("a", "has another modification time", [](Tree& t) { t["a"].mtime_ns += 1; });
  change("", "has another modification time", [](Tree& t) { t[""].mtime_ns += 1; });
  change("link", "is no link to the same target", [](Tree& t) { t["link"].content = "b"; });
  change("link", "is no link to the same target", [](Tree& t) { t["link"] = file("a"); });
  change("a", "is no file", [](Tree& t) { t["a"] = symlink("dir/b"); });
  change("dir/b", "is missing", [](Tree& t) { t.erase("dir/b"); });
  change("link", "is no link to the same target", [](Tree& t) { t.erase("link"); });
  change("dir", "holds other names", [](Tree& t) { t["dir/c"] = file(""); });
  MemoryFileIo io;
  SlabPool pool;
  write_tree(io, "/tree", tree);
  const auto shared = share(io, pool, "/tree", import_options(chunking));
  for (std::size_t i = 0; i < changed.size(); ++i) {
    const std::string path = "/copy" + std::to_string(i);
    write_tree(io, path, changed[i].tree);
    auto files = CopyFiles::open(io, path, false);
    ASSERT_OK(files);
    const auto difference =
        differs_from_share(**files, pool, shared->import.root, shared->pages(), {});
    ASSERT_OK(difference);
    ASSERT_TRUE(*difference) << changed[i].what;
    EXPECT_EQ((*difference)->path, changed[i].path);
    EXPECT_EQ((*difference)->what, changed[i].what);
  }
}

}  // namespace
}  // namespace kith::storage::test
