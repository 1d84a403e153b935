#include "storage/copy_files.hpp"

#include "storage/memory_file_io.hpp"
#include "storage/posix_file_io.hpp"
#include "tests/unit/storage/support.hpp"

namespace kith::storage::test {
namespace {

Dir root(FileIo& io, const std::string& path) { return std::move(*io.open_root(path)); }

TEST(RemoveTree, RemovesAllKindsAndFollowsNothing) {
  for (const bool on_disk : {false, true}) {
    const TempDir temp;
    std::unique_ptr<FileIo> io;
    if (on_disk) {
      io = std::make_unique<PosixFileIo>();
    } else {
      io = std::make_unique<MemoryFileIo>();
    }
    const std::string base = on_disk ? temp.path() : "";
    write_tree(*io, base + "/keep", {{"", directory()}, {"f", file("precious")}});
    write_tree(*io, base + "/gone",
               {{"", directory(0500)},
                {"d", directory(0000)},
                {"d/e", directory()},
                {"d/e/f", file("x")},
                {"l", symlink(base + "/keep")},
                {"up", symlink("..")}});
    const Dir top = root(*io, base + "/");
    EXPECT_OK(remove_tree(*io, top, "gone"));
    EXPECT_OK(remove_tree(*io, top, "gone"));
    EXPECT_EQ(names_in(*io, base + "/"), std::vector<std::string>{"keep"});
    EXPECT_TRUE(exists(*io, base + "/keep/f"));
  }
}

TEST(OpenOrMakeRoot, MakesWhatIsMissingDurably) {
  MemoryFileIo io;
  make_dir(io, "/a");
  ASSERT_OK(io.sync_all(root(io, "/")));
  EXPECT_OK(open_or_make_root(io, "/a/b/c"));
  io.crash(MemoryFileIo::Crash::kSystem);
  io.restart();
  EXPECT_TRUE(exists(io, "/a/b/c"));
  EXPECT_OK(open_or_make_root(io, "/a/b/c/"));
  write_tree(io, "/f", {{"", file("x")}});
  EXPECT_FALSE(open_or_make_root(io, "/f/g"));
}

TEST(CopyFiles, MadeDirectoriesAreReportedWhereTheyAreEntries) {
  MemoryFileIo io;
  CopyFiles files(io, root(io, "/"), "");
  std::vector<std::string> made;
  const auto note = [&](std::string_view path) { made.emplace_back(path); };
  ASSERT_OK(files.make_dirs("a/b/c", note));
  EXPECT_EQ(made, (std::vector<std::string>{"", "a", "a/b"}));
  ASSERT_OK(files.make_dirs("a/b/d", note));
  EXPECT_EQ(made.size(), 4U);
  EXPECT_EQ(made.back(), "a/b");
  ASSERT_OK(files.make_dirs("a/b/d", note));
  EXPECT_EQ(made.size(), 4U);
}

TEST(CopyFiles, KeepsABoundedNumberOpen) {
  MemoryFileIo io;
  CopyFiles files(io, root(io, "/"), "");
  std::vector<std::shared_ptr<Dir>> held;
  for (int i = 0; i < 100; ++i) {
    const auto dir = files.make_dirs("d" + std::to_string(i), [](std::string_view) {});
    ASSERT_OK(dir);
    if (i == 0) held.push_back(*dir);
  }
  // What fell out of the cache stays usable for who holds it.
  EXPECT_OK(io.make_dir(*held[0], "x", 0700));
}

}  // namespace
}  // namespace kith::storage::test
