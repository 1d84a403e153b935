// The work of the node, one function per job kind: value in, value out, over proto and storage. The
// pool calls run() on its threads, the simulator inline. Any thread; jobs of one copy may run at
// the same time, but for those that the engine never has in flight together (prepare, finish,
// rename).
#pragma once

#include <functional>
#include <mutex>

#include "node/engine/job.hpp"
#include "node/jobs/copies.hpp"
#include "node/jobs/manifests.hpp"
#include "proto/slab.hpp"
#include "proto/time.hpp"
#include "storage/chunk_reader.hpp"
#include "storage/chunk_repair.hpp"
#include "storage/compare.hpp"
#include "storage/exporter.hpp"
#include "storage/file_io.hpp"

namespace kith::node {

struct JobsOptions {
  std::string home;                       // where the catalog lies; empty: not on `io`
  std::optional<std::uint64_t> min_free;  // see storage/space.hpp
  std::string owner;                      // tells the stagings of this home from those of others
  storage::Exporter::InParallel in_parallel;  // see Exporter::finish()
  /// Refuses paths that nothing may be fetched to; none: all may.
  std::function<Result<void>(const std::string& path)> check_target;
};

class Jobs {
 public:
  Jobs(storage::FileIo& io, SlabPool& slabs, Manifests::Source manifests, CopyTable::Lookup copies,
       JobsOptions options = {})
      : io_(io),
        slabs_(slabs),
        options_(std::move(options)),
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
  [[nodiscard]] Result<void> open_page(PageOpened& out, CopyId stream);
  [[nodiscard]] JobResult perform(StoreChunkJob& job);
  [[nodiscard]] Result<void> hand_over(const ShareInfo& share, StoreChunkJob& job,
                                       ChunkWritten& out);
  [[nodiscard]] JobResult perform(PrepareFetchJob& job);
  [[nodiscard]] JobResult perform(CompareDestinationJob& job, UnixMillis wall);
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
  [[nodiscard]] bool is_mounted(const std::string& path, std::uint64_t device);
  [[nodiscard]] std::uint64_t device_of(const CollectGarbageJob::Fetched& copy);
  // serve_jobs.cpp
  [[nodiscard]] JobResult perform(SealSectionJob& job, UnixMillis wall);
  [[nodiscard]] JobResult perform(const VerifyChunkJob& job, UnixMillis wall);
  [[nodiscard]] JobResult perform(const CloseFilesJob& job);
  [[nodiscard]] JobResult perform(LookPageJob& job);
  [[nodiscard]] JobResult perform(const LocateChunkJob& job);
  [[nodiscard]] JobResult perform(const CopyChunkJob& job);
  [[nodiscard]] JobResult perform(const FindChunksJob& job);
  [[nodiscard]] JobResult perform(ScanTreeJob& job);
  [[nodiscard]] Result<storage::ReadChunk> read_whole(storage::CopyFiles& files,
                                                      std::span<const storage::Stretch> parts,
                                                      const ChunkRow& row);
  [[nodiscard]] Result<SlabChain> read_source(const CopyChunkJob& job, const ChunkRow& wanted);
  [[nodiscard]] JobResult perform(OpenCopyJob& job);
  [[nodiscard]] JobResult perform(MoveCopyJob& job, UnixMillis wall);
  // read_jobs.cpp
  [[nodiscard]] JobResult perform(FindBytesJob& job);
  [[nodiscard]] JobResult perform(const ReadChunkJob& job);
  [[nodiscard]] Result<void> find_bytes(FindBytesJob& job, BytesFound& out);
  // part_jobs.cpp
  [[nodiscard]] JobResult perform(SelectPageJob& job);
  [[nodiscard]] JobResult perform(const CheckRoomJob& job);

  // mend_jobs.cpp
  [[nodiscard]] JobResult perform(MendChunkJob& job);
  [[nodiscard]] JobResult perform(const MendFromCopyJob& job);

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
  /// Nothing, and `missing` set: it is not here.
  [[nodiscard]] Result<PagePtr> page_if_here(const ShareInfo& share, std::uint32_t number,
                                             std::optional<std::uint32_t>& missing);
  [[nodiscard]] Result<Place> place_of(const ShareInfo& share, ChunkIndex index);
  [[nodiscard]] static transfer::StoreOutcome outcome_of(const Error& error);
  [[nodiscard]] static std::string path_in(const Place& place);
  /// How many files have bytes in the chunk.
  [[nodiscard]] static std::uint32_t files_in(const Place& place);
  /// The same once more, if it did not find a file and the copy got its final name meanwhile.
  template <class F>
  [[nodiscard]] auto read_again(CopyId copy, F&& read) {
    const bool was_fetching = copies_.is_fetching(copy);
    auto got = read();
    const bool lost = !got && got.error().code == Errc::kNotFound;
    return lost && was_fetching && !copies_.is_fetching(copy) ? read() : std::move(got);
  }
  /// The parts of a chunk in the files of a copy; of those that the part does not take, none.
  [[nodiscard]] Result<std::vector<storage::Stretch>> stretches(
      CopyId copy, const Place& place, const storage::PathGlobs& part = {});
  /// Opens all sections of a received chunk in place.
  [[nodiscard]] static Result<void> open_records(const BulkKey& key, transfer::StoreRequest& store);
  [[nodiscard]] static Result<void> open_chunk(const BulkKey& key, const ChunkRow& row,
                                               transfer::StoreRequest& store);
  [[nodiscard]] Result<void> write_chunk(CopyId copy, const Place& place, const SlabChain& chunk);
  /// Something that may be the share stands there; nothing is read.
  [[nodiscard]] Result<void> look_at(CopyId copy, const ShareInfo& share);
  void name_withdrawn(const OpenCopyJob& job, const ShareInfo& share,
                      const storage::PathGlobs& part, CopyOpened& out);
  /// Which file is to blame for a withdrawn chunk; empty: the part takes nothing of it.
  [[nodiscard]] std::string changed_in(CopyId copy, const ShareInfo& share, ChunkIndex index,
                                       const storage::PathGlobs& part);
  /// Ciphertext of a content chunk from a copy's files; its hash is compared.
  [[nodiscard]] static PageSelection selection_of(const DecodedPage& page,
                                                  const storage::PathGlobs& part);
  /// Bytes of what the part takes of a chunk; an error if it is not as recorded.
  [[nodiscard]] Result<std::uint32_t> check_part(CopyId copy, const ShareInfo& share,
                                                 const Place& place,
                                                 const storage::PathGlobs& part);
  [[nodiscard]] Result<void> check_chunk(const VerifyChunkJob& job, const ShareInfo& share,
                                         const Place& place, UnixMillis wall);
  [[nodiscard]] Result<void> verify_chunk(const VerifyChunkJob& job, UnixMillis wall,
                                          ChunkVerified& out);
  [[nodiscard]] bool is_rotten(CopyId copy, const ShareInfo& share, ChunkIndex index,
                               const Place& place);
  [[nodiscard]] Result<void> renew_stats(const ShareInfo& share, const Place& place,
                                         ChunkVerified& out);
  [[nodiscard]] Result<void> mend(const ShareInfo& share, const Place& place, SlabChain& chunk,
                                  ChunkMended& out);
  [[nodiscard]] Result<void> record_state(const ShareInfo& share, const Place& place,
                                          const std::string& path, const storage::FileStat& stat,
                                          ChunkMended& out);
  void record_stats(std::uint32_t number, const storage::PageStats& stats, ChunkMended& out);
  [[nodiscard]] Result<void> record_links(const ShareInfo& share,
                                          std::span<const storage::TouchedFile> touched,
                                          ChunkMended& out);
  [[nodiscard]] Result<bool> record_in_page(const ShareInfo& share, std::uint32_t number,
                                            const std::string& path, const storage::FileStat& stat,
                                            ChunkMended& out);
  [[nodiscard]] static std::optional<std::uint32_t> stat_position(const Page& page,
                                                                  const std::string& path);
  [[nodiscard]] Result<std::vector<std::uint32_t>> suspicious_rows(CopyId copy,
                                                                   const ShareInfo& share,
                                                                   std::uint32_t page,
                                                                   const storage::PathGlobs& part);
  [[nodiscard]] bool looks_as_recorded(storage::CopyFiles& files, const Entry& entry,
                                       const storage::FileStat* recorded);
  [[nodiscard]] Result<void> confirm_chunk(CopyId copy, const Place& place);
  [[nodiscard]] Result<SlabChain> read_section(const SealSectionJob& job, UnixMillis wall,
                                               std::uint32_t& size, std::string& path);
  [[nodiscard]] Result<SlabChain> read_content(const SealSectionJob& job, const ShareInfo& share,
                                               UnixMillis wall, std::uint32_t& size,
                                               std::string& path);
  /// The state of every file of a copy as it is now, one blob per page; what the part does not take
  /// has a state that no file can have.
  [[nodiscard]] Result<std::vector<Buffer>> record_files(storage::CopyFiles& files,
                                                         const ShareInfo& share, UnixMillis wall,
                                                         const storage::PathGlobs& part);
  /// The first difference of what stands at `path` from the share; kChanged if somebody changed it
  /// meanwhile.
  [[nodiscard]] Result<std::optional<storage::Difference>> compare(
      storage::CopyFiles& files, const std::string& path, const SharePtr& share,
      const storage::Comparison& how, UnixMillis wall, std::vector<Buffer>& stats);
  [[nodiscard]] storage::PageSource page_source(const SharePtr& share);

  storage::FileIo& io_;
  SlabPool& slabs_;
  const JobsOptions options_;
  Manifests manifests_;
  CopyTable copies_;
  std::mutex mending_;  // held while a repair makes what is recorded of a file untrue
};

}  // namespace kith::node
