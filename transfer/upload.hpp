// The serving half: answers watches with have-sets, tells watchers what came, queues the wants of
// peers and decides which section job may start next.
//
// A section job of a connection may start while the connection has less than its *ahead* at jobs
// and unsent: rate × 200 ms, at least two sections, at most its part of the budget. A section is
// what the connection carries in 100 ms, in whole records, up to the whole chunk. Of one chunk one
// section is at a job at a time, so sections of a chunk are announced in order; other chunks of the
// connection keep the pool busy meanwhile.
//
// A chunk that was begun goes to its end before another begins, as far as its connection takes it:
// half a chunk can be passed on by nobody. What that takes is owed in the round robin.
//
// Sole source: chunks that were sent to nobody yet go before copies of others, on every connection
// together, so that a source sends everything once before anything twice and the fetchers pass the
// rest among themselves. One start in kRepeatEvery goes to the copies first: nobody starves. Who
// gets nothing but copies for kCopyPatience, and while others got several chunks each, has nobody
// else to ask, as two fetchers have not that are both behind routers: for a while its copies count
// as first ones. Root and pages always do.
#pragma once

#include <map>
#include <set>
#include <vector>

#include "transfer/core.hpp"
#include "transfer/send_scheduler.hpp"
#include "transfer/timers.hpp"

namespace kith::transfer {

class Upload {
 public:
  explicit Upload(Core& core);

  // --- shares ---
  /// The share can be served from now on, or its have-set changed as a whole: tells its watchers,
  /// or those of one swarm.
  void offer(TimePoint now, ShareSwarm& share, const std::optional<SwarmId>& only, Outbox& out);
  /// An index came: watchers are told with the next batch.
  void announce(TimePoint now, ShareSwarm& share, ChunkIndex index, Outbox& out);
  /// An index is not held any more: watchers are told, its wants refused.
  void withdraw(ShareSwarm& share, ChunkIndex index, Outbox& out);
  /// The share goes: its watchers see an empty one, its wants are refused.
  void remove(ShareSwarm& share, Outbox& out);

  // --- connections ---
  /// The connection ended: what was queued for it is dropped.
  void forget(PeerSession& session);
  /// Frames of peers. Errors, blame peer, close the connection.
  [[nodiscard]] Result<void> on_watch(TimePoint now, PeerSession& session, const WatchFrame& frame,
                                      Outbox& out);
  [[nodiscard]] Result<void> on_want(TimePoint now, PeerSession& session, const WantFrame& frame,
                                     Outbox& out);
  [[nodiscard]] Result<void> on_cancel(PeerSession& session, const CancelFrame& frame, Outbox& out);
  [[nodiscard]] Result<void> on_bad(TimePoint now, PeerSession& session, const BadFrame& frame,
                                    Outbox& out);
  /// As Manager::on_wrote; and the results below as there.
  void on_wrote(TimePoint now, PeerSession& session, std::size_t wrote, std::size_t unsent,
                Outbox& out);

  // --- results of jobs ---
  void on_sealed(TimePoint now, const SealRequest& request, Section section, std::uint32_t size,
                 SlabChain sealed, Outbox& out);
  void on_seal_failed(const SealRequest& request, Outbox& out);

  /// Starts the section jobs that may start now.
  void schedule(TimePoint now, Outbox& out);
  void on_timeout(TimePoint now, Outbox& out);
  [[nodiscard]] std::optional<TimePoint> next_timeout() const;

  /// Other limits hold: whoever waited for one looks again.
  void limits_changed();
  /// Bytes at section jobs or in send queues now.
  [[nodiscard]] std::size_t in_use() const { return sealing_ + unsent_; }
  void check_invariants() const;

 private:
  /// What may be started: the next section of a begun chunk, or the first one of a chunk that
  /// nobody was sent, or somebody was.
  enum class Stage : std::uint8_t { kBegun, kFresh, kRepeat };

  /// How long a connection waits for copies, without a first one, until it may have them as such.
  static constexpr Duration kCopyPatience = std::chrono::seconds(5);

  void send_have_set(TimePoint now, PeerSession& session, Handle handle, ShareSwarm* share,
                     Outbox& out);
  void pump_have_sets(TimePoint now, PeerSession& session, Outbox& out);
  void flush_announcements(ShareSwarm& share, Outbox& out);
  void refuse_wants(PeerSession& session, Handle handle, std::optional<ChunkIndex> index,
                    Outbox& out);
  void wake(const PeerSession& session);
  void look_again();

  [[nodiscard]] QueuedWant* find(PeerSession& session, Handle handle, ChunkIndex index);
  [[nodiscard]] Stage stage(TimePoint now, const PeerSession& session,
                            const QueuedWant& want) const;
  [[nodiscard]] QueuedWant* startable(TimePoint now, PeerSession& session, Stage stage);
  void note_first(TimePoint now, PeerSession& session);
  [[nodiscard]] bool is_passed_over(TimePoint now, const PeerSession& session) const;
  void check_patience(TimePoint now, PeerSession& session);
  [[nodiscard]] Offer offer_of(TimePoint now, ConnId conn, Stage stage);
  [[nodiscard]] SendScheduler& circle(Stage stage);
  [[nodiscard]] std::uint32_t section_length(const PeerSession& session) const;
  [[nodiscard]] std::size_t ahead(const PeerSession& session) const;
  [[nodiscard]] bool has_memory() const;
  bool start_next(TimePoint now, Stage stage, Outbox& out);
  void start_section(TimePoint now, PeerSession& session, QueuedWant& want, std::uint32_t length,
                     Stage stage, Outbox& out);
  void emit_section(TimePoint now, PeerSession& session, const ChunkFrame& frame, SlabChain sealed,
                    Outbox& out);
  void refuse(PeerSession& session, Handle handle, ChunkIndex index, Outbox& out);

  Core& core_;
  // Connections that may have something to start, for each Stage.
  SendScheduler begun_;
  SendScheduler fresh_;
  SendScheduler repeats_;
  std::uint64_t starts_ = 0;
  std::size_t sealing_ = 0;  // also of connections that are gone
  std::size_t unsent_ = 0;
  struct Wanted {
    ShareId share;
    ChunkIndex index = 0;
    ConnId conn{};
    auto operator<=>(const Wanted&) const = default;
  };
  std::set<Wanted> wanted_;   // what all want, each once: a share is watched once
  std::set<ConnId> sending_;  // connections with wants: the budget is theirs in equal parts
  std::map<ShareId, std::map<ConnId, Handle>> watchers_;
  Timers<ShareId> announcements_;
  Timers<ConnId> stalls_;
  Timers<ConnId> patience_;           // has wants: when to look whether it waits too long
  std::optional<TimePoint> limited_;  // when a limit lets one of those go on that wait for one
};

}  // namespace kith::transfer
