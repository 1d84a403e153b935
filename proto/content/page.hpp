// A page: one self-contained part of a manifest. It describes a run of whole chunks and the entries
// that begin in them, and holds no absolute position, so that a change at the front of a share
// touches no later page: positions come from the prefix sums of the root's counts.
//
// Encoded as bencode {c: rows, each id ‖ key ‖ u32 length (68 bytes), e: list of entries, k: skip},
// at most 1 MiB, no other keys.
//
// Invariants (decode() refuses everything else):
// - At least one entry. A page has the rows of exactly those chunks of which it describes a byte;
// so
//   a page of directories and empty files has no row, and skip = 0.
// - Content begins at byte `skip` of the first chunk and follows without gaps. skip != 0 only where
//   one chunk has so many entries that they fill more than a page: then the chunk's row stands in
//   each of these pages, and the page before described the chunk up to `skip`.
// - Only the last entry may go on in the next page; then it fills the last chunk to its end. Only
// the
//   first entry may have an offset, and then skip = 0.
// - Bytes of the last chunk behind the content are the next page's, or padding.
#pragma once

#include <cstdint>
#include <utility>
#include <vector>

#include "proto/bytes.hpp"
#include "proto/content/entry.hpp"
#include "proto/ids.hpp"
#include "proto/result.hpp"

namespace kith {

struct ChunkRow {
  ChunkId id;
  ChunkKey key;
  std::uint32_t length = 0;  // of the ciphertext, hence of the plaintext
  bool operator==(const ChunkRow&) const = default;
};
inline constexpr std::size_t kChunkRowBytes = 68;

/// A stretch of a file that lies in a chunk.
struct Extent {
  std::uint32_t entry = 0;  // index into Page::entries
  std::uint64_t file_offset = 0;
  std::uint32_t chunk_offset = 0;
  std::uint32_t length = 0;
  bool operator==(const Extent&) const = default;
};

struct Page {
  std::uint32_t skip = 0;
  std::vector<ChunkRow> rows;
  std::vector<Entry> entries;

  [[nodiscard]] Buffer encode() const;
  /// Parses and checks all that a page alone can show: form, limits, the rules of every entry,
  /// their order, no entry below a file or symlink, and the invariants above. Blame peer.
  [[nodiscard]] static Result<Page> decode(Bytes plaintext);
  /// Sum of the rows' lengths.
  [[nodiscard]] std::uint64_t row_bytes() const;
  /// What the entries still hold, at and after their offsets, including what the last one has in
  /// later pages.
  [[nodiscard]] std::uint64_t remaining_bytes() const;
  /// File bytes that this page describes.
  [[nodiscard]] std::uint64_t content_bytes() const;
  bool operator==(const Page&) const = default;
};

/// Answers where the bytes of a page's chunks belong. Computed once per decoded page: prefix sums
/// over rows and entries, then binary search. The page given to the other functions is the same
/// one.
class PageLayout {
 public:
  explicit PageLayout(const Page& page);
  /// The extents of chunk `row` (index into Page::rows) that this page describes, in order. Padding
  /// and what other pages describe have none; nor has a row that the page does not have.
  [[nodiscard]] std::vector<Extent> extents(const Page& page, std::uint32_t row) const;
  /// Rows [first, last) that hold bytes of entry `entry`; empty for entries without content.
  [[nodiscard]] std::pair<std::uint32_t, std::uint32_t> rows_of(const Page& page,
                                                                std::uint32_t entry) const;

 private:
  std::vector<std::uint64_t> row_start_;    // rows + 1 sums; byte 0 = start of the first chunk
  std::vector<std::uint64_t> entry_start_;  // entries + 1 sums, beginning at skip
};

}  // namespace kith
