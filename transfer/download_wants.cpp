// Asking: whose turn it is, what for, and what happens to wants that do not come back.
#include <algorithm>

#include "proto/assert.hpp"
#include "transfer/download.hpp"

namespace kith::transfer {

using namespace std::chrono_literals;

namespace {

/// How often an idle connection looks whether a slower one should be got round.
constexpr Duration kHedgeTick = 50ms;

}  // namespace

// Connections take turns, one chunk each, from behind the one that was served last. What memory is
// too little for one slow connection is so for all of them, and for a fast one, for everybody.
void Download::pump(TimePoint now, Outbox& out) {
  all_limited_.reset();
  if (pump(now, hungry_, out)) return;
  // Those that are still slow only stand in the way.
  std::erase_if(fast_, [this](ConnId conn) {
    ++core_.looks;
    return !hungry_.contains(conn) || core_.sessions.at(conn).ask.requests.is_slow();
  });
  static_cast<void>(pump(now, fast_, out));
}

// False: there is too little memory for slow connections.
bool Download::pump(TimePoint now, std::set<ConnId>& turns, Outbox& out) {
  auto at = turns.upper_bound(last_turn_);
  while (!turns.empty() && reserved_ < core_.config.receive_budget_bytes) {
    all_limited_ = core_.limits.all_wait_until(Direction::kDown, now);
    if (all_limited_) return true;
    if (at == turns.end()) at = turns.begin();
    ++core_.looks;
    const ConnId conn = *at;
    PeerSession& session = core_.sessions.at(conn);
    if (const auto until = core_.limits.wait_until(Direction::kDown, now, session)) {
      limited_.set(conn, *until);
      at = turns.erase(at);
      hungry_.erase(conn);
      continue;
    }
    const bool slow = session.ask.requests.is_slow();
    const Step step = ask_one(now, session, out);
    if (step == Step::kNoMemory) return !slow;
    if (step == Step::kAsked) {
      last_turn_ = conn;
      ++at;
      continue;
    }
    at = turns.erase(at);
    hungry_.erase(conn);
  }
  return true;
}

Asked Download::asked(const PeerSession& session) {
  return {session.conn, session.ask.round_trip, session.ask.requests.slack()};
}

Download::Step Download::ask_one(TimePoint now, PeerSession& session, Outbox& out) {
  auto& watches = session.ask.watches;
  if (watches.empty()) return Step::kNothing;
  auto at = watches.lower_bound(session.ask.next_turn);
  for (std::size_t i = 0; i < watches.size(); ++i, ++at) {
    if (at == watches.end()) at = watches.begin();
    ShareSwarm& share = *core_.share(at->second);
    Holder& holder = *share.holder(session.conn);
    if (holder.exhausted || !session.ask.requests.has_room(cap(session, share))) continue;
    const std::uint64_t looks = share.picker().looks();
    const auto choice = choose(now, session, share, holder);
    core_.looks += share.picker().looks() - looks;
    if (!choice) continue;
    if (!fits(session, share.picker().reservation(choice->index))) return Step::kNoMemory;
    session.ask.next_turn = at->first + 1;
    if (choice->moves) {
      move_here(now, session, share, choice->index, out);
    } else {
      share.picker().start(choice->index, asked(session), now);
    }
    ask(now, session, share, holder, choice->index, out);
    return Step::kAsked;
  }
  return Step::kNothing;
}

std::optional<Download::Choice> Download::choose(TimePoint now, PeerSession& session,
                                                 ShareSwarm& share, Holder& holder) {
  RequestQueue& requests = session.ask.requests;
  while (auto index = share.picker().pick(holder.bits, holder.cursor, core_.rng)) {
    Want* pending = requests.find({holder.handle, *index});
    if (pending == nullptr) return Choice{*index};
    // Taken back here and not ended yet: it cannot be asked for again before.
    pending->restore = true;
    share.clear_bit(holder, *index);
  }
  holder.exhausted = true;
  if (requests.slack()) return std::nullopt;
  if (requests.size() == 0) {
    auto waiting = share.picker().pick_stuck(holder.bits, session.conn, now);
    if (!waiting) waiting = share.picker().pick_waiting(holder.bits, session.conn, now);
    if (waiting) return Choice{*waiting, true};
  }
  const Duration patience = std::max<Duration>(kHedgeTick, requests.service_time());
  const auto hedge = share.picker().pick_hedge(holder.bits, session.conn, now, patience);
  if (hedge && requests.find({holder.handle, *hedge}) == nullptr) return Choice{*hedge};
  if (share.picker().may_hedge() || share.picker().may_move())
    hedges_.set(share.id, now + kHedgeTick);
  return std::nullopt;
}

void Download::move_here(TimePoint now, PeerSession& session, ShareSwarm& share, ChunkIndex index,
                         Outbox& out) {
  const ConnId from = share.picker().move(index, asked(session), now);
  take_back_all(now, share, index, std::span(&from, 1), out);
  Want& want = *core_.sessions.at(from).ask.requests.find({share.holder(from)->handle, index});
  want.moved = true;
  share.picker().doubt(want.reserved);
}

std::uint64_t Download::cap(const PeerSession& session, const ShareSwarm& share) const {
  // Its part of the memory, and of what is left of the share: a source that takes more than its
  // part near the end makes the others wait for it.
  const std::size_t askers = asking_.size() + (asking_.contains(session.conn) ? 0 : 1);
  const std::uint64_t memory = core_.config.receive_budget_bytes / askers;
  const std::uint32_t sources = share.picker().holders(0);  // who holds anything holds the root
  if (sources < 2) return memory;
  return std::min<std::uint64_t>(memory, share.picker().open_bytes() / sources);
}

bool Download::fits(const PeerSession& session, std::uint32_t bytes) const {
  if (reserved_ == 0) return true;
  const std::size_t budget = core_.config.receive_budget_bytes;
  // The last quarter is for fast connections, or many slow ones would hold all memory.
  const std::size_t mine = session.ask.requests.is_slow() ? budget - budget / 4 : budget;
  return reserved_ + bytes <= mine;
}

void Download::ask(TimePoint now, PeerSession& session, ShareSwarm& share, Holder& holder,
                   ChunkIndex index, Outbox& out) {
  const ChunkPicker& picker = share.picker();
  const std::uint32_t bytes = picker.reservation(index);
  reserved_ += bytes;
  core_.limits.spend(Direction::kDown, session, bytes);
  const Want& want =
      session.ask.requests.add(now, {holder.handle, index}, share.id, picker.length(index), bytes);
  asking_.insert(session.conn);
  deadlines_.set(session.conn, want.deadline);
  send(out, session.conn, WantFrame{holder.handle, index});
}

void Download::take_back(TimePoint now, PeerSession& session, const WantKey& key, Outbox& out) {
  Want& want = *session.ask.requests.find(key);
  KITH_ASSERT(!want.is_void);
  want.is_void = true;
  want.deadline = now + limits::kCancelAnswer;
  want.assembly.discard();
  deadlines_.set(session.conn, want.deadline);
  send(out, session.conn, CancelFrame{key.first, key.second});
}

void Download::take_back_all(TimePoint now, ShareSwarm& share, ChunkIndex index,
                             std::span<const ConnId> conns, Outbox& out) {
  for (const ConnId conn : conns) {
    const Holder* holder = share.holder(conn);
    KITH_ASSERT(holder != nullptr);
    take_back(now, core_.sessions.at(conn), {holder->handle, index}, out);
  }
}

void Download::settle(PeerSession& session, const WantKey& key, const Want& want) {
  // What was paid for and will not come. Those who wait for a limit wait for what was paid.
  const std::uint32_t unused = want.reserved - want.assembly.received();
  core_.limits.refund(Direction::kDown, session, unused);
  if (unused > 0) limits_changed();
  // A fetch that ended, and perhaps began anew, does not ask what came.
  ShareSwarm* share = session.ask.watches.contains(key.first) ? core_.share(want.share) : nullptr;
  if (!(want.moved || want.late) || share == nullptr || !share->fetching()) return;
  share->picker().settle(want.moved ? want.reserved : 0, want.assembly.received());
}

void Download::end_want(TimePoint now, PeerSession& session, const WantKey& key) {
  RequestQueue& requests = session.ask.requests;
  const Want& want = *requests.find(key);
  reserved_ -= want.reserved;
  settle(session, key, want);
  requests.erase(now, key);
  make_hungry(session.conn);
  if (requests.size() > 0) return;
  asking_.erase(session.conn);
  // An idle connection may take what waits elsewhere.
  for (const auto& [handle, id] : session.ask.watches) {
    ShareSwarm* share = core_.share(id);
    Holder* holder = share == nullptr ? nullptr : share->holder(session.conn);
    if (holder != nullptr) holder->exhausted = false;
  }
}

void Download::requeue(ShareSwarm& share, ChunkIndex index, ConnId conn) {
  if (share.picker().give_back(index, conn)) wanted_again(share, index);
}

void Download::make_hungry(ConnId conn) {
  hungry_.insert(conn);
  if (!core_.sessions.at(conn).ask.requests.is_slow()) fast_.insert(conn);
}

void Download::limits_changed() {
  while (const auto conn = limited_.pop_due(TimePoint::max())) make_hungry(*conn);
}

void Download::on_timeout(TimePoint now, Outbox& out) {
  while (const auto conn = limited_.pop_due(now)) make_hungry(*conn);
  while (const auto conn = deadlines_.pop_due(now)) {
    check_deadlines(now, core_.sessions.at(*conn), out);
  }
  while (const auto id = hedges_.pop_due(now)) {
    if (ShareSwarm* share = core_.share(*id); share != nullptr && share->fetching()) {
      retry_hedges(*share);
    }
  }
}

void Download::check_deadlines(TimePoint now, PeerSession& session, Outbox& out) {
  std::vector<WantKey> due;
  for (const auto& [key, want] : session.ask.requests.wants()) {
    if (want.deadline <= now) due.push_back(key);
  }
  bool missed = false;
  for (const WantKey& key : due) missed |= overdue(now, session, key, out);
  if (missed) session.ask.requests.on_missed();
  if (const auto next = session.ask.requests.next_deadline()) {
    deadlines_.set(session.conn, *next);
  }
}

bool Download::overdue(TimePoint now, PeerSession& session, const WantKey& key, Outbox& out) {
  Want& want = *session.ask.requests.find(key);
  if (want.is_void) {
    want.deadline = now + limits::kCancelAnswer;
    core_.close(session.conn, network_error(Errc::kTimeout, "a cancel was not answered"));
    return false;
  }
  ShareSwarm& share = *core_.share(want.share);
  if (share.picker().holders(key.second) < 2) {
    // Nobody else has it: waiting is all there is.
    want.deadline = now + 2 * session.ask.requests.allowance();
    return false;
  }
  want.restore = true;
  want.late = true;
  take_back(now, session, key, out);
  share.clear_bit(*share.holder(session.conn), key.second);
  requeue(share, key.second, session.conn);
  return true;
}

void Download::retry_hedges(ShareSwarm& share) {
  if (!share.picker().may_hedge() && !share.picker().may_move()) return;
  for (auto& [conn, holder] : share.holders()) wake(conn, holder);
}

bool Download::is_limited(const ShareSwarm& share) const {
  return std::ranges::any_of(share.holders(), [this](const auto& holder) {
    const bool limited =
        limited_.contains(holder.first) || (all_limited_ && hungry_.contains(holder.first));
    return limited && !holder.second.bits.none();
  });
}

std::optional<TimePoint> Download::next_timeout() const {
  return earliest(earliest(limited_.next(), all_limited_),
                  earliest(deadlines_.next(), hedges_.next()));
}

void Download::check_invariants() const {
  std::size_t reserved = 0;
  for (const auto& [key, job] : storing_) reserved += job.size;
  for (const auto& [conn, session] : core_.sessions) {
    const RequestQueue& requests = session.ask.requests;
    KITH_ASSERT(requests.size() <= limits::kQueuedWantsPerPeer);
    KITH_ASSERT(asking_.contains(conn) == (requests.size() > 0));
    std::uint64_t outstanding = 0;
    for (const auto& [key, want] : requests.wants()) {
      reserved += want.reserved;
      outstanding += want.reserved - want.assembly.received();
      if (want.is_void) continue;
      const auto asked = core_.share(want.share)->picker().requesters(key.second);
      KITH_ASSERT(std::find(asked.begin(), asked.end(), conn) != asked.end());
    }
    KITH_ASSERT(outstanding == requests.outstanding());
  }
  KITH_ASSERT(reserved == reserved_);
  for (const ConnId conn : hungry_) KITH_ASSERT(core_.sessions.contains(conn));
}

}  // namespace kith::transfer
