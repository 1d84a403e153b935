// What the engine asks of threads that may block, and what they answer: plain values. The pool runs
// them on threads (node/pool), the simulator inline with virtual delay; the functions themselves
// are in node/jobs. Every job is answered by exactly one result.
//
// Jobs name a copy by its CopyId; files, decoded pages and open descriptors live on the side of the
// jobs (node/jobs/copies.hpp), never in the engine.
//
// `part`, wherever a job has it: the globs of a copy of a part of its share; empty: of all of it.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "node/engine/command.hpp"
#include "node/engine/leftovers.hpp"
#include "proto/content/manifest.hpp"
#include "proto/crypto/bulk.hpp"
#include "transfer/outbox.hpp"

namespace kith::node {

/// Files of one copy that are named as changed or missing.
inline constexpr std::size_t kNamed = 100;

/// Open a received root: records, id, cipher, decoding. Registers the share with the jobs' side.
struct OpenRootJob {
  transfer::StoreRequest store;
  BulkKey key;
  ChunkKey root_key;
  CopyId stream{};  // a copy that keeps nothing; else a write to the catalog follows
};
/// Open a received page and check it against the root.
struct OpenPageJob {
  transfer::StoreRequest store;
  BulkKey key;
  CopyId stream{};  // as OpenRootJob
};
/// Take a page over from another share, which has the same one in the catalog. Answer: PageOpened.
struct ReusePageJob {
  ShareId share;
  std::uint32_t page = 0;
  ShareId from;
  std::uint32_t from_page = 0;
};
/// Open, verify, decipher and write a received content chunk to its extents.
struct StoreChunkJob {
  CopyId copy{};
  transfer::StoreRequest store;
  BulkKey key;
  bool write = true;
  bool hand_over = false;  // its content, to readings
};
/// Read, encipher and seal one section. Index 0 and pages come from the catalog.
struct SealSectionJob {
  CopyId copy{};
  transfer::SealRequest request;
  BulkKey key;
  Section section = 0;
};
/// Decide where a fetch goes, probe the place and make (or reopen) the staging.
struct PrepareFetchJob {
  CopyId copy{};
  ShareId share;
  std::string directory;
  std::string name;
  bool replace = false;
  bool safe_links = false;
  std::vector<std::string> part;
  /// What stands there was compared, and is something else.
  bool compared = false;
  /// It was finished before: it may have its final name already.
  bool finished = false;
  /// As ExportTarget::unattended.
  bool unattended = false;
  /// What a new staging may come to hold: what the quota has left.
  std::uint64_t room = UINT64_MAX;
  /// Of the staged root when this fetch began in an earlier run; 0 if it begins now.
  std::uint64_t device = 0;
  std::uint64_t inode = 0;
};
/// Is what stands at the destination this share? Needs every page.
struct CompareDestinationJob {
  CopyId copy{};
  ShareId share;
  std::string path;
  bool safe_links = false;
  std::vector<std::string> part;
  /// A copy of the same part that is held there: what is recorded of its files is believed.
  CopyId held{};
};
/// What does a part take of a page that is here?
struct SelectPageJob {
  CopyId copy{};
  ShareId share;
  std::uint32_t page = 0;
  std::vector<std::string> part;
};
/// Every page of a part was looked at: is there room for what it takes? Answer: RoomChecked.
struct CheckRoomJob {
  CopyId copy{};
  std::uint64_t bytes = 0;  // of the files of the part
};
/// Everything is written: make empty entries and links, set modes and times, sync. Needs every
/// page. Runs on the sync thread.
struct FinishFetchJob {
  CopyId copy{};
  ShareId share;
};
/// The final rename, and the sync of the parent directory. Runs on the sync thread.
struct RenameFetchJob {
  CopyId copy{};
  ShareId share;
};
/// A copy is gone: close its files, if it was a fetch remove its staging, and if it was a stream
/// forget its manifest. Answer: FetchDiscarded.
struct DiscardFetchJob {
  CopyId copy{};
  ShareId share;
  std::string directory;
  std::string name;  // final
  /// Of the staged root, for a staging that was not opened in this run; 0: there is none.
  std::uint64_t device = 0;
  std::uint64_t inode = 0;
  bool staging = false;  // false: close files only
};
/// What `kith gc` is about: stagings that are to be removed, and fetched copies that may have been
/// removed by their owner.
struct CollectGarbageJob {
  RequestId request{};
  bool dry_run = false;  // look, and remove nothing
  std::vector<Leftover> stagings;
  struct Fetched {
    CopyId copy{};
    std::string path;
    std::uint64_t device = 0;  // on which it was made; 0: not known
  };
  std::vector<Fetched> fetched;
};
/// Make what a copy wrote so far durable. Runs on the sync thread.
struct SyncJob {
  CopyId copy{};
  std::uint64_t mark = 0;  // comes back: which chunks were written before; 0: begin, do not wait
};
/// Read one chunk of a copy from disk and compare its hash.
struct VerifyChunkJob {
  CopyId copy{};
  ShareId share;
  ChunkIndex index = 0;
  /// Comes back: for which `verify` command; 0: for none, of a held copy; kForLook: for a look at
  /// the files; kForScrub: for the scrub; kForFetch: for a fetch that goes on.
  std::uint64_t verify = 0;
  /// Of a chunk of which only a part is here: it cannot be hashed, and is good if the files of the
  /// part are as recorded.
  std::vector<std::string> part;
};
inline constexpr std::uint64_t kForLook = UINT64_MAX;
inline constexpr std::uint64_t kForScrub = UINT64_MAX - 1;
inline constexpr std::uint64_t kForFetch = UINT64_MAX - 2;
/// Write a chunk of a held copy, which rotted there, again into its files, as a peer sent it. Runs
/// on the sync thread. Answer: ChunkMended.
struct MendChunkJob {
  CopyId copy{};
  DeviceId device;  // that sent it
  transfer::StoreRequest store;
  BulkKey key;
};
/// The same from another copy of the share on this device.
struct MendFromCopyJob {
  CopyId copy{};
  ShareId share;
  ChunkIndex index = 0;
  CopyId from{};
};
/// Close what is open of a held copy: a file that was deleted keeps its space until then. It is
/// opened again when it is read again. Answer: FetchDiscarded.
struct CloseFilesJob {
  CopyId copy{};
};
/// Where does a range of a file lie? Its share's root is here; `ahead`: so many bytes behind it,
/// too.
struct FindBytesJob {
  RequestId request{};
  ShareId share;
  std::string path;
  std::uint64_t offset = 0;
  std::uint64_t length = 0;
  std::uint64_t ahead = 0;
};
/// Read one content chunk of a copy, and compare its hash, for a stream.
struct ReadChunkJob {
  CopyId copy{};
  ShareId share;
  ChunkIndex index = 0;
};
/// Fill one chunk of `to` from another copy: of the same share, or of another one that has it, too.
struct CopyChunkJob {
  CopyId from{};
  ShareId from_share;
  ChunkIndex from_index = 0;
  CopyId to{};
  ShareId share;
  ChunkIndex index = 0;
};
class TreeChunks;
/// Look on through a tree that the user named for chunks that a fetch lacks, and write those that
/// are found. One after the other; the answer brings back where it is.
struct ScanTreeJob {
  CopyId copy{};
  ShareId share;
  std::string directory;
  std::vector<Secret> convs;         // of the epochs under which the share may have been made
  std::shared_ptr<TreeChunks> tree;  // none: begin
};
/// Which chunks of a page do shares in the catalog have?
struct FindChunksJob {
  CopyId copy{};
  ShareId share;
  std::uint32_t page = 0;
};
/// Check at start that a copy's files are where the catalog says; a share's shape for the engine.
struct OpenCopyJob {
  CopyId copy{};
  ShareId share;
  bool fetching = false;
  /// Of a held copy: indices that were withdrawn, to be named; some may lie behind the last one, or
  /// be none that the part takes.
  std::vector<ChunkIndex> withdrawn;
  std::vector<std::string> part;
};
/// Which files of a page of a held copy are missing, or have another size or time than recorded?
struct LookPageJob {
  CopyId copy{};
  ShareId share;
  std::uint32_t page = 0;
  std::vector<std::string> part;
};
/// Which file has bytes in this content chunk? For messages; its pages are here.
struct LocateChunkJob {
  CopyId copy{};
  ShareId share;
  ChunkIndex index = 0;
};
/// The owner moved a shared tree.
struct MoveCopyJob {
  CopyId copy{};
  ShareId share;
  std::string path;
  std::vector<std::string> part;
};

using Job = std::variant<OpenRootJob, OpenPageJob, ReusePageJob, StoreChunkJob, SealSectionJob,
                         PrepareFetchJob, CompareDestinationJob, SelectPageJob, CheckRoomJob,
                         FinishFetchJob, RenameFetchJob, DiscardFetchJob, CollectGarbageJob,
                         SyncJob, FindBytesJob, ReadChunkJob, VerifyChunkJob, MendChunkJob,
                         MendFromCopyJob, CloseFilesJob, CopyChunkJob, ScanTreeJob, FindChunksJob,
                         OpenCopyJob, LookPageJob, LocateChunkJob, MoveCopyJob>;

// --- results ---

struct RootOpened {
  ShareId share;
  CopyId stream{};  // as in the job
  ConnId from{};
  transfer::StoreOutcome outcome{};
  std::optional<Error> error;
  Root root;  // valid if stored
  Buffer ciphertext;
};
struct PageOpened {
  ShareId share;
  ChunkIndex index = 0;
  ConnId from{};
  CopyId stream{};      // as in the job
  bool reused = false;  // nobody sent it
  transfer::StoreOutcome outcome{};
  std::optional<Error> error;
  std::vector<std::uint32_t> lengths;  // of the page's chunks
  std::vector<ChunkId> chunks;         // the same ones
  Buffer ciphertext;
};
struct ChunkWritten {
  CopyId copy{};
  ShareId share;
  ChunkIndex index = 0;
  ConnId from{};
  transfer::StoreOutcome outcome{};
  std::optional<Error> error;
  std::uint32_t bytes = 0;
  std::string path;                       // a file with bytes in it, for messages
  std::shared_ptr<const SlabChain> data;  // its content, where it was to be handed over
};
struct SectionSealed {
  CopyId copy{};
  transfer::SealRequest request;
  Section section = 0;
  std::uint32_t size = 0;  // of the whole chunk
  SlabChain sealed;
  std::optional<Error> error;  // kVerification, kNotFound or kChanged: the chunk must be withdrawn
  std::string path;
};
struct FetchPrepared {
  CopyId copy{};
  std::optional<Error> error;
  bool exists = false;   // something stands at the destination, and must be compared
  bool renamed = false;  // an earlier run had renamed it already: it is complete
  bool fresh = true;     // the staging was made now: nothing is held
  std::string path;      // final
  std::uint64_t device = 0;
  std::uint64_t inode = 0;
};
struct DestinationCompared {
  CopyId copy{};
  std::optional<Error> error;
  bool equal = false;
  std::vector<Buffer> file_stats;  // if equal: as FetchFinished
};
/// What a part takes of one page.
struct PageSelection {
  /// Per row: bytes of the chunk that it takes, and that it leaves.
  std::vector<bool> takes, leaves;
  std::uint64_t entries = 0;  // taken, and begun in this page
  std::uint64_t files = 0;    // of them
  std::uint64_t bytes = 0;    // of their content, in this page
};
struct PageSelected {
  CopyId copy{};
  ShareId share;
  std::uint32_t page = 0;
  std::optional<Error> error;  // the page cannot be read
  PageSelection selection;
};
struct RoomChecked {
  CopyId copy{};
  std::optional<Error> error;
};
struct FetchFinished {
  CopyId copy{};
  std::optional<Error> error;
  bool is_lost = false;  // what was to be synced may be
  std::uint64_t links_outside = 0;
  /// Recorded state of the files, one blob per page, for serving in place.
  std::vector<Buffer> file_stats;
  /// Chunks of files that are not there as they were written; then it is not finished.
  std::vector<ChunkIndex> altered;
  std::string altered_path;  // of the first such file
};
struct FetchRenamed {
  CopyId copy{};
  std::optional<Error> error;
  std::string path;
  /// Renaming a staged file changes its ctime: the blobs once more, as they are now.
  std::vector<Buffer> file_stats;
};
struct FetchDiscarded {
  CopyId copy{};
  bool removed = false;  // its staging is not there any more
};
struct GarbageCollected {
  RequestId request{};
  bool dry_run = false;
  struct Staging {
    Leftover leftover;
    std::uint64_t bytes = 0;
    bool is_there = true;        // false: somebody removed it before
    std::optional<Error> error;  // it could not be removed, or looked at
  };
  std::vector<Staging> stagings;
  std::vector<CollectGarbageJob::Fetched> gone;  // that do not stand at their place any more
};
struct CopySynced {
  CopyId copy{};
  std::uint64_t mark = 0;
  std::optional<Error> error;
  bool is_lost = false;  // what was to be synced may be
};
struct ChunkVerified {
  CopyId copy{};
  ShareId share;
  ChunkIndex index = 0;
  std::uint64_t verify = 0;
  bool good = false;
  /// Not good, and nobody changed the files: the disk has it wrong.
  bool rotten = false;
  std::uint32_t bytes = 0;  // of the chunk, also if it is rotten
  std::uint32_t files = 0;  // with bytes in it
  std::string path;         // of one of them; if it is not good, of the one to blame if known
  std::optional<Error> error;
  /// As ChunkMended::stats.
  std::map<std::uint32_t, Buffer> stats;
};
/// Where a range of a file lies: stretches in order, then those behind the range.
struct FilePlace {
  struct Stretch {
    ChunkIndex index = 0;
    std::uint32_t chunk_length = 0;
    std::uint32_t from = 0;  // in the chunk
    std::uint32_t length = 0;
    bool is_ahead = false;
  };
  std::uint64_t size = 0;  // of the file
  std::vector<Stretch> stretches;
};
struct BytesFound {
  RequestId request{};
  std::optional<Error> error;                 // no such file, or no file
  std::optional<std::uint32_t> missing_page;  // it must come first
  FilePlace place;
};
struct ChunkRead {
  CopyId copy{};
  ShareId share;
  ChunkIndex index = 0;
  std::optional<Error> error;
  std::shared_ptr<const SlabChain> data;
  std::string path;  // a file with bytes in it, for messages
};
struct ChunkMended {
  CopyId copy{};
  ShareId share;
  ChunkIndex index = 0;
  ConnId from{};                // who sent it, unless `local`
  DeviceId device;              // the same
  std::optional<CopyId> local;  // the copy that it was read from; kBadChunk: that has it wrong, too
  transfer::StoreOutcome outcome{};
  std::optional<Error> error;
  std::string path;  // the file that was written, or that could not be
  /// States to be recorded, by page, whatever the outcome: as PutPageStats.
  std::map<std::uint32_t, Buffer> stats;
};
struct ChunkCopied {
  CopyId to{};
  ShareId share;
  ChunkIndex index = 0;
  bool good = false;
  std::uint32_t bytes = 0;
  std::optional<Error> error;
};
struct TreeScanned {
  CopyId copy{};
  ShareId share;
  std::optional<Error> error;  // of the tree, or of writing
  std::shared_ptr<TreeChunks> tree;
  bool at_end = false;
  std::vector<ChunkIndex> written;
};
/// A content chunk that another share has, by the first bytes of its id: so it seems.
struct FoundChunk {
  ChunkIndex index = 0;
  ShareId from;
  std::uint32_t from_chunk = 0;  // number of its content chunk
};
struct ChunksFound {
  CopyId copy{};
  ShareId share;
  std::uint32_t page = 0;
  std::vector<FoundChunk> found;  // ascending by index; of one index there may be several
};
struct CopyOpened {
  CopyId copy{};
  ShareId share;
  std::optional<Error> error;  // the share's manifest cannot be read
  Root root;
  /// For a fetch that goes on, and for a part, of every page that is in the catalog.
  struct PageLengths {
    std::uint32_t page = 0;
    std::vector<std::uint32_t> lengths;  // of its chunks
    PageSelection selection;             // of a part
  };
  std::vector<PageLengths> pages;
  bool missing = false;              // the share does not stand at the copy's path
  std::vector<std::string> changed;  // files of the withdrawn chunks, of the first of them
};
struct PageLooked {
  CopyId copy{};
  ShareId share;
  std::uint32_t page = 0;
  std::vector<ChunkIndex> suspects;  // of these files, the first limits::kSuspects: to be hashed
};
struct ChunkLocated {
  CopyId copy{};
  ChunkIndex index = 0;
  std::string path;  // in the share; empty: its page cannot be read
};
struct CopyMoved {
  CopyId copy{};
  std::string path;
  std::optional<Error> error;
  std::vector<Buffer> file_stats;
};

using JobResult =
    std::variant<RootOpened, PageOpened, ChunkWritten, SectionSealed, FetchPrepared,
                 DestinationCompared, PageSelected, RoomChecked, FetchFinished, FetchRenamed,
                 FetchDiscarded, GarbageCollected, CopySynced, BytesFound, ChunkRead, ChunkVerified,
                 ChunkMended, ChunkCopied, TreeScanned, ChunksFound, CopyOpened, PageLooked,
                 ChunkLocated, CopyMoved>;

}  // namespace kith::node
