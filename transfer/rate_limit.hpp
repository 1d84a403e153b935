// A token bucket: `rate` a second on average, with bursts of up to a tenth of a second, or as
// given. Whoever may go at all may go into debt by one section or chunk and then waits until the
// debt is paid, so a limit below the size of a chunk still lets chunks pass.
#pragma once

#include <algorithm>
#include <cstdint>
#include <utility>

#include "proto/time.hpp"

namespace kith::transfer {

class RateLimit {
 public:
  /// Bytes per second; 0: no limit.
  explicit RateLimit(std::uint64_t rate = 0, std::int64_t burst = 0)
      : rate_(clamped(rate)), burst_(burst) {}

  /// Bytes per second; 0: none, and what was owed is forgotten. A debt is never paid off later than
  /// it would have been: what was spent at a high rate need not be earned at a low one.
  void set_rate(std::uint64_t rate) {
    const std::int64_t before = std::exchange(rate_, clamped(rate));
    if (rate_ == 0) {
      tokens_ = 0;
      started_ = false;
    } else if (tokens_ < 0 && rate_ < before) {
      tokens_ = tokens_ * rate_ / before;
    } else {
      tokens_ = std::min(tokens_, burst());
    }
  }
  [[nodiscard]] std::uint64_t rate() const { return static_cast<std::uint64_t>(rate_); }

  /// Whether something may go now, however much.
  [[nodiscard]] bool allows(TimePoint now) {
    if (rate_ == 0) return true;
    refill(now);
    return tokens_ > 0;
  }
  /// Takes off what goes; the bucket may go into debt.
  void spend(std::uint64_t bytes) {
    if (rate_ != 0) tokens_ -= static_cast<std::int64_t>(bytes);
  }
  /// Gives back what was spent and did not go.
  void refund(std::uint64_t bytes) {
    if (rate_ != 0) tokens_ = std::min(tokens_ + static_cast<std::int64_t>(bytes), burst());
  }
  /// When allows() turns true, if nothing is spent until then. Only after allows() was false.
  [[nodiscard]] TimePoint ready_at() const {
    const std::int64_t missing = std::max<std::int64_t>(1 - tokens_, 0);
    const std::int64_t seconds = missing / rate_;
    const std::int64_t rest = (missing % rate_) * kNanos / rate_ + 1;
    return last_ + std::chrono::seconds(seconds) + std::chrono::nanoseconds(rest);
  }

 private:
  static constexpr std::int64_t kNanos = 1'000'000'000;
  // Above 8 GB/s a limit is none; below it (missing % rate) * 1e9 fits 63 bits.
  static constexpr std::uint64_t kRateMax = 8'000'000'000;
  static std::int64_t clamped(std::uint64_t rate) {
    return rate > kRateMax ? 0 : static_cast<std::int64_t>(rate);
  }
  [[nodiscard]] std::int64_t burst() const {
    return burst_ > 0 ? burst_ : std::max<std::int64_t>(rate_ / 10, 1);
  }

  void refill(TimePoint now) {
    if (!started_) {
      started_ = true;
      last_ = now;
      tokens_ += burst();
      return;
    }
    const std::int64_t nanos = (now - last_).count();
    if (nanos <= 0) return;
    if (nanos >= kNanos) {
      // Long pauses pay debts by whole seconds first, so that nothing overflows.
      const std::int64_t seconds = std::min<std::int64_t>(nanos / kNanos, 1'000'000);
      tokens_ = std::min(tokens_ + seconds * rate_, burst());
      last_ += std::chrono::seconds(nanos / kNanos);
      return refill(now);
    }
    const std::int64_t gained = nanos * rate_ / kNanos;
    if (gained == 0) return;  // keep the fraction for the next call
    tokens_ = std::min(tokens_ + gained, burst());
    last_ += std::chrono::nanoseconds(gained * kNanos / rate_);
  }

  std::int64_t rate_;
  std::int64_t burst_;
  std::int64_t tokens_ = 0;
  TimePoint last_{};
  bool started_ = false;
};

}  // namespace kith::transfer
