#include <algorithm>

#include "proto/assert.hpp"
#include "proto/content/root.hpp"

namespace kith {

ShareShape::ShareShape(const Root& root) : pages_(static_cast<std::uint32_t>(root.pages.size())) {
  first_chunk_.reserve(pages_);
  chunk_count_.reserve(pages_);
  for (const PageRef& ref : root.pages) {
    first_chunk_.push_back(chunks_ - (ref.shares_first ? 1 : 0));
    chunk_count_.push_back(ref.chunks);
    chunks_ = first_chunk_.back() + ref.chunks;
  }
}

std::pair<std::uint32_t, std::uint32_t> ShareShape::pages_of_chunk(std::uint32_t chunk) const {
  KITH_ASSERT(chunk < chunks_);
  // Where a page's chunks end never descends from page to page; where they begin may, at a page
  // without rows in the middle of a chunk.
  std::uint32_t first = 0;
  for (std::uint32_t count = pages_; count > 0;) {
    const std::uint32_t half = count / 2;
    const bool before = first_chunk_[first + half] + chunk_count_[first + half] <= chunk;
    first = before ? first + half + 1 : first;
    count = before ? count - half - 1 : half;
  }
  std::uint32_t last = first;
  for (std::uint32_t page = first + 1; page < pages_; ++page) {
    if (chunk_count_[page] == 0) continue;
    if (first_chunk_[page] != chunk) break;
    last = page;
  }
  return {first, last};
}

}  // namespace kith
