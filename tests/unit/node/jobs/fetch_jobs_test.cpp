// What a fetch asks of the disk, and what jobs remember of a share.
#include "node/jobs/jobs.hpp"
#include "proto/limits.hpp"
#include "storage/memory_file_io.hpp"
#include "tests/unit/storage/support.hpp"

namespace kith::node {
namespace {

using namespace storage::test;

const CopyId kCopy{7};
constexpr UnixMillis kNow{1'000'000};

class FetchJobs : public testing::Test {
 protected:
  void SetUp() override {
    Tree tree = {{"", directory()}};
    for (int i = 0; i < 2000; ++i) tree["file" + std::to_string(i)] = file("x");
    storage::MemoryFileIo source;
    write_tree(source, "/tree", tree);
    shared_ = share(source, slabs_, "/tree", import_options(Chunking()));
    make_dir(io_, "/home");
    const auto& import = shared_->import;
    const Manifests::Source from = {
        [&](const ShareId&) {
          return known_ ? std::optional(import.root_ciphertext) : std::nullopt;
        },
        [&](const ShareId&) { return known_ ? std::optional(import.key) : std::nullopt; },
        [&](const ShareId&, std::uint32_t n) { return std::optional(import.pages[n].ciphertext); },
        [&](CopyId, std::uint32_t) { return std::optional<Buffer>(); },
        [](const ChunkId&) { return std::vector<storage::ChunkPlace>(); }};
    jobs_ = std::make_unique<Jobs>(
        io_, slabs_, from, [](CopyId) { return std::optional<CopyTable::Place>(); },
        JobsOptions{
            .home = "/home", .min_free = {}, .owner = {}, .in_parallel = {}, .check_target = {}});
  }

  FetchPrepared prepare() {
    PrepareFetchJob job;
    job.copy = kCopy;
    job.share = shared_->import.share;
    job.directory = "/out";
    return std::get<FetchPrepared>(jobs_->run(job, kNow));
  }
  std::uint64_t manifest_bytes() {
    std::uint64_t sum = 0;
    for (const PageRef& page : shared_->import.root.pages) sum += page.length;
    return sum;
  }

  SlabPool slabs_;
  storage::MemoryFileIo io_;
  std::unique_ptr<Shared> shared_;
  std::unique_ptr<Jobs> jobs_;
  bool known_ = true;  // to the catalog
};

TEST_F(FetchJobs, TheHomeNeedsRoomForTheManifest) {
  const std::uint64_t content = shared_->import.root.totals.bytes;
  ASSERT_LT(content, manifest_bytes());
  // Enough for the content, which is less.
  io_.set_capacity(io_.used_bytes() + limits::kMiB + content);
  const FetchPrepared refused = prepare();
  ASSERT_TRUE(refused.error);
  EXPECT_EQ(refused.error->code, Errc::kNoSpace);
  EXPECT_EQ(refused.error->subject, "/home");
  io_.set_capacity(io_.used_bytes() + limits::kMiB + manifest_bytes());
  const FetchPrepared prepared = prepare();
  EXPECT_FALSE(prepared.error) << to_string(*prepared.error);
}

TEST_F(FetchJobs, AShareWhoseLastCopyIsGoneIsForgotten) {
  Manifests& manifests = jobs_->manifests();
  const auto& import = shared_->import;
  ASSERT_OK(manifests.share(import.share));
  known_ = false;
  manifests.saved(DeleteCopy{kCopy, import.share, false});
  ASSERT_OK(manifests.share(import.share));  // another copy needs it
  manifests.saved(DeleteCopy{kCopy, import.share, true});
  EXPECT_ERROR(manifests.share(import.share), Errc::kNotFound);
}

TEST_F(FetchJobs, AShareThatIsFetchedAnewIsNotForgottenWithItsLastCopy) {
  Manifests& manifests = jobs_->manifests();
  const auto& import = shared_->import;
  manifests.put_share(import.share, import.key, import.root);
  manifests.put_fresh(import.share, 0, import.root_ciphertext, {});
  known_ = false;
  manifests.saved(DeleteCopy{kCopy, import.share, true});
  EXPECT_OK(manifests.share(import.share));
}

TEST_F(FetchJobs, WhatAStreamMadeKnownIsForgottenWithItAndNotBefore) {
  Manifests& manifests = jobs_->manifests();
  const auto& import = shared_->import;
  const CopyId later{8};
  known_ = false;
  const auto stream = [&](CopyId copy) {
    manifests.put_share(import.share, import.key, import.root, copy);
    manifests.put_fresh(import.share, 0, import.root_ciphertext, copy);
  };
  stream(kCopy);
  stream(later);
  manifests.forget_stream(import.share, kCopy);
  EXPECT_OK(manifests.share(import.share));
  // A copy of the share is gone: what a stream has is none of its business.
  manifests.saved(DeleteCopy{kCopy, import.share, true});
  EXPECT_OK(manifests.share(import.share));
  manifests.forget_stream(import.share, later);
  EXPECT_ERROR(manifests.share(import.share), Errc::kNotFound);
}

TEST_F(FetchJobs, WhatAFetchMadeKnownOutlivesAStream) {
  Manifests& manifests = jobs_->manifests();
  const auto& import = shared_->import;
  known_ = false;
  manifests.put_share(import.share, import.key, import.root);
  manifests.put_share(import.share, import.key, import.root, kCopy);
  manifests.forget_stream(import.share, kCopy);
  EXPECT_OK(manifests.share(import.share));
}

}  // namespace
}  // namespace kith::node
