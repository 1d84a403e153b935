#include "dht/rpc_table.hpp"

#include <algorithm>

#include "proto/assert.hpp"

namespace kith::dht {

void RttEstimate::add(Duration sample) {
  if (!smoothed_) {
    smoothed_ = sample;
    deviation_ = sample / 2;
    return;
  }
  const Duration error = sample > *smoothed_ ? sample - *smoothed_ : *smoothed_ - sample;
  deviation_ = (3 * deviation_ + error) / 4;
  smoothed_ = (7 * *smoothed_ + sample) / 8;
}

Duration RttEstimate::soft_timeout() const {
  if (!smoothed_) return limits::kSoftTimeoutMax;
  return std::clamp<Duration>(*smoothed_ + 4 * deviation_, limits::kSoftTimeoutMin,
                              limits::kSoftTimeoutMax);
}

std::array<std::uint8_t, 4> transaction_bytes(std::uint32_t transaction) {
  std::array<std::uint8_t, 4> out;
  store_be(MutableBytes(out), transaction);
  return out;
}

std::uint32_t RpcTable::new_transaction() {
  for (;;) {
    const auto transaction = static_cast<std::uint32_t>(rng_.next_u64());
    if (!calls_.contains(transaction)) return transaction;
  }
}

void RpcTable::start(TimePoint now, Call call) {
  KITH_ASSERT(!full() && !calls_.contains(call.transaction));
  call.sent = now;
  call.slow = false;
  const TimePoint deadline = now + soft_timeout();
  deadlines_.emplace(deadline, call.transaction);
  ++busy_[call.to];
  const std::uint32_t id = call.transaction;
  calls_.emplace(id, Entry{std::move(call), deadline});
}

Call RpcTable::remove(Entries::iterator it) {
  Call call = std::move(it->second.call);
  deadlines_.erase({it->second.deadline, call.transaction});
  const auto busy = busy_.find(call.to);
  if (--busy->second == 0) busy_.erase(busy);
  calls_.erase(it);
  return call;
}

std::optional<Call> RpcTable::match(TimePoint now, Bytes transaction, const Endpoint& from) {
  if (transaction.size() != sizeof(std::uint32_t)) return std::nullopt;
  const auto it = calls_.find(load_be<std::uint32_t>(transaction));
  if (it == calls_.end() || it->second.call.to != from) return std::nullopt;
  Call call = remove(it);
  const bool sent_twice = call.slow && !call.krpc.empty();
  if (!sent_twice) rtt_.add(now - call.sent);
  return call;
}

RpcTable::Expired RpcTable::expire(TimePoint now) {
  Expired out;
  while (!deadlines_.empty() && deadlines_.begin()->first <= now) {
    const auto it = calls_.find(deadlines_.begin()->second);
    Entry& entry = it->second;
    if (entry.call.slow) {
      out.failed.push_back(remove(it));
      continue;
    }
    deadlines_.erase(deadlines_.begin());
    entry.call.slow = true;
    entry.deadline = entry.call.sent + limits::kHardTimeout;
    deadlines_.emplace(entry.deadline, entry.call.transaction);
    if (entry.deadline > now) out.slow.push_back(entry.call);
  }
  return out;
}

std::optional<TimePoint> RpcTable::next_deadline() const {
  if (deadlines_.empty()) return std::nullopt;
  return deadlines_.begin()->first;
}

std::size_t RpcTable::waiting_of(LookupId lookup) const {
  return static_cast<std::size_t>(
      std::count_if(calls_.begin(), calls_.end(), [&](const auto& item) {
        const Call& call = item.second.call;
        return call.purpose == Purpose::kLookup && call.lookup == lookup;
      }));
}

void RpcTable::check_invariants() const {
  KITH_ASSERT(calls_.size() <= limits::kCallsMax);
  KITH_ASSERT(deadlines_.size() == calls_.size());
  std::map<Endpoint, std::size_t> busy;
  for (const auto& [transaction, entry] : calls_) {
    KITH_ASSERT(entry.call.transaction == transaction);
    KITH_ASSERT(deadlines_.contains({entry.deadline, transaction}));
    ++busy[entry.call.to];
  }
  KITH_ASSERT(busy == busy_);
}

}  // namespace kith::dht
