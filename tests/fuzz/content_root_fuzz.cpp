// A root that decodes encodes to the same bytes and has a consistent shape.
#include "proto/assert.hpp"
#include "proto/content/root.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace kith;
  const auto root = Root::decode({data, size});
  if (!root) return 0;
  KITH_ASSERT(equal(root->encode(), {data, size}));
  const ShareShape shape(*root);
  KITH_ASSERT(shape.pages() == root->pages.size());
  KITH_ASSERT(shape.chunks() == root->totals.chunks);
  for (std::uint32_t page = 0; page < shape.pages(); ++page) {
    if (shape.chunk_count(page) == 0) continue;
    const std::uint32_t first_chunk = shape.first_chunk(page);
    for (const std::uint32_t chunk : {first_chunk, first_chunk + shape.chunk_count(page) - 1}) {
      const auto [first, last] = shape.pages_of_chunk(chunk);
      KITH_ASSERT(first <= page && page <= last);
    }
  }
  return 0;
}
