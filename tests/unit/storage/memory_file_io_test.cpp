// The faults of MemoryFileIo: what crash tests rely on.
#include "storage/memory_file_io.hpp"

#include <algorithm>
#include <cerrno>
#include <set>

#include "tests/unit/storage/support.hpp"

namespace kith::storage::test {
namespace {

using Crash = MemoryFileIo::Crash;

class MemoryFaults : public testing::Test {
 protected:
  Dir top() { return std::move(*io_.open_root("/")); }
  void put(const std::string& name, std::string content, OpenMode mode = OpenMode::kCreate) {
    const auto file = io_.open_file(top(), name, mode);
    ASSERT_OK(file);
    const iovec part{content.data(), content.size()};
    ASSERT_OK(io_.write(*file, 0, std::span(&part, 1)));
  }
  void sync_file(const std::string& name) {
    ASSERT_OK(io_.sync(*io_.open_file(top(), name, OpenMode::kRead)));
  }
  void crash(Crash kind, std::uint64_t seed = 0) {
    io_.crash(kind);
    io_.restart(seed);
  }
  MemoryFileIo io_;
};

TEST_F(MemoryFaults, AProcessCrashKeepsEverything) {
  put("f", "content");
  const std::string boot = io_.boot_id();
  crash(Crash::kProcess);
  EXPECT_EQ(read_tree(io_, "/f").at("").content, "content");
  EXPECT_EQ(io_.boot_id(), boot);
}

TEST_F(MemoryFaults, ASystemCrashLosesWhatWasNotSynced) {
  const std::string boot = io_.boot_id();
  put("entry_only", "x");
  ASSERT_OK(io_.sync(top()));
  put("content_only", "y");
  sync_file("content_only");
  put("both", "z");
  sync_file("both");
  crash(Crash::kSystem);
  EXPECT_NE(io_.boot_id(), boot);
  EXPECT_EQ(names_in(io_, "/"), std::vector<std::string>{"entry_only"});
  EXPECT_EQ(read_tree(io_, "/entry_only").at("").content, "");
}

TEST_F(MemoryFaults, SyncedContentWithItsEntrySurvives) {
  put("f", "old");
  sync_file("f");
  ASSERT_OK(io_.sync(top()));
  put("f", "new", OpenMode::kReadWrite);
  crash(Crash::kSystem);
  EXPECT_EQ(read_tree(io_, "/f").at("").content, "old");
}

TEST_F(MemoryFaults, SyncAllMakesEverythingDurable) {
  make_dir(io_, "/d");
  put("f", "x");
  ASSERT_OK(io_.sync_all(top()));
  crash(Crash::kSystem);
  EXPECT_EQ(names_in(io_, "/"), (std::vector<std::string>{"d", "f"}));
}

TEST_F(MemoryFaults, ARemovalThatWasNotSyncedIsUndone) {
  put("f", "x");
  ASSERT_OK(io_.sync_all(top()));
  ASSERT_OK(io_.remove_file(top(), "f"));
  EXPECT_EQ(io_.used_bytes(), 0U);
  crash(Crash::kSystem);
  EXPECT_EQ(read_tree(io_, "/f").at("").content, "x");
  EXPECT_EQ(io_.used_bytes(), 1U);
}

TEST_F(MemoryFaults, ARenameIsNeverHalfDone) {
  std::set<std::vector<std::string>> seen;
  for (std::uint64_t seed = 0; seed < 40; ++seed) {
    MemoryFileIo io;
    const auto top = io.open_root("/");
    ASSERT_OK(io.open_file(*top, "a", OpenMode::kCreate));
    ASSERT_OK(io.sync_all(*top));
    ASSERT_OK(io.rename(*top, "a", *top, "b", RenameMode::kNoReplace));
    io.crash(Crash::kSystem);
    io.restart(seed);
    seen.insert(names_in(io, "/"));
  }
  EXPECT_EQ(seen, (std::set<std::vector<std::string>>{{"a"}, {"b"}}));
}

TEST_F(MemoryFaults, ContentIsTornInManyWays) {
  std::set<std::string> seen;
  for (std::uint64_t seed = 1; seed < 60; ++seed) {
    MemoryFileIo io;
    write_tree(io, "/f", {{"", file(std::string(8192, 'o'))}});
    ASSERT_OK(io.sync_all(*io.open_root("/")));
    {
      const auto opened = io.open_file(*io.open_root("/"), "f", OpenMode::kReadWrite);
      std::string content(8192, 'n');
      const iovec part{content.data(), content.size()};
      ASSERT_OK(io.write(*opened, 0, std::span(&part, 1)));
    }
    io.crash(Crash::kSystem);
    io.restart(seed);
    const std::string content = read_tree(io, "/f").at("").content;
    seen.insert({content[0], content[8000]});
  }
  EXPECT_EQ(seen, (std::set<std::string>{"oo", "on", "no", "nn"}));
}

TEST_F(MemoryFaults, CallsFailAsScripted) {
  const Dir dir = top();
  io_.fail_at(io_.calls() + 2, ENOSPC);
  EXPECT_OK(io_.make_dir(dir, "a", 0700));
  EXPECT_ERROR(io_.make_dir(dir, "b", 0700), Errc::kNoSpace);
  EXPECT_OK(io_.make_dir(dir, "b", 0700));
}

TEST_F(MemoryFaults, FromTheCrashToTheRestartEverythingFails) {
  Dir dir = top();
  io_.crash_at(io_.calls() + 2, Crash::kProcess);
  EXPECT_OK(io_.make_dir(dir, "a", 0700));
  EXPECT_ERROR(io_.make_dir(dir, "b", 0700), Errc::kIo);
  EXPECT_TRUE(io_.crashed());
  EXPECT_FALSE(io_.open_root("/"));
  io_.restart();
  EXPECT_FALSE(io_.make_dir(dir, "c", 0700));  // a descriptor of before
  dir = Dir();
  EXPECT_EQ(names_in(io_, "/"), std::vector<std::string>{"a"});
}

TEST(MemoryFileIo, CapacityIsALimit) {
  MemoryFileIo io({.capacity = 100});
  const auto top = io.open_root("/");
  const auto file = io.open_file(*top, "f", OpenMode::kCreate);
  ASSERT_OK(io.allocate(*file, 100));
  EXPECT_ERROR(io.allocate(*file, 101), Errc::kNoSpace);
  EXPECT_EQ(io.file_system(*top)->free_bytes, 0U);
  ASSERT_OK(io.truncate(*file, 40));
  EXPECT_EQ(io.file_system(*top)->free_bytes, 60U);
  ASSERT_OK(io.remove_file(*top, "f"));
  EXPECT_EQ(io.used_bytes(), 40U);  // it is still open
}

TEST(MemoryFileIo, AReadOnlyRemountLetsNothingChange) {
  MemoryFileIo io;
  const auto top = io.open_root("/");
  {
    const auto file = io.open_file(*top, "f", OpenMode::kCreate);
    ASSERT_OK(file);
    io.set_read_only(true);
    char byte = 'x';
    const iovec part{&byte, 1};
    EXPECT_FALSE(io.write(*file, 0, std::span(&part, 1)));
    EXPECT_FALSE(io.sync(*file));
    EXPECT_TRUE(io.stat(*file));
  }
  EXPECT_FALSE(io.open_file(*top, "g", OpenMode::kCreate));
  EXPECT_FALSE(io.open_file(*top, "f", OpenMode::kReadWrite));
  EXPECT_TRUE(io.open_file(*top, "f", OpenMode::kRead));
  EXPECT_FALSE(io.make_dir(*top, "d", 0700));
  EXPECT_FALSE(io.rename(*top, "f", *top, "g", RenameMode::kPlain));
  EXPECT_FALSE(io.remove_file(*top, "f"));
  io.set_read_only(false);
  EXPECT_OK(io.remove_file(*top, "f"));
}

// What a crash kept of three files that were made one after the other, and of one of them renamed.
TEST(MemoryFileIo, ACrashKeepsAnyOfTheEntriesThatWereNotSynced) {
  std::set<std::vector<std::string>> seen;
  for (std::uint64_t seed = 1; seed < 200; ++seed) {
    MemoryFileIo io;
    {
      const auto top = io.open_root("/");
      for (const char* name : {"a", "b", "c"}) {
        ASSERT_OK(io.open_file(*top, name, OpenMode::kCreate));
      }
      ASSERT_OK(io.rename(*top, "a", *top, "d", RenameMode::kPlain));
    }
    io.crash(MemoryFileIo::Crash::kSystem);
    io.restart(seed);
    seen.insert(names_in(io, "/"));
  }
  EXPECT_TRUE(seen.contains({"c"})) << "the last one alone";
  EXPECT_TRUE(seen.contains({"b", "d"}));
  EXPECT_TRUE(seen.contains({"a", "c"}));
  for (const auto& names : seen) {
    const bool twice = std::ranges::count(names, "a") + std::ranges::count(names, "d") > 1;
    EXPECT_FALSE(twice) << "a rename is one change";
  }
}

TEST(MemoryFileIo, CanFoldCase) {
  MemoryFileIo io({.folds_case = true});
  const auto top = io.open_root("/");
  ASSERT_OK(io.open_file(*top, "Name", OpenMode::kCreate));
  EXPECT_ERROR(io.open_file(*top, "nAME", OpenMode::kCreate), Errc::kExists);
  EXPECT_OK(io.open_file(*top, "NAME", OpenMode::kRead));
}

}  // namespace
}  // namespace kith::storage::test
