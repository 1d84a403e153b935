#include "transfer/availability.hpp"

#include <algorithm>

#include "proto/assert.hpp"

namespace kith::transfer {

Availability::Availability(ChunkIndex total, ChunkIndex first_content)
    : first_content_(first_content), counts_(total), position_(total), members_(total) {}

std::uint32_t Availability::rank(ChunkIndex index) const {
  const std::uint32_t rarity = std::min<std::uint32_t>(counts_[index], kCommon);
  return index < first_content_ ? rarity : kCommon + 1 + rarity;
}

void Availability::add(ChunkIndex index) {
  const std::uint32_t before = rank(index);
  KITH_ASSERT(counts_[index] < UINT16_MAX);
  ++counts_[index];
  if (members_.test(index)) move(index, before, rank(index));
}

void Availability::remove(ChunkIndex index) {
  const std::uint32_t before = rank(index);
  KITH_ASSERT(counts_[index] > 0);
  --counts_[index];
  if (members_.test(index)) move(index, before, rank(index));
}

void Availability::add_all(const Bitfield& held) {
  held.for_each([this](ChunkIndex index) {
    if (index < counts_.size()) add(index);
  });
}

void Availability::remove_all(const Bitfield& held) {
  held.for_each([this](ChunkIndex index) {
    if (index < counts_.size()) remove(index);
  });
}

void Availability::insert(ChunkIndex index) {
  KITH_ASSERT(!members_.test(index));
  members_.set(index);
  position_[index] = static_cast<std::uint32_t>(order_.size());
  order_.push_back(index);
  ++begin_[kRanks];
  move(index, kRanks - 1, rank(index));
}

void Availability::erase(ChunkIndex index) {
  KITH_ASSERT(members_.test(index));
  move(index, rank(index), kRanks - 1);
  swap_to(index, begin_[kRanks] - 1);
  order_.pop_back();
  --begin_[kRanks];
  members_.clear(index);
}

void Availability::swap_to(ChunkIndex index, std::uint32_t position) {
  const std::uint32_t from = position_[index];
  const ChunkIndex other = order_[position];
  order_[from] = other;
  position_[other] = from;
  order_[position] = index;
  position_[index] = position;
}

void Availability::move(ChunkIndex index, std::uint32_t from, std::uint32_t to) {
  for (; from < to; ++from) {
    swap_to(index, begin_[from + 1] - 1);
    --begin_[from + 1];
  }
  for (; from > to; --from) {
    swap_to(index, begin_[from]);
    ++begin_[from];
  }
}

std::optional<ChunkIndex> Availability::choose(std::uint32_t rank, const Bitfield& held,
                                               std::span<const std::uint32_t> lengths,
                                               std::size_t& probes, Rng& rng) const {
  const std::uint32_t n = begin_[rank + 1] - begin_[rank];
  if (n == 0) return std::nullopt;
  const auto start = static_cast<std::uint32_t>(rng.uniform(n));
  std::optional<ChunkIndex> longest;
  std::size_t choices = 0;
  for (std::uint32_t i = 0; i < n && probes < kProbes && choices < kChoices; ++i, ++probes) {
    const ChunkIndex index = order_[begin_[rank] + (start + i) % n];
    if (!held.test(index)) continue;
    ++choices;
    if (!longest || lengths[index] > lengths[*longest]) longest = index;
  }
  return longest;
}

std::optional<ChunkIndex> Availability::pick(const Bitfield& held,
                                             std::span<const std::uint32_t> lengths,
                                             ChunkIndex& cursor, Rng& rng) const {
  if (order_.empty() || held.none()) return std::nullopt;
  std::size_t probes = 0;
  for (std::uint32_t r = 0; r < kRanks && probes < kProbes; ++r) {
    if (r == 0 || r == kCommon + 1) continue;  // nobody holds what has rarity 0
    if (const auto index = choose(r, held, lengths, probes, rng)) return index;
  }
  if (probes < kProbes) return std::nullopt;
  if (const auto page = scan(held, 0, first_content_)) return page;
  const std::size_t from = std::max(cursor, first_content_);
  auto found = scan(held, from, counts_.size());
  if (!found) found = scan(held, first_content_, from);
  if (found) cursor = *found;
  return found;
}

std::optional<ChunkIndex> Availability::first(const Bitfield& held) const {
  const auto found = members_.find_common(held, 0, counts_.size());
  return found ? std::optional(static_cast<ChunkIndex>(*found)) : std::nullopt;
}

std::optional<ChunkIndex> Availability::scan(const Bitfield& held, std::size_t from,
                                             std::size_t to) const {
  std::optional<ChunkIndex> best;
  for (std::size_t i = 0; i < kCandidates; ++i) {
    const auto next = members_.find_common(held, from, to);
    if (!next) break;
    if (!best || rank(*next) < rank(*best)) best = next;
    from = std::size_t{*next} + 1;
  }
  return best;
}

void Availability::check_invariants() const {
  KITH_ASSERT(begin_[0] == 0 && begin_[kRanks] == order_.size());
  KITH_ASSERT(order_.size() == members_.count());
  for (std::uint32_t r = 0; r < kRanks; ++r) {
    KITH_ASSERT(begin_[r] <= begin_[r + 1]);
    for (std::uint32_t at = begin_[r]; at < begin_[r + 1]; ++at) {
      KITH_ASSERT(members_.test(order_[at]) && rank(order_[at]) == r);
      KITH_ASSERT(position_[order_[at]] == at);
    }
  }
}

}  // namespace kith::transfer
