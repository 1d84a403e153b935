// The root of a share's manifest: name, totals, chunking and one reference per page. Its ciphertext
// has the share id as its chunk id.
//
// Encoded as bencode, at most 1 MiB, no other keys:
//   {c: [mode, min, average, max, fixed, large_file, pack_min, pack_max, pack_files,
//        pack_entry_bytes, page_target],
//    n: name, one path component,
//    p: list of pages, each [id ‖ key, length, chunks, entries, shares_first, bytes, first_path],
//    s: 1 if a single file is shared, else 0,
//    t: [bytes, files, directories, symlinks, chunks, stored],
//    v: 1,
//    x: conv, 32 bytes, of a private share only}
//
// A share of a single file has one entry, a file whose path is the name. A tree's entries are
// relative to the shared directory, which itself has the entry with the empty path "" as the first
// (mode and mtime of the top). So every share has at least one entry and one page, and an empty
// tree has exactly one of each, and no chunk.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "proto/bytes.hpp"
#include "proto/content/chunking.hpp"
#include "proto/ids.hpp"
#include "proto/result.hpp"

namespace kith {

/// What the root says of one page.
struct PageRef {
  ChunkId id;
  ChunkKey key;
  std::uint32_t length = 0;  // of its ciphertext
  std::uint32_t chunks = 0;  // rows
  std::uint32_t entries = 0;
  bool shares_first = false;  // its first row is the last row that the pages before describe
  std::uint64_t bytes = 0;    // of content that it describes
  std::string first_path;
  bool operator==(const PageRef&) const = default;
};

struct Totals {
  std::uint64_t bytes = 0;  // of file content
  std::uint64_t files = 0;
  std::uint64_t directories = 0;
  std::uint64_t symlinks = 0;
  std::uint64_t chunks = 0;
  std::uint64_t stored = 0;  // sum of the chunks' lengths
  bool operator==(const Totals&) const = default;

  [[nodiscard]] std::uint64_t entries() const { return files + directories + symlinks; }
};

struct Root {
  std::string name;
  bool single_file = false;
  Chunking chunking;
  Totals totals;
  std::vector<PageRef> pages;
  Buffer private_conv;  // empty, or 32 bytes

  [[nodiscard]] Buffer encode() const;
  /// Parses and checks form, limits, chunking, the pages' order, and that the sums over the pages
  /// are the totals, without overflow. Blame peer; kUnsupported for another version.
  [[nodiscard]] static Result<Root> decode(Bytes plaintext);
  bool operator==(const Root&) const = default;
};

/// The index space of a share and where each page lies in it. Small: engine and jobs keep one per
/// share that is fetched or served.
class ShareShape {
 public:
  ShareShape() = default;
  /// `root` is as Root::decode or ManifestBuilder make it.
  explicit ShareShape(const Root& root);
  /// 1 + pages + chunks.
  [[nodiscard]] ChunkIndex total() const { return 1 + pages_ + chunks_; }
  [[nodiscard]] std::uint32_t pages() const { return pages_; }
  [[nodiscard]] std::uint32_t chunks() const { return chunks_; }
  /// Of page 0 to pages() − 1, and of content chunk 0 to chunks() − 1. Index 0 is the root.
  [[nodiscard]] ChunkIndex index_of_page(std::uint32_t page) const { return 1 + page; }
  [[nodiscard]] ChunkIndex index_of_chunk(std::uint32_t chunk) const { return 1 + pages_ + chunk; }
  [[nodiscard]] bool is_page(ChunkIndex index) const { return index >= 1 && index <= pages_; }
  [[nodiscard]] bool is_content(ChunkIndex index) const {
    return index > pages_ && index < total();
  }
  /// The pages [first, last] that describe content chunk `chunk`: one, or several where one chunk's
  /// entries fill several pages. Between these there may be pages without any row: chunk_count() 0.
  [[nodiscard]] std::pair<std::uint32_t, std::uint32_t> pages_of_chunk(std::uint32_t chunk) const;
  /// Whether the page has the row of this content chunk.
  [[nodiscard]] bool describes(std::uint32_t page, std::uint32_t chunk) const {
    return chunk >= first_chunk_[page] && chunk - first_chunk_[page] < chunk_count_[page];
  }
  /// The content chunk of a page's first row. A page without rows has the number of chunks before
  /// it.
  [[nodiscard]] std::uint32_t first_chunk(std::uint32_t page) const { return first_chunk_[page]; }
  /// Rows of the page: content chunks that it describes.
  [[nodiscard]] std::uint32_t chunk_count(std::uint32_t page) const { return chunk_count_[page]; }

 private:
  std::uint32_t pages_ = 0;
  std::uint32_t chunks_ = 0;
  std::vector<std::uint32_t> first_chunk_;
  std::vector<std::uint32_t> chunk_count_;
};

}  // namespace kith
