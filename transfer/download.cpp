// Shares, watching, and what peers say they hold.
#include "transfer/download.hpp"

#include <algorithm>

#include "proto/assert.hpp"
#include "transfer/upload.hpp"

namespace kith::transfer {

Download::Download(Core& core, Upload& upload) : core_(core), upload_(upload) {}

void Download::start(ShareSwarm& share, Outbox& out) {
  const bool begins = !share.fetching();
  if (begins) share.start_fetching();
  for (auto& [conn, session] : core_.sessions) {
    if (share.is_in(session.swarm)) watch(session, share, out);
  }
  if (begins) tell_if_complete(share, out);
}

void Download::stop(TimePoint now, ShareSwarm& share, Outbox& out) {
  if (!share.fetching()) return;
  while (!share.holders().empty()) {
    const auto& [conn, holder] = *share.holders().begin();
    PeerSession& session = core_.sessions.at(conn);
    const Handle handle = holder.handle;
    auto& wants = session.ask.requests.wants();
    for (auto it = wants.lower_bound({handle, 0}); it != wants.end() && it->first.first == handle;
         ++it) {
      it->second.is_void = true;
      it->second.restore = false;
      it->second.deadline = now + limits::kCancelAnswer;
      it->second.assembly.discard();
      deadlines_.set(conn, it->second.deadline);
    }
    send(out, conn, CancelFrame{handle, std::nullopt});
    session.ask.watches.erase(handle);
    share.remove_holder(session.conn);
  }
  share.stop_fetching();
  hedges_.cancel(share.id);
}

void Download::set_shape(TimePoint now, ShareSwarm& share, ChunkIndex total,
                         std::span<const std::uint32_t> page_lengths, Bytes have, Outbox& out) {
  if (share.fetching() && !have.empty() && (have[0] & 0x80U) != 0) hold(now, share, 0, out);
  share.set_shape(total, page_lengths, have);
  for (auto& [conn, holder] : share.holders()) wake(conn, holder);
  tell_if_complete(share, out);
}

void Download::set_lengths(ShareSwarm& share, ChunkIndex first,
                           std::span<const std::uint32_t> lengths) {
  if (!share.fetching()) return;
  share.picker().set_lengths(first, lengths);
  for (auto& [conn, holder] : share.holders()) wake(conn, holder);
}

void Download::hold(TimePoint now, ShareSwarm& share, ChunkIndex index, Outbox& out) {
  if (!share.hold(index)) return;
  if (share.fetching()) {
    const std::vector<ConnId> asked = share.picker().hold(index);
    take_back_all(now, share, index, asked, out);
  }
  upload_.announce(now, share, index, out);
  tell_if_complete(share, out);
}

void Download::wanted_again(ShareSwarm& share, ChunkIndex index) {
  for (auto& [conn, holder] : share.holders()) {
    if (holder.bits.test(index)) wake(conn, holder);
  }
}

void Download::wake_idle(ShareSwarm& share, ChunkIndex index) {
  for (auto& [conn, holder] : share.holders()) {
    if (!asking_.contains(conn) && holder.bits.test(index)) wake(conn, holder);
  }
}

void Download::wake(ConnId conn, Holder& holder) {
  ++core_.looks;
  holder.exhausted = false;
  make_hungry(conn);
}

void Download::watch_all(PeerSession& session, Outbox& out) {
  for (auto& [id, share] : core_.shares) {
    if (share.fetching() && share.is_in(session.swarm)) watch(session, share, out);
  }
}

void Download::watch(PeerSession& session, ShareSwarm& share, Outbox& out) {
  AskSide& ask = session.ask;
  if (share.holder(session.conn) != nullptr) return;
  if (ask.watches.size() >= limits::kHandlesPerConnection) return;
  const Handle handle = ask.next_handle++;
  ask.watches.emplace(handle, share.id);
  // Peers look through a share from different places, or all would pick the same chunks.
  const ChunkIndex cursor = static_cast<ChunkIndex>(core_.rng.uniform(limits::kIndicesMax));
  share.add_holder(session.conn, handle, cursor);
  send(out, session.conn, WatchFrame{handle, share.id});
}

Result<ShareSwarm*> Download::watched_share(PeerSession& session, Handle handle) {
  const auto it = session.ask.watches.find(handle);
  if (it != session.ask.watches.end()) return core_.share(it->second);
  if (handle >= session.ask.next_handle) {
    return peer_error(Errc::kMalformed, "a handle that was never given");
  }
  return static_cast<ShareSwarm*>(nullptr);  // retired: the frame was on its way
}

Result<void> Download::on_have_set(PeerSession& session, const HaveSetFrame& frame) {
  KITH_TRY(ShareSwarm * share, watched_share(session, frame.handle));
  if (share == nullptr) return {};
  Holder& holder = *share->holder(session.conn);
  KITH_CHECK(share->replace_bits(holder, frame));
  wake(session.conn, holder);
  return {};
}

Result<void> Download::on_have(PeerSession& session, const HaveFrame& frame) {
  KITH_TRY(ShareSwarm * share, watched_share(session, frame.handle));
  if (share == nullptr) return {};
  Holder& holder = *share->holder(session.conn);
  std::vector<ChunkIndex> stuck;
  for (const ChunkIndex index : frame.indices) {
    if (share->picker().waits(index) && !share->picker().is_movable(index)) stuck.push_back(index);
  }
  KITH_CHECK(share->set_bits(holder, frame.indices));
  wake(session.conn, holder);
  // What waits elsewhere may move, not only to this one: others get the same news now.
  for (const ChunkIndex index : stuck) {
    if (share->picker().is_movable(index)) wake_idle(*share, index);
  }
  return {};
}

Result<void> Download::on_refuse(TimePoint now, PeerSession& session, const RefuseFrame& frame,
                                 Outbox& out) {
  const WantKey key{frame.handle, frame.index};
  const Want* want = session.ask.requests.find(key);
  if (want == nullptr) return peer_error(Errc::kMalformed, "a refusal of what was not asked for");
  if (session.ask.open && session.ask.open->key == key) {
    return peer_error(Errc::kMalformed, "a refusal inside a section");
  }
  const bool was_void = want->is_void;
  const bool restore = want->restore;
  end_want(now, session, key);
  KITH_TRY(ShareSwarm * share, watched_share(session, frame.handle));
  if (share == nullptr) return {};
  Holder& holder = *share->holder(session.conn);
  if (restore) share->set_bit(holder, frame.index);
  if (was_void) {
    wake(session.conn, holder);
    return {};
  }
  share->clear_bit(holder, frame.index);
  requeue(*share, frame.index, session.conn);
  tell_if_unavailable(*share, frame.index, out);
  return {};
}

void Download::tell_if_unavailable(ShareSwarm& share, ChunkIndex index, Outbox& out) {
  if (share.picker().state(index) == ChunkState::kWanted && share.picker().holders(index) == 0) {
    out.events.push_back(ChunkUnavailable{share.id, index});
  }
}

void Download::forget(TimePoint now, PeerSession& session) {
  const ConnId conn = session.conn;
  RequestQueue& requests = session.ask.requests;
  session.ask.open.reset();
  // Holders first: what this connection held must not be picked from it again.
  for (const auto& [handle, id] : session.ask.watches) {
    if (ShareSwarm* share = core_.share(id)) share->remove_holder(conn);
  }
  while (requests.size() > 0) {
    const auto& [key, want] = *requests.wants().begin();
    ShareSwarm* share = session.ask.watches.contains(key.first) ? core_.share(want.share) : nullptr;
    const ChunkIndex index = key.second;
    const bool was_void = want.is_void;
    end_want(now, session, WantKey(key));
    if (share != nullptr && !was_void) requeue(*share, index, conn);
  }
  hungry_.erase(conn);
  fast_.erase(conn);
  limited_.cancel(conn);
  deadlines_.cancel(conn);
}

}  // namespace kith::transfer
