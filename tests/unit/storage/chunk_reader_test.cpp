// Serving in place: the bytes are right, and every sign of a change is seen.
#include "storage/chunk_reader.hpp"

#include "storage/memory_file_io.hpp"
#include "tests/unit/storage/support.hpp"

namespace kith::storage::test {
namespace {

class ChunkReader : public testing::Test {
 protected:
  void use(const Tree& tree, const Chunking& chunking) {
    io_.set_time_ns(1'000'000'000'000);
    write_tree(io_, "/tree", tree);
    ImportOptions options = import_options(chunking);
    options.recorded_at = UnixMillis(1'000'000 + kWritebackMillis);
    shared_ = share(io_, pool_, "/tree", options);
    auto files = CopyFiles::open(io_, "/tree", shared_->import.root.single_file);
    ASSERT_OK(files);
    files_ = std::move(*files);
  }
  std::vector<Stretch> stretches(std::uint32_t chunk) {
    const ShareShape shape(shared_->import.root);
    std::vector<Stretch> out;
    const auto [first, last] = shape.pages_of_chunk(chunk);
    for (std::uint32_t number = first; number <= last; ++number) {
      if (shape.chunk_count(number) == 0) continue;
      const Page page = shared_->page(number);
      const auto stats = PageStats::decode(shared_->import.pages[number].file_stats);
      append_stretches(page, PageLayout(page), chunk - shape.first_chunk(number), &*stats, out);
    }
    return out;
  }
  Result<ReadChunk> read(std::uint32_t chunk) {
    const auto length = static_cast<std::uint32_t>(shared_->chunks[chunk].size());
    return read_chunk(*files_, pool_, stretches(chunk), 0, length);
  }
  File open(const std::string& name) {
    const std::string path = "/tree/" + name;
    const SplitPath place = split(path);
    const Dir dir = std::move(*io_.open_root(std::string(place.parent)));
    return std::move(*io_.open_file(dir, place.name, OpenMode::kReadWrite));
  }

  SlabPool pool_;
  MemoryFileIo io_;
  std::unique_ptr<Shared> shared_;
  std::unique_ptr<CopyFiles> files_;
};

TEST_F(ChunkReader, ReadsEveryPartOfEveryChunk) {
  for (const ChunkingMode mode : {ChunkingMode::kCdc, ChunkingMode::kFixed}) {
    for (std::uint64_t seed = 1; seed <= 40; ++seed) {
      SCOPED_TRACE(seed);
      Chunking chunking = Chunking::tiny(512);
      chunking.mode = mode;
      io_ = MemoryFileIo();
      use(random_tree(seed, chunking), chunking);
      SeededRng rng(seed);
      for (std::uint32_t chunk = 0; chunk < shared_->chunks.size(); ++chunk) {
        const auto whole = read(chunk);
        ASSERT_OK(whole);
        EXPECT_EQ(whole->data.to_buffer(), shared_->chunks[chunk]);
        EXPECT_FALSE(whole->must_verify());
        const auto size = static_cast<std::uint32_t>(shared_->chunks[chunk].size());
        const auto from = static_cast<std::uint32_t>(rng.uniform(size));
        const auto length = static_cast<std::uint32_t>(rng.uniform(size - from + 1));
        const auto part = read_chunk(*files_, pool_, stretches(chunk), from, length);
        ASSERT_OK(part);
        EXPECT_TRUE(
            equal(part->data.to_buffer(), Bytes(shared_->chunks[chunk]).subspan(from, length)));
      }
      files_.reset();
    }
  }
}

TEST_F(ChunkReader, ASingleFile) {
  use({{"", file(noise(1, 20'000))}}, Chunking::tiny(1024));
  for (std::uint32_t chunk = 0; chunk < shared_->chunks.size(); ++chunk) {
    const auto whole = read(chunk);
    ASSERT_OK(whole);
    EXPECT_EQ(whole->data.to_buffer(), shared_->chunks[chunk]);
  }
}

const Tree kTwo = {{"", directory()}, {"a", file("aaaa")}, {"b", file("bbbb")}};

TEST_F(ChunkReader, AWriteIsNoticed) {
  use(kTwo, Chunking::tiny(1024));
  EXPECT_FALSE(read(0)->must_verify());
  io_.set_time_ns(1'000'500'000'000);
  std::string content = "x";
  const iovec part{content.data(), 1};
  ASSERT_OK(io_.write(open("b"), 1, std::span(&part, 1)));
  EXPECT_TRUE(read(0)->must_verify());
}

TEST_F(ChunkReader, AWriteThatHidesItsTimeIsNoticed) {
  use(kTwo, Chunking::tiny(1024));
  io_.set_time_ns(1'000'500'000'000);
  ASSERT_OK(io_.set_mtime(open("b"), kTwo.at("b").mtime_ns));
  EXPECT_TRUE(read(0)->must_verify());  // the ctime moved
}

TEST_F(ChunkReader, AWriteWhileReadingIsNoticed) {
  use({{"", directory()}, {"a", file("aaaa")}}, Chunking::tiny(1024));
  // Opening the directory, opening the file, read: the next call is the stat.
  io_.set_time_ns(1'000'500'000'000);
  io_.before_call(io_.calls() + 4, [&] {
    EXPECT_TRUE(io_.truncate(open("a"), 4));
    return 0;
  });
  EXPECT_TRUE(read(0)->must_verify());
}

TEST_F(ChunkReader, AReplacedFileIsNoticed) {
  use(kTwo, Chunking::tiny(1024));
  write_tree(io_, "/other", {{"", file("zzzz")}});
  ASSERT_OK(
      io_.rename(*io_.open_root("/"), "other", *io_.open_root("/tree"), "b", RenameMode::kPlain));
  const auto chunk = read(0);
  ASSERT_OK(chunk);
  EXPECT_TRUE(chunk->must_verify());
  EXPECT_EQ(chunk->data.to_buffer(), to_buffer(as_bytes("aaaazzzz")));
}

TEST_F(ChunkReader, WhatIsGoneOrNoFileIsNotFound) {
  use(kTwo, Chunking::tiny(1024));
  const Dir top = std::move(*io_.open_root("/tree"));
  ASSERT_OK(io_.remove_file(top, "b"));
  const auto gone = read(0);
  EXPECT_ERROR(gone, Errc::kNotFound);
  EXPECT_EQ(gone.error().subject, "b");
  ASSERT_OK(io_.make_symlink(top, "b", "a"));
  EXPECT_ERROR(read(0), Errc::kNotFound);
  ASSERT_OK(io_.remove_file(top, "b"));
  ASSERT_OK(io_.make_dir(top, "b", 0700));
  EXPECT_ERROR(read(0), Errc::kNotFound);
}

TEST_F(ChunkReader, AShorterFileIsChanged) {
  use(kTwo, Chunking::tiny(1024));
  ASSERT_OK(io_.truncate(open("b"), 3));
  EXPECT_ERROR(read(0), Errc::kChanged);
}

// A large file stays open for its next chunk; what its path leads to now is what counts.
const Tree kLarge = {{"", directory()}, {"d", directory()}, {"d/large", file(noise(1, 20'000))}};

TEST_F(ChunkReader, ALargeFileThatIsGoneIsNotRead) {
  use(kLarge, Chunking::tiny(1024));
  ASSERT_OK(read(0));
  ASSERT_OK(io_.remove_file(*io_.open_root("/tree/d"), "large"));
  EXPECT_ERROR(read(0), Errc::kNotFound);
  EXPECT_EQ(files_->readers().find("d/large"), nullptr) << "it keeps its space";
}

TEST_F(ChunkReader, ALargeFileThatWasReplacedIsReadAsItIsNow) {
  use(kLarge, Chunking::tiny(1024));
  ASSERT_OK(read(0));
  write_tree(io_, "/other", {{"", file(noise(2, 20'000))}});
  ASSERT_OK(io_.rename(*io_.open_root("/"), "other", *io_.open_root("/tree/d"), "large",
                       RenameMode::kPlain));
  const auto chunk = read(0);
  ASSERT_OK(chunk);
  EXPECT_TRUE(chunk->must_verify());
  EXPECT_NE(chunk->data.to_buffer(), shared_->chunks[0]);
}

TEST_F(ChunkReader, ADirectoryThatWasMovedAwayIsNotRead) {
  Tree tree = kLarge;
  tree["d/small"] = file("small");
  use(tree, Chunking::tiny(1024));
  const auto last = static_cast<std::uint32_t>(shared_->chunks.size() - 1);
  ASSERT_OK(read(0));
  ASSERT_OK(read(last));
  const Dir top = std::move(*io_.open_root("/tree"));
  ASSERT_OK(io_.rename(top, "d", top, "elsewhere", RenameMode::kNoReplace));
  EXPECT_ERROR(read(0), Errc::kNotFound);
  EXPECT_ERROR(read(last), Errc::kNotFound);
}

TEST_F(ChunkReader, TheEndOfAFileThatGrewIsNoticed) {
  use(kLarge, Chunking::tiny(1024));
  const auto last = static_cast<std::uint32_t>(shared_->chunks.size() - 1);
  EXPECT_FALSE(read(last)->goes_on);
  std::string content = "x";
  const iovec part{content.data(), 1};
  ASSERT_OK(io_.write(open("d/large"), 20'000, std::span(&part, 1)));
  EXPECT_TRUE(read(last)->goes_on);
  EXPECT_FALSE(read(0)->goes_on) << "it is what it was";
}

TEST_F(ChunkReader, TheFileToBlameIsTheOneThatChanged) {
  use(kTwo, Chunking::tiny(1024));
  EXPECT_EQ(changed_file(*files_, stretches(0)), "a") << "nothing is known to have changed";
  io_.set_time_ns(1'000'500'000'000);
  ASSERT_OK(io_.truncate(open("b"), 3));
  EXPECT_EQ(changed_file(*files_, stretches(0)), "b");
  ASSERT_OK(io_.remove_file(*io_.open_root("/tree"), "b"));
  EXPECT_EQ(changed_file(*files_, stretches(0)), "b");
}

TEST_F(ChunkReader, WhatWasNeverRecordedMustBeVerified) {
  use(kTwo, Chunking::tiny(1024));
  const Page page = shared_->page(0);
  std::vector<Stretch> parts;
  append_stretches(page, PageLayout(page), 0, nullptr, parts);
  EXPECT_TRUE(read_chunk(*files_, pool_, parts, 0, 8)->must_verify());
  // Only what is read counts.
  const PageStats only_a{UnixMillis(1'000'000 + kWritebackMillis),
                         {PageStats::decode(shared_->import.pages[0].file_stats)->files[0]}};
  parts.clear();
  append_stretches(page, PageLayout(page), 0, &only_a, parts);
  EXPECT_FALSE(read_chunk(*files_, pool_, parts, 0, 4)->must_verify());
  EXPECT_TRUE(read_chunk(*files_, pool_, parts, 3, 2)->must_verify());
}

TEST_F(ChunkReader, PartsThatDoNotFollowEachOtherAreRefused) {
  use(kTwo, Chunking::tiny(1024));
  auto parts = stretches(0);
  parts[1].chunk_offset += 1;
  EXPECT_ERROR(read_chunk(*files_, pool_, parts, 0, 8), Errc::kMalformed);
}

}  // namespace
}  // namespace kith::storage::test
