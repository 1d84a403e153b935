// The gear hash of content-defined chunking (Xia et al., USENIX ATC 2016):
//   h = 2·h + gear[byte]  mod 2^64,
// so after 64 bytes nothing older is left in h: it is a hash of the last 64 bytes, whose top bits
// depend on most of them.
#pragma once

#include <array>
#include <cstdint>

namespace kith {

inline constexpr std::uint32_t kGearWindow = 64;

/// 256 numbers: the first 2,048 bytes of BLAKE3's extendable output for "kith/1 gear", each number
/// 8 of them, big-endian. It is public and no secret: cuts hide nothing.
[[nodiscard]] const std::array<std::uint64_t, 256>& gear_table();

}  // namespace kith
