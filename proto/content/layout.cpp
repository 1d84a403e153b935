#include <algorithm>

#include "proto/content/page.hpp"

namespace kith {

PageLayout::PageLayout(const Page& page) {
  row_start_.reserve(page.rows.size() + 1);
  row_start_.push_back(0);
  for (const ChunkRow& row : page.rows) row_start_.push_back(row_start_.back() + row.length);
  entry_start_.reserve(page.entries.size() + 1);
  entry_start_.push_back(page.skip);
  for (const Entry& entry : page.entries) {
    entry_start_.push_back(entry_start_.back() + entry.remaining());
  }
}

std::vector<Extent> PageLayout::extents(const Page& page, std::uint32_t row) const {
  std::vector<Extent> out;
  if (row >= page.rows.size()) return out;
  const std::uint64_t begin = row_start_[row];
  const std::uint64_t end = row_start_[row + 1];
  // The first entry that ends behind the chunk's beginning.
  const auto first = std::upper_bound(entry_start_.begin() + 1, entry_start_.end(), begin);
  for (auto i = static_cast<std::size_t>(first - entry_start_.begin()) - 1;
       i < page.entries.size() && entry_start_[i] < end; ++i) {
    const std::uint64_t from = std::max(begin, entry_start_[i]);
    const std::uint64_t to = std::min(end, entry_start_[i + 1]);
    if (from == to) continue;
    out.push_back({.entry = static_cast<std::uint32_t>(i),
                   .file_offset = page.entries[i].offset + (from - entry_start_[i]),
                   .chunk_offset = static_cast<std::uint32_t>(from - begin),
                   .length = static_cast<std::uint32_t>(to - from)});
  }
  return out;
}

std::pair<std::uint32_t, std::uint32_t> PageLayout::rows_of(const Page& page,
                                                            std::uint32_t entry) const {
  const std::uint64_t from = entry_start_[entry];
  const std::uint64_t to = std::min(entry_start_[entry + 1], row_start_.back());
  if (from >= to) return {0, 0};
  const auto rows = row_start_.begin() + static_cast<std::ptrdiff_t>(page.rows.size());
  // The last row that begins at or before `from`, and the first that begins at or after `to`.
  const auto first = std::upper_bound(row_start_.begin(), rows, from) - 1;
  const auto last = std::lower_bound(row_start_.begin(), rows, to);
  return {static_cast<std::uint32_t>(first - row_start_.begin()),
          static_cast<std::uint32_t>(last - row_start_.begin())};
}

}  // namespace kith
