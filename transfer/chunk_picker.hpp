// Which chunk of one fetched share is asked for next, and where each stands.
//
// Every index is in exactly one state:
//   unknown    its length is not known yet: its page has not come
//   wanted     may be picked
//   in flight  asked of one connection, or of two near the end (hedged)
//   storing    came whole; a job verifies and writes it
//   held       verified and written
// unknown → wanted → in flight → storing → held; back to wanted when a request dies or a store
// fails, and from held when a chunk is found damaged.
//
// Before the shape is known there is one index, the root, whose length is unknown: limits::kPageMax
// is reserved for it. Order of picking: what is urgent, since a reading waits for it; then root and
// pages, then content; rarest first; of random equals the longest.
//
// Moving: a chunk that waits at one connection for some tenths of a second, or ten times its way
// there and back, and of which nothing came yet, is asked of an idle one instead, if some peer got
// it since it was asked for or moved last. So what has a copy near by leaves the queue of the
// source that everybody asks, and without news nothing goes to and fro.
//
// Stuck: a chunk that was asked of a connection which missed its deadlines, since there was nobody
// better, moves to an idle connection without news, and whatever came twice: else the last chunk
// would wait as long as everything before it.
//
// Hedging: when nothing is wanted any more, an idle connection may ask for a chunk that waits at a
// slower one, the longest waiting first.
//
// What comes twice, all bytes ever hedged and what came of chunks where they were taken back: only
// while that is within a twentieth of the bytes of the share, and one chunk, more is hedged or
// moved. While it is not known what comes of a chunk that was moved, all of it counts; of one whose
// deadline passed, which is asked for anew in any case, what came.
#pragma once

#include <array>
#include <map>
#include <optional>
#include <set>
#include <span>
#include <utility>
#include <vector>

#include "proto/limits.hpp"
#include "proto/time.hpp"
#include "transfer/availability.hpp"

namespace kith::transfer {

/// So many chunks of a share are urgent at most.
inline constexpr std::size_t kUrgentMax = 64;

enum class ChunkState : std::uint8_t { kUnknown, kWanted, kInFlight, kStoring, kHeld };

/// Of whom a chunk is asked.
struct Asked {
  ConnId conn{};
  Duration round_trip{};  // the least measured; 0: not measured
  bool late = false;      // it missed deadlines
};

class ChunkPicker {
 public:
  /// Knows the root only.
  ChunkPicker();

  // --- what the share is ---
  /// As Manager::set_shape. What is in flight or storing stays so, unless `have` holds it: the
  /// caller cancels such requests first. Holders must be added anew.
  void set_shape(ChunkIndex total, std::span<const std::uint32_t> page_lengths,
                 const Bitfield& have);
  /// Lengths of [first, first + n), as far as they lie in the share. What is known stays.
  void set_lengths(ChunkIndex first, std::span<const std::uint32_t> lengths);
  [[nodiscard]] bool has_shape() const { return has_shape_; }
  /// 1 before the shape is known.
  [[nodiscard]] ChunkIndex total() const { return static_cast<ChunkIndex>(states_.size()); }
  [[nodiscard]] ChunkState state(ChunkIndex index) const { return states_[index]; }
  /// Nothing if unknown, as the root's is.
  [[nodiscard]] std::optional<std::uint32_t> length(ChunkIndex index) const;
  /// Bytes to reserve for a want.
  [[nodiscard]] std::uint32_t reservation(ChunkIndex index) const {
    return length(index).value_or(limits::kPageMax);
  }

  // --- holders ---
  /// A connection came that holds these, went, or got or lost one more.
  void add_holder(const Bitfield& held);
  void remove_holder(const Bitfield& held);
  void add_holder_of(ChunkIndex index);
  void remove_holder_of(ChunkIndex index);
  /// A peer got `index` just now: it may move there, or to another idle connection.
  void on_news(ChunkIndex index);
  /// It was asked of a connection and nothing of it came yet.
  [[nodiscard]] bool waits(ChunkIndex index) const;
  /// It may move, once it waited long enough.
  [[nodiscard]] bool is_movable(ChunkIndex index) const;
  [[nodiscard]] std::uint32_t holders(ChunkIndex index) const { return availability_.count(index); }

  // --- the way of a chunk ---
  /// What to ask of a peer that holds `held`, by the order above; `cursor` is kept per peer.
  [[nodiscard]] std::optional<ChunkIndex> pick(const Bitfield& held, ChunkIndex& cursor,
                                               Rng& rng) const;
  /// These are urgent from now on, the first of them most, and then those that were and did not
  /// come yet: kUrgentMax in all. One that is not in the share is ignored; one without a length
  /// waits for that.
  void hurry(std::vector<ChunkIndex> urgent);
  /// From now on the least index is picked that the peer holds.
  void pick_in_order() { in_order_ = true; }
  /// A chunk of `held` that waits at another connection than `conn` and may move now: the one that
  /// waits longest. As the two below, it looks at few of those that wait longest of all.
  [[nodiscard]] std::optional<ChunkIndex> pick_waiting(const Bitfield& held, ConnId conn,
                                                       TimePoint now) const;
  /// A chunk in flight elsewhere since at least `patience`, that `conn` holds and the hedging
  /// budget allows.
  [[nodiscard]] std::optional<ChunkIndex> pick_hedge(const Bitfield& held, ConnId conn,
                                                     TimePoint now, Duration patience) const;
  /// True while hedging may become possible without anything else happening.
  [[nodiscard]] bool may_hedge() const;
  /// wanted → in flight, or a second request of what is in flight.
  void start(ChunkIndex index, const Asked& asked, TimePoint now);
  /// True while something may move without anything else happening.
  [[nodiscard]] bool may_move() const;
  /// A chunk of `held` that is stuck at another connection than `conn`.
  [[nodiscard]] std::optional<ChunkIndex> pick_stuck(const Bitfield& held, ConnId conn,
                                                     TimePoint now) const;
  /// What pick_waiting() or pick_stuck() gave is asked of `asked` instead of the connection that is
  /// returned. `asked.late` does not count: who is late gets nothing so.
  [[nodiscard]] ConnId move(ChunkIndex index, const Asked& asked, TimePoint now);
  /// `bytes` that were taken back where they waited, to be moved, may still come.
  void doubt(std::uint32_t bytes) { doubted_bytes_ += bytes; }
  /// Of a chunk that was taken back, with `bytes` in doubt, so many came, and no more will.
  void settle(std::uint32_t bytes, std::uint32_t came);
  /// The first bytes of it came: it moves no more. Without effect if it is not in flight.
  void begin(ChunkIndex index);
  /// `conn` will not deliver. True if the chunk is wanted again.
  bool give_back(ChunkIndex index, ConnId conn);
  /// It came whole from `conn`. Returns the other connection that was asked, whose want is void.
  std::optional<ConnId> begin_store(ChunkIndex index, ConnId conn);
  /// storing → wanted.
  void store_failed(ChunkIndex index);
  /// storing → unknown: it was used, is not held, and is wanted again when it is given a length.
  void leave(ChunkIndex index);
  /// → held, from any state. Returns the connections whose wants are void.
  std::vector<ConnId> hold(ChunkIndex index);
  /// held → wanted, or unknown.
  void drop(ChunkIndex index);
  /// Connections asked for `index` now: none to two.
  [[nodiscard]] std::vector<ConnId> requesters(ChunkIndex index) const;

  // --- sums ---
  [[nodiscard]] bool complete() const { return has_shape_ && held_ == states_.size(); }
  [[nodiscard]] ChunkIndex held() const { return held_; }
  [[nodiscard]] std::size_t wanted() const { return availability_.size(); }
  [[nodiscard]] std::size_t in_flight() const { return in_flight_.size(); }
  /// Bytes wanted or in flight.
  [[nodiscard]] std::uint64_t open_bytes() const { return open_bytes_; }
  /// Bytes that were ever asked for a second time while in flight.
  [[nodiscard]] std::uint64_t hedged_bytes() const { return hedged_bytes_; }
  /// Bytes of all lengths that were ever told.
  [[nodiscard]] std::uint64_t known_bytes() const { return known_bytes_; }

  /// How many requests were looked at to find one that may move or be hedged, so far.
  [[nodiscard]] std::uint64_t looks() const { return looks_; }

  /// Asserts the invariants; linear.
  void check_invariants() const;

 private:
  struct Request {
    std::array<ConnId, 2> conns{};
    std::uint8_t count = 0;
    TimePoint since;        // of the first
    TimePoint stays_until;  // before it does not move
    bool begun = false;     // bytes of it came
    bool news = false;      // somebody got it since it was asked for or moved
    bool late = false;      // conns[0] had missed deadlines when it was asked
    [[nodiscard]] bool waits() const { return count == 1 && !begun; }
  };
  using Waiting = std::set<std::pair<TimePoint, ChunkIndex>>;  // longest waiting first
  /// A request that is the only one for its chunk stands in waiting_ if several hold that, by
  /// `since`, and of these, if nothing came, in stuck_ what was asked of a late connection, and in
  /// movable_ what somebody got since, both by `stays_until`.
  void list(ChunkIndex index, const Request& request);
  void unlist(ChunkIndex index, const Request& request);
  /// After it changed how many hold it.
  void list_again(ChunkIndex index);
  void list_all_again();
  void end_request(ChunkIndex index);
  void set_state(ChunkIndex index, ChunkState to);
  void want(ChunkIndex index);
  [[nodiscard]] bool hedge_allowed(ChunkIndex index) const;
  /// The first of `requests` that stands there by `until`, was asked of another connection than
  /// `conn`, is `held`, and of which accept(index) is true. Looks at some only, however many wait.
  template <class Accept>
  [[nodiscard]] std::optional<ChunkIndex> longest_elsewhere(const Waiting& requests,
                                                            const Bitfield& held, ConnId conn,
                                                            TimePoint until, Accept&& accept) const;
  /// Hedged, or came where it was taken back.
  [[nodiscard]] std::uint64_t twice_bytes() const { return hedged_bytes_ + late_bytes_; }

  std::vector<ChunkState> states_;
  std::vector<std::uint32_t> lengths_;  // 0: unknown
  Availability availability_;           // its members are the wanted indices
  std::vector<ChunkIndex> urgent_;      // no index twice
  std::map<ChunkIndex, Request> in_flight_;
  Waiting waiting_, movable_, stuck_;
  mutable std::uint64_t looks_ = 0;
  ChunkIndex held_ = 0;
  std::uint64_t open_bytes_ = 0;
  std::uint64_t known_bytes_ = 0;
  std::uint64_t hedged_bytes_ = 0;
  std::uint64_t late_bytes_ = 0;     // came where they had been taken back
  std::uint64_t doubted_bytes_ = 0;  // may come so
  bool has_shape_ = false;
  bool in_order_ = false;
};

}  // namespace kith::transfer
