// Builds the manifest of a share from its entries and chunks, as the sharer meets them.
//
// The caller adds the entries in path order and the chunks in stream order. How the two interleave
// does not matter: the builder puts them together by position in the stream. An entry with content
// waits until the chunks that hold it are there; whatever is complete leaves as pages. So memory is
// that of the entries of the chunks in flight and of one page.
//
// Where a page ends (docs/protocol-content.md, "Page ends") depends on what lies near the end, not
// on what lies before the page: with size = 68 bytes per row and encoded_size() per entry of the
// page,
// - an *item* is a chunk, with the entries that begin in it, or an entry without content that lies
//   between chunks. Its weight is the 68 bytes and the size of these entries, without any offset;
//   its mark is the first 4 bytes, big-endian, of the chunk id or of BLAKE3(path);
// - a page ends behind an item if size >= 2·target, or if size >= target/2 and
//   mark · (target/2) < weight · 2^32;
// - it also ends in the middle of a chunk, before an entry that would make size > 3·target. Packs
//   keep that from happening in cdc mode.
#pragma once

#include <deque>
#include <string>
#include <vector>

#include "proto/content/page.hpp"
#include "proto/content/root.hpp"
#include "proto/result.hpp"

namespace kith {

class ManifestBuilder {
 public:
  /// private_conv: empty, or the 32 bytes of a private share. `chunking` must pass its check().
  ManifestBuilder(std::string name, bool single_file, const Chunking& chunking,
                  Buffer private_conv = {});
  /// Whole entries (offset 0). A tree begins with the directory ""; a single file has one entry,
  /// whose path is the name. Errors, blame local, with the path: what the entry or its place
  /// breaks.
  [[nodiscard]] Result<void> add(Entry entry);
  /// Error kInternal where the length is not one that the chunking makes; kLimit over 16 M chunks.
  [[nodiscard]] Result<void> add(const ChunkRow& row);
  /// Pages that are complete, since the last call. The caller enciphers them under the share's conv
  /// and hands their id, key and length back with add_page_ref, in order.
  [[nodiscard]] std::vector<Page> take_pages();
  /// Of the page that take_pages() gave; `length`: of its ciphertext, in bytes.
  void add_page_ref(const Page& page, const ChunkId& id, const ChunkKey& key, std::uint32_t length);
  /// Ends the last page; take_pages() once more after it.
  void finish_pages();
  /// The root, after every page has its reference. Errors: kLimit where it would exceed 1 MiB;
  /// kInternal where the chunks do not hold exactly the entries' content (fixed: and padding).
  [[nodiscard]] Result<Root> finish();

 private:
  // An entry that waits for its content. Where it crossed a page end, `entry.offset` says.
  struct Waiting {
    Entry entry;
    std::uint64_t left;    // bytes of content not yet assigned to a chunk
    bool in_page = false;  // stands in page_
  };

  [[nodiscard]] Result<void> check_place(const Entry& entry) const;
  void advance();
  void place_empty(Waiting& waiting);
  void fill_chunk(Waiting& waiting);
  void place(Waiting& waiting);
  [[nodiscard]] bool open_row();
  void end_item(std::uint32_t mark);
  void end_page();
  [[nodiscard]] bool inside_chunk() const { return row_used_ < row_.length; }

  Root root_;
  std::vector<Page> done_;
  std::deque<Waiting> entries_;
  std::deque<ChunkRow> rows_;
  std::string last_path_;  // of the last entry added
  EntryKind last_kind_ = EntryKind::kDirectory;

  Page page_;
  std::size_t page_bytes_ = 0;
  std::size_t weight_ = 0;      // of the present item
  ChunkRow row_;                // the chunk being filled, or the last one
  std::uint32_t row_used_ = 0;  // of its bytes
  bool row_in_page_ = false;
  bool finished_ = false;
};

}  // namespace kith
