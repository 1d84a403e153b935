// Turns a file or tree of this machine into a share: reads it once, finds the chunks, and builds
// the manifest from the rows that come back.
//
//   open → { step → chunk → (pool: hash_chunk) → add_result }* → finish
//
// step() reads on and hands out chunks in stream order; their rows may come back in any order. At
// most limits::kImportChunksInFlight chunks are out: step() must not be called while may_step() is
// false. Memory: the chunk being read, the entries of the chunks that are out, and the finished
// pages until somebody takes them.
//
// With an EarlierTree, what is as it was when that was recorded is not read: a large file by
// itself, small ones if their pack holds the same files as before, all unchanged. Else the whole
// pack is read. Chunks of fixed size have no regard to files: there everything is read.
//
// What is checked:
// - A file has, after it was read, the same inode, size, mtime and ctime as when it was opened, and
//   gave exactly as many bytes: else kChanged, with its path.
// - What cannot be shared (sockets, devices, FIFOs, names that are no UTF-8 or too long, what
// cannot
//   be opened) is collected and refused all together by finish(), or left out with skip_bad. After
//   the first of them, without skip_bad, contents are no longer read.
//
// open_chunks() is for whoever wants the chunks alone: no rows are given back, no manifest is
// built, and what cannot be read is passed over. Not thread-safe; the conductor of the import calls
// everything.
#pragma once

#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "proto/content/manifest.hpp"
#include "proto/crypto/content_cipher.hpp"
#include "proto/result.hpp"
#include "proto/slab.hpp"
#include "storage/chunk_hash.hpp"
#include "storage/earlier_tree.hpp"
#include "storage/file_stat.hpp"
#include "storage/stretch_buffer.hpp"
#include "storage/tree_scan.hpp"

namespace kith::storage {

struct ImportOptions {
  std::string name;  // of the share; empty: the last component of the source
  Chunking chunking;
  std::vector<std::string> exclude;  // see PathGlobs
  bool skip_bad = false;
  Secret conv;  // convergence secret: of the epoch, or the 32 random bytes of a private share
  bool is_private = false;
  UnixMillis recorded_at{};  // the wall time when the import begins
};

struct ScannedChunk {
  std::uint64_t ordinal = 0;  // number of the content chunk
  SlabChain plaintext;
};

/// Something that was not shared, or a note about something that was.
struct ImportNote {
  std::string path;
  std::string reason;
};

struct ImportedPage {
  Buffer ciphertext;
  Buffer file_stats;  // PageStats
};

/// `count` chunks from number `to` on of the new share are those from number `from` on of the
/// earlier one.
struct ReusedRun {
  std::uint32_t to = 0;
  std::uint32_t from = 0;
  std::uint32_t count = 0;
};

/// Pages and chunks that an import finished, behind those that were taken before.
struct ImportMade {
  std::uint32_t first_page = 0;
  std::uint32_t first_chunk = 0;  // of the content
  std::vector<ImportedPage> pages;
  std::vector<ChunkId> chunks;   // of the content, in stream order; not just those of these pages
  std::vector<PlainHash> plain;  // of the same; of those of a reused run: zeros
};

/// With what was not taken before (ImportScan::take_made()).
struct ImportResult : ImportMade {
  ShareId share;
  ChunkKey key;
  Root root;
  Buffer root_ciphertext;
  std::vector<ReusedRun> reused;    // chunks that were not read, ascending
  std::vector<ImportNote> skipped;  // the first kNotesMax
  std::uint64_t skipped_count = 0;
  std::vector<ImportNote> links_outside;  // symlinks that leave the tree; the first kNotesMax
  std::uint64_t links_outside_count = 0;
  std::uint64_t bytes_read = 0;  // of content; what was known to be as before was not
};
inline constexpr std::size_t kNotesMax = 1'000;

class ImportScan {
 public:
  /// `source`: an absolute path. Errors: kNotFound, kUnsupported (neither a file nor a directory),
  /// kUsage (a name that a share cannot have).
  [[nodiscard]] static Result<ImportScan> open(FileIo& io, SlabPool& pool,
                                               const std::string& source, ImportOptions options);

  /// The chunks of a tree, as `chunking` cuts it; step() and scanned() only. What cannot be read,
  /// or changes meanwhile, is left out.
  [[nodiscard]] static Result<ImportScan> open_chunks(FileIo& io, SlabPool& pool,
                                                      const std::string& source,
                                                      const Chunking& chunking);

  /// What was recorded of the same place before, under the same chunking, and not in private.
  /// Before the first step.
  void set_earlier(EarlierTree earlier);

  /// Reads on until a chunk is complete, or for a while: then nothing, and the caller may do other
  /// things first. After an error the scan is spent.
  [[nodiscard]] Result<std::optional<ScannedChunk>> step();
  /// Everything was read and handed out.
  [[nodiscard]] bool scanned() const { return phase_ == Phase::kEnd; }
  [[nodiscard]] bool may_step() const {
    return !scanned() && (!builder_ || next_ordinal_ - next_row_ < limits::kImportChunksInFlight);
  }
  [[nodiscard]] Result<void> add_result(std::uint64_t ordinal, const HashedChunk& chunk);
  /// Bytes that take_made() would take.
  [[nodiscard]] std::size_t made_bytes() const;
  /// Hands over what was made since the last time, so that it need not be kept in memory.
  [[nodiscard]] ImportMade take_made();
  /// After scanned(), and with every result added. kUnsupported: skipped() names what cannot be
  /// shared.
  [[nodiscard]] Result<ImportResult> finish();

  /// What was not shared so far, and why: the first kNotesMax.
  [[nodiscard]] const std::vector<ImportNote>& skipped() const { return result_.skipped; }

  // Progress: read, or known to be as before.
  [[nodiscard]] std::uint64_t bytes_done() const { return bytes_done_; }
  [[nodiscard]] std::uint64_t entries_seen() const { return entries_seen_; }

 private:
  enum class Phase : std::uint8_t { kTop, kItems, kFile, kKnownFile, kTail, kEnd };
  struct OpenFile {
    File file;
    std::string path;
    FileStat before;
    std::uint64_t read = 0;
    bool large = false;
    std::size_t entry_bytes = 0;
  };
  using Chunk = std::optional<SlabChain>;
  /// Files of the present pack that are as before, from its beginning on; none of it was read.
  struct UnreadPack {
    struct Item {
      std::string path;
      FileStat stat;
    };
    std::vector<Item> files;
    std::uint32_t chunk = 0;  // where they lay
    std::uint64_t bytes = 0;
  };
  struct KnownState {
    FileStat stat;
    std::optional<UnixMillis> read_at;  // earlier than now, and too early to be sure
  };
  /// A large file that is as before.
  struct KnownFile {
    std::vector<ChunkRow> rows;
    std::uint32_t chunk = 0;  // of the first one
    std::size_t next = 0;
  };

  ImportScan(FileIo& io, SlabPool& pool, std::string source, ImportOptions options, bool single);

  [[nodiscard]] Result<Chunk> advance();
  [[nodiscard]] Result<Chunk> enter_top();
  [[nodiscard]] Result<Chunk> next_item();
  [[nodiscard]] Result<Chunk> add_directory(const ScanItem& item);
  [[nodiscard]] Result<Chunk> add_symlink(const ScanItem& item);
  [[nodiscard]] Result<Chunk> place(Entry entry);
  [[nodiscard]] Result<Chunk> begin_file(const Dir& dir, std::string_view name,
                                         const std::string& path);
  [[nodiscard]] Result<void> add_entry(Entry entry);
  [[nodiscard]] Result<std::size_t> add_file(const std::string& path, const FileInfo& info,
                                             std::optional<UnixMillis> known_at = {});
  [[nodiscard]] Result<Chunk> end_pack();
  // importer_reuse.cpp
  [[nodiscard]] Result<std::optional<Chunk>> begin_known(const Dir& dir, std::string_view name,
                                                         const std::string& path);
  [[nodiscard]] Result<std::optional<Chunk>> begin_known_large(const std::string& path,
                                                               const FileInfo& info,
                                                               EarlierTree::Place place);
  [[nodiscard]] Result<std::optional<Chunk>> begin_known_small(const std::string& path,
                                                               const FileInfo& info,
                                                               EarlierTree::Place place);
  [[nodiscard]] Result<Chunk> add_known_row();
  [[nodiscard]] Result<bool> reuse_pack();
  [[nodiscard]] Result<void> reuse(const ChunkRow& row, std::uint32_t from);
  [[nodiscard]] Result<void> read_unread();
  [[nodiscard]] Result<void> read_whole(const Dir& dir, std::string_view name,
                                        const UnreadPack::Item& item);
  [[nodiscard]] Result<Chunk> read_on();
  [[nodiscard]] Result<void> read_stretch();
  [[nodiscard]] Result<void> read(const File& file, const std::string& path, std::uint64_t offset,
                                  std::size_t bytes);
  [[nodiscard]] Chunk abandon(const Error& why);
  [[nodiscard]] Result<Chunk> end_file();
  [[nodiscard]] Result<Chunk> end_stream();
  [[nodiscard]] Chunk scan_for_cut();
  [[nodiscard]] Chunk cut_all();
  [[nodiscard]] bool is_fixed() const { return options_.chunking.mode == ChunkingMode::kFixed; }
  [[nodiscard]] bool refusing() const { return !options_.skip_bad && skipped_count_ > 0; }
  void skip(const std::string& path, const Error& why);
  void drain_pages();
  [[nodiscard]] Error refusal() const;
  [[nodiscard]] Error changed(const std::string& path) const;
  [[nodiscard]] Result<Chunk> gone(const std::string& path);
  [[nodiscard]] std::string full_path(const std::string& path) const;

  FileIo* io_;
  std::string source_;
  ImportOptions options_;
  bool single_;
  Phase phase_ = Phase::kTop;
  Dir single_parent_;
  std::optional<TreeScan> tree_;
  std::optional<OpenFile> file_;
  std::optional<EarlierTree> earlier_;
  UnreadPack unread_;
  KnownFile known_;

  StretchBuffer buffer_;
  std::size_t scanned_to_ = 0;  // bytes of the buffer that the cutter has seen
  FastCdc cdc_;
  Packer packer_;

  std::optional<ManifestBuilder> builder_;     // none: only the chunks are wanted
  std::deque<KnownState> stats_;               // of files that are in no page yet
  KnownState last_stat_;                       // of the file that the last page ended with
  std::map<std::uint64_t, HashedChunk> rows_;  // came before their turn
  std::uint64_t next_ordinal_ = 0;
  std::uint64_t next_row_ = 0;
  ImportResult result_;
  std::uint64_t skipped_count_ = 0;
  std::uint64_t bytes_done_ = 0;
  std::uint64_t entries_seen_ = 0;
};

/// The whole of it in one call, on this thread.
[[nodiscard]] Result<ImportResult> import_tree(FileIo& io, SlabPool& pool,
                                               const std::string& source, ImportOptions options,
                                               const KnownLookup& lookup = {});

}  // namespace kith::storage
