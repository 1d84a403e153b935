// The transfer core: who has which chunk, what to ask of whom, what to send to whom. Pure: driven
// by node/engine, which owns channels, jobs and clocks. Design: docs/architecture.md, "Transfer".
//
// Rules: a chunk comes whole, in order, from one peer. Receive memory is reserved before a `want`
// is sent and returns with on_stored (or when the want dies). A chunk nobody asked for closes the
// connection. Sending: deficit round robin over connections decides whose next section job may
// start.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <span>

#include "proto/rng.hpp"
#include "proto/time.hpp"
#include "transfer/limit_rules.hpp"
#include "transfer/outbox.hpp"

namespace kith::transfer {

struct Config {
  std::size_t receive_budget_bytes;  // limits::kReceiveBudget
  std::size_t send_budget_bytes;     // limits::kSendBudget
  LimitRules limits{};
};

/// What `kith peers`, `kith show` and progress lines tell of a fetch or a served share.
struct SourceBytes {
  DeviceId device;
  std::uint64_t bytes = 0;
};
struct ShareProgress {
  ChunkIndex total = 0;  // 0: the root is not known yet
  ChunkIndex stored = 0;
  std::uint64_t bytes_stored = 0;    // content and manifest bytes stored by this process
  std::uint64_t bytes_received = 0;  // section bytes that arrived, useful or not
  std::uint64_t bytes_hedged = 0;    // asked of a second source while a slow one had not delivered
  std::size_t in_flight = 0;         // chunks asked for and not come
  bool limited = false;              // a limit holds back what could be asked for
  std::size_t sources = 0;           // connected peers that hold anything of it
  std::vector<SourceBytes> by_device;  // verified content bytes, in device order
};

class Manager {
 public:
  Manager(const Config& config, Rng& rng);
  ~Manager();

  // --- shares ---
  /// Begins to serve, and if `fetching` to fetch, a share within a swarm: only connections of
  /// swarms for which this was called may watch it. Connected peers are watched at once when
  /// fetching. A share may be in several swarms; then peers of all of them are asked.
  void add_share(TimePoint now, const ShareId& share, const SwarmId& swarm, bool fetching,
                 Outbox& out);
  /// Its chunks are asked for in the order of their indices, not rarest first. While it is fetched.
  void fetch_in_order(const ShareId& share);
  /// A reading waits for these, for the first of them most: they are asked for before everything
  /// else, as far as they are wanted (ChunkPicker::hurry). While it is fetched.
  void hurry(const ShareId& share, std::vector<ChunkIndex> urgent);
  /// The root is known: `total` indices, of which 1..pages are pages with these ciphertext lengths.
  /// `have` has one bit per index, most significant bit first: what is held already.
  void set_shape(TimePoint now, const ShareId& share, ChunkIndex total,
                 std::span<const std::uint32_t> page_lengths, Bytes have, Outbox& out);
  /// Lengths of content chunks [first, first + lengths.size()): they may be wanted from now on.
  void set_lengths(TimePoint now, const ShareId& share, ChunkIndex first,
                   std::span<const std::uint32_t> lengths, Outbox& out);
  /// An index came to be held by other means than this manager (local copy, verification).
  void add_have(TimePoint now, const ShareId& share, ChunkIndex index, Outbox& out);
  /// An index is not held any more: refused from now on; fetched again where fetching.
  void drop_have(TimePoint now, const ShareId& share, ChunkIndex index, Outbox& out);
  /// Stops asking; what is held is still served. Wants in flight are cancelled.
  void stop_fetching(TimePoint now, const ShareId& share, Outbox& out);
  /// Unshare: takes effect on live sessions at once.
  void remove_share(TimePoint now, const ShareId& share, Outbox& out);
  [[nodiscard]] bool has_share(const ShareId& share) const;
  /// It is here, and in this swarm.
  [[nodiscard]] bool is_in(const ShareId& share, const SwarmId& swarm) const;
  /// All zero for a share that is not here.
  [[nodiscard]] ShareProgress progress(const ShareId& share) const;

  // --- connections ---
  /// `lan`: it is on the local network.
  void on_connected(TimePoint now, ConnId conn, const DeviceId& device, const SwarmId& swarm,
                    bool lan, Outbox& out);
  /// A message on `conn` was answered after this time. The least counts: others waited somewhere.
  void on_round_trip(ConnId conn, Duration time);
  /// The connection ended: what was asked of it is asked of others.
  void on_closed(TimePoint now, ConnId conn, Outbox& out);
  /// watch, have_set, have, want, cancel, refuse, bad. Errors have blame peer: close the
  /// connection.
  [[nodiscard]] Result<void> on_frame(TimePoint now, ConnId conn, FrameType type, Bytes body,
                                      Outbox& out);
  /// A `chunk` frame. Success: the caller now collects section_wire_bytes(frame.length) bytes, one
  /// record per slab, and hands them to on_section. An error closes the connection. A section of a
  /// chunk whose want was cancelled (or died) meanwhile is collected and dropped all the same.
  [[nodiscard]] Result<void> on_chunk(TimePoint now, ConnId conn, const ChunkFrame& frame,
                                      Outbox& out);
  /// The section that the last on_chunk() announced, sealed as it came.
  void on_section(TimePoint now, ConnId conn, SlabChain sealed, Outbox& out);
  /// The connection's send queue went down to `unsent` bytes; `wrote` bytes left since the last
  /// call.
  void on_wrote(TimePoint now, ConnId conn, std::size_t wrote, std::size_t unsent, Outbox& out);

  // --- results of jobs ---
  void on_stored(TimePoint now, const ShareId& share, ChunkIndex index, ConnId from,
                 StoreOutcome outcome, std::optional<Error> error, Outbox& out);
  /// `size`: bytes of the whole chunk. The section number stands in no request: the driver took it.
  void on_sealed(TimePoint now, const SealRequest& request, Section section, std::uint32_t size,
                 SlabChain sealed, Outbox& out);
  /// The chunk could not be read: its want is refused.
  void on_seal_failed(TimePoint now, const SealRequest& request, Outbox& out);

  // --- time ---
  void on_timeout(TimePoint now, Outbox& out);
  /// Nothing: no need to call on_timeout() before something else happens.
  [[nodiscard]] std::optional<TimePoint> next_timeout() const;

  /// At once, and instead of those that held.
  void set_limits(TimePoint now, const LimitRules& rules, Outbox& out);
  /// It sent wrong chunks, and is shut out for the life of the process.
  [[nodiscard]] bool is_banned(const DeviceId& device) const;
  /// Receive memory reserved now, in bytes: 0 when nothing is in flight.
  [[nodiscard]] std::size_t reserved() const;
  /// Send memory in use now, in bytes: at section jobs or in send queues.
  [[nodiscard]] std::size_t send_reserved() const;
  /// How often it looked at a connection or a request to see what may be asked or sent, so far.
  [[nodiscard]] std::uint64_t looks() const;
  /// Asserts what must always hold. Tests call it after every step.
  void check_invariants() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace kith::transfer
