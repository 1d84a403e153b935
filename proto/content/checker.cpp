#include "proto/content/checker.hpp"

#include "proto/assert.hpp"

namespace kith {
namespace {

Error malformed(const char* what) { return peer_error(Errc::kMalformed, what); }

Result<void> check_rows(const Root& root, const Page& page) {
  const Chunking& chunking = root.chunking;
  for (const ChunkRow& row : page.rows) {
    if (chunking.mode == ChunkingMode::kFixed && row.length != chunking.fixed) {
      return malformed("chunk does not have the fixed length");
    }
    if (row.length > chunking.longest())
      return malformed("chunk is longer than any of its chunking");
  }
  return {};
}

// The entry with the empty path, or the only file, is the first of all and stands nowhere else.
Result<void> check_top(const Root& root, std::uint32_t index, const Page& page) {
  const Entry& first = page.entries.front();
  if (index > 0) return {};
  const bool right = root.single_file ? first.kind == EntryKind::kFile && first.path == root.name
                                      : first.kind == EntryKind::kDirectory && first.path.empty();
  if (!right) return malformed("share does not begin with its top entry");
  if (first.offset != 0) return malformed("share begins within a file");
  return {};
}

Result<void> check_next_path(const Root& root, std::uint32_t index, const Page& page) {
  const bool crosses = page.skip + page.remaining_bytes() > page.row_bytes();
  if (index + 1 == root.pages.size()) {
    if (crosses) return malformed("last file ends before its size");
    return {};
  }
  const std::string& next = root.pages[index + 1].first_path;
  const Entry& last = page.entries.back();
  if (crosses ? last.path != next : compare_paths(last.path, next) >= 0) {
    return malformed("page reaches into the next one");
  }
  return {};
}

// Space is reserved for what an entry says, before the other pages are there.
Result<void> check_sizes(const Root& root, const Page& page) {
  for (const Entry& entry : page.entries) {
    if (entry.size > root.totals.bytes) return malformed("file is larger than its share");
  }
  return {};
}

}  // namespace

Result<void> check_page(const Root& root, std::uint32_t index, const Page& page) {
  KITH_ASSERT(index < root.pages.size());
  const PageRef& ref = root.pages[index];
  if (page.rows.size() != ref.chunks) return malformed("page and root differ in chunks");
  if (page.entries.size() != ref.entries) return malformed("page and root differ in entries");
  if (page.content_bytes() != ref.bytes) return malformed("page and root differ in bytes");
  if ((page.skip != 0) != ref.shares_first) return malformed("page and root differ in sharing");
  if (page.entries.front().path != ref.first_path) {
    return malformed("page and root differ in the first path");
  }
  KITH_CHECK(check_top(root, index, page));
  KITH_CHECK(check_next_path(root, index, page));
  KITH_CHECK(check_sizes(root, page));
  return check_rows(root, page);
}

Result<void> ManifestChecker::add(const Page& page) {
  if (pages_ >= root_->pages.size()) return malformed("more pages than the root has");
  KITH_CHECK(check_page(*root_, pages_, page));
  KITH_CHECK(check_first_entry(page.entries.front()));
  KITH_CHECK(check_first_row(page));
  count(page);
  remember_end(page);
  return {};
}

Result<void> ManifestChecker::check_first_entry(const Entry& first) const {
  if (!last_) return {};
  if (crosses_) {
    if (first != *last_) return malformed("a file does not go on where the page before ended");
    return {};
  }
  if (first.offset != 0) return malformed("page begins within a file that did not begin");
  return check_follows(last_->path, last_->kind, first.path);
}

Result<void> ManifestChecker::check_first_row(const Page& page) const {
  if (page.rows.empty()) return {};
  const bool shares = row_used_ < last_row_.length;
  if (page.skip != (shares ? row_used_ : 0)) {
    return malformed("page does not go on where the chunk before ended");
  }
  if (shares && page.rows.front() != last_row_) return malformed("pages differ in a shared chunk");
  return {};
}

void ManifestChecker::count(const Page& page) {
  seen_.bytes += page.content_bytes();
  seen_.chunks += page.rows.size() - (page.skip != 0 ? 1 : 0);
  seen_.stored += page.row_bytes() - (page.skip != 0 ? page.rows.front().length : 0);
  for (const Entry& entry : page.entries) {
    if (entry.offset != 0) continue;
    seen_.files += entry.kind == EntryKind::kFile ? 1 : 0;
    seen_.directories += entry.kind == EntryKind::kDirectory ? 1 : 0;
    seen_.symlinks += entry.kind == EntryKind::kSymlink ? 1 : 0;
  }
}

void ManifestChecker::remember_end(const Page& page) {
  ++pages_;
  last_ = page.entries.back();
  const std::uint64_t rows = page.row_bytes();
  const std::uint64_t end = page.skip + page.remaining_bytes();
  crosses_ = end > rows;
  if (crosses_) last_->offset = last_->size - (end - rows);
  if (page.rows.empty()) return;
  last_row_ = page.rows.back();
  const std::uint64_t unused = crosses_ ? 0 : rows - end;
  row_used_ = last_row_.length - static_cast<std::uint32_t>(unused);
}

Result<void> ManifestChecker::finish() const {
  if (pages_ != root_->pages.size()) return malformed("fewer pages than the root has");
  if (seen_ != root_->totals) return malformed("pages and totals differ");
  return {};
}

}  // namespace kith
