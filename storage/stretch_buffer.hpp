// Where the importer reads into: the bytes of the present chunk, in slabs, that can be cut
// anywhere. What is cut off leaves as a chain of its own, without a copy; what lies behind the cut
// is copied to the next chain.
#pragma once

#include <sys/uio.h>
#include <vector>

#include "proto/slab.hpp"

namespace kith::storage {

class StretchBuffer {
 public:
  explicit StretchBuffer(SlabPool& pool) : pool_(&pool) {}

  /// Bytes that are filled and not cut.
  [[nodiscard]] std::size_t size() const { return size_; }
  /// Room for `bytes` more. Views of it, valid until the next call.
  [[nodiscard]] const std::vector<iovec>& room(std::size_t bytes);
  /// `bytes` of the room have been filled.
  void fill(std::size_t bytes) { size_ += bytes; }
  void fill_zeros(std::size_t bytes);
  /// The filled bytes from `at` that lie in one piece.
  [[nodiscard]] Bytes run(std::size_t at) const;
  /// Takes the first `at` bytes out.
  [[nodiscard]] SlabChain cut(std::size_t at);

 private:
  SlabPool* pool_;
  SlabChain chain_;  // its size is a multiple of kRecordBytes
  std::size_t size_ = 0;
  std::vector<iovec> room_;
};

}  // namespace kith::storage
