#include "transfer/share_swarm.hpp"

#include <algorithm>

#include "proto/assert.hpp"

namespace kith::transfer {

void ShareSwarm::set_shape(ChunkIndex total, std::span<const std::uint32_t> page_lengths,
                           Bytes have) {
  const bool had_root = have_.test(0);
  total_ = total;
  page_lengths_.assign(page_lengths.begin(), page_lengths.end());
  have_ = Bitfield::from(have, total);
  if (had_root) have_.set(0);
  if (!picker_) return;
  picker_->set_shape(total, page_lengths, have_);
  for (auto& [conn, holder] : holders_) {
    // Who named another length lied, or means another share: nothing it said counts.
    if (holder.total != total) {
      holder.bits.clear_all();
      holder.total = 0;
    }
    holder.bits.resize(std::min<std::size_t>(holder.bits.size(), total));
    holder.exhausted = false;
    picker_->add_holder(holder.bits);
  }
}

bool ShareSwarm::hold(ChunkIndex index) {
  if (index >= have_.size() || !have_.set(index)) return false;
  return true;
}

bool ShareSwarm::drop(ChunkIndex index) {
  if (index >= have_.size() || !have_.clear(index)) return false;
  completion_told = false;
  if (picker_) picker_->drop(index);
  return true;
}

void ShareSwarm::start_fetching() {
  KITH_ASSERT(!picker_ && holders_.empty());
  picker_ = std::make_unique<ChunkPicker>();
  if (total_ > 0) {
    picker_->set_shape(total_, page_lengths_, have_);
  } else if (have_.test(0)) {
    (void)picker_->hold(0);
  }
}

void ShareSwarm::stop_fetching() {
  KITH_ASSERT(holders_.empty());
  picker_.reset();
}

Holder* ShareSwarm::holder(ConnId conn) {
  const auto it = holders_.find(conn);
  return it == holders_.end() ? nullptr : &it->second;
}

Holder& ShareSwarm::add_holder(ConnId conn, Handle handle, ChunkIndex cursor) {
  Holder& holder = holders_[conn];
  holder.handle = handle;
  holder.cursor = cursor;
  return holder;
}

void ShareSwarm::remove_holder(ConnId conn) {
  const auto it = holders_.find(conn);
  if (it == holders_.end()) return;
  if (picker_) picker_->remove_holder(it->second.bits);
  holders_.erase(it);
}

Result<void> ShareSwarm::replace_bits(Holder& holder, const HaveSetFrame& set) {
  if (total_ > 0 && set.total > 0 && set.total != total_) {
    return peer_error(Errc::kMalformed, "a have-set of another length than the share");
  }
  if (set.total == 0 || set.total != holder.total) {
    picker_->remove_holder(holder.bits);
    holder.bits.clear_all();
    holder.bits.resize(0);
  }
  holder.total = set.total;
  for (std::size_t i = 0; i < 8 * set.bits.size(); ++i) {
    const auto index = static_cast<ChunkIndex>(set.first + i);
    if (index >= set.total) break;
    const bool held = (std::uint32_t{set.bits[i / 8]} >> (7 - i % 8) & 1U) != 0;
    const bool trusted = std::find(holder.distrusted.begin(), holder.distrusted.end(), index) ==
                         holder.distrusted.end();
    if (held && trusted) {
      set_bit(holder, index);
    } else {
      clear_bit(holder, index);
    }
  }
  return {};
}

Result<void> ShareSwarm::set_bits(Holder& holder, std::span<const ChunkIndex> indices) {
  for (const ChunkIndex index : indices) {
    if (index >= holder.total) return peer_error(Errc::kMalformed, "a have past the end");
    std::erase(holder.distrusted, index);
    if (!holder.bits.test(index)) picker_->on_news(index);
    set_bit(holder, index);
  }
  return {};
}

void ShareSwarm::set_bit(Holder& holder, ChunkIndex index) {
  if (index >= holder.total) return;
  if (index >= holder.bits.size()) {
    // In steps of 4,096 bits, so that a set which comes in order is not moved for every byte.
    const std::size_t end = (std::size_t{index} / 4'096 + 1) * 4'096;
    holder.bits.resize(std::min<std::size_t>(end, holder.total));
  }
  if (holder.bits.set(index)) picker_->add_holder_of(index);
}

void ShareSwarm::clear_bit(Holder& holder, ChunkIndex index) {
  if (index >= holder.bits.size()) return;
  if (holder.bits.clear(index)) picker_->remove_holder_of(index);
}

bool ShareSwarm::mark_sent(ChunkIndex index) {
  const std::size_t first_chunk = 1 + page_lengths_.size();
  if (index < first_chunk) return false;
  if (sent_.size() != total_) sent_ = Bitfield(total_);
  sent_.set(index);
  if (sent_.count() < total_ - first_chunk) return false;
  sent_.clear_all();
  return true;
}

ShareProgress ShareSwarm::report() const {
  ShareProgress out = progress;
  out.total = total_;
  if (picker_) {
    out.bytes_hedged = picker_->hedged_bytes();
    out.in_flight = picker_->in_flight();
  }
  out.stored = static_cast<ChunkIndex>(have_.count());
  out.sources = static_cast<std::size_t>(std::count_if(
      holders_.begin(), holders_.end(), [](const auto& e) { return !e.second.bits.none(); }));
  out.by_device.reserve(by_device.size());
  for (const auto& [device, bytes] : by_device) out.by_device.push_back({device, bytes});
  return out;
}

void ShareSwarm::check_invariants() const {
  if (!picker_) return;
  picker_->check_invariants();
  KITH_ASSERT(total_ == 0 || picker_->total() == total_);
  for (ChunkIndex i = 0; i < picker_->total(); ++i) {
    std::uint32_t count = 0;
    for (const auto& [conn, holder] : holders_) count += holder.bits.test(i) ? 1U : 0U;
    KITH_ASSERT(count == picker_->holders(i));
    KITH_ASSERT(have_.test(i) == (picker_->state(i) == ChunkState::kHeld));
  }
}

}  // namespace kith::transfer
