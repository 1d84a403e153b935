// Serving in place: what is sent is the share's, and no chunk is hashed again and again.
#include "node/jobs/jobs.hpp"
#include "proto/crypto/bulk.hpp"
#include "storage/memory_file_io.hpp"
#include "tests/unit/storage/support.hpp"

namespace kith::node {
namespace {

using namespace storage::test;

constexpr std::int64_t kShared = 1'000'000;  // ms: the tree was written, and recorded at once
constexpr UnixMillis kSoon{kShared + 1};
constexpr UnixMillis kLater{kShared + storage::kWritebackMillis};
const CopyId kCopy{7};

class ServeJobs : public testing::Test {
 protected:
  void SetUp() override {
    at(kSoon);
    io_.set_time_ns(kShared * 1'000'000);
    write_tree(io_, "/tree", {{"", file(noise(1, 300'000))}});
    storage::ImportOptions options = import_options(Chunking());
    options.recorded_at = UnixMillis(kShared);
    shared_ = share(io_, slabs_, "/tree", options);
    ASSERT_EQ(shared_->chunks.size(), 1U);
    jobs_ = std::make_unique<Jobs>(io_, slabs_, source(), lookup());
  }

  Manifests::Source source() {
    const auto& import = shared_->import;
    return {
        [&](const ShareId&) { return std::optional(import.root_ciphertext); },
        [&](const ShareId&) { return std::optional(import.key); },
        [&](const ShareId&, std::uint32_t n) { return std::optional(import.pages[n].ciphertext); },
        [&](CopyId, std::uint32_t n) {
          return std::optional(renewed_.empty() ? import.pages[n].file_stats : renewed_);
        },
        [](const ChunkId&) { return std::vector<storage::ChunkPlace>(); }};
  }
  CopyTable::Lookup lookup() {
    return [&](CopyId) -> Result<std::optional<CopyTable::Place>> {
      return std::optional(CopyTable::Place{shared_->import.share, "/tree", false});
    };
  }

  void at(UnixMillis wall) { wall_ = wall; }
  void overwrite(std::int64_t ms) {
    io_.set_time_ns(ms * 1'000'000);
    std::string content = "x";
    const iovec part{content.data(), 1};
    const auto top = io_.open_root("/");
    const auto file = io_.open_file(*top, "tree", storage::OpenMode::kReadWrite);
    ASSERT_OK(io_.write(*file, 1000, std::span(&part, 1)));
    ASSERT_OK(io_.set_mtime(*file, shared_->page(0).entries.front().mtime_ns));
  }

  // Seals a section of the content chunk; its plain text, read back as the receiver would.
  Result<Buffer> serve(std::uint32_t offset, std::uint32_t length) {
    SealSectionJob job;
    job.copy = kCopy;
    job.request.share = shared_->import.share;
    job.request.index = static_cast<ChunkIndex>(1 + shared_->import.pages.size());
    job.request.offset = offset;
    job.request.length = length;
    job.section = section_++;
    auto sealed = std::get<SectionSealed>(jobs_->run(job, wall_));
    if (sealed.error) return *sealed.error;
    KITH_CHECK(open_section(job.key, job.section, sealed.sealed, 0, sealed.sealed.size()));
    chunk_cipher(shared_->page(0).rows.front().key, offset, sealed.sealed);
    return sealed.sealed.to_buffer();
  }
  Buffer content(std::uint32_t offset, std::uint32_t length) {
    const Bytes chunk(shared_->chunks.front());
    return to_buffer(chunk.subspan(offset, std::min<std::size_t>(length, chunk.size() - offset)));
  }

  ChunkVerified verify() {
    const auto index = static_cast<ChunkIndex>(1 + shared_->import.pages.size());
    return std::get<ChunkVerified>(
        jobs_->run(VerifyChunkJob{kCopy, shared_->import.share, index, 1, {}}, wall_));
  }

  UnixMillis wall_{};
  Buffer renewed_;  // of the only page; empty: as it was shared
  SlabPool slabs_;
  storage::MemoryFileIo io_;
  std::unique_ptr<Shared> shared_;
  std::unique_ptr<Jobs> jobs_;
  Section section_ = 0;
};

TEST_F(ServeJobs, EverySectionIsTheShares) {
  constexpr std::uint32_t kRecord = kRecordBytes;
  for (const UnixMillis wall : {kSoon, kLater}) {  // hashed each time; then once
    at(wall);
    for (const std::uint32_t records : {1U, 2U, 3U, 100U}) {
      for (std::uint32_t offset = 0; offset < 300'000; offset += records * kRecord) {
        const auto served = serve(offset, records * kRecord);
        ASSERT_OK(served);
        EXPECT_EQ(*served, content(offset, records * kRecord));
      }
    }
  }
}

TEST_F(ServeJobs, AWriteThatLeavesTheSameTimesBehindIsFound) {
  overwrite(kShared);
  EXPECT_ERROR(serve(0, kRecordBytes), Errc::kVerification);
  at(kLater);
  EXPECT_ERROR(serve(0, kRecordBytes), Errc::kVerification);
}

TEST_F(ServeJobs, WhatWasHashedTooSoonIsHashedAgain) {
  ASSERT_OK(serve(0, kRecordBytes));
  overwrite(kShared);  // within the same tick of the clock
  at(kLater);
  EXPECT_ERROR(serve(0, kRecordBytes), Errc::kVerification);
}

TEST_F(ServeJobs, AWriteAfterItWasHashedIsFound) {
  at(kLater);
  ASSERT_OK(serve(0, kRecordBytes));
  overwrite(count(kLater));
  EXPECT_ERROR(serve(kRecordBytes, kRecordBytes), Errc::kVerification);
}

TEST_F(ServeJobs, WhatWasHashedOnceIsReadOnce) {
  at(kLater);
  ASSERT_OK(serve(0, kRecordBytes));
  const auto before = io_.calls();
  ASSERT_OK(serve(kRecordBytes, kRecordBytes));
  const auto trusted = io_.calls() - before;
  // Recorded anew, it must be hashed again, for which the rest of the chunk is read, too.
  jobs_->manifests().saved(PutFileStats{kCopy, {}});
  const auto again = io_.calls();
  ASSERT_OK(serve(kRecordBytes, kRecordBytes));
  EXPECT_GT(io_.calls() - again, trusted);
}

// Somebody puts another file there, with the time of the old one (cp -p), while the tree is
// compared: it must not be recorded as the share's.
TEST_F(ServeJobs, WhatIsPutThereDuringAMoveIsNotTakenForTheShares) {
  const std::int64_t written = shared_->page(0).entries.front().mtime_ns / 1'000'000;
  const UnixMillis now{written + storage::kWritebackMillis};
  at(now);
  const MoveCopyJob job{kCopy, shared_->import.share, "/tree", {}};
  const auto begin = io_.calls();
  ASSERT_FALSE(std::get<CopyMoved>(jobs_->run(job, wall_)).error);
  const auto calls = io_.calls() - begin;
  for (std::uint64_t call = 1; call <= calls; ++call) {
    ASSERT_OK(io_.remove_file(*io_.open_root("/"), "tree"));
    SetUp();
    at(now);
    io_.before_call(io_.calls() + call, [&] {
      overwrite(count(now) + 1);
      return 0;
    });
    const CopyMoved moved = std::get<CopyMoved>(jobs_->run(job, wall_));
    if (moved.error) continue;
    renewed_ = moved.file_stats.at(0);
    jobs_ = std::make_unique<Jobs>(io_, slabs_, source(), lookup());
    at(UnixMillis(count(now) + storage::kWritebackMillis));
    const ChunkVerified found = verify();
    EXPECT_FALSE(found.good);
    EXPECT_FALSE(found.rotten) << "call " << call << ": a repair would write over it";
    renewed_.clear();
  }
}

// What was found good after it was written back is recorded anew, so that another run, too, neither
// hashes it before it is sent nor takes rot in it for an edit.
TEST_F(ServeJobs, WhatWasVerifiedLaterIsRecordedAsBelieved) {
  ASSERT_OK(io_.sync_all(*io_.open_root("/")));  // what fails below takes nothing with it
  at(UnixMillis(kShared + storage::kRacyMillis - 1));
  EXPECT_TRUE(verify().good);
  EXPECT_TRUE(verify().stats.empty());
  at(UnixMillis(kShared + storage::kRacyMillis));
  io_.fail_next_sync(EIO);
  EXPECT_TRUE(verify().stats.empty());
  const ChunkVerified found = verify();
  EXPECT_TRUE(found.good);
  ASSERT_EQ(found.stats.size(), 1U);
  EXPECT_TRUE(verify().stats.empty()) << "once is enough";

  renewed_ = found.stats.at(0);
  jobs_ = std::make_unique<Jobs>(io_, slabs_, source(), lookup());
  ASSERT_OK(serve(0, kRecordBytes));
  const auto before = io_.calls();
  ASSERT_OK(serve(kRecordBytes, kRecordBytes));
  const auto trusted = io_.calls() - before;
  jobs_->manifests().saved(PutFileStats{kCopy, {}});  // as another run would
  const auto again = io_.calls();
  ASSERT_OK(serve(kRecordBytes, kRecordBytes));
  EXPECT_EQ(io_.calls() - again, trusted);
  io_.rot("/tree", 5);
  EXPECT_TRUE(verify().rotten);
}

}  // namespace
}  // namespace kith::node
