// Both implementations of FileIo keep the same promises.
#include <filesystem>
#include <sys/stat.h>
#include <unistd.h>

#include "storage/may_block.hpp"
#include "storage/memory_file_io.hpp"
#include "storage/posix_file_io.hpp"
#include "tests/unit/storage/support.hpp"

namespace kith::storage::test {
namespace {

struct Place {
  std::unique_ptr<TempDir> temp;
  std::unique_ptr<FileIo> io;
  std::string base;
};

Place memory() { return {nullptr, std::make_unique<MemoryFileIo>(), "/"}; }
Place posix() {
  auto temp = std::make_unique<TempDir>();
  const std::string base = temp->path();
  return {std::move(temp), std::make_unique<PosixFileIo>(), base};
}

class FileIoTest : public testing::TestWithParam<Place (*)()> {
 protected:
  void SetUp() override {
    place_ = GetParam()();
    auto top = place_.io->open_root(place_.base);
    ASSERT_OK(top);
    top_ = std::move(*top);
  }
  void TearDown() override { top_ = Dir(); }
  FileIo& io() { return *place_.io; }
  File create(const Dir& at, const std::string& name, std::string content = {}) {
    auto made = io().open_file(at, name, OpenMode::kCreate, 0600);
    EXPECT_OK(made);
    write(*made, 0, std::move(content));
    return std::move(*made);
  }
  void write(const File& file, std::uint64_t offset, std::string content) {
    const iovec part{content.data(), content.size()};
    EXPECT_OK(io().write(file, offset, std::span(&part, 1)));
  }
  std::string read(const File& file, std::uint64_t offset, std::size_t size) {
    std::string out(size, '?');
    const iovec part{out.data(), out.size()};
    const auto got = io().read(file, offset, std::span(&part, 1));
    EXPECT_OK(got);
    out.resize(*got);
    return out;
  }
  Place place_;
  Dir top_;
};

TEST_P(FileIoTest, WritesAndReadsScatteredParts) {
  const File file = create(top_, "f");
  std::string a = "abc", b, c = "defgh";
  const std::vector<iovec> out = {{a.data(), 3}, {b.data(), 0}, {c.data(), 5}};
  ASSERT_OK(io().write(file, 2, out));
  std::string x(4, '?'), y(10, '?');
  const std::vector<iovec> in = {{x.data(), 4}, {y.data(), 10}};
  const auto got = io().read(file, 1, in);
  ASSERT_OK(got);
  EXPECT_EQ(*got, 9U);  // up to the end
  EXPECT_EQ(x, std::string("\0abc", 4));
  EXPECT_EQ(y.substr(0, 5), "defgh");
  EXPECT_EQ(read(file, 100, 5), "");
}

TEST_P(FileIoTest, CreateIsExclusive) {
  (void)create(top_, "f", "old");
  EXPECT_ERROR(io().open_file(top_, "f", OpenMode::kCreate), Errc::kExists);
  ASSERT_OK(io().make_symlink(top_, "dangling", "nowhere"));
  EXPECT_ERROR(io().open_file(top_, "dangling", OpenMode::kCreate), Errc::kExists);
  ASSERT_OK(io().make_dir(top_, "d", 0700));
  EXPECT_ERROR(io().make_dir(top_, "d", 0700), Errc::kExists);
  EXPECT_ERROR(io().open_file(top_, "missing", OpenMode::kRead), Errc::kNotFound);
}

TEST_P(FileIoTest, FollowsNoSymlinkBeneathADirectory) {
  ASSERT_OK(io().make_dir(top_, "d", 0700));
  const auto d = io().open_dir(top_, "d");
  ASSERT_OK(d);
  (void)create(*d, "f", "x");
  ASSERT_OK(io().make_symlink(top_, "to_d", "d"));
  ASSERT_OK(io().make_symlink(top_, "to_f", "d/f"));
  EXPECT_ERROR(io().open_dir(top_, "to_d"), Errc::kRefused);
  EXPECT_ERROR(io().open_file(top_, "to_f", OpenMode::kRead), Errc::kRefused);
  EXPECT_ERROR(io().open_file(top_, "to_f", OpenMode::kReadWrite), Errc::kRefused);
  EXPECT_ERROR(io().set_mode_at(top_, "to_f", 0777), Errc::kRefused);
  ASSERT_OK(io().make_dir(*d, "e", 0700));
  EXPECT_OK(io().open_dir(top_, "d/e"));
  EXPECT_ERROR(io().open_dir(top_, "to_d/e"), Errc::kRefused);
  EXPECT_ERROR(io().open_dir(top_, "d/f"), Errc::kRefused);
  EXPECT_ERROR(io().open_dir(top_, "d/missing"), Errc::kNotFound);
  // The user's own path may lead over one.
  const std::string base = place_.base == "/" ? "" : place_.base;
  EXPECT_OK(io().open_root(base + "/to_d/e"));
}

TEST_P(FileIoTest, StatSaysWhatIsThere) {
  const File file = create(top_, "f", "12345");
  ASSERT_OK(io().set_mode(file, 0604));
  ASSERT_OK(io().set_mtime(file, -1'500'000'001));
  ASSERT_OK(io().make_symlink(top_, "l", "f"));
  ASSERT_OK(io().set_mtime_at(top_, "l", 42));
  const auto info = io().stat_at(top_, "f");
  ASSERT_OK(info);
  EXPECT_EQ(info->kind, NodeKind::kFile);
  EXPECT_EQ(info->mode, 0604U);
  EXPECT_EQ(info->size, 5U);
  EXPECT_EQ(info->links, 1U);
  EXPECT_EQ(info->mtime_ns, -1'500'000'001);
  const auto same = io().stat(file);
  ASSERT_OK(same);
  EXPECT_EQ(same->inode, info->inode);
  const auto link = io().stat_at(top_, "l");
  ASSERT_OK(link);
  EXPECT_EQ(link->kind, NodeKind::kSymlink);
  EXPECT_EQ(link->mtime_ns, 42);
  EXPECT_EQ(*io().read_link(top_, "l"), "f");
}

TEST_P(FileIoTest, CreationHonoursTheMask) {
  const auto file = io().open_file(top_, "f", OpenMode::kCreate, 0777);
  ASSERT_OK(file);
  EXPECT_EQ(io().stat(*file)->mode, 0777U & ~io().creation_mask());
}

TEST_P(FileIoTest, RenameModes) {
  (void)create(top_, "a", "A");
  (void)create(top_, "b", "B");
  EXPECT_ERROR(io().rename(top_, "a", top_, "b", RenameMode::kNoReplace), Errc::kExists);
  ASSERT_OK(io().rename(top_, "a", top_, "c", RenameMode::kNoReplace));
  EXPECT_FALSE(io().stat_at(top_, "a"));
  ASSERT_OK(io().rename(top_, "b", top_, "c", RenameMode::kExchange));
  EXPECT_EQ(read(*io().open_file(top_, "b", OpenMode::kRead), 0, 9), "A");
  EXPECT_EQ(read(*io().open_file(top_, "c", OpenMode::kRead), 0, 9), "B");
  EXPECT_ERROR(io().rename(top_, "b", top_, "none", RenameMode::kExchange), Errc::kNotFound);
  ASSERT_OK(io().rename(top_, "b", top_, "c", RenameMode::kPlain));
  EXPECT_EQ(read(*io().open_file(top_, "c", OpenMode::kRead), 0, 9), "A");
  EXPECT_FALSE(io().stat_at(top_, "b"));
}

TEST_P(FileIoTest, RemovesAndLists) {
  ASSERT_OK(io().make_dir(top_, "d", 0700));
  const auto d = io().open_dir(top_, "d");
  ASSERT_OK(d);
  (void)create(*d, "f");
  ASSERT_OK(io().make_symlink(*d, "l", "f"));
  const auto items = io().list(*d);
  ASSERT_OK(items);
  ASSERT_EQ(items->size(), 2U);
  for (const DirItem& item : *items) {
    EXPECT_EQ(item.kind, item.name == "f" ? NodeKind::kFile : NodeKind::kSymlink);
  }
  EXPECT_FALSE(io().remove_dir(top_, "d"));
  EXPECT_FALSE(io().remove_file(top_, "d"));
  ASSERT_OK(io().remove_file(*d, "f"));
  ASSERT_OK(io().remove_file(*d, "l"));
  ASSERT_OK(io().remove_dir(top_, "d"));
  EXPECT_ERROR(io().remove_dir(top_, "d"), Errc::kNotFound);
}

TEST_P(FileIoTest, AllocateAndTruncate) {
  const File file = create(top_, "f", "ab");
  const auto reserved = io().allocate(file, 5000);
  ASSERT_OK(reserved);
  EXPECT_EQ(io().stat(file)->size, 5000U);
  EXPECT_EQ(*io().allocate(file, 5000), *reserved) << "it tells so again";
  EXPECT_EQ(read(file, 0, 3), std::string("ab\0", 3));
  ASSERT_OK(io().allocate(file, 10));
  EXPECT_EQ(io().stat(file)->size, 5000U);
  ASSERT_OK(io().truncate(file, 1));
  EXPECT_EQ(read(file, 0, 3), "a");
}

TEST(PosixFileIo, WhatIsReservedIsTaken) {
  PosixFileIo io;
  const auto top = io.open_root(std::filesystem::temp_directory_path());
  ASSERT_OK(top);
  const std::string name = "kith-reserve-" + std::to_string(::getpid());
  const auto file = io.open_file(*top, name, OpenMode::kCreate);
  ASSERT_OK(file);
  EXPECT_OK(io.remove_file(*top, name));
  EXPECT_EQ(io.stat(*file)->allocated, 0U);
  const auto reserved = io.allocate(*file, 1 << 20);
  ASSERT_OK(reserved);
  if (!*reserved) GTEST_SKIP() << "this file system cannot reserve";
  EXPECT_GE(io.stat(*file)->allocated, 1U << 20);
}

TEST(PosixFileIo, OnTmpfsRoomIsNotCleared) {
  PosixFileIo io;
  const auto memory = io.open_root("/dev/shm");
  if (!memory || io.file_system(*memory)->type != 0x01021994) GTEST_SKIP() << "no tmpfs here";
  const std::string name = "kith-test-" + std::to_string(::getpid());
  const auto file = io.open_file(*memory, name, OpenMode::kCreate);
  ASSERT_OK(file);
  EXPECT_OK(io.remove_file(*memory, name));
  ASSERT_OK(io.allocate(*file, 1 << 20));
  struct stat info {};
  ASSERT_EQ(::fstat(file->fd(), &info), 0);
  EXPECT_EQ(info.st_size, 1 << 20);
  EXPECT_EQ(info.st_blocks, 0);
  ASSERT_OK(io.allocate(*file, 10));
  EXPECT_EQ(io.stat(*file)->size, 1U << 20);
}

TEST_P(FileIoTest, LocksExcludeOtherDescriptors) {
  (void)create(top_, "f");
  {
    const auto first = io().open_file(top_, "f", OpenMode::kRead);
    const auto second = io().open_file(top_, "f", OpenMode::kRead);
    EXPECT_TRUE(*io().try_lock(*first));
    EXPECT_FALSE(*io().try_lock(*second));
  }
  const auto third = io().open_file(top_, "f", OpenMode::kRead);
  EXPECT_TRUE(*io().try_lock(*third));
}

TEST_P(FileIoTest, SyncsAndSpaceAndBoot) {
  const File file = create(top_, "f", "x");
  EXPECT_OK(io().sync_data(file));
  EXPECT_OK(io().sync(file));
  EXPECT_OK(io().sync(top_));
  io().start_writeback(file);
  EXPECT_OK(io().finish_writeback(file));
  io().advise_sequential(file);
  const auto system = io().file_system(top_);
  ASSERT_OK(system);
  EXPECT_GT(system->free_bytes, 0U);
  EXPECT_EQ(system->name_max, 255U);
  EXPECT_FALSE(io().boot_id().empty());
  EXPECT_EQ(io().boot_id(), io().boot_id());
}

INSTANTIATE_TEST_SUITE_P(Both, FileIoTest, testing::Values(&memory, &posix),
                         [](const auto& which) { return which.index == 0 ? "Memory" : "Posix"; });

TEST(PosixFileIo, NamesThatAreNoNamesAreRefused) {
  const TempDir temp;
  PosixFileIo io;
  const auto top = io.open_root(temp.path());
  ASSERT_OK(top);
  for (const std::string& name : {std::string(), std::string("."), std::string(".."),
                                  std::string("a/b"), std::string(256, 'x')}) {
    EXPECT_FALSE(io.open_file(*top, name, OpenMode::kCreate)) << name;
    EXPECT_FALSE(io.make_dir(*top, name, 0700)) << name;
    EXPECT_FALSE(io.remove_file(*top, name)) << name;
  }
}

TEST(PosixFileIoDeathTest, ThreadsThatMustNotBlockAreFound) {
  PosixFileIo io;
  EXPECT_DEATH(
      {
        this_thread_must_not_block = true;
        (void)io.open_root("/");
      },
      "must_not_block");
}

}  // namespace
}  // namespace kith::storage::test
