// Sharing a tree again: what comes out is what a first import would give, and what is as it was is
// not read.
#include <algorithm>

#include "storage/importer.hpp"
#include "storage/memory_file_io.hpp"
#include "tests/unit/storage/support.hpp"

namespace kith::storage::test {
namespace {

constexpr std::int64_t kLater = 1'900'000'000'000'000'000;

Secret conv() { return import_options({}).conv; }

EarlierTree earlier(const ImportResult& result, std::vector<bool> withdrawn = {}) {
  EarlierTree::Source source{result.root, {}, std::move(withdrawn)};
  source.pages = [&result](std::uint32_t number) -> Result<EarlierTree::Page> {
    const PageRef& ref = result.root.pages.at(number);
    KITH_TRY(const Buffer plain,
             decipher_page(ref.id, ref.key, result.pages.at(number).ciphertext));
    KITH_TRY(Page page, Page::decode(plain));
    KITH_TRY(PageStats stats, PageStats::decode(result.pages.at(number).file_stats));
    return EarlierTree::Page{std::make_shared<const Page>(std::move(page)),
                             std::make_shared<const PageStats>(std::move(stats))};
  };
  return EarlierTree(std::move(source));
}

class ImporterReuse : public testing::Test {
 protected:
  ImportOptions options() { return import_options(chunking_); }
  ImportResult import(const ImportOptions& with, std::optional<EarlierTree> before = {}) {
    auto scan = ImportScan::open(io_, pool_, "/tree", with);
    EXPECT_TRUE(scan);
    if (before) scan->set_earlier(std::move(*before));
    // Results come late, and in the wrong order: rows that are known wait for them.
    std::vector<ScannedChunk> out;
    bytes_hashed_ = 0;
    while (!scan->scanned() || !out.empty()) {
      if (scan->may_step()) {
        auto chunk = scan->step();
        EXPECT_TRUE(chunk) << to_string(chunk.error());
        if (!chunk) return {};
        if (*chunk) out.push_back(std::move(**chunk));
        if (out.size() < 3 && !scan->scanned()) continue;
      }
      if (out.empty()) continue;
      bytes_hashed_ += out.back().plaintext.size();
      EXPECT_TRUE(
          scan->add_result(out.back().ordinal, hash_chunk(conv(), out.back().plaintext, {})));
      out.pop_back();
    }
    bytes_done_ = scan->bytes_done();
    auto result = scan->finish();
    EXPECT_TRUE(result) << to_string(result.error());
    return result ? std::move(*result) : ImportResult();
  }
  void expect_same_share(const ImportResult& reused, const ImportResult& fresh) {
    EXPECT_EQ(reused.share, fresh.share);
    EXPECT_EQ(reused.root, fresh.root);
    EXPECT_EQ(reused.chunks, fresh.chunks);
    expect_same_pages(reused.pages, fresh.pages);
  }
  // Every chunk was either hashed, or is one of the earlier share.
  void expect_runs(const ImportResult& result, const ImportResult& before) {
    std::vector<bool> reused(result.chunks.size());
    for (const ReusedRun& run : result.reused) {
      for (std::uint32_t i = 0; i < run.count; ++i) {
        ASSERT_LT(run.to + i, reused.size());
        EXPECT_EQ(result.chunks[run.to + i], before.chunks.at(run.from + i));
        reused[run.to + i] = true;
      }
    }
    for (std::size_t i = 0; i < reused.size(); ++i) {
      EXPECT_EQ(result.plain[i] == PlainHash(), reused[i]);
    }
  }
  static std::uint32_t chunks_reused(const ImportResult& result) {
    std::uint32_t count = 0;
    for (const ReusedRun& run : result.reused) count += run.count;
    return count;
  }
  void replace(const std::string& path, const std::string& content) {
    const std::string parent(parent_path(path));
    const std::string name = parent.empty() ? path : path.substr(parent.size() + 1);
    const auto top = io_.open_root("/tree");
    const auto dir = io_.open_dir(*top, parent);
    ASSERT_OK(dir);
    (void)io_.remove_file(*dir, name);
    const auto file = io_.open_file(*dir, name, OpenMode::kCreate, 0644);
    ASSERT_OK(file);
    std::string bytes = content;
    const iovec part{bytes.data(), bytes.size()};
    ASSERT_OK(io_.write(*file, 0, std::span(&part, 1)));
  }
  /// Of the tree, whose file "a" was changed at that time (ms).
  ImportResult import_changed(std::int64_t at, std::size_t bytes, const ImportOptions& with) {
    io_.set_time_ns(at * 1'000'000);
    replace("a", noise(2, bytes));
    return import(with);
  }
  void remove(const std::string& path) {
    const std::string parent(parent_path(path));
    const auto dir = io_.open_dir(*io_.open_root("/tree"), parent);
    ASSERT_OK(io_.remove_file(*dir, parent.empty() ? path : path.substr(parent.size() + 1)));
  }

  Chunking chunking_ = Chunking::tiny(1024);
  MemoryFileIo io_;
  SlabPool pool_;
  std::uint64_t bytes_hashed_ = 0;
  std::uint64_t bytes_done_ = 0;
};

std::vector<std::string> files_of(const Tree& tree) {
  std::vector<std::string> out;
  for (const auto& [path, item] : tree) {
    if (item.kind == EntryKind::kFile) out.push_back(path);
  }
  return out;
}

TEST_F(ImporterReuse, AnUnchangedTreeIsNotRead) {
  for (std::uint64_t seed = 1; seed <= 60; ++seed) {
    SCOPED_TRACE(seed);
    io_ = MemoryFileIo();
    const Tree tree = random_tree(seed, chunking_);
    write_tree(io_, "/tree", tree);
    const ImportResult before = import(options());
    const std::uint64_t all = bytes_done_;
    const ImportResult again = import(options(), earlier(before));
    expect_same_share(again, before);
    expect_runs(again, before);
    EXPECT_EQ(bytes_hashed_, 0U);
    EXPECT_EQ(bytes_done_, all);
    EXPECT_EQ(chunks_reused(again), before.chunks.size());
    if (HasFailure()) return;
  }
}

TEST_F(ImporterReuse, AChangedTreeGivesWhatAFirstImportWould) {
  for (std::uint64_t seed = 1; seed <= 150; ++seed) {
    SCOPED_TRACE(seed);
    io_ = MemoryFileIo();
    SeededRng rng(seed);
    const Tree tree = random_tree(seed, chunking_);
    const auto files = files_of(tree);
    if (tree.at("").kind == EntryKind::kFile || files.empty()) continue;
    write_tree(io_, "/tree", tree);
    const ImportResult before = import(options());
    io_.set_time_ns(kLater);
    for (std::uint64_t i = 0; i < 1 + rng.next_u64() % 3; ++i) {
      const std::string& path = files[rng.next_u64() % files.size()];
      switch (rng.next_u64() % 4) {
        case 0:
          replace(path, noise(seed + 1'000, tree.at(path).content.size()));  // the same size
          break;
        case 1:
          replace(path, noise(seed + 2'000, rng.next_u64() % 3'000));
          break;
        case 2:
          replace("new" + std::to_string(i), noise(seed + 3'000, rng.next_u64() % 200));
          break;
        default:
          replace(path, "");
      }
    }
    ImportOptions now = options();
    now.recorded_at = UnixMillis(1'950'000'000'000);
    const ImportResult fresh = import(now);
    const ImportResult reused = import(now, earlier(before));
    expect_same_share(reused, fresh);
    expect_runs(reused, before);
    if (HasFailure()) return;
  }
}

TEST_F(ImporterReuse, OneChangedFileCostsItsPack) {
  Tree tree{{"", directory()}};
  for (std::uint64_t i = 0; i < 2'000; ++i)
    tree["f" + std::to_string(1'000 + i)] = file(noise(i + 1, 100));
  tree["large"] = file(noise(5, 200'000));
  write_tree(io_, "/tree", tree);
  const ImportResult before = import(options());
  io_.set_time_ns(kLater);
  replace("f1234", noise(99, 100));
  const ImportResult after = import(options(), earlier(before));
  EXPECT_GT(bytes_hashed_, 0U);
  EXPECT_LE(bytes_hashed_, 2U * chunking_.pack_max);
  EXPECT_NE(after.share, before.share);
  EXPECT_GE(chunks_reused(after) + 3, before.chunks.size());
  remove("f1500");
  import(options(), earlier(after));
  EXPECT_LE(bytes_hashed_, 4U * chunking_.pack_max);
}

TEST_F(ImporterReuse, WhatMayHaveChangedUnseenIsRead) {
  write_tree(io_, "/tree", {{"", directory()}, {"a", file(noise(1, 50'000))}});
  io_.set_time_ns(1'800'000'000'000'000'000);
  replace("a", noise(1, 50'000));  // changed in the very second of the recording
  const ImportResult before = import(options());
  const ImportResult again = import(options(), earlier(before));
  EXPECT_EQ(again.share, before.share);
  EXPECT_EQ(bytes_hashed_, 50'000U);
}

// It was not read again: a store through a mapping that came before it was written back, and after
// it was read, left no trace.
TEST_F(ImporterReuse, WhatIsTakenOverIsKnownSinceItWasRead) {
  constexpr std::int64_t kChanged = 1'800'000'000'000;  // ms
  write_tree(io_, "/tree", {{"", directory()}, {"a", file(noise(1, 50'000))}, {"b", file("b")}});
  for (const std::int64_t later : {5'000, 60'000}) {
    ImportOptions with = options();
    with.recorded_at = UnixMillis(kChanged + later);
    ImportResult result = import_changed(kChanged, 50'000, with);
    for (const std::int64_t again : {600'000, 700'000}) {
      with.recorded_at = UnixMillis(kChanged + again);
      result = import(with, earlier(result));
      EXPECT_EQ(bytes_hashed_, 0U);
      const auto stats = PageStats::decode(result.pages.at(0).file_stats);
      ASSERT_OK(stats);
      EXPECT_EQ(stats->recorded_at, with.recorded_at);
      EXPECT_EQ(stats->known_at(),
                later == 5'000 ? UnixMillis(kChanged + 5'000) : with.recorded_at);
    }
  }
}

// What was verified of its first page speaks for no other.
TEST_F(ImporterReuse, AFileOfSeveralPagesIsKnownSinceTheFirstOfThemWasRead) {
  constexpr std::int64_t kChanged = 1'800'000'000'000;  // ms
  write_tree(io_, "/tree", {{"", directory()}, {"a", file("x")}});
  for (const std::int64_t later : {1'000, 5'000}) {
    ImportOptions with = options();
    with.recorded_at = UnixMillis(kChanged + later);
    ImportResult result = import_changed(kChanged, 200'000, with);
    ASSERT_GT(result.pages.size(), 2U);
    const auto first = PageStats::decode(result.pages.front().file_stats);
    ASSERT_OK(first);
    result.pages.front().file_stats = as_written_back(*first).encode();
    with.recorded_at = UnixMillis(kChanged + 100'000);
    const ImportResult again = import(with, earlier(result));
    EXPECT_EQ(bytes_hashed_, later == 1'000 ? 200'000U : 0U);
    for (const auto& page : again.pages) {
      const auto stats = PageStats::decode(page.file_stats);
      ASSERT_OK(stats);
      EXPECT_EQ(stats->known_at(),
                later == 1'000 ? with.recorded_at : UnixMillis(kChanged + 5'000));
    }
  }
}

TEST_F(ImporterReuse, WithdrawnChunksAreReadAgain) {
  write_tree(io_, "/tree", {{"", directory()}, {"a", file(noise(1, 50'000))}, {"b", file("x")}});
  const ImportResult before = import(options());
  std::vector<bool> withdrawn(before.chunks.size());
  withdrawn[1] = true;
  const ImportResult again = import(options(), earlier(before, withdrawn));
  EXPECT_EQ(again.share, before.share);
  EXPECT_EQ(bytes_hashed_, 50'000U);  // the whole file; the other one is as it was
}

TEST_F(ImporterReuse, PrivateSharesAndFixedChunksTakeNothingOver) {
  write_tree(io_, "/tree", {{"", directory()}, {"a", file(noise(1, 50'000))}});
  const ImportResult before = import(options());
  ImportOptions secret = options();
  secret.is_private = true;
  EXPECT_TRUE(import(secret, earlier(before)).reused.empty());
  const ImportResult hidden = import(secret);
  EXPECT_TRUE(import(options(), earlier(hidden)).reused.empty());
  ImportOptions fixed = options();
  fixed.chunking.mode = ChunkingMode::kFixed;
  EXPECT_TRUE(import(fixed, earlier(before)).reused.empty());
}

TEST_F(ImporterReuse, AManifestThatCannotBeReadAnyMoreCostsAReading) {
  write_tree(io_, "/tree", {{"", directory()}, {"a", file(noise(1, 50'000))}});
  const ImportResult before = import(options());
  EarlierTree::Source lost{before.root, {}, {}};
  lost.pages = [](std::uint32_t) -> Result<EarlierTree::Page> {
    return local_error(Errc::kNotFound, "gone");
  };
  EXPECT_EQ(import(options(), EarlierTree(std::move(lost))).share, before.share);
  EXPECT_EQ(bytes_hashed_, 50'000U);
}

}  // namespace
}  // namespace kith::storage::test
