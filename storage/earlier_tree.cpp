#include "storage/earlier_tree.hpp"

#include <algorithm>

namespace kith::storage {

std::optional<EarlierTree::Place> EarlierTree::find(std::string_view path, const FileStat& now) {
  while (enter_page()) {
    const Entry& entry = page_.page->entries[entry_];
    const int order = source_.root.single_file ? 0 : compare_paths(entry.path, path);
    if (order > 0) return std::nullopt;
    // A file that goes on in this page began in an earlier one, where it was looked for.
    const bool found = order == 0 && entry.kind == EntryKind::kFile && entry.offset == 0;
    const auto place = found ? place_of_entry(now) : std::nullopt;
    next_entry();
    if (order == 0) return place;
  }
  return std::nullopt;
}

// Makes page_ the page of the next entry. False: there is none.
bool EarlierTree::enter_page() {
  while (!at_end_ && (page_.page == nullptr || entry_ == page_.page->entries.size())) {
    if (page_.page != nullptr) ++number_;
    at_end_ = number_ >= shape_.pages();
    if (at_end_) break;
    auto page = source_.pages(number_);
    at_end_ = !page;
    page_ = page ? std::move(*page) : Page();
    if (at_end_) break;
    entry_ = file_ = row_ = 0;
    row_begin_ = 0;
    position_ = page_.page->skip;
  }
  return !at_end_;
}

void EarlierTree::next_entry() {
  const Entry& entry = page_.page->entries[entry_++];
  if (entry.kind == EntryKind::kFile) ++file_;
  position_ += entry.remaining();
  const auto& rows = page_.page->rows;
  while (row_ < rows.size() && row_begin_ + rows[row_].length <= position_) {
    row_begin_ += rows[row_++].length;
  }
}

std::optional<EarlierTree::Place> EarlierTree::place_of_entry(const FileStat& now) const {
  const PageStats& stats = *page_.stats;
  const bool known = file_ < stats.files.size() && row_ < page_.page->rows.size();
  if (!known || page_.page->entries[entry_].size != now.size || now.size == 0) return std::nullopt;
  if (stats.files[file_] != now || !is_settled(now.ctime_ns, stats.recorded_at)) {
    return std::nullopt;
  }
  return Place{shape_.first_chunk(number_) + row_,
               static_cast<std::uint32_t>(position_ - row_begin_), stats.known_at()};
}

std::optional<EarlierTree::Rows> EarlierTree::rows(std::uint32_t chunk, std::uint64_t bytes) {
  Rows out;
  for (; bytes > 0; ++chunk) {
    const bool withdrawn = chunk < source_.withdrawn.size() && source_.withdrawn[chunk];
    const ChunkRow* next = withdrawn ? nullptr : row(chunk);
    if (next == nullptr || next->length > bytes) return std::nullopt;
    bytes -= next->length;
    out.rows.push_back(*next);
    out.recorded_at = std::min(out.recorded_at, rows_page_.stats->recorded_at);
    out.known_at = std::min(out.known_at, rows_page_.stats->known_at());
  }
  return out;
}

const ChunkRow* EarlierTree::row(std::uint32_t chunk) {
  if (chunk >= shape_.chunks()) return nullptr;
  const std::uint32_t number = shape_.pages_of_chunk(chunk).first;
  if (rows_page_.page == nullptr || rows_number_ != number) {
    if (page_.page != nullptr && number == number_) {
      rows_page_ = page_;
    } else {
      auto page = source_.pages(number);
      if (!page) return nullptr;
      rows_page_ = std::move(*page);
    }
    rows_number_ = number;
  }
  return &rows_page_.page->rows.at(chunk - shape_.first_chunk(number));
}

}  // namespace kith::storage
