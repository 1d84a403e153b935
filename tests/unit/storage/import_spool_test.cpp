// What a large import made waits in a file without a name, and comes back as it was.
#include "storage/import_spool.hpp"

#include <cerrno>

#include "storage/memory_file_io.hpp"
#include "tests/unit/storage/support.hpp"

namespace kith::storage::test {
namespace {

void expect_equal(const ImportMade& one, const ImportMade& other) {
  EXPECT_EQ(one.first_page, other.first_page);
  EXPECT_EQ(one.first_chunk, other.first_chunk);
  EXPECT_EQ(one.chunks, other.chunks);
  EXPECT_EQ(one.plain, other.plain);
  expect_same_pages(one.pages, other.pages);
}

class Spool : public testing::Test {
 protected:
  Spool() { make_dir(io_, "/home"); }
  static ImportMade made(std::uint32_t seed, std::size_t pages, std::size_t chunks) {
    ImportMade out{seed, seed * 7, {}, {}, {}};
    SeededRng rng(seed);
    for (std::size_t i = 0; i < pages; ++i) {
      out.pages.push_back({bytes(seed + i, 1'000 + i), bytes(seed + i + 1, i * 40)});
    }
    for (std::size_t i = 0; i < chunks; ++i) {
      out.chunks.push_back(rng.random<ChunkId>());
      out.plain.push_back(rng.random<PlainHash>());
    }
    return out;
  }
  static Buffer bytes(std::uint64_t seed, std::size_t size) {
    return to_buffer(as_bytes(noise(seed, size)));
  }
  std::uint64_t room() { return io_.file_system(*io_.open_root("/home"))->free_bytes; }
  std::size_t names() { return io_.list(*io_.open_root("/home"))->size(); }

  MemoryFileIo io_{{.capacity = 1'000'000}};
};

TEST_F(Spool, PartsComeBackAsTheyWere) {
  ImportSpool spool(io_, "/home");
  const std::vector<ImportMade> parts = {made(1, 3, 20), made(2, 0, 5), made(3, 2, 0),
                                         made(4, 0, 0), made(5, 1, 1)};
  for (const ImportMade& part : parts) ASSERT_OK(spool.put(part));
  ASSERT_EQ(spool.size(), parts.size());
  for (std::size_t i = parts.size(); i-- > 0;) {
    const auto back = spool.part(i);
    ASSERT_OK(back);
    expect_equal(*back, parts[i]);
  }
}

TEST_F(Spool, NothingIsMadeBeforeTheFirstPartAndNothingHasAName) {
  ImportSpool spool(io_, "/home");
  const std::uint64_t before = room();
  ASSERT_OK(spool.put(made(1, 3, 20)));
  EXPECT_EQ(names(), 0U);
  EXPECT_LT(room(), before - 3'000);
  spool = ImportSpool(io_, "/home");
  EXPECT_EQ(room(), before);
}

TEST_F(Spool, WhatAKilledProcessLeftIsNotInTheWay) {
  ASSERT_OK(io_.open_file(*io_.open_root("/home"), "import.spool", OpenMode::kCreate));
  ImportSpool spool(io_, "/home");
  ASSERT_OK(spool.put(made(1, 1, 1)));
  EXPECT_EQ(names(), 0U);
  expect_equal(*spool.part(0), made(1, 1, 1));
}

TEST_F(Spool, AFullDiskAddsNothing) {
  MemoryFileIo small({.capacity = 10'000});
  make_dir(small, "/home");
  ImportSpool spool(small, "/home");
  ASSERT_OK(spool.put(made(1, 1, 1)));
  const auto full = spool.put(made(2, 20, 0));
  EXPECT_ERROR(full, Errc::kNoSpace);
  EXPECT_EQ(full.error().subject, "/home");
  ASSERT_OK(spool.put(made(3, 1, 0)));
  ASSERT_EQ(spool.size(), 2U);
  expect_equal(*spool.part(0), made(1, 1, 1));
  expect_equal(*spool.part(1), made(3, 1, 0));
}

TEST_F(Spool, AHomeThatIsGoneIsNamed) {
  ImportSpool spool(io_, "/elsewhere");
  const auto put = spool.put(made(1, 1, 1));
  ASSERT_FALSE(put);
  EXPECT_EQ(put.error().subject, "/elsewhere");
}

// Whatever is taken when, in sum it is what an import gives that nobody took from.
TEST_F(Spool, WhatIsTakenFromAnImportIsWhatItWouldHaveKept) {
  Tree tree = {{"", directory()}};
  for (int i = 0; i < 400; ++i) {
    tree["a file with a long name, so that there are pages, number " + std::to_string(i)] =
        file(noise(static_cast<std::uint64_t>(i), 1'500));
  }
  write_tree(io_, "/tree", tree);
  SlabPool pool;
  const ImportOptions options = import_options(Chunking::tiny(16));
  const auto whole = import_tree(io_, pool, "/tree", options);
  ASSERT_OK(whole);
  auto scan = ImportScan::open(io_, pool, "/tree", options);
  ASSERT_OK(scan);
  ImportSpool spool(io_, "/home");
  while (!scan->scanned()) {
    auto chunk = scan->step();
    ASSERT_OK(chunk);
    if (!*chunk) continue;
    ASSERT_OK(
        scan->add_result((*chunk)->ordinal, hash_chunk(options.conv, (*chunk)->plaintext, {})));
    if (scan->made_bytes() < 1'000) continue;
    ASSERT_OK(spool.put(scan->take_made()));
    EXPECT_EQ(scan->made_bytes(), 0U);
  }
  const auto rest = scan->finish();
  ASSERT_OK(rest);
  EXPECT_GT(spool.size(), 2U);
  EXPECT_EQ(rest->share, whole->share);
  ImportMade all;
  for (std::size_t i = 0; i <= spool.size(); ++i) {
    const ImportMade part = i < spool.size() ? *spool.part(i) : static_cast<ImportMade>(*rest);
    EXPECT_EQ(part.first_page, all.pages.size());
    EXPECT_EQ(part.first_chunk, all.chunks.size());
    all.pages.insert(all.pages.end(), part.pages.begin(), part.pages.end());
    all.chunks.insert(all.chunks.end(), part.chunks.begin(), part.chunks.end());
    all.plain.insert(all.plain.end(), part.plain.begin(), part.plain.end());
  }
  expect_equal(all, *whole);
}

// Their pages are finished without any chunk.
TEST_F(Spool, FilesWithoutContentDoNotStayInTheScan) {
  Tree tree = {{"", directory()}};
  for (int i = 0; i < 3'000; ++i) tree["empty " + std::to_string(i)] = file("");
  write_tree(io_, "/tree", tree);
  SlabPool pool;
  auto scan = ImportScan::open(io_, pool, "/tree", import_options(Chunking::tiny(16)));
  ASSERT_OK(scan);
  std::size_t taken = 0;
  while (!scan->scanned()) {
    ASSERT_OK(scan->step());
    taken += scan->take_made().pages.size();
  }
  EXPECT_GT(taken, 3U);
  EXPECT_EQ(scan->finish()->root.pages.size() - taken, 1U) << "the last one";
}

}  // namespace
}  // namespace kith::storage::test
