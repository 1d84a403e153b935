#include "node/engine/have_log.hpp"

#include <algorithm>
#include <bit>

#include "proto/assert.hpp"

namespace kith::node {
namespace {

constexpr std::size_t kRowBytes = HaveLog::kBitsPerRow / 8;

std::uint8_t mask_of(ChunkIndex index) { return static_cast<std::uint8_t>(0x80u >> (index % 8)); }

}  // namespace

void HaveLog::reset(ChunkIndex total, bool all) {
  total_ = total;
  have_.assign((std::size_t{total} + 7) / 8, all ? 0xff : 0);
  if (all && total % 8 != 0) have_.back() = static_cast<std::uint8_t>(0xff00u >> (total % 8));
  durable_.assign(have_.size(), 0);
  count_ = all ? total : 0;
  dirty_.clear();
  undurable_.clear();
  syncing_.clear();
}

bool HaveLog::has(ChunkIndex index) const {
  return index < total_ && (have_[index / 8] & mask_of(index)) != 0;
}

bool HaveLog::is_durable(ChunkIndex index) const {
  return index < total_ && (durable_[index / 8] & mask_of(index)) != 0;
}

void HaveLog::add(ChunkIndex index) {
  KITH_ASSERT(index < total_);
  if (has(index)) return;
  have_[index / 8] |= mask_of(index);
  ++count_;
  dirty_.insert(index / kBitsPerRow);
}

void HaveLog::add_durable(ChunkIndex index) {
  add(index);
  durable_[index / 8] |= mask_of(index);
}

void HaveLog::touch_all(bool durable) {
  for (ChunkIndex i = 0; i < total_; i += kBitsPerRow) {
    dirty_.insert(i / kBitsPerRow);
    if (durable) undurable_.insert(i / kBitsPerRow);
  }
}

void HaveLog::drop(ChunkIndex index) {
  KITH_ASSERT(index < total_);
  if (!has(index)) return;
  have_[index / 8] &= static_cast<std::uint8_t>(~mask_of(index));
  if (is_durable(index)) undurable_.insert(index / kBitsPerRow);
  durable_[index / 8] &= static_cast<std::uint8_t>(~mask_of(index));
  if (!syncing_.empty()) syncing_[index / 8] &= static_cast<std::uint8_t>(~mask_of(index));
  --count_;
  dirty_.insert(index / kBitsPerRow);
}

PutHave HaveLog::row(CopyId copy, const Buffer& bits, std::uint32_t number, bool durable) const {
  const std::size_t begin = std::size_t{number} * kRowBytes;
  const std::size_t end = std::min(begin + kRowBytes, bits.size());
  return {copy, number * kBitsPerRow,
          Buffer(bits.begin() + static_cast<std::ptrdiff_t>(begin),
                 bits.begin() + static_cast<std::ptrdiff_t>(end)),
          durable};
}

std::vector<PutHave> HaveLog::take_changes(CopyId copy) {
  std::vector<PutHave> out;
  // First what is durable no more: the catalog may get the one without the other.
  for (const std::uint32_t number : undurable_) out.push_back(row(copy, durable_, number, true));
  for (const std::uint32_t number : dirty_) out.push_back(row(copy, have_, number, false));
  dirty_.clear();
  undurable_.clear();
  return out;
}

std::uint64_t HaveLog::begin_sync() {
  syncing_ = have_;
  return ++mark_;
}

std::vector<PutHave> HaveLog::commit_durable(CopyId copy, std::uint64_t mark) {
  std::vector<PutHave> out;
  if (mark != mark_ || syncing_.size() != durable_.size()) return out;
  for (std::size_t begin = 0; begin < durable_.size(); begin += kRowBytes) {
    const std::size_t end = std::min(begin + kRowBytes, durable_.size());
    const auto at = [](auto& buffer, std::size_t i) {
      return buffer.begin() + static_cast<std::ptrdiff_t>(i);
    };
    if (std::equal(at(syncing_, begin), at(syncing_, end), at(durable_, begin))) continue;
    std::copy(at(syncing_, begin), at(syncing_, end), at(durable_, begin));
    out.push_back(row(copy, durable_, static_cast<std::uint32_t>(begin / kRowBytes), true));
  }
  syncing_.clear();
  return out;
}

void HaveLog::load(const PutHave& saved) {
  Buffer& bits = saved.durable ? durable_ : have_;
  if (saved.first % 8 != 0) return;
  for (std::size_t i = 0; i < saved.bits.size() && saved.first / 8 + i < bits.size(); ++i) {
    bits[saved.first / 8 + i] = saved.bits[i];
  }
  if (total_ % 8 != 0) bits.back() &= static_cast<std::uint8_t>(0xff00u >> (total_ % 8));
  if (saved.durable) return;
  count_ = 0;
  for (const std::uint8_t byte : have_) count_ += static_cast<ChunkIndex>(std::popcount(byte));
}

}  // namespace kith::node
