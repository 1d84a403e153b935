#include "storage/stretch_buffer.hpp"

#include <algorithm>
#include <cstring>
#include <utility>

#include "proto/assert.hpp"

namespace kith::storage {

const std::vector<iovec>& StretchBuffer::room(std::size_t bytes) {
  const std::size_t wanted = slabs_for(size_ + bytes) * kRecordBytes;
  if (wanted > chain_.size()) chain_.grow(*pool_, wanted - chain_.size());
  room_.clear();
  chain_.for_each_run(size_, bytes, [this](MutableBytes run) {
    room_.push_back({run.data(), run.size()});
  });
  return room_;
}

void StretchBuffer::fill_zeros(std::size_t bytes) {
  for (const iovec& part : room(bytes)) std::memset(part.iov_base, 0, part.iov_len);
  fill(bytes);
}

Bytes StretchBuffer::run(std::size_t at) const {
  KITH_ASSERT(at < size_);
  const std::size_t offset = at % kRecordBytes;
  return chain_.slab(at / kRecordBytes)
      .subspan(offset, std::min(kRecordBytes - offset, size_ - at));
}

SlabChain StretchBuffer::cut(std::size_t at) {
  KITH_ASSERT(at <= size_);
  SlabChain head = std::exchange(chain_, SlabChain());
  const std::size_t rest = std::exchange(size_, 0) - at;
  if (rest > 0) {
    (void)room(rest);
    std::size_t to = 0;
    head.for_each_run(at, rest, [&](MutableBytes run) {
      chain_.copy_in(to, run);
      to += run.size();
    });
    fill(rest);
  }
  head.truncate(at);
  return head;
}

}  // namespace kith::storage
