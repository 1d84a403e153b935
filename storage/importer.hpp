// Turns a file or tree of this machine into a share: reads it once, finds the chunks, and builds
// the manifest from the rows that come back.
//
//   open → { step → chunk → (pool: hash_chunk) → add_result }* → finish
//
// step() reads on and hands out chunks in stream order; their rows may come back in any order. At
// most limits::kImportChunksInFlight chunks are out: step() must not be called while may_step() is
// false. Memory: the chunk being read, the entries of the chunks that are out, and the finished
// pages.
//
// What is checked:
// - A file has, after it was read, the same inode, size, mtime and ctime as when it was opened, and
//   gave exactly as many bytes: else kChanged, with its path.
// - What cannot be shared (sockets, devices, FIFOs, names that are no UTF-8 or too long, what
// cannot
//   be opened) is collected and refused all together by finish(), or left out with skip_bad. After
//   the first of them, without skip_bad, contents are no longer read.
// Not thread-safe; the conductor of the import calls everything.
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
#include "storage/file_stat.hpp"
#include "storage/stretch_buffer.hpp"
#include "storage/tree_scan.hpp"

namespace kith::storage {

struct ImportOptions {
  std::string name;  // of the share; empty: the last component of the source
  Chunking chunking;
  std::vector<std::string> exclude;  // see Exclude
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

struct ImportResult {
  ShareId share;
  ChunkKey key;
  Root root;
  Buffer root_ciphertext;
  std::vector<ImportedPage> pages;
  std::vector<ChunkId> chunks;      // of the content, in stream order
  std::vector<PlainHash> plain;     // of the same
  std::vector<ImportNote> skipped;  // the first kNotesMax
  std::uint64_t skipped_count = 0;
  std::vector<ImportNote> links_outside;  // symlinks that leave the tree; the first kNotesMax
  std::uint64_t links_outside_count = 0;
};
inline constexpr std::size_t kNotesMax = 1'000;

class ImportScan {
 public:
  /// `source`: an absolute path. Errors: kNotFound, kUnsupported (neither a file nor a directory),
  /// kUsage (a name that a share cannot have).
  [[nodiscard]] static Result<ImportScan> open(FileIo& io, SlabPool& pool,
                                               const std::string& source, ImportOptions options);

  /// Reads on until a chunk is complete, or for a while: then nothing, and the caller may do other
  /// things first. After an error the scan is spent.
  [[nodiscard]] Result<std::optional<ScannedChunk>> step();
  /// Everything was read and handed out.
  [[nodiscard]] bool scanned() const { return phase_ == Phase::kEnd; }
  [[nodiscard]] bool may_step() const {
    return !scanned() && next_ordinal_ - next_row_ < limits::kImportChunksInFlight;
  }
  [[nodiscard]] Result<void> add_result(std::uint64_t ordinal, const HashedChunk& chunk);
  /// After scanned(), and with every result added. kUnsupported: skipped() names what cannot be
  /// shared.
  [[nodiscard]] Result<ImportResult> finish();

  /// What was not shared so far, and why: the first kNotesMax.
  [[nodiscard]] const std::vector<ImportNote>& skipped() const { return result_.skipped; }

  // Progress.
  [[nodiscard]] std::uint64_t bytes_read() const { return bytes_read_; }
  [[nodiscard]] std::uint64_t entries_seen() const { return entries_seen_; }

 private:
  enum class Phase : std::uint8_t { kTop, kItems, kFile, kTail, kEnd };
  struct OpenFile {
    File file;
    std::string path;
    FileStat before;
    std::uint64_t read = 0;
    bool large = false;
    std::size_t entry_bytes = 0;
  };
  using Chunk = std::optional<SlabChain>;

  ImportScan(FileIo& io, SlabPool& pool, std::string source, ImportOptions options, bool single);

  [[nodiscard]] Result<Chunk> advance();
  [[nodiscard]] Result<Chunk> enter_top();
  [[nodiscard]] Result<Chunk> next_item();
  [[nodiscard]] Result<Chunk> add_directory(const ScanItem& item);
  [[nodiscard]] Result<Chunk> add_symlink(const ScanItem& item);
  [[nodiscard]] Result<Chunk> place(Entry entry);
  [[nodiscard]] Result<Chunk> begin_file(const Dir& dir, std::string_view name,
                                         const std::string& path);
  [[nodiscard]] Result<Chunk> read_on();
  [[nodiscard]] Result<void> read_stretch();
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
  [[nodiscard]] std::string full_path(const std::string& path) const;

  FileIo* io_;
  std::string source_;
  ImportOptions options_;
  bool single_;
  Phase phase_ = Phase::kTop;
  Dir single_parent_;
  std::optional<TreeScan> tree_;
  std::optional<OpenFile> file_;

  StretchBuffer buffer_;
  std::size_t scanned_to_ = 0;  // bytes of the buffer that the cutter has seen
  FastCdc cdc_;
  Packer packer_;

  ManifestBuilder builder_;
  std::deque<FileStat> stats_;                 // of files that are in no page yet
  FileStat last_stat_;                         // of the file that the last page ended with
  std::map<std::uint64_t, HashedChunk> rows_;  // came before their turn
  std::uint64_t next_ordinal_ = 0;
  std::uint64_t next_row_ = 0;
  ImportResult result_;
  std::uint64_t skipped_count_ = 0;
  std::uint64_t bytes_read_ = 0;
  std::uint64_t entries_seen_ = 0;
};

/// The whole of it in one call, on this thread.
[[nodiscard]] Result<ImportResult> import_tree(FileIo& io, SlabPool& pool,
                                               const std::string& source, ImportOptions options,
                                               const KnownLookup& lookup = {});

}  // namespace kith::storage
