// The recorded state of a page's files: what decodes encodes to the same bytes.
#include "proto/assert.hpp"
#include "storage/file_stat.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const kith::Bytes blob(data, size);
  const auto stats = kith::storage::PageStats::decode(blob);
  if (!stats) return 0;
  KITH_ASSERT(kith::equal(stats->encode(), blob));
  for (const auto& file : stats->files) {
    (void)kith::storage::trust(file, stats->recorded_at, file);
  }
  return 0;
}
