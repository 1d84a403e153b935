// One connection: which shares each side watches at the other, what was asked of the peer and what
// the peer asked for. The two directions are apart: `ask` is driven by Download, `serve` by Upload.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <vector>

#include "proto/ids.hpp"
#include "proto/limits.hpp"
#include "proto/time.hpp"
#include "transfer/rate_limit.hpp"
#include "transfer/rate_meter.hpp"
#include "transfer/request_queue.hpp"

namespace kith::transfer {

/// A section that was announced and whose records are being read.
struct OpenSection {
  WantKey key;
  ReceivedSection section;
};

/// This side asks. Handles are numbered up and never used again on the connection, so that a late
/// frame for a retired one is told from a wrong one.
struct AskSide {
  Handle next_handle = 0;
  std::map<Handle, ShareId> watches;  // alive, at most limits::kHandlesPerConnection
  Handle next_turn = 0;               // shares of one connection take turns
  RequestQueue requests;
  Duration round_trip{};  // the least measured; 0: not measured
  std::optional<OpenSection> open;
};

/// One chunk that the peer asked for, in the order of asking.
struct QueuedWant {
  Handle handle = 0;  // the peer's
  ChunkIndex index = 0;
  ShareId share;
  std::uint32_t offset = 0;  // sealed up to here
  std::uint32_t size = 0;    // of the chunk; 0 until its first section was sealed
  bool sealing = false;      // its next section is at a job
  bool first_copy = false;   // it is sent as one: in the circle of those
};

/// A have-set that goes out in several frames, as the peer reads.
struct HaveSetCursor {
  Handle handle = 0;
  ShareId share;
  std::size_t next_byte = 0;
};

/// The peer asks.
struct ServeSide {
  std::map<Handle, ShareId> watched;    // at most limits::kHandlesPerConnection
  std::vector<QueuedWant> wants;        // at most limits::kQueuedWantsPerPeer
  std::deque<HaveSetCursor> have_sets;  // at most one per handle
  std::size_t unsent = 0;               // bytes in the connection's send queue
  std::size_t sealing = 0;              // content bytes at jobs
  std::size_t wrote = 0;                // since last_record
  TimePoint last_record;   // when a record's bytes had left, or the queue began to fill
  TimePoint last_first{};  // when the last first copy began, or wants came after there were none
  std::uint64_t starts_then = 0;  // how many chunks this node had begun by then, to all
  TimePoint no_others_until{};    // till then copies are sent as first copies
  RateMeter meter;
  RateLimit bad_reports{limits::kBadReportsPerSecond, limits::kBadReportsBurst};
};

struct PeerSession {
  ConnId conn{};
  DeviceId device;
  SwarmId swarm;
  bool lan = false;  // it is on the local network
  AskSide ask;
  ServeSide serve;
};

}  // namespace kith::transfer
