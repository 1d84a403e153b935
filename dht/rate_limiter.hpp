// How many queries of one source are answered: a token bucket each, so that a flood costs little
// and nobody is used to flood a third party. Sources beyond the table's size share one bucket.
#pragma once

#include <cstddef>
#include <map>
#include <optional>

#include "proto/endpoint.hpp"
#include "proto/time.hpp"

namespace kith::dht {

/// Holds up to `burst` tokens, gains one every `interval`. In whole nanoseconds, without drift.
class TokenBucket {
 public:
  TokenBucket(Duration interval, std::size_t burst)
      : interval_(interval), span_(interval * static_cast<std::int64_t>(burst)) {}
  /// Takes a token, if there is one.
  [[nodiscard]] bool take(TimePoint now);
  /// Whether nothing was taken of late: it is as good as new.
  [[nodiscard]] bool is_full(TimePoint now) const { return !full_at_ || *full_at_ <= now; }

 private:
  Duration interval_;
  Duration span_;
  std::optional<TimePoint> full_at_;  // nothing: nobody ever took
};

class RateLimiter {
 public:
  /// `per_port`: sources are endpoints (in a swarm several nodes live at one address), not
  /// addresses.
  RateLimiter(Duration interval, std::size_t burst, bool per_port)
      : interval_(interval), burst_(burst), per_port_(per_port), others_(interval, burst) {}
  /// Whether one more from this source is within its rate; counts it if so. Sources for which there
  /// is no entry left share one bucket.
  [[nodiscard]] bool allow(TimePoint now, const Endpoint& source);
  /// Sources that have a bucket of their own.
  [[nodiscard]] std::size_t size() const { return buckets_.size(); }

 private:
  void forget_idle(TimePoint now);

  Duration interval_;
  std::size_t burst_;
  bool per_port_;
  TokenBucket others_;
  std::map<Endpoint, TokenBucket> buckets_;
  std::optional<TimePoint> swept_;
};

}  // namespace kith::dht
