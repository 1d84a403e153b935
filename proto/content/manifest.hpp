// The manifest of a share: entries, pages and the root (docs/protocol.md, "Manifest").
//
// Entries are sorted by path, component by component, bytewise; every directory has an entry before
// its contents. The *stream* is the concatenation of the file contents in that order. Pages follow
// each other; page k describes a run of whole chunks and the entries that begin in them. A page holds
// no absolute position, so that a change at the front touches no later page: positions come from the
// prefix sums of the root's counts.
//
// Page: bencode {c: rows, each id ‖ key ‖ u32 length (68 bytes), e: list of entries, k: skip}.
// skip = byte of its first chunk at which its entries begin; not 0 only where one chunk has so many
// entries that they fill more than a page: then the chunk's row stands in each of these pages.
// Entry: a list. Directory ["d", path, mode, mtime]; symlink ["l", path, target, mtime]; file
// ["f", path, mode, mtime, size], or [..., size, offset] where the file began in an earlier page and
// goes on here at `offset`. mtime in ns since 1970.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "proto/bytes.hpp"
#include "proto/content/chunking.hpp"
#include "proto/ids.hpp"
#include "proto/result.hpp"

namespace kith {

enum class EntryKind : std::uint8_t { kDirectory, kFile, kSymlink };

struct Entry {
  EntryKind kind = EntryKind::kFile;
  std::string path;
  std::string target;          // symlinks
  std::uint32_t mode = 0;      // files and directories: 0777 bits
  std::int64_t mtime_ns = 0;
  std::uint64_t size = 0;      // files: of the whole file
  std::uint64_t offset = 0;    // files: where the file goes on in this page
  bool operator==(const Entry&) const = default;
};

/// Bytes that the entry takes in a page.
[[nodiscard]] std::size_t encoded_size(const Entry& entry);

/// Orders paths component by component, bytewise: "a/b" before "a.b", since "a" < "a.b".
[[nodiscard]] int compare_paths(std::string_view a, std::string_view b);
/// The rules for one path: valid UTF-8, relative, no empty, "." or ".." component, none over 255
/// bytes, no NUL, at most 4,095 bytes. Never repaired, always refused. Blame peer.
[[nodiscard]] Result<void> check_path(std::string_view path);
/// A symlink's target: 1–4,095 bytes without NUL.
[[nodiscard]] Result<void> check_symlink_target(std::string_view target);
/// True if the symlink at `path` resolves, lexically, to a place inside the tree.
[[nodiscard]] bool symlink_stays_inside(std::string_view path, std::string_view target);

struct ChunkRow {
  ChunkId id;
  ChunkKey key;
  std::uint32_t length = 0;  // of the ciphertext, hence of the plaintext
  bool operator==(const ChunkRow&) const = default;
};

/// A stretch of a file that lies in a chunk.
struct Extent {
  std::uint32_t entry = 0;         // index into Page::entries
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
  /// Parses and checks all that a page alone can show: form, paths, order, no entry below a file or
  /// symlink of this page, sizes that add up to its chunks. Blame peer.
  [[nodiscard]] static Result<Page> decode(Bytes plaintext);
  /// File bytes that this page describes.
  [[nodiscard]] std::uint64_t content_bytes() const;
  bool operator==(const Page&) const = default;
};

/// Answers where the bytes of a page's chunks belong. Computed once per decoded page: prefix sums over
/// rows and entries, then binary search.
class PageLayout {
 public:
  explicit PageLayout(const Page& page);
  /// The extents of chunk `row` (index into Page::rows) that this page describes, in order. Padding
  /// and what other pages describe have none.
  [[nodiscard]] std::vector<Extent> extents(const Page& page, std::uint32_t row) const;
  /// Rows [first, last) that hold bytes of entry `entry`; empty for entries without content.
  [[nodiscard]] std::pair<std::uint32_t, std::uint32_t> rows_of(const Page& page,
                                                                std::uint32_t entry) const;

 private:
  std::vector<std::uint64_t> row_start_;    // rows + 1 sums; byte 0 = start of the first chunk
  std::vector<std::uint64_t> entry_start_;  // entries + 1 sums, beginning at skip
};

/// What the root says of one page.
struct PageRef {
  ChunkId id;
  ChunkKey key;
  std::uint32_t length = 0;    // of its ciphertext
  std::uint32_t chunks = 0;    // rows
  std::uint32_t entries = 0;
  bool shares_first = false;   // its first row is the last row of the page before
  std::uint64_t bytes = 0;     // of content that it describes
  std::string first_path;
  bool operator==(const PageRef&) const = default;
};

struct Totals {
  std::uint64_t bytes = 0;      // of file content
  std::uint64_t files = 0;
  std::uint64_t directories = 0;
  std::uint64_t symlinks = 0;
  std::uint64_t chunks = 0;
  std::uint64_t stored = 0;     // sum of the chunks' lengths
  bool operator==(const Totals&) const = default;
};

/// The root: {c: chunking, n: name, p: list of pages, t: totals, v: 1, x?: conv of a private share}.
/// Its ciphertext has the share id as its chunk id. A share of a single file has one entry whose path
/// is the name, and `single_file` is set; a tree's entries are relative to the shared directory,
/// which itself has the entry with the empty path "" as the first (mode and mtime of the top).
struct Root {
  std::string name;
  bool single_file = false;
  Chunking chunking;
  Totals totals;
  std::vector<PageRef> pages;
  Buffer private_conv;  // empty, or 32 bytes

  [[nodiscard]] Buffer encode() const;
  /// Parses and checks form, limits, sums without overflow. Blame peer.
  [[nodiscard]] static Result<Root> decode(Bytes plaintext);
  bool operator==(const Root&) const = default;
};

/// The index space of a share and where each page lies in it. Small: engine and jobs keep one per
/// share that is fetched or served.
class ShareShape {
 public:
  ShareShape() = default;
  explicit ShareShape(const Root& root);
  /// 1 + pages + chunks.
  [[nodiscard]] ChunkIndex total() const { return 1 + pages_ + chunks_; }
  [[nodiscard]] std::uint32_t pages() const { return pages_; }
  [[nodiscard]] std::uint32_t chunks() const { return chunks_; }
  [[nodiscard]] ChunkIndex index_of_page(std::uint32_t page) const { return 1 + page; }
  [[nodiscard]] ChunkIndex index_of_chunk(std::uint32_t chunk) const { return 1 + pages_ + chunk; }
  [[nodiscard]] bool is_page(ChunkIndex index) const { return index >= 1 && index <= pages_; }
  [[nodiscard]] bool is_content(ChunkIndex index) const {
    return index > pages_ && index < total();
  }
  /// The pages [first, last] that describe content chunk `chunk`: one, or several where one chunk's
  /// entries fill several pages.
  [[nodiscard]] std::pair<std::uint32_t, std::uint32_t> pages_of_chunk(std::uint32_t chunk) const;
  /// The first content chunk of a page.
  [[nodiscard]] std::uint32_t first_chunk(std::uint32_t page) const { return first_chunk_[page]; }
  [[nodiscard]] std::uint32_t chunk_count(std::uint32_t page) const { return chunk_count_[page]; }

 private:
  std::uint32_t pages_ = 0;
  std::uint32_t chunks_ = 0;
  std::vector<std::uint32_t> first_chunk_;
  std::vector<std::uint32_t> chunk_count_;
};

/// Checks, page after page in order, what a page alone cannot show: every parent is a directory that
/// came before, paths ascend across pages, a file that crosses pages goes on where it stopped, counts
/// and totals are the root's. Memory: one path.
class ManifestChecker {
 public:
  explicit ManifestChecker(const Root& root) : root_(&root) {}
  [[nodiscard]] Result<void> add(const Page& page);
  [[nodiscard]] Result<void> finish();

 private:
  const Root* root_;
  std::uint32_t pages_ = 0;
  Totals seen_;
  std::string last_path_;
  EntryKind last_kind_ = EntryKind::kDirectory;
  std::uint64_t open_size_ = 0;    // of the file that crosses the page end; 0: none
  std::uint64_t open_offset_ = 0;
  std::vector<std::string> directories_;  // the open directories: ancestors of last_path_
};

/// Builds pages from entries and chunks, as the sharer meets them. Call order: every entry before the
/// first chunk that holds a byte of it; every chunk once, in stream order. Where a page ends depends
/// on content only: after a chunk (or an entry without content) when the page is large enough and a
/// condition on the chunk id (or the path) holds, weighted by encoded size.
class ManifestBuilder {
 public:
  /// conv: chunks' convergence secret, under which pages and root are enciphered too.
  ManifestBuilder(std::string name, bool single_file, const Chunking& chunking);
  [[nodiscard]] Result<void> add(Entry entry);
  [[nodiscard]] Result<void> add(const ChunkRow& row);
  /// Pages that are complete, since the last call. The caller enciphers them and hands their id, key
  /// and length back with add_page_ref, in order.
  [[nodiscard]] std::vector<Page> take_pages();
  void add_page_ref(const Page& page, const ChunkId& id, const ChunkKey& key, std::uint32_t length);
  /// Ends the last page; take_pages() once more after it.
  void finish_pages();
  /// The root, after every page has its reference. Errors: kLimit where it would exceed 1 MiB.
  [[nodiscard]] Result<Root> finish();

 private:
  void end_page();
  Root root_;
  std::vector<Page> done_;
  Page page_;
  std::size_t page_bytes_ = 0;
  std::uint64_t pending_bytes_ = 0;  // of entries added whose chunks are still to come
  std::vector<Entry> waiting_;       // entries whose first chunk is still to come
  std::uint64_t open_size_ = 0, open_offset_ = 0;
};

}  // namespace kith
