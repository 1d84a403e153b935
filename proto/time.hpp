// Time in the cores is an argument. CoreClock has no now(): a core cannot read a clock by accident.
#pragma once

#include <chrono>
#include <cstdint>

namespace kith {

struct CoreClock {
  using duration = std::chrono::nanoseconds;
  using rep = duration::rep;
  using period = duration::period;
  using time_point = std::chrono::time_point<CoreClock>;
  static constexpr bool is_steady = true;
};

using Duration = CoreClock::duration;
/// A point of monotonic time. Deadlines, intervals and rates use only this.
using TimePoint = CoreClock::time_point;

/// Wall-clock time in milliseconds since 1970, UTC. Read for four things only: freshness of first
/// messages and datagrams, rendezvous, expiry of an invite at its redeemer, and display.
enum class UnixMillis : std::int64_t {};

/// Milliseconds since 1970, UTC.
[[nodiscard]] constexpr std::int64_t count(UnixMillis t) { return static_cast<std::int64_t>(t); }

/// Both clocks, read once per batch by whoever drives a core.
struct Now {
  TimePoint mono;
  UnixMillis wall{};
};

}  // namespace kith
