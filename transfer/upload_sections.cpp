// Which section is sealed next, and what becomes of it.
#include <algorithm>

#include "proto/assert.hpp"
#include "proto/crypto/bulk.hpp"
#include "transfer/upload.hpp"

namespace kith::transfer {

namespace {

/// The longest section: a whole chunk of the greatest length, in whole records.
constexpr std::size_t kSectionMax = slabs_for(limits::kChunkMaxAllowed) * kRecordBytes;
/// Before a connection's rate is known: quickly more for a fast one, no long queue for a slow one.
constexpr std::size_t kFirstSection = 4 * kRecordBytes;
constexpr std::size_t kFirstAhead = 1 * limits::kMiB;
/// A connection that carried a whole chunk within 100 ms gets at least this ahead: enough to keep
/// two workers and the socket busy at the same time.
constexpr std::size_t kFastAhead = 2 * limits::kChunkMaxAllowed;
/// One start in this many goes to copies before first copies.
constexpr std::uint64_t kRepeatEvery = 64;
/// Others got so many chunks each: with many of them, or slow ones, it takes long until somebody
/// who has one passes it on to all.
constexpr std::uint64_t kCopyPatienceStarts = 4;
/// How long copies of whoever has nobody else to ask go as first copies, before that is asked anew.
constexpr Duration kNoOthersFor = std::chrono::minutes(1);

}  // namespace

void Upload::wake(const PeerSession& session) {
  begun_.activate(session.conn);
  fresh_.activate(session.conn);
  repeats_.activate(session.conn);
}

QueuedWant* Upload::find(PeerSession& session, Handle handle, ChunkIndex index) {
  auto& wants = session.serve.wants;
  const auto it = std::find_if(wants.begin(), wants.end(), [&](const QueuedWant& want) {
    return want.handle == handle && want.index == index;
  });
  return it == wants.end() ? nullptr : &*it;
}

Upload::Stage Upload::stage(TimePoint now, const PeerSession& session,
                            const QueuedWant& want) const {
  if (want.offset > 0) return Stage::kBegun;
  const ShareSwarm* share = core_.share(want.share);
  KITH_ASSERT(share != nullptr);
  if (!share->sent(want.index) || now < session.serve.no_others_until) return Stage::kFresh;
  return Stage::kRepeat;
}

QueuedWant* Upload::startable(TimePoint now, PeerSession& session, Stage stage_now) {
  for (QueuedWant& want : session.serve.wants) {
    if (!want.sealing && stage(now, session, want) == stage_now) return &want;
  }
  return nullptr;
}

void Upload::note_first(TimePoint now, PeerSession& session) {
  session.serve.last_first = now;
  session.serve.starts_then = starts_;
}

bool Upload::is_passed_over(TimePoint now, const PeerSession& session) const {
  const ServeSide& serve = session.serve;
  return now - serve.last_first >= kCopyPatience &&
         starts_ - serve.starts_then >= kCopyPatienceStarts * sending_.size();
}

void Upload::check_patience(TimePoint now, PeerSession& session) {
  ServeSide& serve = session.serve;
  if (serve.wants.empty()) return;
  const bool waits_long = now - serve.last_first >= kCopyPatience;
  patience_.set(session.conn, (waits_long ? now : serve.last_first) + kCopyPatience);
  if (!is_passed_over(now, session) || startable(now, session, Stage::kRepeat) == nullptr) return;
  serve.no_others_until = now + kNoOthersFor;
  wake(session);
}

std::uint32_t Upload::section_length(const PeerSession& session) const {
  const RateMeter& meter = session.serve.meter;
  std::uint64_t rate = meter.measured() ? meter.rate() : 10 * kFirstSection;
  rate = std::min(rate, core_.limits.rate(Direction::kUp, session).value_or(rate));
  const std::size_t records = slabs_for(std::min<std::uint64_t>(rate / 10, kSectionMax));
  return static_cast<std::uint32_t>(std::clamp<std::size_t>(records, 1, slabs_for(kSectionMax)) *
                                    kRecordBytes);
}

std::size_t Upload::ahead(const PeerSession& session) const {
  const RateMeter& meter = session.serve.meter;
  if (!meter.measured()) return kFirstAhead;
  const std::uint64_t section = section_length(session);
  std::uint64_t ahead = std::max(meter.rate() / 5, 2 * section);
  if (section == kSectionMax) ahead = std::max<std::uint64_t>(ahead, kFastAhead);
  const std::size_t part =
      core_.config.send_budget_bytes / std::max<std::size_t>(sending_.size(), 1);
  return std::min<std::uint64_t>(ahead, std::max<std::uint64_t>(part, 2 * section));
}

Offer Upload::offer_of(TimePoint now, ConnId conn, Stage stage) {
  ++core_.looks;
  PeerSession& session = core_.sessions.at(conn);
  const std::size_t held = session.serve.unsent + session.serve.sealing;
  if (held >= ahead(session)) return {Offer::What::kFull};
  // The last quarter of the memory is for those that hold none of it: or many that hardly read
  // would hold all.
  const std::size_t budget = core_.config.send_budget_bytes;
  if (held > 0 && in_use() >= budget - budget / 4) return {Offer::What::kFull};
  const QueuedWant* want = startable(now, session, stage);
  if (want == nullptr) {
    // What was to go as a first copy may be a copy again, and is in that circle no more.
    const bool has_copies =
        stage == Stage::kFresh && startable(now, session, Stage::kRepeat) != nullptr;
    if (has_copies) repeats_.activate(conn);
    return {};
  }
  if (const auto until = core_.limits.wait_until(Direction::kUp, now, session)) {
    limited_ = earliest(limited_, until);
    return {Offer::What::kWaits};
  }
  const std::uint32_t length = section_length(session);
  if (want->size == 0) return Offer::section(length);
  const auto rest = static_cast<std::uint32_t>(slabs_for(want->size - want->offset) * kRecordBytes);
  return Offer::section(std::min(length, rest));
}

void Upload::schedule(TimePoint now, Outbox& out) {
  while (has_memory()) {
    if (const auto until = core_.limits.all_wait_until(Direction::kUp, now)) {
      limited_ = earliest(limited_, until);
      return;
    }
    if (start_next(now, Stage::kBegun, out)) continue;
    const bool repeats_first = starts_ % kRepeatEvery == kRepeatEvery - 1;
    const Stage first = repeats_first ? Stage::kRepeat : Stage::kFresh;
    const Stage second = repeats_first ? Stage::kFresh : Stage::kRepeat;
    if (!start_next(now, first, out) && !start_next(now, second, out)) return;
    ++starts_;
  }
}

bool Upload::has_memory() const {
  // Room for the longest section; where the budget is too small for two of them (in simulations),
  // half of it suffices.
  const std::size_t budget = core_.config.send_budget_bytes;
  return in_use() + kSectionMax <= budget || in_use() < budget / 2;
}

SendScheduler& Upload::circle(Stage stage) {
  switch (stage) {
    case Stage::kBegun:
      return begun_;
    case Stage::kFresh:
      return fresh_;
    case Stage::kRepeat:
      return repeats_;
  }
  KITH_ASSERT(false);
}

bool Upload::start_next(TimePoint now, Stage stage, Outbox& out) {
  const auto turn = circle(stage).next([&](ConnId conn) { return offer_of(now, conn, stage); });
  if (!turn) return false;
  PeerSession& session = core_.sessions.at(turn->first);
  QueuedWant& want = *startable(now, session, stage);
  if (stage == Stage::kBegun)
    (want.first_copy ? fresh_ : repeats_).charge(turn->first, turn->second);
  start_section(now, session, want, turn->second, stage, out);
  return true;
}

void Upload::start_section(TimePoint now, PeerSession& session, QueuedWant& want,
                           std::uint32_t length, Stage stage, Outbox& out) {
  ShareSwarm& share = *core_.share(want.share);
  if (want.offset == 0) {
    want.first_copy = stage == Stage::kFresh;
    if (want.first_copy) note_first(now, session);
    // After a whole round everything counts as not sent: connections that had only copies to
    // offer now have first ones.
    if (share.mark_sent(want.index)) {
      for (const ConnId conn : sending_) wake(core_.sessions.at(conn));
    } else {
      // Whoever waits for it gets a copy now.
      const auto first = wanted_.lower_bound({share.id, want.index, ConnId{}});
      for (auto it = first; it != wanted_.end() && it->share == share.id; ++it) {
        if (it->index != want.index) break;
        repeats_.activate(it->conn);
      }
    }
  }
  want.sealing = true;
  session.serve.sealing += length;
  sealing_ += length;
  core_.limits.spend(Direction::kUp, session, length);
  out.seals.push_back({session.conn, want.share, want.handle, want.index, want.offset, length});
}

void Upload::on_sealed(TimePoint now, const SealRequest& request, Section section,
                       std::uint32_t size, SlabChain sealed, Outbox& out) {
  sealing_ -= request.length;
  PeerSession* session = core_.session(request.to);
  if (session == nullptr) return;
  session->serve.sealing -= request.length;
  wake(*session);
  QueuedWant* want = find(*session, request.handle, request.index);
  // A want that was cancelled meanwhile, and perhaps asked for anew, has no use for this section.
  if (want == nullptr || !want->sealing || want->offset != request.offset) return;
  want->sealing = false;
  const auto length = static_cast<std::uint32_t>(sealed.size());
  const bool sound = length > 0 && length <= request.length && request.offset + length <= size &&
                     (request.offset + length == size || length == request.length) &&
                     (want->size == 0 || want->size == size);
  if (!sound) return refuse_wants(*session, request.handle, request.index, out);
  const std::uint32_t unused = request.length - length;
  core_.limits.refund(Direction::kUp, *session, unused);
  // Those who wait for the limit wait for what was spent, and less was.
  if (unused > 0) look_again();
  (want->first_copy ? fresh_ : repeats_).refund(request.to, unused);
  want->size = size;
  want->offset += length;
  emit_section(now, *session,
               {request.handle, request.index, request.offset, length, size, section},
               std::move(sealed), out);
  if (want->offset < size) return;
  wanted_.erase({want->share, want->index, request.to});
  session->serve.wants.erase(session->serve.wants.begin() + (want - session->serve.wants.data()));
  if (session->serve.wants.empty()) sending_.erase(request.to);
}

void Upload::emit_section(TimePoint now, PeerSession& session, const ChunkFrame& frame,
                          SlabChain sealed, Outbox& out) {
  ServeSide& serve = session.serve;
  if (serve.unsent == 0) serve.last_record = now;
  const std::size_t bytes = section_wire_bytes(frame.length);
  serve.unsent += bytes;
  unsent_ += bytes;
  serve.meter.busy(now);
  stalls_.set(session.conn, serve.last_record + limits::kWriteStall);
  out.sections.push_back({session.conn, frame, std::move(sealed)});
}

void Upload::on_seal_failed(const SealRequest& request, Outbox& out) {
  sealing_ -= request.length;
  PeerSession* session = core_.session(request.to);
  if (session == nullptr) return;
  session->serve.sealing -= request.length;
  core_.limits.refund(Direction::kUp, *session, request.length);
  look_again();
  wake(*session);
  const QueuedWant* want = find(*session, request.handle, request.index);
  if (want == nullptr || !want->sealing || want->offset != request.offset) return;
  refuse_wants(*session, request.handle, request.index, out);
}

void Upload::on_wrote(TimePoint now, PeerSession& session, std::size_t wrote, std::size_t unsent,
                      Outbox& out) {
  ServeSide& serve = session.serve;
  unsent_ = unsent_ - serve.unsent + unsent;
  serve.unsent = unsent;
  serve.wrote += wrote;
  if (unsent == 0 || serve.wrote >= kRecordBytes) {
    serve.wrote = 0;
    serve.last_record = now;
  }
  serve.meter.add(now, wrote);
  if (unsent == 0) serve.meter.idle(now);
  if (unsent > 0) serve.meter.busy(now);
  pump_have_sets(now, session, out);
  wake(session);
}

void Upload::on_timeout(TimePoint now, Outbox& out) {
  while (const auto id = announcements_.pop_due(now)) {
    if (ShareSwarm* share = core_.share(*id)) flush_announcements(*share, out);
  }
  if (limited_ && *limited_ <= now) look_again();
  while (const auto conn = patience_.pop_due(now)) check_patience(now, core_.sessions.at(*conn));
  while (const auto conn = stalls_.pop_due(now)) {
    const ServeSide& serve = core_.sessions.at(*conn).serve;
    if (serve.unsent == 0) continue;
    if (now - serve.last_record >= limits::kWriteStall) {
      core_.close(*conn, network_error(Errc::kTimeout, "the peer does not read, or too slowly"));
    } else {
      stalls_.set(*conn, serve.last_record + limits::kWriteStall);
    }
  }
}

void Upload::limits_changed() { look_again(); }

void Upload::look_again() {
  limited_.reset();
  for (SendScheduler* circle : {&begun_, &fresh_, &repeats_}) circle->rouse();
}

std::optional<TimePoint> Upload::next_timeout() const {
  return earliest(earliest(limited_, patience_.next()),
                  earliest(announcements_.next(), stalls_.next()));
}

void Upload::check_invariants() const {
  std::size_t unsent = 0;
  std::size_t sealing = 0;
  for (const auto& [conn, session] : core_.sessions) {
    const ServeSide& serve = session.serve;
    unsent += serve.unsent;
    sealing += serve.sealing;
    KITH_ASSERT(serve.wants.size() <= limits::kQueuedWantsPerPeer);
    KITH_ASSERT(serve.watched.size() <= limits::kHandlesPerConnection);
    KITH_ASSERT(serve.have_sets.size() <= serve.watched.size());
    KITH_ASSERT(sending_.contains(conn) == !serve.wants.empty());
    for (const QueuedWant& want : serve.wants) {
      KITH_ASSERT(serve.watched.contains(want.handle) && core_.shares.contains(want.share));
    }
  }
  KITH_ASSERT(unsent == unsent_ && sealing <= sealing_);
  std::size_t wants = 0;
  for (const ConnId conn : sending_) wants += core_.sessions.at(conn).serve.wants.size();
  KITH_ASSERT(wants == wanted_.size());
}

}  // namespace kith::transfer
