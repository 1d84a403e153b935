// What is told to watchers: have-sets, batches of `have`, withdrawals; and the frames of watchers.
#include "transfer/upload.hpp"

#include <algorithm>

#include "proto/assert.hpp"

namespace kith::transfer {

namespace {

/// A have-set goes on while less than this is unsent, so that it never fills a control queue.
constexpr std::size_t kHaveSetAhead = 256 * limits::kKiB;

// A watcher whose have-set has not begun does not know the total yet, so an index means nothing to
// it; the set will hold what is held when it leaves.
bool awaits_have_set(const PeerSession& session, Handle handle) {
  const auto& sets = session.serve.have_sets;
  return std::any_of(sets.begin(), sets.end(), [handle](const HaveSetCursor& cursor) {
    return cursor.handle == handle && cursor.next_byte == 0;
  });
}

}  // namespace

Upload::Upload(Core& core) : core_(core) {}

void Upload::offer(TimePoint now, ShareSwarm& share, const std::optional<SwarmId>& only,
                   Outbox& out) {
  const auto watchers = watchers_.find(share.id);
  if (watchers == watchers_.end()) return;
  for (const auto& [conn, handle] : watchers->second) {
    PeerSession& session = core_.sessions.at(conn);
    const bool is_meant = !only || session.swarm == *only;
    if (is_meant && share.is_in(session.swarm)) send_have_set(now, session, handle, &share, out);
  }
}

void Upload::announce(TimePoint now, ShareSwarm& share, ChunkIndex index, Outbox& out) {
  if (share.total() == 0 || !watchers_.contains(share.id)) return;
  share.unannounced.push_back(index);
  if (share.unannounced.size() >= limits::kHavePerFrame) return flush_announcements(share, out);
  announcements_.set(share.id, now + limits::kHaveBatch);
}

void Upload::flush_announcements(ShareSwarm& share, Outbox& out) {
  HaveFrame frame;
  frame.indices = std::move(share.unannounced);
  share.unannounced.clear();
  // What was withdrawn since must not be announced.
  std::erase_if(frame.indices, [&share](ChunkIndex index) { return !share.serves(index); });
  const auto watchers = watchers_.find(share.id);
  if (frame.indices.empty() || watchers == watchers_.end()) return;
  for (const auto& [conn, handle] : watchers->second) {
    const PeerSession& session = core_.sessions.at(conn);
    if (!share.is_in(session.swarm) || awaits_have_set(session, handle)) continue;
    frame.handle = handle;
    send(out, conn, frame);
  }
}

void Upload::withdraw(ShareSwarm& share, ChunkIndex index, Outbox& out) {
  const auto watchers = watchers_.find(share.id);
  if (share.total() == 0 || watchers == watchers_.end()) return;
  for (const auto& [conn, handle] : watchers->second) {
    PeerSession& session = core_.sessions.at(conn);
    if (!share.is_in(session.swarm)) continue;
    send(out, conn,
         HaveSetFrame{handle, index / 8 * 8, share.total(), share.have().bytes(index / 8, 1)});
    refuse_wants(session, handle, index, out);
  }
}

void Upload::remove(ShareSwarm& share, Outbox& out) {
  announcements_.cancel(share.id);
  const auto watchers = watchers_.find(share.id);
  if (watchers == watchers_.end()) return;
  for (const auto& [conn, handle] : watchers->second) {
    PeerSession& session = core_.sessions.at(conn);
    if (!share.is_in(session.swarm)) continue;
    std::erase_if(session.serve.have_sets,
                  [h = handle](const HaveSetCursor& c) { return c.handle == h; });
    refuse_wants(session, handle, std::nullopt, out);
    send(out, conn, HaveSetFrame{handle, 0, 0, {}});
  }
}

Result<void> Upload::on_watch(TimePoint now, PeerSession& session, const WatchFrame& frame,
                              Outbox& out) {
  auto& watched = session.serve.watched;
  if (watched.size() >= limits::kHandlesPerConnection) {
    return peer_error(Errc::kLimit, "too many shares watched");
  }
  if (!watched.emplace(frame.handle, frame.share).second) {
    return peer_error(Errc::kMalformed, "a handle given twice");
  }
  if (!watchers_[frame.share].emplace(session.conn, frame.handle).second) {
    return peer_error(Errc::kMalformed, "a share watched twice");
  }
  ShareSwarm* share = core_.share(frame.share);
  if (share != nullptr && !share->is_in(session.swarm)) share = nullptr;
  send_have_set(now, session, frame.handle, share, out);
  return {};
}

void Upload::send_have_set(TimePoint now, PeerSession& session, Handle handle, ShareSwarm* share,
                           Outbox& out) {
  if (share == nullptr || share->total() == 0) {
    return send(out, session.conn, HaveSetFrame{handle, 0, 0, {}});
  }
  auto& sets = session.serve.have_sets;
  std::erase_if(sets, [handle](const HaveSetCursor& c) { return c.handle == handle; });
  sets.push_back({handle, share->id, 0});
  pump_have_sets(now, session, out);
}

void Upload::pump_have_sets(TimePoint now, PeerSession& session, Outbox& out) {
  auto& sets = session.serve.have_sets;
  while (!sets.empty() && session.serve.unsent < kHaveSetAhead) {
    HaveSetCursor& cursor = sets.front();
    const ShareSwarm& share = *core_.share(cursor.share);
    const std::size_t end = (share.have().size() + 7) / 8;
    const std::size_t n = std::min(end - cursor.next_byte, limits::kHaveBytesPerFrame);
    send(out, session.conn,
         HaveSetFrame{cursor.handle, static_cast<ChunkIndex>(8 * cursor.next_byte), share.total(),
                      share.have().bytes(cursor.next_byte, n)});
    if (session.serve.unsent == 0) session.serve.last_record = now;
    session.serve.unsent += n;  // the next on_wrote says how much of it is left
    unsent_ += n;
    cursor.next_byte += n;
    if (cursor.next_byte >= end) sets.pop_front();
  }
}

Result<void> Upload::on_want(TimePoint now, PeerSession& session, const WantFrame& frame,
                             Outbox& out) {
  ServeSide& serve = session.serve;
  const auto watched = serve.watched.find(frame.handle);
  if (watched == serve.watched.end()) {
    return peer_error(Errc::kMalformed, "a want of a share that is not watched");
  }
  if (serve.wants.size() >= limits::kQueuedWantsPerPeer) {
    return peer_error(Errc::kLimit, "too many wants");
  }
  if (find(session, frame.handle, frame.index) != nullptr) {
    return peer_error(Errc::kMalformed, "a chunk wanted twice");
  }
  const ShareSwarm* share = core_.share(watched->second);
  if (share == nullptr || !share->is_in(session.swarm) || !share->serves(frame.index)) {
    refuse(session, frame.handle, frame.index, out);
    return {};
  }
  QueuedWant want;
  want.handle = frame.handle;
  want.index = frame.index;
  want.share = share->id;
  if (serve.wants.empty()) {
    note_first(now, session);
    patience_.set(session.conn, now + kCopyPatience);
  }
  serve.wants.push_back(want);
  wanted_.insert({want.share, want.index, session.conn});
  sending_.insert(session.conn);
  wake(session);
  return {};
}

Result<void> Upload::on_cancel(PeerSession& session, const CancelFrame& frame, Outbox& out) {
  auto& watched = session.serve.watched;
  const auto it = watched.find(frame.handle);
  if (it == watched.end()) {
    return peer_error(Errc::kMalformed, "a cancel of a share that is not watched");
  }
  // The answer tells the peer that no more sections come. A chunk that is sent to the end already
  // has none: its last section is the answer.
  refuse_wants(session, frame.handle, frame.index, out);
  if (frame.index) return {};
  std::erase_if(session.serve.have_sets,
                [&frame](const HaveSetCursor& c) { return c.handle == frame.handle; });
  const auto watchers = watchers_.find(it->second);
  watchers->second.erase(session.conn);
  if (watchers->second.empty()) watchers_.erase(watchers);
  watched.erase(it);
  return {};
}

Result<void> Upload::on_bad(TimePoint now, PeerSession& session, const BadFrame& frame,
                            Outbox& out) {
  const auto watched = session.serve.watched.find(frame.handle);
  if (watched == session.serve.watched.end()) {
    return peer_error(Errc::kMalformed, "a bad of a share that is not watched");
  }
  const ShareSwarm* share = core_.share(watched->second);
  if (share == nullptr || !share->is_in(session.swarm) || !share->serves(frame.index)) return {};
  if (!session.serve.bad_reports.allows(now)) return {};
  session.serve.bad_reports.spend(1);
  out.events.push_back(CheckChunk{share->id, frame.index});
  return {};
}

void Upload::refuse(PeerSession& session, Handle handle, ChunkIndex index, Outbox& out) {
  send(out, session.conn, RefuseFrame{handle, index});
}

void Upload::refuse_wants(PeerSession& session, Handle handle, std::optional<ChunkIndex> index,
                          Outbox& out) {
  std::erase_if(session.serve.wants, [&](const QueuedWant& want) {
    if (want.handle != handle || (index && want.index != *index)) return false;
    refuse(session, handle, want.index, out);
    wanted_.erase({want.share, want.index, session.conn});
    return true;
  });
  if (session.serve.wants.empty()) sending_.erase(session.conn);
}

void Upload::forget(PeerSession& session) {
  for (const auto& [handle, id] : session.serve.watched) {
    const auto watchers = watchers_.find(id);
    if (watchers == watchers_.end()) continue;
    watchers->second.erase(session.conn);
    if (watchers->second.empty()) watchers_.erase(watchers);
  }
  for (const QueuedWant& want : session.serve.wants) {
    wanted_.erase({want.share, want.index, session.conn});
  }
  unsent_ -= session.serve.unsent;
  sending_.erase(session.conn);
  begun_.remove(session.conn);
  fresh_.remove(session.conn);
  repeats_.remove(session.conn);
  stalls_.cancel(session.conn);
  patience_.cancel(session.conn);
}

}  // namespace kith::transfer
