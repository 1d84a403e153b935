#include "transfer/request_queue.hpp"

#include <algorithm>

#include "proto/assert.hpp"
#include "transfer/timers.hpp"

namespace kith::transfer {

using namespace std::chrono_literals;

namespace {

constexpr std::uint64_t kFirstWindow = 1 * limits::kMiB;
constexpr std::uint64_t kFloorMax = 8 * limits::kMiB;
constexpr std::size_t kLeastWants = 2;
constexpr Duration kLeastAllowance = 1s;
constexpr Duration kFirstAllowance = 5s;  // bytes came, but no whole chunk yet
constexpr Duration kMostAllowance = 24h * 30;
constexpr Duration kLatencyPeriod = 10s;  // how long a least latency is believed
constexpr std::uint64_t kMicros = 1'000'000;

std::uint64_t micros(Duration d) {
  return static_cast<std::uint64_t>(
      std::max<std::int64_t>(std::chrono::duration_cast<std::chrono::microseconds>(d).count(), 0));
}

}  // namespace

Want& RequestQueue::add(TimePoint now, const WantKey& key, const ShareId& share,
                        std::optional<std::uint32_t> expected, std::uint32_t reserved) {
  const auto [it, fresh] = wants_.try_emplace(key);
  KITH_ASSERT(fresh);
  Want& want = it->second;
  want.share = share;
  want.reserved = reserved;
  want.asked = now;
  want.deadline = now + allowance();
  want.assembly = ReceiveAssembly(expected, reserved);
  outstanding_ += reserved;
  meter_.busy(now);
  return want;
}

Want* RequestQueue::find(const WantKey& key) {
  const auto it = wants_.find(key);
  return it == wants_.end() ? nullptr : &it->second;
}

void RequestQueue::erase(TimePoint now, const WantKey& key) {
  const auto it = wants_.find(key);
  KITH_ASSERT(it != wants_.end());
  outstanding_ -= it->second.reserved - it->second.assembly.received();
  wants_.erase(it);
  if (wants_.empty()) meter_.idle(now);
}

std::uint64_t RequestQueue::window() const {
  if (!meter_.measured()) return kFirstWindow + 2 * received_;
  const std::uint64_t floor = std::min(meter_.rate() / 5, kFloorMax);
  if (latency_ == Duration::max()) return floor;
  // Latencies beyond two seconds are queues, not distance.
  const std::uint64_t latency = std::min(micros(latency_), 2 * kMicros);
  return 2 * (meter_.rate() * latency / kMicros) + floor;
}

bool RequestQueue::has_room(std::uint64_t cap) const {
  if (slack()) return wants_.empty();
  if (wants_.size() >= limits::kQueuedWantsPerPeer) return false;
  return wants_.size() < kLeastWants || outstanding_ < std::min(window(), cap);
}

bool RequestQueue::is_slow() const { return slack() || window() < 2 * limits::kMiB; }

void RequestQueue::on_first_byte(TimePoint now, const Want& want) {
  const Duration sample = now - want.asked;
  if (now - latency_since_ >= kLatencyPeriod) {
    latency_since_ = now;
    latency_ = next_latency_;
    next_latency_ = Duration::max();
  }
  next_latency_ = std::min(next_latency_, sample);
  latency_ = std::min(latency_, sample);
}

void RequestQueue::on_section(TimePoint now, Want& want, std::uint32_t bytes) {
  outstanding_ -= bytes;
  received_ += bytes;
  meter_.add(now, bytes);
  if (!want.is_void) want.deadline = std::max(want.deadline, now + allowance());
}

void RequestQueue::on_delivered(TimePoint now, const Want& want) {
  const Duration sample = now - want.asked;
  service_ = measured() ? (7 * service_ + sample) / 8 : std::max<Duration>(sample, 1ns);
  missed_ = 0;
}

Duration RequestQueue::allowance() const {
  Duration usual = std::max<Duration>(kLeastAllowance, 4 * service_);
  // Where not a byte ever came, another source is tried soon.
  if (!measured()) usual = received_ == 0 ? kLeastAllowance : kFirstAllowance;
  return std::min<Duration>(usual, kMostAllowance / (1U << missed_)) * (1U << missed_);
}

std::optional<TimePoint> RequestQueue::next_deadline() const {
  std::optional<TimePoint> first;
  for (const auto& [key, want] : wants_) first = earliest(first, want.deadline);
  return first;
}

}  // namespace kith::transfer
