// What a fetch leaves free.
#include "storage/space.hpp"

#include "storage/memory_file_io.hpp"
#include "tests/unit/storage/support.hpp"

namespace kith::storage::test {
namespace {

FileSystemInfo system_of(std::uint64_t total) {
  FileSystemInfo info;
  info.total_bytes = total;
  return info;
}

TEST(Space, TheReserveIsAHundredthAtMostAGibibyteOrWhatTheUserSays) {
  EXPECT_EQ(reserve_of(system_of(1'000), {}), 10U);
  EXPECT_EQ(reserve_of(system_of(100 * kReserveMax), {}), kReserveMax);
  EXPECT_EQ(reserve_of(system_of(100 * kReserveMax - 100), {}), kReserveMax - 1);
  EXPECT_EQ(reserve_of(system_of(UINT64_MAX), {}), kReserveMax);
  EXPECT_EQ(reserve_of(system_of(1'000), 0), 0U);
  EXPECT_EQ(reserve_of(system_of(1'000), 5'000), 5'000U);
}

TEST(Space, RoomIsWhatIsFreeBeyondTheReserve) {
  MemoryFileIo io({.capacity = 1'000});
  const Dir top = io.open_root("/").value();
  EXPECT_OK(check_room(io, top, {}, 990, "/here"));
  EXPECT_ERROR(check_room(io, top, {}, 991, "/here"), Errc::kNoSpace);
  EXPECT_OK(check_room(io, top, 0, 1'000, "/here"));
  EXPECT_OK(check_room(io, top, 1'000, 0, "/here"));
  EXPECT_ERROR(check_room(io, top, 1'001, 0, "/here"), Errc::kNoSpace);
  EXPECT_EQ(check_room(io, top, 5'000, 0, "/here").error().subject, "/here");
}

// A share of 20 files of 1 MB on a disk of `capacity` bytes, of which `min_free` stay free.
struct Filling {
  Filling(std::uint64_t capacity, std::uint64_t min_free, std::uint64_t room = UINT64_MAX)
      : disk({.capacity = capacity}) {
    Tree tree = {{"", directory()}};
    for (std::uint64_t i = 0; i < 20; ++i) {
      tree["f" + std::to_string(i)] = file(noise(i + 1, 1'000'000));
    }
    MemoryFileIo source;
    write_tree(source, "/tree", tree);
    shared = share(source, pool, "/tree", import_options(Chunking::tiny(16)));
    make_dir(disk, "/out");
    target.directory = "/out";
    target.min_free = min_free;
    target.room = room;
  }
  Result<PreparedExport> prepare() {
    return prepare_export(disk, shared->import.root, shared->import.share, target, {});
  }
  SlabPool pool;
  std::unique_ptr<Shared> shared;
  MemoryFileIo disk;
  ExportTarget target;
};

constexpr std::uint64_t kTotal = 20'000'000;

TEST(Space, AFetchThatFitsExactlyIsNotStopped) {
  Filling f(kTotal + 3'000'000, 3'000'000);
  auto prepared = f.prepare();
  ASSERT_OK(prepared);
  // In order: where a write leaves a hole before it, this disk takes room for that, too.
  for (std::uint32_t chunk = 0; chunk < f.shared->chunks.size(); ++chunk) {
    ASSERT_OK(write_chunk(*prepared->exporter, f.pool, *f.shared, chunk));
  }
  Filling g(kTotal + 2'999'999, 3'000'000);
  EXPECT_ERROR(g.prepare(), Errc::kNoSpace);
  EXPECT_EQ(names_in(g.disk, "/out"), std::vector<std::string>());
}

TEST(Space, AFetchThatTheQuotaHasNoRoomForIsNotBegun) {
  Filling f(UINT64_MAX, 0, kTotal);
  EXPECT_OK(f.prepare());
  Filling g(UINT64_MAX, 0, kTotal - 7);
  const auto refused = g.prepare();
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Errc::kNoSpace);
  EXPECT_NE(refused.error().what.find("7 are missing"), std::string::npos);
  EXPECT_EQ(names_in(g.disk, "/out"), std::vector<std::string>());
}

TEST(Space, WhatAnEarlierRunReservedIsNotAskedForAgain) {
  SlabPool pool;
  MemoryFileIo source, disk({.capacity = kTotal + 3'000'000});
  write_tree(source, "/tree", {{"", directory()}, {"f", file(noise(1, kTotal))}});
  const auto shared = share(source, pool, "/tree", import_options(Chunking::tiny(16)));
  make_dir(disk, "/out");
  ExportTarget target{.directory = "/out", .name = {}};
  target.min_free = 2'900'000;
  const Root& root = shared->import.root;
  auto prepared = prepare_export(disk, root, shared->import.share, target, {});
  ASSERT_OK(prepared);
  const StagedRoot staged = prepared->exporter->staged();
  ASSERT_OK(write_chunk(*prepared->exporter, pool, *shared, 0));
  prepared->exporter.reset();
  prepared = prepare_export(disk, root, shared->import.share, target, staged);
  ASSERT_OK(prepared);
  ASSERT_EQ(prepared->state, PreparedExport::State::kResumed);
  for (std::uint32_t chunk = 1; chunk < shared->chunks.size(); ++chunk) {
    ASSERT_OK(write_chunk(*prepared->exporter, pool, *shared, chunk));
  }
}

// Small files, for which nothing is reserved: what an earlier run wrote is not asked for again.
TEST(Space, AResumedFetchThatFitsExactlyIsNotStopped) {
  for (const std::uint64_t lacking : {0U, 1U}) {
    SCOPED_TRACE(lacking);
    Filling f(kTotal + 3'000'000, 3'000'000);
    auto prepared = f.prepare();
    ASSERT_OK(prepared);
    const StagedRoot staged = prepared->exporter->staged();
    const auto count = static_cast<std::uint32_t>(f.shared->chunks.size());
    for (std::uint32_t chunk = 0; chunk < count * 2 / 5; ++chunk) {
      ASSERT_OK(write_chunk(*prepared->exporter, f.pool, *f.shared, chunk));
    }
    prepared->exporter.reset();
    f.disk.set_capacity(kTotal + 3'000'000 - lacking);
    prepared =
        prepare_export(f.disk, f.shared->import.root, f.shared->import.share, f.target, staged);
    if (lacking > 0) {
      EXPECT_ERROR(prepared, Errc::kNoSpace);
      EXPECT_EQ(names_in(f.disk, "/out").size(), 1U) << "what came is kept";
      continue;
    }
    ASSERT_OK(prepared);
    // The last chunk of that run may not have been marked: it is written again.
    for (std::uint32_t chunk = count * 2 / 5 - 1; chunk < count; ++chunk) {
      ASSERT_OK(write_chunk(*prepared->exporter, f.pool, *f.shared, chunk));
    }
  }
}

TEST(Space, ATreeTakesWhatItsFilesTake) {
  MemoryFileIo io;
  write_tree(io, "/tree",
             {{"", directory()}, {"d", directory()}, {"d/a", file("1234")}, {"b", file("123")}});
  const Dir top = io.open_root("/").value();
  EXPECT_EQ(tree_bytes(io, top, "tree")->size, 7U);
  EXPECT_EQ(tree_bytes(io, top, "tree")->allocated, 7U);
  EXPECT_EQ(tree_bytes(io, io.open_root("/tree").value(), "b")->size, 3U);
  EXPECT_ERROR(tree_bytes(io, top, "none"), Errc::kNotFound);
}

TEST(Space, WhatIsToStayFreeIsNotTouchedWhenOthersWriteToo) {
  Filling f(kTotal + 5'000'000, 2'000'000);
  auto prepared = f.prepare();
  ASSERT_OK(prepared);
  f.disk.set_capacity(12'000'000);  // as if others had taken the rest
  Result<void> written;
  for (std::uint32_t chunk = 0; chunk < f.shared->chunks.size() && written; ++chunk) {
    written = write_chunk(*prepared->exporter, f.pool, *f.shared, chunk);
  }
  EXPECT_ERROR(written, Errc::kNoSpace);
  EXPECT_GE(12'000'000 - f.disk.used_bytes(), 2'000'000U);
  EXPECT_GT(f.disk.used_bytes(), 5'000'000U);
  EXPECT_ERROR(prepared->exporter->check_room(2'000'000), Errc::kNoSpace);
}

}  // namespace
}  // namespace kith::storage::test
