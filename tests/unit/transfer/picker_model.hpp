// Drives a ChunkPicker with operations taken from bytes, next to a naive model, and asserts that
// both agree. Used by the property test (random bytes) and by the fuzz target.
#pragma once

#include <algorithm>
#include <map>
#include <set>
#include <vector>

#include "proto/assert.hpp"
#include "proto/crypto/random.hpp"
#include "transfer/chunk_picker.hpp"

namespace kith::transfer::test {

class PickerModel {
 public:
  explicit PickerModel(Bytes input) : input_(input), rng_(1) {}

  void run() {
    shape();
    for (std::size_t i = 1; !input_.empty(); ++i) {
      step();
      if (i % 8 == 0) compare();  // linear: not after each, to get further
    }
    compare();
  }

 private:
  static constexpr std::size_t kPeers = 5;
  static constexpr std::uint32_t kHedgeDivisor = 20;

  std::uint8_t next() {
    if (input_.empty()) return 0;
    const std::uint8_t value = input_[0];
    input_ = input_.subspan(1);
    return value;
  }
  ChunkIndex index() { return static_cast<ChunkIndex>((next() * 256U + next()) % states_.size()); }
  /// An index that is in flight, if any is.
  ChunkIndex in_flight() {
    if (requests_.empty()) return 0;
    return std::next(requests_.begin(), next() % static_cast<std::ptrdiff_t>(requests_.size()))
        ->first;
  }
  std::size_t peer() { return next() % kPeers; }
  static ConnId conn(std::size_t peer) { return ConnId{peer + 1}; }

  void shape() {
    const ChunkIndex total = 1 + next() % 160U;
    pages_ = std::min<ChunkIndex>(next() % 8, total - 1);
    states_.assign(total, ChunkState::kUnknown);
    lengths_.assign(total, 0);
    const std::vector<std::uint32_t> pages(pages_, 1'000);
    Bitfield have(total);
    for (int i = 0; i < 4; ++i) {
      const ChunkIndex held = index();
      have.set(held);
      states_[held] = ChunkState::kHeld;
    }
    if (states_[0] != ChunkState::kHeld) states_[0] = ChunkState::kWanted;
    for (ChunkIndex i = 1; i <= pages_; ++i) give_length(i, 1'000);
    picker_.set_shape(total, pages, have);
    bits_.assign(kPeers, Bitfield(total));
    cursors_.assign(kPeers, 0);
  }

  void give_length(ChunkIndex i, std::uint32_t length) {
    if (lengths_[i] == 0) lengths_[i] = length;
    if (states_[i] == ChunkState::kUnknown) states_[i] = ChunkState::kWanted;
  }

  void step() {
    switch (next() % 13) {
      case 0:
        return set_lengths();
      case 1:
        return toggle_bit();
      case 2:
        return replace_holder();
      case 3:
        return hold();
      case 4:
        return drop();
      case 5:
        return give_back();
      case 6:
        return begin_store();
      case 7:
        return end_store();
      case 8:
        return hedge();
      case 9:
        return move();
      default:
        return pick();
    }
  }

  void set_lengths() {
    const ChunkIndex first = index();
    const std::vector<std::uint32_t> lengths(next() % 40, 500U + first);
    picker_.set_lengths(first, lengths);
    for (std::size_t i = 0; i < lengths.size() && first + i < states_.size(); ++i) {
      give_length(static_cast<ChunkIndex>(first + i), lengths[i]);
    }
  }
  void toggle_bit() {
    const std::size_t p = peer();
    const ChunkIndex i = index();
    if (bits_[p].set(i)) return picker_.add_holder_of(i);
    bits_[p].clear(i);
    picker_.remove_holder_of(i);
  }
  void replace_holder() {
    const std::size_t p = peer();
    picker_.remove_holder(bits_[p]);
    bits_[p].clear_all();
    const ChunkIndex stride = 1 + next() % 5U;
    for (ChunkIndex i = next() % 3U; i < states_.size(); i += stride) bits_[p].set(i);
    picker_.add_holder(bits_[p]);
  }
  void hold() {
    const ChunkIndex i = index();
    const std::vector<ConnId> asked = picker_.hold(i);
    KITH_ASSERT(std::set<ConnId>(asked.begin(), asked.end()) == requests_[i]);
    requests_.erase(i);
    states_[i] = ChunkState::kHeld;
  }
  void drop() {
    const ChunkIndex i = index();
    picker_.drop(i);
    if (states_[i] != ChunkState::kHeld) return;
    states_[i] = i == 0 || lengths_[i] != 0 ? ChunkState::kWanted : ChunkState::kUnknown;
  }
  void give_back() {
    const ChunkIndex i = in_flight();
    if (states_[i] != ChunkState::kInFlight) return;
    const ConnId from = *requests_[i].begin();
    requests_[i].erase(from);
    const bool wanted = requests_[i].empty();
    KITH_ASSERT(picker_.give_back(i, from) == wanted);
    if (!wanted) return;
    requests_.erase(i);
    states_[i] = ChunkState::kWanted;
  }
  void begin_store() {
    const ChunkIndex i = in_flight();
    if (states_[i] != ChunkState::kInFlight) return;
    const ConnId from = *requests_[i].rbegin();
    requests_[i].erase(from);
    const auto other = picker_.begin_store(i, from);
    KITH_ASSERT(other.has_value() == !requests_[i].empty());
    KITH_ASSERT(!other || requests_[i].contains(*other));
    requests_.erase(i);
    states_[i] = ChunkState::kStoring;
  }
  void end_store() {
    const ChunkIndex i = index();
    if (states_[i] != ChunkState::kStoring) return;
    if (next() % 2 == 0) {
      picker_.store_failed(i);
      states_[i] = ChunkState::kWanted;
    } else {
      KITH_ASSERT(picker_.hold(i).empty());
      states_[i] = ChunkState::kHeld;
    }
  }
  void pick() {
    const std::size_t p = peer();
    const auto got = picker_.pick(bits_[p], cursors_[p], rng_);
    std::vector<ChunkIndex> possible;
    for (ChunkIndex i = 0; i < states_.size(); ++i) {
      if (states_[i] == ChunkState::kWanted && bits_[p].test(i)) possible.push_back(i);
    }
    KITH_ASSERT(got.has_value() == !possible.empty());
    if (!got) return;
    KITH_ASSERT(std::find(possible.begin(), possible.end(), *got) != possible.end());
    // Root and pages always go first; the rarest exactly where few are wanted.
    const bool small = wanted() <= 64;
    for (const ChunkIndex i : possible) {
      KITH_ASSERT(*got <= pages_ || i > pages_);
      const bool same_kind = (i <= pages_) == (*got <= pages_);
      if (small && same_kind) KITH_ASSERT(count(*got) <= count(i));
    }
    picker_.start(*got, {conn(p)}, now());
    states_[*got] = ChunkState::kInFlight;
    requests_[*got] = {conn(p)};
  }
  void hedge() {
    const std::size_t p = peer();
    const auto got = picker_.pick_hedge(bits_[p], conn(p), now(), Duration{3});
    if (!got) return;
    KITH_ASSERT(wanted() == 0 && states_[*got] == ChunkState::kInFlight && bits_[p].test(*got));
    KITH_ASSERT(requests_[*got].size() == 1 && !requests_[*got].contains(conn(p)));
    picker_.start(*got, {conn(p)}, now());
    requests_[*got].insert(conn(p));
    std::uint64_t known = 0;
    for (const std::uint32_t length : lengths_) known += length;
    KITH_ASSERT(picker_.hedged_bytes() * kHedgeDivisor <= known);
  }

  void move() {
    picker_.on_news(in_flight());
    if (next() % 4 == 0) picker_.begin(in_flight());
    const std::size_t p = peer();
    const auto got = picker_.pick_waiting(bits_[p], conn(p), now() + std::chrono::hours(1));
    if (!got) return;
    KITH_ASSERT(states_[*got] == ChunkState::kInFlight && bits_[p].test(*got));
    KITH_ASSERT(picker_.waits(*got) && requests_[*got].size() == 1);
    const ConnId from = picker_.move(*got, {conn(p)}, now());
    KITH_ASSERT(from != conn(p) && requests_[*got].contains(from));
    requests_[*got] = {conn(p)};
  }

  TimePoint now() { return TimePoint{Duration{++time_}}; }
  [[nodiscard]] std::uint32_t count(ChunkIndex i) const {
    std::uint32_t n = 0;
    for (const Bitfield& bits : bits_) n += bits.test(i) ? 1U : 0U;
    return n;
  }
  [[nodiscard]] std::size_t wanted() const {
    return static_cast<std::size_t>(
        std::count(states_.begin(), states_.end(), ChunkState::kWanted));
  }
  void compare() const {
    picker_.check_invariants();
    for (ChunkIndex i = 0; i < states_.size(); ++i) {
      KITH_ASSERT(picker_.state(i) == states_[i] && picker_.holders(i) == count(i));
      KITH_ASSERT(picker_.length(i).value_or(0) == lengths_[i]);
    }
    const bool all = std::all_of(states_.begin(), states_.end(),
                                 [](ChunkState s) { return s == ChunkState::kHeld; });
    KITH_ASSERT(picker_.complete() == all && picker_.wanted() == wanted());
  }

  Bytes input_;
  SeededRng rng_;
  std::int64_t time_ = 0;
  ChunkIndex pages_ = 0;
  ChunkPicker picker_;
  std::vector<ChunkState> states_;
  std::vector<std::uint32_t> lengths_;
  std::vector<Bitfield> bits_;
  std::vector<ChunkIndex> cursors_;
  std::map<ChunkIndex, std::set<ConnId>> requests_;
};

}  // namespace kith::transfer::test
