// The asking half: watches shares at connected peers, asks for chunks, collects their sections,
// hands whole chunks to store jobs and draws the consequences of how those ended.
//
// Memory: a want reserves the chunk's length; the reservation moves to the store job and is given
// back by its result, or by the end of the want. reserved() never exceeds the budget, but for one
// chunk when nothing else is reserved.
//
// `hungry_` holds the connections that may be able to ask for more. A connection leaves it when its
// window is full or it has nothing we want, and comes back when that may have changed; so a pump
// looks at nobody in vain.
#pragma once

#include <map>
#include <set>
#include <tuple>

#include "transfer/core.hpp"
#include "transfer/timers.hpp"

namespace kith::transfer {

class Upload;

class Download {
 public:
  Download(Core& core, Upload& upload);

  // --- shares ---
  /// Watches the share at every connection of its swarms at which it is not watched yet.
  void start(ShareSwarm& share, Outbox& out);
  /// Takes every want back, unwatches everywhere. Store jobs under way go on.
  void stop(TimePoint now, ShareSwarm& share, Outbox& out);
  /// As Manager::set_shape, and set_lengths.
  void set_shape(TimePoint now, ShareSwarm& share, ChunkIndex total,
                 std::span<const std::uint32_t> page_lengths, Bytes have, Outbox& out);
  void set_lengths(ShareSwarm& share, ChunkIndex first, std::span<const std::uint32_t> lengths);
  /// An index came to be held by other means: void its wants, tell watchers.
  void hold(TimePoint now, ShareSwarm& share, ChunkIndex index, Outbox& out);
  /// Whoever holds the index may be asked again.
  void wanted_again(ShareSwarm& share, ChunkIndex index);

  // --- connections ---
  /// A connection opened: watches what is fetched in its swarm.
  void watch_all(PeerSession& session, Outbox& out);
  /// The connection ended: its wants go back to be asked of others.
  void forget(TimePoint now, PeerSession& session);
  /// Frames of peers. Errors, blame peer, close the connection.
  [[nodiscard]] Result<void> on_have_set(PeerSession& session, const HaveSetFrame& frame);
  [[nodiscard]] Result<void> on_have(PeerSession& session, const HaveFrame& frame);
  [[nodiscard]] Result<void> on_refuse(TimePoint now, PeerSession& session,
                                       const RefuseFrame& frame, Outbox& out);
  [[nodiscard]] Result<void> on_chunk(TimePoint now, PeerSession& session, const ChunkFrame& frame);
  /// The section of the last `chunk` frame came whole. A chunk that is whole goes to a store job.
  void on_section(TimePoint now, PeerSession& session, SlabChain sealed, Outbox& out);
  /// How a store job ended. Gives its memory back, and blames the sender where it was wrong.
  void on_stored(TimePoint now, const ShareId& share, ChunkIndex index, ConnId from,
                 StoreOutcome outcome, std::optional<Error> error, Outbox& out);

  /// Asks for what may be asked for now.
  void pump(TimePoint now, Outbox& out);
  void on_timeout(TimePoint now, Outbox& out);
  [[nodiscard]] std::optional<TimePoint> next_timeout() const;
  /// A limit holds back a connection that holds something of the share.
  [[nodiscard]] bool is_limited(const ShareSwarm& share) const;

  /// Whoever waits for a limit looks again.
  void limits_changed();
  /// Bytes.
  [[nodiscard]] std::size_t reserved() const { return reserved_; }
  void check_invariants() const;

 private:
  struct StoreJob {
    DeviceId device;
    std::uint32_t size = 0;
  };
  enum class Step { kAsked, kNoMemory, kNothing };
  struct Choice {
    ChunkIndex index = 0;
    bool moves = false;  // it waits at another connection, and is taken back there
  };

  // watching
  void watch(PeerSession& session, ShareSwarm& share, Outbox& out);
  [[nodiscard]] Result<ShareSwarm*> watched_share(PeerSession& session, Handle handle);
  void wake(ConnId conn, Holder& holder);
  void wake_idle(ShareSwarm& share, ChunkIndex index);
  void make_hungry(ConnId conn);
  [[nodiscard]] bool pump(TimePoint now, std::set<ConnId>& turns, Outbox& out);

  // wants
  [[nodiscard]] static Asked asked(const PeerSession& session);
  [[nodiscard]] Step ask_one(TimePoint now, PeerSession& session, Outbox& out);
  [[nodiscard]] std::optional<Choice> choose(TimePoint now, PeerSession& session, ShareSwarm& share,
                                             Holder& holder);
  void move_here(TimePoint now, PeerSession& session, ShareSwarm& share, ChunkIndex index,
                 Outbox& out);
  [[nodiscard]] bool fits(const PeerSession& session, std::uint32_t bytes) const;
  [[nodiscard]] std::uint64_t cap(const PeerSession& session, const ShareSwarm& share) const;
  void ask(TimePoint now, PeerSession& session, ShareSwarm& share, Holder& holder, ChunkIndex index,
           Outbox& out);
  void take_back(TimePoint now, PeerSession& session, const WantKey& key, Outbox& out);
  void take_back_all(TimePoint now, ShareSwarm& share, ChunkIndex index,
                     std::span<const ConnId> conns, Outbox& out);
  void settle(PeerSession& session, const WantKey& key, const Want& want);
  void end_want(TimePoint now, PeerSession& session, const WantKey& key);
  void requeue(ShareSwarm& share, ChunkIndex index, ConnId conn);
  void tell_if_unavailable(ShareSwarm& share, ChunkIndex index, Outbox& out);

  // chunks
  void finish_chunk(TimePoint now, PeerSession& session, const WantKey& key, Outbox& out);
  static void count(ShareSwarm& share, const StoreJob& job);
  void bad_chunk(TimePoint now, const ShareId& id, ChunkIndex index, ConnId from,
                 const StoreJob& job, Outbox& out);
  void blame(TimePoint now, ShareSwarm& share, ChunkIndex index, PeerSession& session, Outbox& out);
  void strike(TimePoint now, const ShareId& id, ChunkIndex index, const DeviceId& device,
              Outbox& out);
  void store_returned(ShareSwarm& share, ChunkIndex index);
  void tell_if_complete(ShareSwarm& share, Outbox& out);

  // time
  void check_deadlines(TimePoint now, PeerSession& session, Outbox& out);
  /// Returns whether it was taken back.
  bool overdue(TimePoint now, PeerSession& session, const WantKey& key, Outbox& out);
  void retry_hedges(ShareSwarm& share);

  Core& core_;
  Upload& upload_;
  std::set<ConnId> hungry_;
  std::set<ConnId> fast_;    // those of them that were not slow when they became so
  std::set<ConnId> asking_;  // connections with a want that has not ended
  ConnId last_turn_{};
  std::size_t reserved_ = 0;
  std::multimap<std::tuple<ShareId, ChunkIndex, ConnId>, StoreJob> storing_;
  Timers<ConnId> deadlines_;
  Timers<ShareId> hedges_;
  Timers<ConnId> limited_;                // are hungry, and held back by a limit
  std::optional<TimePoint> all_limited_;  // all that are hungry are held back by one limit
};

}  // namespace kith::transfer
