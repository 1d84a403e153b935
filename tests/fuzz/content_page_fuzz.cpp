// A page that decodes encodes to the same bytes, and its extents cover what it describes, once.
#include "proto/assert.hpp"
#include "proto/content/page.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace kith;
  const auto page = Page::decode({data, size});
  if (!page) return 0;
  KITH_ASSERT(equal(page->encode(), {data, size}));
  const PageLayout layout(*page);
  std::uint64_t described = 0;
  for (std::uint32_t row = 0; row < page->rows.size(); ++row) {
    std::uint64_t at = row == 0 ? page->skip : 0;
    for (const Extent& extent : layout.extents(*page, row)) {
      const auto [first, last] = layout.rows_of(*page, extent.entry);
      KITH_ASSERT(first <= row && row < last);
      KITH_ASSERT(extent.chunk_offset == at && extent.length > 0);
      at += extent.length;
      KITH_ASSERT(extent.file_offset + extent.length <= page->entries[extent.entry].size);
      described += extent.length;
    }
    KITH_ASSERT(at <= page->rows[row].length);
  }
  KITH_ASSERT(described == page->content_bytes());
  return 0;
}
