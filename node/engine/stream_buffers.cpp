#include "node/engine/stream_buffers.hpp"

#include <algorithm>

#include "proto/assert.hpp"
#include "proto/crypto/bulk.hpp"
#include "proto/limits.hpp"

namespace kith::node {

void SendQueue::push(Bytes control) {
  unsent_ += control.size();
  unsent_control_ += control.size();
  // Small frames queue up in one buffer, so that they leave in one run.
  if (!items_.empty() && items_.back().sealed.empty()) {
    append(items_.back().control, control);
    return;
  }
  items_.emplace_back().control = to_buffer(control);
}

void SendQueue::push(SlabChain sealed) {
  unsent_ += section_wire_bytes(sealed.size());
  items_.emplace_back().sealed = std::move(sealed);
}

void SendQueue::plan(std::vector<Bytes>& out, std::size_t bytes_max, std::size_t runs_max) const {
  const auto add = [&](Bytes run) {
    const Bytes cut = run.first(std::min(run.size(), bytes_max));
    bytes_max -= cut.size();
    if (!cut.empty()) out.push_back(cut);
  };
  for (const Item& item : items_) {
    if (item.sealed.empty()) {
      add(Bytes(item.control).subspan(item.offset));
    } else {
      for (std::size_t i = item.slab; i < item.sealed.slab_count(); ++i) {
        if (bytes_max == 0 || out.size() >= runs_max) return;
        // The tag stands behind the content of its slab.
        const Bytes record(item.sealed.slab(i).data(), item.sealed.slab_size(i) + kTagBytes);
        add(record.subspan(i == item.slab ? item.offset : 0));
      }
    }
    if (bytes_max == 0 || out.size() >= runs_max) return;
  }
}

void SendQueue::wrote(std::size_t n) {
  KITH_ASSERT(n <= unsent_);
  unsent_ -= n;
  while (n > 0) {
    Item& item = items_.front();
    const bool control = item.sealed.empty();
    const std::size_t run =
        control ? item.control.size() : item.sealed.slab_size(item.slab) + kTagBytes;
    const std::size_t step = std::min(n, run - item.offset);
    n -= step;
    item.offset += step;
    if (control) unsent_control_ -= step;
    if (item.offset < run) return;
    item.offset = 0;
    if (control || ++item.slab == item.sealed.slab_count()) items_.pop_front();
  }
}

void ReceiveBuffer::plan(std::vector<MutableBytes>& out, std::size_t bytes_max) {
  if (section_left_ > 0) plan_section(out, bytes_max);
  if (bytes_max == 0) return;
  if (begin_ > 0) {
    std::copy(control_.begin() + static_cast<std::ptrdiff_t>(begin_),
              control_.begin() + static_cast<std::ptrdiff_t>(end_), control_.begin());
    end_ -= begin_;
    begin_ = 0;
  }
  // 16 KiB do for everything but a large control record, of which the rest must fit.
  if (control_.size() - end_ < limits::kControlBuffer / 2) {
    control_.resize(std::max(limits::kControlBuffer, control_.size() * 2));
  }
  const std::size_t room = std::min(control_.size() - end_, bytes_max);
  out.emplace_back(control_.data() + end_, room);
}

void ReceiveBuffer::plan_section(std::vector<MutableBytes>& out, std::size_t& budget) {
  std::size_t offset = slab_offset_;
  for (std::size_t i = slab_; i < section_.slab_count() && budget > 0; ++i) {
    const std::size_t n = std::min(record_bytes(i) - offset, budget);
    out.push_back(section_.raw(i).subspan(offset, n));
    budget -= n;
    offset = 0;
  }
}

void ReceiveBuffer::commit(std::size_t n) {
  const std::size_t to_section = std::min(n, section_left_);
  advance_section(to_section);
  end_ += n - to_section;
  KITH_ASSERT(end_ <= control_.size());
}

void ReceiveBuffer::advance_section(std::size_t n) {
  section_left_ -= n;
  while (n > 0) {
    const std::size_t step = std::min(n, record_bytes(slab_) - slab_offset_);
    n -= step;
    slab_offset_ += step;
    if (slab_offset_ == record_bytes(slab_)) {
      ++slab_;
      slab_offset_ = 0;
    }
  }
}

MutableBytes ReceiveBuffer::control() {
  if (!section_.empty()) return {};
  return {control_.data() + begin_, end_ - begin_};
}

void ReceiveBuffer::consume(std::size_t n) {
  KITH_ASSERT(n <= end_ - begin_);
  begin_ += n;
}

void ReceiveBuffer::expect_section(SlabPool& pool, std::size_t length) {
  KITH_ASSERT(section_.empty() && length > 0);
  const MutableBytes early = control();
  section_ = SlabChain(pool, length);
  section_left_ = section_wire_bytes(length);
  slab_ = slab_offset_ = 0;
  std::vector<MutableBytes> runs;
  std::size_t budget = early.size();
  plan_section(runs, budget);
  std::size_t moved = 0;
  for (const MutableBytes run : runs) {
    std::copy_n(early.begin() + static_cast<std::ptrdiff_t>(moved), run.size(), run.begin());
    moved += run.size();
  }
  begin_ += moved;
  advance_section(moved);
}

void ReceiveBuffer::discard() {
  section_ = SlabChain();
  section_left_ = slab_ = slab_offset_ = 0;
  begin_ = end_ = 0;
}

SlabChain ReceiveBuffer::take_section() {
  KITH_ASSERT(section_complete());
  return std::exchange(section_, SlabChain());
}

}  // namespace kith::node
