#include "proto/content/page.hpp"

#include <algorithm>

#include "proto/assert.hpp"
#include "proto/limits.hpp"

namespace kith {
namespace {

constexpr bencode::ParseLimits kPageLimits{.depth = 3, .tokens = limits::kPageTokens};

Error malformed(const char* what) { return peer_error(Errc::kMalformed, what); }

Buffer encode_rows(const std::vector<ChunkRow>& rows) {
  Buffer out;
  out.reserve(rows.size() * kChunkRowBytes);
  for (const ChunkRow& row : rows) {
    append(out, row.id.view());
    append(out, row.key.view());
    append_be<std::uint32_t>(out, row.length);
  }
  return out;
}

Result<std::vector<ChunkRow>> decode_rows(Bytes bytes) {
  if (bytes.size() % kChunkRowBytes != 0) return malformed("page has part of a row");
  std::vector<ChunkRow> rows(bytes.size() / kChunkRowBytes);
  for (ChunkRow& row : rows) {
    row.id = *ChunkId::from(bytes.first(32));
    row.key = *ChunkKey::from(bytes.subspan(32, 32));
    row.length = load_be<std::uint32_t>(bytes.subspan(64));
    if (row.length == 0) return malformed("chunk is empty");
    if (row.length > limits::kChunkMaxAllowed) {
      return peer_error(Errc::kLimit, "chunk is over 4 MiB");
    }
    bytes = bytes.subspan(kChunkRowBytes);
  }
  return rows;
}

Result<std::vector<Entry>> decode_entries(const bencode::Value& list) {
  std::vector<Entry> entries;
  entries.reserve(list.size());
  for (const bencode::Value value : list) {
    KITH_TRY(Entry entry, decode_entry(value));
    if (!entries.empty()) {
      const Entry& last = entries.back();
      KITH_CHECK(check_follows(last.path, last.kind, entry.path));
      if (entry.offset != 0) return malformed("an entry behind the first has an offset");
    }
    entries.push_back(std::move(entry));
  }
  if (entries.empty()) return malformed("page has no entry");
  return entries;
}

// Sums of sizes stay below 2^63, so that no later sum overflows.
Result<void> check_no_overflow(const Page& page) {
  std::uint64_t sum = page.skip;
  for (const Entry& entry : page.entries) {
    sum += entry.remaining();
    if (sum > INT64_MAX) return peer_error(Errc::kLimit, "sizes in a page are over 2^63 bytes");
  }
  return {};
}

// The content fills the rows as the invariants in the header say.
Result<void> check_content(const Page& page) {
  const std::uint64_t content = page.remaining_bytes();
  if (page.rows.empty()) {
    if (content != 0) return malformed("page has content and no chunk");
    if (page.skip != 0) return malformed("page skips bytes and has no chunk");
    return {};
  }
  if (content == 0) return malformed("page has chunks and no content");
  if (page.skip >= page.rows.front().length) return malformed("page skips a whole chunk");
  if (page.skip != 0 && page.entries.front().offset != 0) {
    return malformed("page begins within a chunk and within a file");
  }
  const std::uint64_t rows = page.row_bytes();
  const std::uint64_t end = page.skip + content;
  if (end > rows && end - page.entries.back().remaining() >= rows) {
    return malformed("entries hold more than the chunks of their page");
  }
  if (end <= rows - page.rows.back().length) {
    return malformed("page has a chunk of which it describes nothing");
  }
  return {};
}

}  // namespace

std::uint64_t Page::row_bytes() const {
  std::uint64_t sum = 0;
  for (const ChunkRow& row : rows) sum += row.length;
  return sum;
}

std::uint64_t Page::remaining_bytes() const {
  std::uint64_t sum = 0;
  for (const Entry& entry : entries) sum += entry.remaining();
  return sum;
}

std::uint64_t Page::content_bytes() const {
  return std::min(remaining_bytes(), row_bytes() - skip);
}

Buffer Page::encode() const {
  const Buffer packed = encode_rows(rows);
  std::size_t size = packed.size() + 64;
  for (const Entry& entry : entries) size += encoded_size(entry);
  Buffer out;
  out.reserve(size);
  bencode::Writer writer(out);
  writer.dict().string("c", packed).key("e").list();
  for (const Entry& entry : entries) encode_entry(writer, entry);
  writer.end().integer("k", skip).end();
  KITH_ASSERT(out.size() <= limits::kPageMax);
  return out;
}

Result<Page> Page::decode(Bytes plaintext) {
  if (plaintext.size() > limits::kPageMax) return peer_error(Errc::kLimit, "page is over 1 MiB");
  KITH_TRY(const bencode::Document document, bencode::parse(plaintext, kPageLimits));
  const bencode::Value root = document.root();
  const auto rows = root.find_string("c");
  const auto entries = root.find_list("e");
  const auto skip = root.find_unsigned<std::uint32_t>("k");
  if (!rows || !entries || !skip || root.size() != 3) {
    return malformed("page has missing, foreign or surplus keys");
  }
  Page page;
  page.skip = *skip;
  KITH_TRY(page.rows, decode_rows(*rows));
  KITH_TRY(page.entries, decode_entries(*entries));
  KITH_CHECK(check_no_overflow(page));
  KITH_CHECK(check_content(page));
  return page;
}

}  // namespace kith
