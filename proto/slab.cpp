#include "proto/slab.hpp"

#include <algorithm>
#include <cstdlib>
#include <new>
#include <utility>

#include "proto/assert.hpp"

namespace kith {
namespace {

// Slabs are allocated sixteen at a time: 1 MiB per call.
constexpr std::size_t kSlabsPerBlock = 16;
constexpr std::size_t kPageBytes = 4096;

}  // namespace

SlabPool::~SlabPool() {
  KITH_ASSERT(free_.size() == allocated_);
  for (void* block : blocks_) std::free(block);
}

void SlabPool::take(std::size_t count, std::vector<std::uint8_t*>& out) {
  const std::lock_guard lock(mutex_);
  while (free_.size() < count) {
    void* block = std::aligned_alloc(kPageBytes, kSlabBytes * kSlabsPerBlock);
    if (block == nullptr) throw std::bad_alloc();
    blocks_.push_back(block);
    for (std::size_t i = 0; i < kSlabsPerBlock; ++i) {
      free_.push_back(static_cast<std::uint8_t*>(block) + i * kSlabBytes);
    }
    allocated_ += kSlabsPerBlock;
  }
  // The most recently returned slabs go out first: they are the likeliest to be in a cache.
  out.insert(out.end(), free_.end() - static_cast<std::ptrdiff_t>(count), free_.end());
  free_.resize(free_.size() - count);
}

void SlabPool::give_back(std::vector<std::uint8_t*>& slabs) {
  const std::lock_guard lock(mutex_);
  free_.insert(free_.end(), slabs.begin(), slabs.end());
  slabs.clear();
}

std::size_t SlabPool::in_use() const {
  const std::lock_guard lock(mutex_);
  return allocated_ - free_.size();
}

std::size_t SlabPool::allocated() const {
  const std::lock_guard lock(mutex_);
  return allocated_;
}

SlabChain::SlabChain(SlabPool& pool, std::size_t size) : pool_(&pool), size_(size) {
  slabs_.reserve(slabs_for(size));
  pool.take(slabs_for(size), slabs_);
}

SlabChain::SlabChain(SlabChain&& other) noexcept
    : pool_(std::exchange(other.pool_, nullptr)),
      slabs_(std::exchange(other.slabs_, {})),
      size_(std::exchange(other.size_, 0)) {}

SlabChain& SlabChain::operator=(SlabChain&& other) noexcept {
  std::swap(pool_, other.pool_);
  std::swap(slabs_, other.slabs_);
  std::swap(size_, other.size_);
  return *this;
}

SlabChain::~SlabChain() {
  if (!slabs_.empty()) pool_->give_back(slabs_);
}

void SlabChain::grow(SlabPool& pool, std::size_t bytes) {
  KITH_ASSERT(size_ % kRecordBytes == 0);
  KITH_ASSERT(pool_ == nullptr || pool_ == &pool);
  pool_ = &pool;
  pool.take(slabs_for(bytes), slabs_);
  size_ += bytes;
}

void SlabChain::truncate(std::size_t size) {
  KITH_ASSERT(size <= size_);
  const std::size_t keep = slabs_for(size);
  std::vector<std::uint8_t*> surplus(slabs_.begin() + static_cast<std::ptrdiff_t>(keep),
                                     slabs_.end());
  slabs_.resize(keep);
  size_ = size;
  if (!surplus.empty()) pool_->give_back(surplus);
}

void SlabChain::keep(std::size_t from, std::size_t length) {
  KITH_ASSERT(from % kRecordBytes == 0 && from <= size_ && length <= size_ - from);
  const auto first = slabs_.begin() + static_cast<std::ptrdiff_t>(from / kRecordBytes);
  std::rotate(slabs_.begin(), first, slabs_.end());
  truncate(length);
}

void SlabChain::append(SlabChain&& tail) {
  KITH_ASSERT(size_ % kRecordBytes == 0);
  if (tail.slabs_.empty()) return;
  KITH_ASSERT(pool_ == nullptr || pool_ == tail.pool_);
  pool_ = tail.pool_;
  slabs_.insert(slabs_.end(), tail.slabs_.begin(), tail.slabs_.end());
  size_ += std::exchange(tail.size_, 0);
  tail.slabs_.clear();
}

void SlabChain::copy_out(std::size_t from, MutableBytes out) const {
  KITH_ASSERT(from + out.size() <= size_);
  while (!out.empty()) {
    const std::size_t offset = from % kRecordBytes;
    const std::size_t n = std::min(out.size(), kRecordBytes - offset);
    std::memcpy(out.data(), slabs_[from / kRecordBytes] + offset, n);
    from += n;
    out = out.subspan(n);
  }
}

void SlabChain::copy_in(std::size_t to, Bytes in) {
  KITH_ASSERT(to + in.size() <= size_);
  for_each_run(to, in.size(), [&in](MutableBytes run) {
    std::memcpy(run.data(), in.data(), run.size());
    in = in.subspan(run.size());
  });
}

Buffer SlabChain::to_buffer() const {
  Buffer out(size_);
  copy_out(0, out);
  return out;
}

SlabChain SlabChain::from(SlabPool& pool, Bytes bytes) {
  SlabChain chain(pool, bytes.size());
  chain.copy_in(0, bytes);
  return chain;
}

}  // namespace kith
