#include "dht/announcer.hpp"

#include <algorithm>

#include "proto/assert.hpp"
#include "proto/limits.hpp"

namespace kith::dht {

using namespace std::chrono_literals;

namespace {

/// Contacts come in crowds when a node joins; one announcement serves them all.
constexpr Duration kSettle = 2s;
/// One begins in this time, after a burst of as many as may run at once.
constexpr Duration kInterval = 50ms;
constexpr Duration kBurst = kInterval * (limits::kAnnouncingMax - 1);

}  // namespace

void Announcer::add(TimePoint now, const InfoHash& info_hash) {
  if (items_.contains(info_hash) || items_.size() >= limits::kAnnouncementsMax) return;
  Item item;
  item.due = now;
  items_.emplace(info_hash, item);
  due_.emplace(now, info_hash);
}

void Announcer::remove(const InfoHash& info_hash) {
  const auto it = items_.find(info_hash);
  if (it == items_.end()) return;
  if (it->second.running) --running_;
  due_.erase({it->second.due, info_hash});
  items_.erase(it);
}

void Announcer::set_due(const InfoHash& info_hash, Item& item, TimePoint due) {
  due_.erase({item.due, info_hash});
  item.due = due;
  due_.emplace(due, info_hash);
}

std::optional<InfoHash> Announcer::take_due(TimePoint now) {
  const auto at = next();
  if (!at || *at > now) return std::nullopt;
  ready_ = std::max(ready_, now - kBurst) + kInterval;
  const InfoHash info_hash = due_.begin()->second;
  due_.erase(due_.begin());
  items_.at(info_hash).running = true;
  ++running_;
  return info_hash;
}

void Announcer::on_done(TimePoint now, const InfoHash& info_hash,
                        const std::vector<Lookup::Responder>& stored) {
  const auto it = items_.find(info_hash);
  if (it == items_.end() || !it->second.running) return;
  Item& item = it->second;
  item.running = false;
  --running_;
  item.last = now;
  item.farthest.reset();
  if (stored.size() >= limits::kBucketSize) item.farthest = stored.back().node.id;
  Duration pause = stored.empty() ? Duration(limits::kAnnounceRetry) : limits::kAnnounceEvery;
  if (item.again) pause = limits::kAnnounceGap;
  item.again = false;
  set_due(info_hash, item, now + pause);
}

void Announcer::on_contact(TimePoint now, const NodeId& id) {
  for (auto& [info_hash, item] : items_) {
    if (item.farthest && !closer(id, *item.farthest, info_hash)) continue;
    if (item.running) {
      item.again = true;
      continue;
    }
    const TimePoint earliest = item.last ? *item.last + limits::kAnnounceGap : now;
    const TimePoint soon = std::max(now + kSettle, earliest);
    if (soon < item.due) set_due(info_hash, item, soon);
  }
}

void Announcer::restart() {
  for (auto& [info_hash, item] : items_) {
    if (item.running) {
      item.again = true;
    } else {
      set_due(info_hash, item, TimePoint{});
    }
  }
}

std::optional<TimePoint> Announcer::next() const {
  if (due_.empty() || running_ >= limits::kAnnouncingMax) return std::nullopt;
  return std::max(due_.begin()->first, ready_);
}

void Announcer::check_invariants() const {
  std::size_t running = 0;
  for (const auto& [info_hash, item] : items_) {
    running += item.running ? 1 : 0;
    KITH_ASSERT(due_.contains({item.due, info_hash}) == !item.running);
  }
  KITH_ASSERT(running == running_ && due_.size() + running == items_.size());
}

}  // namespace kith::dht
