#include "transfer/bitfield.hpp"

#include <algorithm>

#include "proto/assert.hpp"

namespace kith::transfer {

Bitfield Bitfield::from(Bytes bytes, std::size_t size) {
  Bitfield out(size);
  const std::size_t n = std::min(bytes.size(), (size + 7) / 8);
  for (std::size_t i = 0; i < n; ++i) {
    out.words_[i / 8] |= std::uint64_t{bytes[i]} << (56 - 8 * (i % 8));
  }
  if (size % 64 != 0) out.words_.back() &= ~std::uint64_t{0} << (64 - size % 64);
  out.recount();
  return out;
}

bool Bitfield::set(std::size_t i) {
  KITH_ASSERT(i < size_);
  const std::uint64_t mask = std::uint64_t{1} << (63 - i % 64);
  if ((words_[i / 64] & mask) != 0) return false;
  words_[i / 64] |= mask;
  ++count_;
  return true;
}

bool Bitfield::clear(std::size_t i) {
  KITH_ASSERT(i < size_);
  const std::uint64_t mask = std::uint64_t{1} << (63 - i % 64);
  if ((words_[i / 64] & mask) == 0) return false;
  words_[i / 64] &= ~mask;
  --count_;
  return true;
}

void Bitfield::resize(std::size_t size) {
  const bool shrinks = size < size_;
  words_.resize((size + 63) / 64);
  size_ = size;
  if (!shrinks) return;
  if (size % 64 != 0) words_.back() &= ~std::uint64_t{0} << (64 - size % 64);
  recount();
}

void Bitfield::clear_all() {
  std::fill(words_.begin(), words_.end(), 0);
  count_ = 0;
}

std::uint8_t Bitfield::byte(std::size_t i) const {
  if (i / 8 >= words_.size()) return 0;
  return static_cast<std::uint8_t>(words_[i / 8] >> (56 - 8 * (i % 8)));
}

Buffer Bitfield::bytes(std::size_t first, std::size_t n) const {
  Buffer out(n);
  for (std::size_t i = 0; i < n; ++i) out[i] = byte(first + i);
  return out;
}

std::optional<ChunkIndex> Bitfield::find_common(const Bitfield& other, std::size_t from,
                                                std::size_t to) const {
  to = std::min({to, size_, other.size_});
  if (from >= to) return std::nullopt;
  std::uint64_t mask = ~std::uint64_t{0} >> (from % 64);
  for (std::size_t w = from / 64; w * 64 < to; ++w) {
    const std::uint64_t both = words_[w] & other.words_[w] & mask;
    mask = ~std::uint64_t{0};
    if (both == 0) continue;
    const std::size_t at = w * 64 + static_cast<std::size_t>(std::countl_zero(both));
    if (at >= to) return std::nullopt;
    return static_cast<ChunkIndex>(at);
  }
  return std::nullopt;
}

void Bitfield::recount() {
  count_ = 0;
  for (const std::uint64_t word : words_) count_ += static_cast<std::size_t>(std::popcount(word));
}

}  // namespace kith::transfer
