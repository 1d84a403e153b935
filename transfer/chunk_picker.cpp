#include "transfer/chunk_picker.hpp"

#include <algorithm>
#include <ranges>
#include <utility>

#include "proto/assert.hpp"

namespace kith::transfer {

namespace {

/// Of the bytes of a share, one in this many may be received twice to get round a slow source.
constexpr std::uint64_t kTwiceDivisor = 20;
/// Of what waits longest so many are looked at to find one to move or to hedge.
constexpr std::ptrdiff_t kCandidates = 16;
/// How long a chunk waits before it may move: many times the way there and back, within bounds, for
/// what is taken back while it begins is sent in vain, and uses up what may come twice.
constexpr Duration kMoveAfter = std::chrono::milliseconds(600);
constexpr Duration kMoveAfterMost = std::chrono::seconds(5);
constexpr int kRoundTripsToMove = 10;

Duration patience(Duration round_trip) {
  // Bounded first: what a peer makes of the figure must not overflow.
  return std::clamp(kRoundTripsToMove * std::min(round_trip, kMoveAfterMost), kMoveAfter,
                    kMoveAfterMost);
}

}  // namespace

ChunkPicker::ChunkPicker() : states_(1, ChunkState::kUnknown), lengths_(1), availability_(1, 1) {
  want(0);
}

void ChunkPicker::want(ChunkIndex index) {
  open_bytes_ += reservation(index);
  states_[index] = ChunkState::kWanted;
  availability_.insert(index);
}

void ChunkPicker::set_state(ChunkIndex index, ChunkState to) {
  const ChunkState from = states_[index];
  if (from == ChunkState::kWanted) availability_.erase(index);
  if (from == ChunkState::kHeld) --held_;
  const bool was_open = from == ChunkState::kWanted || from == ChunkState::kInFlight;
  const bool is_open = to == ChunkState::kWanted || to == ChunkState::kInFlight;
  if (was_open && !is_open) open_bytes_ -= reservation(index);
  if (!was_open && is_open) open_bytes_ += reservation(index);
  states_[index] = to;
  if (to == ChunkState::kWanted) availability_.insert(index);
  if (to == ChunkState::kHeld) ++held_;
}

void ChunkPicker::set_shape(ChunkIndex total, std::span<const std::uint32_t> page_lengths,
                            const Bitfield& have) {
  KITH_ASSERT(!has_shape_ && total >= 1 + page_lengths.size());
  const ChunkState root = states_[0];
  has_shape_ = true;
  open_bytes_ = root == ChunkState::kInFlight ? reservation(0) : 0;
  held_ = root == ChunkState::kHeld ? 1 : 0;
  states_.assign(total, ChunkState::kUnknown);
  states_[0] = root == ChunkState::kWanted ? ChunkState::kUnknown : root;
  lengths_.assign(total, 0);
  availability_ = Availability(total, static_cast<ChunkIndex>(1 + page_lengths.size()));
  have.for_each([this](ChunkIndex index) {
    if (states_[index] != ChunkState::kHeld) (void)hold(index);
  });
  if (states_[0] == ChunkState::kUnknown) want(0);
  set_lengths(1, page_lengths);
  list_all_again();
}

void ChunkPicker::set_lengths(ChunkIndex first, std::span<const std::uint32_t> lengths) {
  for (std::size_t i = 0; i < lengths.size() && first + i < states_.size(); ++i) {
    const auto index = static_cast<ChunkIndex>(first + i);
    if (lengths_[index] != 0 || lengths[i] == 0) continue;
    // Only the root can be open already: until now with what was reserved for it.
    const bool open =
        states_[index] == ChunkState::kWanted || states_[index] == ChunkState::kInFlight;
    if (open) open_bytes_ -= reservation(index);
    lengths_[index] = lengths[i];
    known_bytes_ += lengths[i];
    if (open) open_bytes_ += lengths[i];
    if (states_[index] == ChunkState::kUnknown) want(index);
  }
}

std::optional<std::uint32_t> ChunkPicker::length(ChunkIndex index) const {
  if (lengths_[index] == 0) return std::nullopt;
  return lengths_[index];
}

void ChunkPicker::add_holder(const Bitfield& held) {
  availability_.add_all(held);
  list_all_again();
}

void ChunkPicker::remove_holder(const Bitfield& held) {
  availability_.remove_all(held);
  list_all_again();
}

void ChunkPicker::add_holder_of(ChunkIndex index) {
  if (index >= total()) return;
  availability_.add(index);
  list_again(index);
}

void ChunkPicker::remove_holder_of(ChunkIndex index) {
  if (index >= total()) return;
  availability_.remove(index);
  list_again(index);
}

bool ChunkPicker::hedge_allowed(ChunkIndex index) const {
  return (twice_bytes() + doubted_bytes_ + reservation(index)) * kTwiceDivisor <= known_bytes_;
}

std::optional<ChunkIndex> ChunkPicker::pick(const Bitfield& held, ChunkIndex& cursor,
                                            Rng& rng) const {
  for (const ChunkIndex index : urgent_) {
    if (states_[index] == ChunkState::kWanted && held.test(index)) return index;
  }
  return in_order_ ? availability_.first(held) : availability_.pick(held, lengths_, cursor, rng);
}

void ChunkPicker::hurry(std::vector<ChunkIndex> urgent) {
  urgent.insert(urgent.end(), urgent_.begin(), urgent_.end());
  urgent_.clear();
  for (const ChunkIndex index : urgent) {
    if (urgent_.size() == kUrgentMax) return;
    const bool is_open = index < total() && states_[index] != ChunkState::kHeld;
    if (is_open && std::ranges::find(urgent_, index) == urgent_.end()) urgent_.push_back(index);
  }
}

template <class Accept>
std::optional<ChunkIndex> ChunkPicker::longest_elsewhere(const Waiting& requests,
                                                         const Bitfield& held, ConnId conn,
                                                         TimePoint until, Accept&& accept) const {
  for (const auto& [time, index] : requests | std::views::take(kCandidates)) {
    ++looks_;
    if (time > until) return std::nullopt;
    if (in_flight_.at(index).conns[0] == conn || !held.test(index)) continue;
    if (accept(index)) return index;
  }
  return std::nullopt;
}

std::optional<ChunkIndex> ChunkPicker::pick_waiting(const Bitfield& held, ConnId conn,
                                                    TimePoint now) const {
  if ((twice_bytes() + doubted_bytes_) * kTwiceDivisor > known_bytes_) return std::nullopt;
  return longest_elsewhere(movable_, held, conn, now, [](ChunkIndex) { return true; });
}

std::optional<ChunkIndex> ChunkPicker::pick_stuck(const Bitfield& held, ConnId conn,
                                                  TimePoint now) const {
  return longest_elsewhere(stuck_, held, conn, now, [](ChunkIndex) { return true; });
}

bool ChunkPicker::may_move() const {
  if (!stuck_.empty()) return true;
  if (twice_bytes() * kTwiceDivisor > known_bytes_) return false;
  return !movable_.empty();
}

void ChunkPicker::list(ChunkIndex index, const Request& request) {
  // Where nobody else holds it, it would be in the way of those that can be got elsewhere.
  if (request.count != 1 || holders(index) < 2) return;
  waiting_.emplace(request.since, index);
  if (request.waits() && request.late) stuck_.emplace(request.stays_until, index);
  if (request.waits() && request.news) movable_.emplace(request.stays_until, index);
}

void ChunkPicker::list_again(ChunkIndex index) {
  const auto it = in_flight_.find(index);
  if (it == in_flight_.end()) return;
  unlist(index, it->second);
  list(index, it->second);
}

void ChunkPicker::list_all_again() {
  for (const auto& [index, request] : in_flight_) {
    unlist(index, request);
    list(index, request);
  }
}

void ChunkPicker::unlist(ChunkIndex index, const Request& request) {
  waiting_.erase({request.since, index});
  movable_.erase({request.stays_until, index});
  stuck_.erase({request.stays_until, index});
}

void ChunkPicker::end_request(ChunkIndex index) {
  const auto it = in_flight_.find(index);
  if (it == in_flight_.end()) return;
  unlist(index, it->second);
  in_flight_.erase(it);
}

void ChunkPicker::settle(std::uint32_t bytes, std::uint32_t came) {
  KITH_ASSERT(doubted_bytes_ >= bytes);
  doubted_bytes_ -= bytes;
  late_bytes_ += came;
}

ConnId ChunkPicker::move(ChunkIndex index, const Asked& asked, TimePoint now) {
  Request& request = in_flight_.at(index);
  KITH_ASSERT(request.count == 1 && request.conns[0] != asked.conn && !request.begun);
  unlist(index, request);
  request.since = now;
  request.stays_until = now + patience(asked.round_trip);
  request.news = false;
  request.late = false;
  list(index, request);
  return std::exchange(request.conns[0], asked.conn);
}

void ChunkPicker::on_news(ChunkIndex index) {
  const auto it = in_flight_.find(index);
  if (it == in_flight_.end()) return;
  it->second.news = true;
  list(index, it->second);
}

bool ChunkPicker::waits(ChunkIndex index) const {
  const auto it = in_flight_.find(index);
  return it != in_flight_.end() && !it->second.begun;
}

bool ChunkPicker::is_movable(ChunkIndex index) const {
  const auto it = in_flight_.find(index);
  return it != in_flight_.end() && movable_.contains({it->second.stays_until, index});
}

void ChunkPicker::begin(ChunkIndex index) {
  const auto it = in_flight_.find(index);
  if (it == in_flight_.end()) return;
  it->second.begun = true;
  list_again(index);
}

std::optional<ChunkIndex> ChunkPicker::pick_hedge(const Bitfield& held, ConnId conn, TimePoint now,
                                                  Duration patience) const {
  if (wanted() != 0) return std::nullopt;
  return longest_elsewhere(waiting_, held, conn, now - patience,
                           [this](ChunkIndex index) { return hedge_allowed(index); });
}

bool ChunkPicker::may_hedge() const {
  const auto first = waiting_ | std::views::take(kCandidates);
  return wanted() == 0 && std::ranges::any_of(first, [this](const auto& e) {
           return ++looks_, hedge_allowed(e.second);
         });
}

void ChunkPicker::start(ChunkIndex index, const Asked& asked, TimePoint now) {
  if (states_[index] == ChunkState::kWanted) {
    set_state(index, ChunkState::kInFlight);
    const TimePoint stays_until = now + patience(asked.round_trip);
    list(index, in_flight_[index] = {{asked.conn}, 1, now, stays_until, false, false, asked.late});
    return;
  }
  Request& request = in_flight_.at(index);
  KITH_ASSERT(request.count == 1 && request.conns[0] != asked.conn);
  unlist(index, request);
  request.conns[1] = asked.conn;
  request.count = 2;
  hedged_bytes_ += reservation(index);
}

bool ChunkPicker::give_back(ChunkIndex index, ConnId conn) {
  const auto it = in_flight_.find(index);
  KITH_ASSERT(it != in_flight_.end());
  Request& request = it->second;
  if (request.count == 2) {
    KITH_ASSERT(request.conns[0] == conn || request.conns[1] == conn);
    if (request.conns[0] == conn) {
      request.conns[0] = request.conns[1];
      request.late = false;  // who is late is not asked a second time for anything
    }
    request.count = 1;
    list(index, request);
    return false;
  }
  KITH_ASSERT(request.conns[0] == conn);
  end_request(index);
  set_state(index, ChunkState::kWanted);
  return true;
}

std::optional<ConnId> ChunkPicker::begin_store(ChunkIndex index, ConnId conn) {
  const Request request = in_flight_.at(index);
  end_request(index);
  set_state(index, ChunkState::kStoring);
  if (request.count == 1) {
    KITH_ASSERT(request.conns[0] == conn);
    return std::nullopt;
  }
  KITH_ASSERT(request.conns[0] == conn || request.conns[1] == conn);
  return request.conns[0] == conn ? request.conns[1] : request.conns[0];
}

void ChunkPicker::store_failed(ChunkIndex index) {
  KITH_ASSERT(states_[index] == ChunkState::kStoring);
  set_state(index, ChunkState::kWanted);
}

void ChunkPicker::leave(ChunkIndex index) {
  if (states_[index] != ChunkState::kStoring) return;
  set_state(index, ChunkState::kUnknown);
  lengths_[index] = 0;
}

std::vector<ConnId> ChunkPicker::hold(ChunkIndex index) {
  std::vector<ConnId> asked = requesters(index);
  end_request(index);
  if (states_[index] != ChunkState::kHeld) set_state(index, ChunkState::kHeld);
  return asked;
}

void ChunkPicker::drop(ChunkIndex index) {
  if (states_[index] != ChunkState::kHeld) return;
  const bool known = index == 0 || lengths_[index] != 0;
  set_state(index, known ? ChunkState::kWanted : ChunkState::kUnknown);
}

std::vector<ConnId> ChunkPicker::requesters(ChunkIndex index) const {
  const auto it = in_flight_.find(index);
  if (it == in_flight_.end()) return {};
  return {it->second.conns.begin(), it->second.conns.begin() + it->second.count};
}

void ChunkPicker::check_invariants() const {
  availability_.check_invariants();
  std::uint64_t open = 0;
  ChunkIndex held = 0;
  for (ChunkIndex i = 0; i < total(); ++i) {
    const ChunkState s = states_[i];
    KITH_ASSERT(availability_.contains(i) == (s == ChunkState::kWanted));
    KITH_ASSERT(in_flight_.contains(i) == (s == ChunkState::kInFlight));
    if (s == ChunkState::kWanted || s == ChunkState::kInFlight) open += reservation(i);
    if (s == ChunkState::kHeld) ++held;
  }
  KITH_ASSERT(open == open_bytes_ && held == held_);
  for (const auto& [index, request] : in_flight_) {
    const std::pair key(request.stays_until, index);
    const bool elsewhere = holders(index) > 1;
    KITH_ASSERT(waiting_.contains({request.since, index}) == (request.count == 1 && elsewhere));
    KITH_ASSERT(stuck_.contains(key) == (request.waits() && request.late && elsewhere));
    KITH_ASSERT(movable_.contains(key) == (request.waits() && request.news && elsewhere));
  }
  KITH_ASSERT(waiting_.size() <= in_flight_.size());
  KITH_ASSERT(std::max(stuck_.size(), movable_.size()) <= waiting_.size());
  KITH_ASSERT(hedged_bytes_ * kTwiceDivisor <= known_bytes_ || hedged_bytes_ == 0);
}

}  // namespace kith::transfer
