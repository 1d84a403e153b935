// Slabs: the memory that chunks live in. A slab is 64 KiB, page-aligned, and holds one bulk record
// (up to 61,440 bytes of chunk and a 16-byte tag). Slabs come from one pool and never go back to
// malloc, because on both ends of a transfer an allocation too many costs the target rate.
//
// A SlabChain is one chunk, page or section: move-only, each slab but the last filled with exactly
// kRecordBytes, so that byte b of the chunk is at slab b / kRecordBytes, offset b % kRecordBytes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <mutex>
#include <vector>

#include "proto/bytes.hpp"

namespace kith {

inline constexpr std::size_t kSlabBytes = 65'536;
/// Plaintext bytes of one bulk record; a multiple of 4,096 and of 64 (a ChaCha20 block).
inline constexpr std::size_t kRecordBytes = 61'440;
inline constexpr std::size_t kTagBytes = 16;

/// Slabs that `bytes` of content take: one for every kRecordBytes that were begun.
[[nodiscard]] constexpr std::size_t slabs_for(std::size_t bytes) {
  return (bytes + kRecordBytes - 1) / kRecordBytes;
}

/// Hands out slabs and takes them back. May be used from any thread. Grows on demand: what bounds
/// memory are the budgets of limits.hpp, reserved by the engine before slabs are taken.
class SlabPool {
 public:
  SlabPool() = default;
  ~SlabPool();
  SlabPool(const SlabPool&) = delete;
  SlabPool& operator=(const SlabPool&) = delete;

  /// Appends `count` slabs to `out`, in one lock.
  void take(std::size_t count, std::vector<std::uint8_t*>& out);
  /// Takes back all slabs in `slabs` and clears it.
  void give_back(std::vector<std::uint8_t*>& slabs);

  /// Slabs taken and not yet given back.
  [[nodiscard]] std::size_t in_use() const;
  /// Slabs ever allocated.
  [[nodiscard]] std::size_t allocated() const;

 private:
  mutable std::mutex mutex_;
  std::vector<std::uint8_t*> free_;
  std::vector<void*> blocks_;
  std::size_t allocated_ = 0;
};

class SlabChain {
 public:
  SlabChain() = default;
  /// Slabs for `size` bytes, whose content is undefined. The pool must outlive the chain.
  SlabChain(SlabPool& pool, std::size_t size);
  SlabChain(SlabChain&& other) noexcept;
  SlabChain& operator=(SlabChain&& other) noexcept;
  ~SlabChain();

  /// Bytes of content, without tags.
  [[nodiscard]] std::size_t size() const { return size_; }
  [[nodiscard]] bool empty() const { return size_ == 0; }
  [[nodiscard]] std::size_t slab_count() const { return slabs_.size(); }
  /// Content bytes in slab i: kRecordBytes but for the last.
  [[nodiscard]] std::size_t slab_size(std::size_t i) const {
    return i + 1 < slabs_.size() ? kRecordBytes : size_ - i * kRecordBytes;
  }
  /// The content of slab i.
  [[nodiscard]] MutableBytes slab(std::size_t i) { return {slabs_[i], slab_size(i)}; }
  [[nodiscard]] Bytes slab(std::size_t i) const { return {slabs_[i], slab_size(i)}; }
  /// The whole 64 KiB of slab i: content, tag and what is left.
  [[nodiscard]] MutableBytes raw(std::size_t i) { return {slabs_[i], kSlabBytes}; }

  /// Adds `bytes` of undefined content at the end. The present size must be a multiple of
  /// kRecordBytes.
  void grow(SlabPool& pool, std::size_t bytes);
  /// Shortens to `size` bytes and returns the slabs that are then empty.
  void truncate(std::size_t size);
  /// Keeps just the content in [from, from + length), without copying it. `from` must be a multiple
  /// of kRecordBytes.
  void keep(std::size_t from, std::size_t length);
  /// Moves all slabs of `tail` behind the present content, whose size must be a multiple of
  /// kRecordBytes. Both must come from one pool.
  void append(SlabChain&& tail);

  /// Copies content out to, or in from, flat memory: for pages, roots and tests, never for bulk.
  void copy_out(std::size_t from, MutableBytes out) const;
  void copy_in(std::size_t to, Bytes in);
  [[nodiscard]] Buffer to_buffer() const;
  /// A chain with a copy of `bytes`.
  [[nodiscard]] static SlabChain from(SlabPool& pool, Bytes bytes);

  /// Calls f(MutableBytes) for each contiguous run of content in [from, from + length).
  template <class F>
  void for_each_run(std::size_t from, std::size_t length, F&& f) {
    while (length > 0) {
      const std::size_t offset = from % kRecordBytes;
      const std::size_t n = length < kRecordBytes - offset ? length : kRecordBytes - offset;
      f(MutableBytes(slabs_[from / kRecordBytes] + offset, n));
      from += n;
      length -= n;
    }
  }

 private:
  SlabPool* pool_ = nullptr;
  std::vector<std::uint8_t*> slabs_;
  std::size_t size_ = 0;
};

}  // namespace kith
