// How a have-set lies in the catalog: in rows of 4 KiB of bits, most significant bit first, so that
// a change rewrites 4 KiB however large the share is. Row n holds the indices [n · kHaveRowBits, (n
// + 1) · kHaveRowBits); the last one is as short as the share.
#pragma once

#include <cstdint>
#include <string>

#include "proto/bytes.hpp"
#include "proto/ids.hpp"
#include "proto/result.hpp"

namespace kith::storage {

inline constexpr std::size_t kHaveRowBytes = 4096;
inline constexpr ChunkIndex kHaveRowBits = kHaveRowBytes * 8;

/// One row of one of the two sets of a copy: what was written, and what was synced besides. After a
/// system crash only durable rows may be believed; `boot` tells, row by row, since a row that was
/// not touched in this boot still says what was had in an earlier one.
struct HaveRow {
  ChunkIndex first = 0;  // a multiple of kHaveRowBits
  Buffer bits;           // 1 to kHaveRowBytes
  bool durable = false;
  std::string boot;  // FileIo::boot_id when it was written
  bool operator==(const HaveRow&) const = default;
};

/// Form of a row, as it comes from the engine or from the disk: kMalformed.
[[nodiscard]] inline Result<void> check_have_row(const HaveRow& row) {
  const bool fits = !row.bits.empty() && row.bits.size() <= kHaveRowBytes;
  if (fits && row.first % kHaveRowBits == 0) return {};
  return local_error(Errc::kMalformed, "a row of a have-set has the wrong form");
}

}  // namespace kith::storage
