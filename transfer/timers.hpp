// One timer per key, in order of time. Setting one that is later than what stands changes nothing:
// a key that fires looks for itself what is due and sets the next, so extending a deadline costs
// nothing.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <utility>

#include "proto/time.hpp"

namespace kith::transfer {

template <class Key>
class Timers {
 public:
  /// Fires `key` at `at`, or when it already stands for earlier, then.
  void set(const Key& key, TimePoint at) {
    const auto [it, fresh] = at_.try_emplace(key, at);
    if (!fresh) {
      if (it->second <= at) return;
      order_.erase({it->second, key});
      it->second = at;
    }
    order_.emplace(at, key);
  }
  /// Nothing happens if it has no timer.
  void cancel(const Key& key) {
    const auto it = at_.find(key);
    if (it == at_.end()) return;
    order_.erase({it->second, key});
    at_.erase(it);
  }
  [[nodiscard]] bool contains(const Key& key) const { return at_.contains(key); }
  /// The first key whose time is not after `now`; its timer is gone then.
  [[nodiscard]] std::optional<Key> pop_due(TimePoint now) {
    if (order_.empty() || order_.begin()->first > now) return std::nullopt;
    const Key key = order_.begin()->second;
    cancel(key);
    return key;
  }
  /// The time of the first.
  [[nodiscard]] std::optional<TimePoint> next() const {
    if (order_.empty()) return std::nullopt;
    return order_.begin()->first;
  }

 private:
  std::map<Key, TimePoint> at_;
  std::set<std::pair<TimePoint, Key>> order_;
};

/// The earlier of two times of which each may be absent.
[[nodiscard]] inline std::optional<TimePoint> earliest(std::optional<TimePoint> a,
                                                       std::optional<TimePoint> b) {
  if (!a) return b;
  if (!b) return a;
  return *a < *b ? a : b;
}

}  // namespace kith::transfer
