// Jobs of `kith cat`: where the bytes of a file lie in a share, and chunks that are read for it.
#include <algorithm>

#include "node/jobs/jobs.hpp"
#include "proto/crypto/content_cipher.hpp"

namespace kith::node {
namespace {

Error wrong_kind(const Entry& entry) {
  if (entry.kind == EntryKind::kSymlink) {
    return local_error(Errc::kUsage, "it is a symbolic link to " + entry.target, entry.path,
                       "give the path of the file");
  }
  return local_error(Errc::kUsage, "it is a directory", entry.path, "give the path of a file");
}

Error not_there(const std::string& path) {
  return local_error(Errc::kNotFound, "the share has no such file", path,
                     "give its path from the top of the share");
}

// Of an entry's content, in this page.
std::uint64_t bytes_in(const DecodedPage& page, std::ptrdiff_t entry) {
  const auto number = static_cast<std::uint32_t>(entry);
  const auto [first, last] = page.layout.rows_of(page.page, number);
  std::uint64_t sum = 0;
  for (std::uint32_t row = first; row < last; ++row) {
    for (const Extent& extent : page.layout.extents(page.page, row)) {
      if (extent.entry == number) sum += extent.length;
    }
  }
  return sum;
}

// Collects the stretches of a range of one file, page by page.
class RangeFinder {
 public:
  RangeFinder(std::uint64_t offset, std::uint64_t length, std::uint64_t ahead)
      : begin_(offset), end_(offset + length), end_ahead_(end_ + ahead) {}

  void add(const DecodedPage& page, std::uint32_t entry, ChunkIndex first_index, FilePlace& out) {
    const auto [first, last] = page.layout.rows_of(page.page, entry);
    for (std::uint32_t row = first; row < last; ++row) {
      for (const Extent& extent : page.layout.extents(page.page, row)) {
        if (extent.entry != entry) continue;
        add(extent, first_index + row, page.page.rows[row].length, out);
      }
    }
  }
  [[nodiscard]] bool is_behind(std::uint64_t position) const { return position >= end_ahead_; }

 private:
  void add(const Extent& extent, ChunkIndex index, std::uint32_t chunk_length, FilePlace& out) {
    const std::uint64_t from = std::max(begin_, extent.file_offset);
    const std::uint64_t to = std::min(end_ahead_, extent.file_offset + extent.length);
    if (from >= to) return;
    const std::uint64_t stop = std::min(to, end_);
    const bool is_ahead = from >= end_;
    const auto offset = static_cast<std::uint32_t>(from - extent.file_offset) + extent.chunk_offset;
    const auto length = static_cast<std::uint32_t>(is_ahead ? to - from : stop - from);
    out.stretches.push_back({index, chunk_length, offset, length, is_ahead});
  }

  std::uint64_t begin_, end_, end_ahead_;
};

}  // namespace

Result<PagePtr> Jobs::page_if_here(const ShareInfo& share, std::uint32_t number,
                                   std::optional<std::uint32_t>& missing) {
  auto page = manifests_.page(share, number);
  const bool lacks = !page && page.error().code == Errc::kNotFound;
  if (!lacks) return page;
  missing = number;
  return PagePtr();
}

JobResult Jobs::perform(FindBytesJob& job) {
  BytesFound out;
  out.request = job.request;
  if (auto done = find_bytes(job, out); !done) out.error = std::move(done).error();
  return out;
}

Result<void> Jobs::find_bytes(FindBytesJob& job, BytesFound& out) {
  KITH_TRY(const SharePtr share, manifests_.share(job.share));
  const std::vector<PageRef>& pages = share->root.pages;
  std::string& path = job.path;
  if (path.empty() && share->root.single_file) path = share->root.name;
  if (path.empty()) return local_error(Errc::kUsage, "which file of the share?", share->root.name);
  // The last page that begins before the path, or with it; then those that the file goes on in.
  const auto behind = std::ranges::partition_point(
      pages, [&](const PageRef& page) { return compare_paths(page.first_path, path) < 0; });
  auto number = static_cast<std::uint32_t>(behind - pages.begin());
  if (number > 0) --number;
  RangeFinder finder(job.offset, job.length, job.ahead);
  bool found = false;
  std::uint64_t position = 0;  // in the file, at the beginning of the page
  for (; number < pages.size(); ++number) {
    if (compare_paths(pages[number].first_path, path) > 0) break;
    // Pages of nothing but this file that lie before the range need not be here.
    const bool goes_on = number + 1 < pages.size() && pages[number + 1].first_path == path;
    const bool is_all = found && pages[number].first_path == path && goes_on;
    if (is_all && position + pages[number].bytes <= job.offset) {
      position += pages[number].bytes;
      continue;
    }
    KITH_TRY(const PagePtr page, page_if_here(*share, number, out.missing_page));
    if (page == nullptr) return {};
    const auto& entries = page->page.entries;
    const auto entry = std::ranges::find(entries, path, &Entry::path);
    if (entry == entries.end()) continue;
    if (entry->kind != EntryKind::kFile) return wrong_kind(*entry);
    found = true;
    position = goes_on ? entry->offset + bytes_in(*page, entry - entries.begin()) : entry->size;
    out.place.size = entry->size;
    const std::uint32_t first_chunk = share->shape.first_chunk(number);
    finder.add(*page, static_cast<std::uint32_t>(entry - entries.begin()),
               share->shape.index_of_chunk(first_chunk), out.place);
    // A chunk is opened with its first page.
    const std::uint32_t first_page =
        pages[number].chunks == 0 ? number : share->shape.pages_of_chunk(first_chunk).first;
    KITH_TRY(const PagePtr before, page_if_here(*share, first_page, out.missing_page));
    if (before == nullptr || finder.is_behind(entry->offset)) break;
  }
  if (out.missing_page) return {};
  return found ? Result<void>() : not_there(path);
}

// The whole chunk, from a copy of this device.
JobResult Jobs::perform(const ReadChunkJob& job) {
  ChunkRead out;
  out.copy = job.copy;
  out.share = job.share;
  out.index = job.index;
  const auto read = [&]() -> Result<void> {
    KITH_TRY(const SharePtr share, manifests_.share(job.share));
    KITH_TRY(const Place place, place_of(*share, job.index));
    out.path = path_in(place);
    KITH_TRY(const auto parts, stretches(job.copy, place));
    KITH_TRY(const auto files, copies_.files(job.copy, share->root.single_file));
    KITH_TRY(storage::ReadChunk chunk, read_whole(*files, parts, place.row));
    chunk_cipher(place.row.key, 0, chunk.data);
    out.data = std::make_shared<const SlabChain>(std::move(chunk.data));
    return {};
  };
  if (auto done = read_again(job.copy, read); !done) {
    out.error = std::move(done).error();
    if (!out.error->subject.empty()) out.path = out.error->subject;
  }
  return out;
}

}  // namespace kith::node
