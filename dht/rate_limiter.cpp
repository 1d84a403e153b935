#include "dht/rate_limiter.hpp"

#include <algorithm>

#include "proto/limits.hpp"

namespace kith::dht {

// full_at_ is when the bucket would be full again; each token taken moves it by one interval.
bool TokenBucket::take(TimePoint now) {
  const TimePoint after = (full_at_ ? std::max(*full_at_, now) : now) + interval_;
  if (after - now > span_) return false;
  full_at_ = after;
  return true;
}

bool RateLimiter::allow(TimePoint now, const Endpoint& source) {
  const Endpoint key = per_port_ ? source : source.with_port(0);
  auto it = buckets_.find(key);
  if (it == buckets_.end()) {
    if (buckets_.size() >= limits::kRateEntries) forget_idle(now);
    if (buckets_.size() >= limits::kRateEntries) return others_.take(now);
    it = buckets_.emplace(key, TokenBucket(interval_, burst_)).first;
  }
  return it->second.take(now);
}

/// At most once a second: a flood of sources must not make every datagram walk the table.
void RateLimiter::forget_idle(TimePoint now) {
  if (swept_ && now - *swept_ < std::chrono::seconds(1)) return;
  swept_ = now;
  std::erase_if(buckets_, [&](const auto& item) { return item.second.is_full(now); });
}

}  // namespace kith::dht
