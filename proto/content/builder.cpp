#include "proto/content/builder.hpp"

#include <algorithm>
#include <utility>

#include "proto/assert.hpp"
#include "proto/content/root_check.hpp"
#include "proto/crypto/hash.hpp"
#include "proto/limits.hpp"
#include "proto/text.hpp"

namespace kith {
namespace {

std::uint32_t mark_of(Bytes id) { return load_be<std::uint32_t>(id); }

// The same rules hold for those who publish, but then nobody else is to blame.
Error blame_local(Error error, std::string_view path) {
  error.blame = Blame::kLocal;
  error.subject = escape(path);
  return error;
}

Error internal(const char* what) { return local_error(Errc::kInternal, what); }

Result<void> check_first(const Root& root, const Entry& entry) {
  KITH_CHECK(check_name(root.name));
  const bool right = root.single_file ? entry.kind == EntryKind::kFile && entry.path == root.name
                                      : entry.kind == EntryKind::kDirectory && entry.path.empty();
  if (!right) return internal("a share must begin with its top entry");
  return {};
}

Result<void> check_sums(const Totals& totals, const Entry& entry) {
  if (totals.entries() >= limits::kEntriesMax) {
    return local_error(Errc::kLimit, "share has over 4 M entries");
  }
  if (entry.size > INT64_MAX - totals.bytes) {
    return local_error(Errc::kLimit, "share has over 2^63 bytes");
  }
  return {};
}

void count(Totals& totals, const Entry& entry) {
  totals.bytes += entry.size;
  totals.files += entry.kind == EntryKind::kFile ? 1 : 0;
  totals.directories += entry.kind == EntryKind::kDirectory ? 1 : 0;
  totals.symlinks += entry.kind == EntryKind::kSymlink ? 1 : 0;
}

}  // namespace

ManifestBuilder::ManifestBuilder(std::string name, bool single_file, const Chunking& chunking,
                                 Buffer private_conv) {
  root_.name = std::move(name);
  root_.single_file = single_file;
  root_.chunking = chunking;
  root_.private_conv = std::move(private_conv);
}

Result<void> ManifestBuilder::check_place(const Entry& entry) const {
  KITH_CHECK(check_entry(entry));
  if (entry.offset != 0) return internal("an entry must be added whole");
  KITH_CHECK(check_sums(root_.totals, entry));
  if (root_.totals.entries() == 0) return check_first(root_, entry);
  if (root_.single_file) return internal("a single file has one entry");
  return check_follows(last_path_, last_kind_, entry.path);
}

Result<void> ManifestBuilder::add(Entry entry) {
  KITH_ASSERT(!finished_);
  if (auto ok = check_place(entry); !ok) return blame_local(std::move(ok).error(), entry.path);
  count(root_.totals, entry);
  last_path_ = entry.path;
  last_kind_ = entry.kind;
  const std::uint64_t size = entry.size;
  entries_.push_back({.entry = std::move(entry), .left = size});
  advance();
  return {};
}

Result<void> ManifestBuilder::add(const ChunkRow& row) {
  KITH_ASSERT(!finished_);
  const Chunking& chunking = root_.chunking;
  const bool fits = chunking.mode == ChunkingMode::kFixed
                        ? row.length == chunking.fixed
                        : row.length > 0 && row.length <= chunking.longest();
  if (!fits) return internal("a chunk has a length that its chunking does not make");
  if (root_.totals.chunks >= limits::kChunksMax) {
    return local_error(Errc::kLimit, "share has over 16 M chunks");
  }
  root_.totals.chunks += 1;
  root_.totals.stored += row.length;
  rows_.push_back(row);
  advance();
  return {};
}

void ManifestBuilder::advance() {
  for (; !entries_.empty(); entries_.pop_front()) {
    Waiting& waiting = entries_.front();
    if (waiting.left == 0) place_empty(waiting);
    while (waiting.left > 0) {
      if (!inside_chunk() && !open_row()) return;
      fill_chunk(waiting);
    }
  }
}

void ManifestBuilder::place_empty(Waiting& waiting) {
  const bool between_chunks = !inside_chunk();
  weight_ += encoded_size(waiting.entry);
  place(waiting);
  if (between_chunks) end_item(mark_of(blake3(as_bytes(waiting.entry.path))));
}

void ManifestBuilder::fill_chunk(Waiting& waiting) {
  if (waiting.left == waiting.entry.size) weight_ += encoded_size(waiting.entry);
  if (!waiting.in_page) place(waiting);
  if (!row_in_page_) {
    page_.skip = page_.rows.empty() ? row_used_ : page_.skip;
    page_.rows.push_back(row_);
    page_bytes_ += kChunkRowBytes;
    row_in_page_ = true;
  }
  const std::uint64_t n = std::min<std::uint64_t>(waiting.left, row_.length - row_used_);
  row_used_ += static_cast<std::uint32_t>(n);
  waiting.left -= n;
  if (!inside_chunk()) end_item(mark_of(row_.id.view()));
}

void ManifestBuilder::place(Waiting& waiting) {
  const std::size_t size = encoded_size(waiting.entry);
  const bool mid_chunk = inside_chunk() && row_used_ > 0;
  const std::size_t most = std::size_t{3} * root_.chunking.page_target;
  if (mid_chunk && !page_.entries.empty() && page_bytes_ + size > most) end_page();
  page_.entries.push_back(waiting.entry);
  page_bytes_ += size;
  waiting.in_page = true;
}

bool ManifestBuilder::open_row() {
  if (rows_.empty()) return false;
  row_ = rows_.front();
  rows_.pop_front();
  row_used_ = 0;
  row_in_page_ = false;
  weight_ = kChunkRowBytes;
  return true;
}

void ManifestBuilder::end_item(std::uint32_t mark) {
  const std::uint64_t target = root_.chunking.page_target;
  const std::uint64_t weight = std::exchange(weight_, 0);
  const bool chosen = std::uint64_t{mark} * (target / 2) < (weight << 32);
  if (page_bytes_ >= 2 * target || (page_bytes_ >= target / 2 && chosen)) end_page();
}

// Only called while advance() looks at the front entry: that one may go on in the next page.
void ManifestBuilder::end_page() {
  done_.push_back(std::exchange(page_, {}));
  page_bytes_ = 0;
  row_in_page_ = false;
  if (entries_.empty()) return;
  Waiting& front = entries_.front();
  front.in_page = false;
  front.entry.offset = front.entry.size - front.left;
}

std::vector<Page> ManifestBuilder::take_pages() { return std::exchange(done_, {}); }

void ManifestBuilder::add_page_ref(const Page& page, const ChunkId& id, const ChunkKey& key,
                                   std::uint32_t length) {
  root_.pages.push_back({.id = id,
                         .key = key,
                         .length = length,
                         .chunks = static_cast<std::uint32_t>(page.rows.size()),
                         .entries = static_cast<std::uint32_t>(page.entries.size()),
                         .shares_first = page.skip != 0,
                         .bytes = page.content_bytes(),
                         .first_path = page.entries.front().path});
}

void ManifestBuilder::finish_pages() {
  finished_ = true;
  if (!page_.entries.empty()) end_page();
}

Result<Root> ManifestBuilder::finish() {
  KITH_ASSERT(finished_);
  const bool padded = inside_chunk() && root_.chunking.mode != ChunkingMode::kFixed;
  if (!entries_.empty() || !rows_.empty() || padded) {
    return internal("chunks do not hold exactly the content of the entries");
  }
  if (root_.encode().size() > limits::kPageMax) {
    return local_error(Errc::kLimit, "manifest has more pages than a root can name");
  }
  if (auto ok = check_root(root_); !ok) return blame_local(std::move(ok).error(), root_.name);
  return std::move(root_);
}

}  // namespace kith
