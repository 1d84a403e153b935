// Measures what a connection carries, in bytes per second, from bytes and the time in which there
// was something to carry. Idle time does not count, so a peer that is asked for little is not taken
// for a slow one. Integer arithmetic; deterministic.
#pragma once

#include <algorithm>
#include <cstdint>

#include "proto/time.hpp"

namespace kith::transfer {

class RateMeter {
 public:
  /// From now on there is something to carry. Without effect while busy.
  void busy(TimePoint now) {
    if (!busy_) since_ = now;
    busy_ = true;
  }
  /// Nothing is left to carry.
  void idle(TimePoint now) {
    settle(now);
    busy_ = false;
  }
  /// `bytes` were carried since the last call.
  void add(TimePoint now, std::uint64_t bytes) {
    bytes_ += bytes;
    settle(now);
  }
  /// Bytes per second; 0 until measured.
  [[nodiscard]] std::uint64_t rate() const { return rate_; }
  [[nodiscard]] bool measured() const { return measured_; }

 private:
  static constexpr Duration kWindow = std::chrono::milliseconds(20);
  static constexpr std::uint64_t kRateMax = 1'000'000'000'000;

  void settle(TimePoint now) {
    if (busy_ && now > since_) {
      time_ += now - since_;
      since_ = now;
    }
    if (time_ < kWindow || bytes_ == 0) return;
    const auto micros = static_cast<std::uint64_t>(
        std::chrono::duration_cast<std::chrono::microseconds>(time_).count());
    const std::uint64_t sample = std::min(bytes_ * 1'000'000 / micros, kRateMax);
    // A rise is believed at once, a fall by quarters: a pipeline too short keeps a rate low.
    rate_ = !measured_ || sample > rate_ ? sample : (3 * rate_ + sample) / 4;
    measured_ = true;
    bytes_ = 0;
    time_ = Duration{0};
  }

  std::uint64_t rate_ = 0;
  std::uint64_t bytes_ = 0;
  Duration time_{0};
  TimePoint since_{};
  bool busy_ = false;
  bool measured_ = false;
};

}  // namespace kith::transfer
