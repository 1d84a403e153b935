#include "proto/content/chunking.hpp"

#include <algorithm>
#include <bit>

#include "proto/assert.hpp"
#include "proto/crypto/hash.hpp"
#include "proto/limits.hpp"

namespace kith {
namespace {

constexpr std::uint32_t kDivisorMax = 4096;  // leaves FastCDC its window: min = 64
constexpr std::uint32_t kTinyPage = 1024;
constexpr std::uint32_t kTinyPackEntries = 512;
constexpr int kNormalisation = 2;  // bits more before the average, and fewer behind it
constexpr std::uint8_t kPackHashMask = 7;

Error contradiction(const char* what) {
  return peer_error(Errc::kMalformed, std::string("chunking: ") + what);
}

// Hashes `size` bytes at `data`. Returns the number of bytes up to and including the first behind
// which the hash is less than `below`, or 0. This loop is what cutting costs: one shift, one load,
// one addition, one comparison a byte, everything in registers.
std::size_t scan(const std::uint64_t* gear, const std::uint8_t* data, std::size_t size,
                 std::uint64_t below, std::uint64_t& hash) {
  std::uint64_t h = hash;
  std::size_t i = 0;
  for (; i + 4 <= size; i += 4) {
    h = (h << 1) + gear[data[i]];
    if (h < below) [[unlikely]]
      return i + 1;
    h = (h << 1) + gear[data[i + 1]];
    if (h < below) [[unlikely]]
      return i + 2;
    h = (h << 1) + gear[data[i + 2]];
    if (h < below) [[unlikely]]
      return i + 3;
    h = (h << 1) + gear[data[i + 3]];
    if (h < below) [[unlikely]]
      return i + 4;
  }
  for (; i < size; ++i) {
    h = (h << 1) + gear[data[i]];
    if (h < below) return i + 1;
  }
  hash = h;
  return 0;
}

}  // namespace

Chunking Chunking::tiny(std::uint32_t divisor) {
  KITH_ASSERT(std::has_single_bit(divisor) && divisor <= kDivisorMax);
  Chunking out;
  for (std::uint32_t* size : {&out.min, &out.average, &out.max, &out.fixed, &out.large_file,
                              &out.pack_min, &out.pack_max}) {
    *size /= divisor;
  }
  out.page_target = std::max(out.page_target / divisor, kTinyPage);
  out.pack_entry_bytes = std::max(out.pack_entry_bytes / divisor, kTinyPackEntries);
  return out;
}

Result<void> Chunking::check() const {
  if (mode != ChunkingMode::kCdc && mode != ChunkingMode::kFixed) {
    return contradiction("unknown mode");
  }
  const bool ordered = kGearWindow <= min && min < average && average < max;
  if (!ordered || !std::has_single_bit(average)) return contradiction("min, average and max");
  if (max > limits::kChunkMaxAllowed) return contradiction("max is over 4 MiB");
  if (fixed == 0 || fixed > limits::kChunkMaxAllowed) return contradiction("fixed");
  if (large_file == 0 || pack_min == 0 || pack_min > pack_max) {
    return contradiction("large_file, pack_min and pack_max");
  }
  if (std::uint64_t{pack_max} + large_file > limits::kChunkMaxAllowed) {
    return contradiction("packs may be over 4 MiB");
  }
  if (pack_files == 0 || pack_entry_bytes == 0 || pack_entry_bytes > page_target) {
    return contradiction("pack_files and pack_entry_bytes");
  }
  // A page may grow to three times its target and a pack's entries.
  if (page_target > limits::kPageMax / 4) return contradiction("page_target is over 256 KiB");
  return {};
}

std::uint32_t Chunking::longest() const {
  return mode == ChunkingMode::kFixed ? fixed : std::max(max, pack_max + large_file);
}

FastCdc::FastCdc(const Chunking& chunking)
    : gear_(gear_table().data()),
      min_(chunking.min),
      average_(chunking.average),
      max_(chunking.max) {
  const int bits = std::countr_zero(average_);
  below_small_ = std::uint64_t{1} << (64 - bits - kNormalisation);
  below_large_ = std::uint64_t{1} << (64 - bits + kNormalisation);
}

void FastCdc::reset() {
  hash_ = 0;
  length_ = 0;
}

std::size_t FastCdc::next_cut(Bytes data) {
  std::size_t used = 0;
  // The bytes of `data` that bring the chunk to at most `length`.
  const auto take = [&](std::uint32_t length) {
    const std::size_t n =
        std::min<std::size_t>(length - std::min(length_, length), data.size() - used);
    length_ += static_cast<std::uint32_t>(n);
    used += n;
    return data.subspan(used - n, n);
  };
  // No cut lies before min, so nothing before its window is looked at.
  (void)take(min_ - kGearWindow);
  for (const std::uint8_t byte : take(min_ - 1)) hash_ = (hash_ << 1) + gear_[byte];
  for (const auto& [length, below] :
       {std::pair(average_ - 1, below_small_), std::pair(max_ - 1, below_large_)}) {
    const Bytes part = take(length);
    const std::size_t hit = scan(gear_, part.data(), part.size(), below, hash_);
    if (hit == 0) continue;
    reset();
    return used - part.size() + hit;
  }
  if (used == data.size()) return 0;
  reset();
  return used + 1;
}

bool Packer::ends_behind(std::string_view path, std::uint64_t size) const {
  if (bytes_ >= chunking_.pack_max || files_ >= chunking_.pack_files ||
      entry_bytes_ >= chunking_.pack_entry_bytes) {
    return true;
  }
  const bool large_enough = bytes_ >= chunking_.pack_min || 2 * files_ >= chunking_.pack_files ||
                            2 * entry_bytes_ >= chunking_.pack_entry_bytes;
  return size > 0 && large_enough && (blake3(as_bytes(path))[0] & kPackHashMask) == 0;
}

bool Packer::add(std::string_view path, std::uint64_t size, std::size_t entry_bytes) {
  if (bytes_ == 0 && size == 0) return false;
  bytes_ += size;
  files_ += 1;
  entry_bytes_ += entry_bytes;
  const bool ends = ends_behind(path, size);
  if (ends) reset();
  return ends;
}

}  // namespace kith
