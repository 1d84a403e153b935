// How the stream of a share is cut into chunks, and how entries fall into packs
// (docs/protocol-content.md, "Chunks"). Pure: the importer of storage/ feeds it.
//
// cdc (the default): a file of at least `large_file` bytes begins and ends on a chunk boundary and
// is cut by FastCDC (Xia et al., USENIX ATC 2016: gear hash, normalised chunking). Smaller files
// are packed whole, in path order. fixed: the whole stream is cut at `fixed` bytes with no regard
// to files, and the last chunk is padded with zeros.
#pragma once

#include <cstdint>
#include <string_view>

#include "proto/bytes.hpp"
#include "proto/content/gear.hpp"
#include "proto/result.hpp"

namespace kith {

enum class ChunkingMode : std::uint8_t { kCdc = 0, kFixed = 1 };

/// Sizes are parameters so that simulations can use tiny ones. They stand in the root, are checked
/// by receivers, and the defaults are the ones everybody uses.
struct Chunking {
  ChunkingMode mode = ChunkingMode::kCdc;
  std::uint32_t min = 256 * 1024;
  std::uint32_t average = 1024 * 1024;  // a power of two
  std::uint32_t max = 4 * 1024 * 1024;  // at most limits::kChunkMaxAllowed
  std::uint32_t fixed = 1024 * 1024;
  std::uint32_t large_file = 256 * 1024;
  std::uint32_t pack_min = 512 * 1024;
  std::uint32_t pack_max = 1536 * 1024;
  std::uint32_t pack_files = 2048;
  /// A pack also ends when its entries take this many bytes of manifest.
  std::uint32_t pack_entry_bytes = 128 * 1024;
  std::uint32_t page_target = 256 * 1024;
  bool operator==(const Chunking&) const = default;

  /// Scaled-down sizes for simulations and tests: every size divided by `divisor`, a power of two
  /// up to 4,096. pack_files, a number, stays; pages and entries, whose paths do not shrink, keep
  /// at least 1,024 and 512 bytes.
  [[nodiscard]] static Chunking tiny(std::uint32_t divisor);
  /// Errors (blame peer) where sizes contradict each other or exceed the limits: 64 <= min <
  /// average < max <= 4 MiB, average a power of two; fixed <= 4 MiB; pack_min <= pack_max, pack_max
  /// + large_file <= 4 MiB; pack_entry_bytes <= page_target <= 256 KiB; nothing 0.
  [[nodiscard]] Result<void> check() const;
  /// The longest chunk that this chunking makes, for receivers to check rows by.
  [[nodiscard]] std::uint32_t longest() const;
};

/// Finds the cuts of one large file. Bytes are fed in any portions; the result does not depend on
/// how.
///
/// With H(n) = the gear hash of the 64 bytes before byte n of a chunk, a chunk ends at the smallest
/// n >= min for which
///   n < average:  the top log2(average) + 2 bits of H(n) are 0, or
///   n >= average: the top log2(average) − 2 bits of H(n) are 0, or
///   n = max.
/// Where a file may be cut so depends on 64 bytes of content only, and cuts find each other again
/// behind an insertion.
class FastCdc {
 public:
  /// `chunking` must pass its check().
  explicit FastCdc(const Chunking& chunking);
  /// Scans `data`, which continues where the last call ended. Returns the number of bytes up to and
  /// including the end of the present chunk, and begins the next chunk there; or 0 if no cut lies
  /// in `data` (all of it belongs to the present chunk). The caller calls again with the rest. The
  /// end of the file ends the last chunk; call reset() there.
  [[nodiscard]] std::size_t next_cut(Bytes data);
  /// The next call of next_cut() begins a chunk of another file.
  void reset();

 private:
  const std::uint64_t* gear_;
  std::uint32_t min_, average_, max_;
  std::uint64_t below_small_, below_large_;  // a cut where the hash is less: before, behind average
  std::uint64_t hash_ = 0;
  std::uint32_t length_ = 0;  // of the present chunk
};

/// Decides, for small files in path order, where a pack ends.
///
/// A pack begins with a file that has content: what comes before it counts for nothing. It ends
/// - behind any entry when it holds >= pack_max bytes, pack_files entries, or entries of >=
///   pack_entry_bytes; and
/// - behind a file with content when it holds >= pack_min bytes, half of pack_files, or half of
///   pack_entry_bytes, and the low 3 bits of the first byte of BLAKE3(path) are zero.
/// The second rule makes ends depend on names, so that a file that comes or goes moves few of them.
class Packer {
 public:
  explicit Packer(const Chunking& chunking) : chunking_(chunking) {}
  /// True if the pack ends after this entry; then it is not empty, and the next entry begins a new
  /// one. size = bytes of content (0 for directories, symlinks and empty files, else less than
  /// large_file), entry_bytes = encoded_size() of the entry.
  [[nodiscard]] bool add(std::string_view path, std::uint64_t size, std::size_t entry_bytes);
  /// Ends the pack: before a large file, and at the end.
  void reset() { bytes_ = files_ = entry_bytes_ = 0; }
  /// Content of the pack that is open; 0 if none is.
  [[nodiscard]] std::uint64_t bytes() const { return bytes_; }

 private:
  [[nodiscard]] bool ends_behind(std::string_view path, std::uint64_t size) const;

  Chunking chunking_;
  std::uint64_t bytes_ = 0;
  std::uint64_t files_ = 0;
  std::uint64_t entry_bytes_ = 0;
};

}  // namespace kith
