// The work of the node, one function per job kind: value in, value out, over proto and storage. The
// pool calls run() on its threads, the simulator inline. Any thread; jobs of one copy may run at
// the same time, but for those that the engine never has in flight together (prepare, finish,
// rename).
#pragma once

#include "node/engine/job.hpp"
#include "node/jobs/copies.hpp"
#include "node/jobs/manifests.hpp"
#include "proto/slab.hpp"
#include "proto/time.hpp"
#include "storage/chunk_reader.hpp"
#include "storage/file_io.hpp"

namespace kith::node {

class Jobs {
 public:
  /// `home`: where the catalog keeps manifests; empty if it has no place on `io`. `min_free`: see
  /// storage/space.hpp.
  Jobs(storage::FileIo& io, SlabPool& slabs, Manifests::Source manifests, CopyTable::Lookup copies,
       std::string home = {}, std::optional<std::uint64_t> min_free = {})
      : io_(io),
        slabs_(slabs),
        home_(std::move(home)),
        min_free_(min_free),
        manifests_(std::move(manifests)),
        copies_(io, std::move(copies)) {}

  /// `wall`: the present time; recorded file states are stamped with it.
  [[nodiscard]] JobResult run(Job job, UnixMillis wall);

  [[nodiscard]] Manifests& manifests() { return manifests_; }

 private:
  // fetch_jobs.cpp
  [[nodiscard]] JobResult perform(OpenRootJob& job);
  [[nodiscard]] JobResult perform(OpenPageJob& job);
  [[nodiscard]] JobResult perform(const ReusePageJob& job);
  [[nodiscard]] Result<void> open_page(PageOpened& out);
  [[nodiscard]] JobResult perform(StoreChunkJob& job);
  [[nodiscard]] JobResult perform(const PrepareFetchJob& job);
  [[nodiscard]] JobResult perform(const CompareDestinationJob& job, UnixMillis wall);
  [[nodiscard]] JobResult perform(const FinishFetchJob& job, UnixMillis wall);
  [[nodiscard]] JobResult perform(const RenameFetchJob& job, UnixMillis wall);
  [[nodiscard]] JobResult perform(const SyncJob& job);
  [[nodiscard]] Result<void> check_home(std::uint64_t more);
  // space_jobs.cpp
  [[nodiscard]] JobResult perform(const DiscardFetchJob& job);
  [[nodiscard]] JobResult perform(const CollectGarbageJob& job);
  [[nodiscard]] Result<void> remove_staging(const Leftover& staging);
  [[nodiscard]] Result<std::uint64_t> bytes_of(const Leftover& staging);
  [[nodiscard]] bool is_gone(const std::string& path);
  // serve_jobs.cpp
  [[nodiscard]] JobResult perform(SealSectionJob& job, UnixMillis wall);
  [[nodiscard]] JobResult perform(const VerifyChunkJob& job);
  [[nodiscard]] JobResult perform(const CloseFilesJob& job);
  [[nodiscard]] JobResult perform(const LookPageJob& job);
  [[nodiscard]] JobResult perform(const LocateChunkJob& job);
  [[nodiscard]] JobResult perform(const CopyChunkJob& job);
  [[nodiscard]] JobResult perform(const FindChunksJob& job);
  [[nodiscard]] JobResult perform(ScanTreeJob& job);
  [[nodiscard]] Result<storage::ReadChunk> read_source(const CopyChunkJob& job,
                                                       const ChunkRow& wanted);
  [[nodiscard]] JobResult perform(const OpenCopyJob& job);
  [[nodiscard]] JobResult perform(const MoveCopyJob& job, UnixMillis wall);

  using SharePtr = std::shared_ptr<const ShareInfo>;
  /// Where a content chunk is described: its row, and every page with entries in it.
  struct Place {
    ChunkRow row;
    struct Part {
      PagePtr page;
      std::uint32_t number = 0;  // of the page
      std::uint32_t row = 0;     // the chunk's, in it
    };
    std::vector<Part> parts;
  };
  [[nodiscard]] Result<Place> place_of(const ShareInfo& share, ChunkIndex index);
  [[nodiscard]] static std::string path_in(const Place& place);
  [[nodiscard]] Result<std::vector<storage::Stretch>> stretches(CopyId copy, const Place& place);
  /// Opens all sections of a received chunk in place.
  [[nodiscard]] static Result<void> open_records(const BulkKey& key, transfer::StoreRequest& store);
  [[nodiscard]] Result<void> write_chunk(CopyId copy, const Place& place, const SlabChain& chunk);
  /// Something that may be the share stands there; nothing is read.
  [[nodiscard]] Result<void> look_at(CopyId copy, const ShareInfo& share);
  /// Which file is to blame for a withdrawn chunk.
  [[nodiscard]] std::string changed_in(CopyId copy, const ShareInfo& share, ChunkIndex index);
  /// Ciphertext of a content chunk from a copy's files; its hash is compared.
  [[nodiscard]] Result<std::uint32_t> check_chunk(CopyId copy, const ShareInfo& share,
                                                  const Place& place);
  [[nodiscard]] Result<std::vector<std::uint32_t>> suspicious_rows(CopyId copy,
                                                                   const ShareInfo& share,
                                                                   std::uint32_t page);
  [[nodiscard]] bool looks_as_recorded(storage::CopyFiles& files, const Entry& entry,
                                       const storage::FileStat* recorded);
  [[nodiscard]] Result<void> confirm_chunk(CopyId copy, const Place& place);
  [[nodiscard]] Result<SlabChain> read_section(const SealSectionJob& job, UnixMillis wall,
                                               std::uint32_t& size, std::string& path);
  [[nodiscard]] Result<SlabChain> read_content(const SealSectionJob& job, const ShareInfo& share,
                                               UnixMillis wall, std::uint32_t& size,
                                               std::string& path);
  /// The state of every file of a copy as it is now, one blob per page.
  [[nodiscard]] Result<std::vector<Buffer>> record_files(storage::CopyFiles& files,
                                                         const ShareInfo& share, UnixMillis wall);
  [[nodiscard]] storage::PageSource page_source(const SharePtr& share);

  storage::FileIo& io_;
  SlabPool& slabs_;
  std::string home_;
  std::optional<std::uint64_t> min_free_;
  Manifests manifests_;
  CopyTable copies_;
};

}  // namespace kith::node
