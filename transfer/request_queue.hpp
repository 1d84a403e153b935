// What was asked of one connection and has not ended, and how much more may be asked.
//
// A want ends by exactly one of: its last section, a refuse, the end of the connection. One that is
// taken back stays here, void, until then, because its bytes may be on their way and its memory is
// spoken for.
//
// Window, in bytes asked and not yet come:
//   2 × rate × latency + min(rate × 200 ms, 8 MiB), at least two chunks; before the first measure
//   1 MiB and twice what came, so that little waits at a connection that turns out to be slow.
//   latency = the least time lately from want to first byte, service included; the second
//   term keeps a loopback full, where latency is less than the jitter of threads.
// A connection that let a deadline pass is *slack*: it gets one chunk at a time until one comes,
// and each time twice as long as before, so that sources of which none delivers in time deliver at
// last.
#pragma once

#include <algorithm>
#include <map>
#include <optional>
#include <utility>

#include "proto/ids.hpp"
#include "proto/limits.hpp"
#include "proto/time.hpp"
#include "transfer/rate_meter.hpp"
#include "transfer/receive_assembly.hpp"

namespace kith::transfer {

struct Want {
  ShareId share;
  std::uint32_t reserved = 0;  // bytes of receive memory
  TimePoint asked;
  TimePoint deadline;
  bool is_void = false;  // taken back
  bool late = false;     // taken back because its deadline passed
  bool moved = false;    // taken back because it is asked for elsewhere, and the picker doubts it
  bool restore = false;  // taken back for slowness: the holder still has it
  bool started = false;  // its first section was announced
  ReceiveAssembly assembly{std::nullopt, 0};
};

/// The handle is the one this side chose for the share.
using WantKey = std::pair<Handle, ChunkIndex>;

class RequestQueue {
 public:
  /// A chunk was asked for. `expected`: its length, where it is known; `reserved`: bytes of memory
  /// for it.
  Want& add(TimePoint now, const WantKey& key, const ShareId& share,
            std::optional<std::uint32_t> expected, std::uint32_t reserved);
  /// Nullptr: not asked for, or ended.
  [[nodiscard]] Want* find(const WantKey& key);
  /// The want ended. It must exist.
  void erase(TimePoint now, const WantKey& key);

  /// Whether one more chunk may be asked for. `cap`: what the budget and the rest of the share
  /// grant.
  [[nodiscard]] bool has_room(std::uint64_t cap) const;
  /// Bytes, as above.
  [[nodiscard]] std::uint64_t window() const;

  /// First bytes of a want were announced.
  void on_first_byte(TimePoint now, const Want& want);
  /// A section came: the want's deadline moves on.
  void on_section(TimePoint now, Want& want, std::uint32_t bytes);
  /// A chunk that was still wanted came whole.
  void on_delivered(TimePoint now, const Want& want);
  /// Deadlines passed, and what was late is asked for elsewhere. Once for all that passed by now.
  void on_missed() { missed_ = std::min(missed_ + 1, kMissesCounted); }

  /// Time that a want may take before it is overdue.
  [[nodiscard]] Duration allowance() const;
  [[nodiscard]] bool measured() const { return service_ != Duration{0}; }
  /// Smoothed time from want to last byte; 0 until measured.
  [[nodiscard]] Duration service_time() const { return service_; }
  /// Bytes per second while busy; 0 until measured.
  [[nodiscard]] std::uint64_t rate() const { return meter_.rate(); }
  /// True if this connection uses no more than the least window: it may not take the last memory.
  [[nodiscard]] bool is_slow() const;
  [[nodiscard]] bool slack() const { return missed_ > 0; }
  /// Wants that have not ended, void ones included.
  [[nodiscard]] std::size_t size() const { return wants_.size(); }
  /// Bytes reserved for wants and not yet come.
  [[nodiscard]] std::uint64_t outstanding() const { return outstanding_; }
  /// The earliest of any want, void ones included.
  [[nodiscard]] std::optional<TimePoint> next_deadline() const;
  [[nodiscard]] std::map<WantKey, Want>& wants() { return wants_; }
  [[nodiscard]] const std::map<WantKey, Want>& wants() const { return wants_; }

 private:
  static constexpr unsigned kMissesCounted = 20;  // 1 s becomes 12 days

  std::map<WantKey, Want> wants_;
  std::uint64_t received_ = 0;
  std::uint64_t outstanding_ = 0;  // bytes reserved for wants and not yet come
  RateMeter meter_;
  Duration service_{0};
  Duration latency_ = Duration::max();       // least of this period and the one before
  Duration next_latency_ = Duration::max();  // least of this period
  TimePoint latency_since_{};
  unsigned missed_ = 0;  // deadlines since a chunk came
};

}  // namespace kith::transfer
