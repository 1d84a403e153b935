// How the stream of a share is cut into chunks, and how entries fall into packs (docs/protocol.md,
// "Chunks"). Pure: the importer of storage/ feeds it.
//
// cdc (the default): a file of at least `large_file` bytes begins and ends on a chunk boundary and is
// cut by FastCDC (Xia et al., USENIX ATC 2016: gear hash, normalised chunking). Smaller files are
// packed whole, in path order. fixed: the whole stream is cut at `fixed` bytes with no regard to
// files, and the last chunk is padded with zeros.
#pragma once

#include <cstdint>

#include "proto/bytes.hpp"
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

  /// Scaled-down sizes for simulations and tests: every size divided by `divisor` (a power of two).
  [[nodiscard]] static Chunking tiny(std::uint32_t divisor);
  /// Errors (blame peer) where sizes contradict each other or exceed the limits.
  [[nodiscard]] Result<void> check() const;
};

/// Finds the cuts of one large file. Bytes are fed in any portions; the result does not depend on how.
class FastCdc {
 public:
  explicit FastCdc(const Chunking& chunking);
  /// Scans `data`, which continues where the last call ended. Returns the number of bytes up to and
  /// including the end of the present chunk, and begins the next chunk there; or 0 if no cut lies in
  /// `data` (all of it belongs to the present chunk). The caller calls again with the rest.
  /// The end of the file ends the last chunk; call reset() there.
  [[nodiscard]] std::size_t next_cut(Bytes data);
  void reset();

 private:
  std::uint32_t min_, average_, max_;
  std::uint64_t mask_small_, mask_large_;
  std::uint64_t hash_ = 0;
  std::uint32_t length_ = 0;
};

/// Decides, for small files in path order, where a pack ends.
class Packer {
 public:
  explicit Packer(const Chunking& chunking) : chunking_(chunking) {}
  /// True if the pack ends after this entry. size = bytes of content (0 for directories, symlinks and
  /// empty files), entry_bytes = bytes that its manifest entry takes.
  [[nodiscard]] bool add(std::string_view path, std::uint64_t size, std::size_t entry_bytes);
  /// Ends the pack: before a large file, and at the end.
  void reset() { bytes_ = files_ = entry_bytes_ = 0; }
  [[nodiscard]] std::uint64_t bytes() const { return bytes_; }

 private:
  Chunking chunking_;
  std::uint64_t bytes_ = 0;
  std::uint64_t files_ = 0;
  std::uint64_t entry_bytes_ = 0;
};

}  // namespace kith
