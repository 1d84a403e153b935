#include "dht/record_store.hpp"

#include <algorithm>

#include "dht/metric.hpp"
#include "proto/assert.hpp"
#include "proto/limits.hpp"

namespace kith::dht {

bool RecordStore::add(TimePoint now, const InfoHash& info_hash, const Endpoint& provider) {
  auto it = records_.find(info_hash);
  if (it == records_.end()) {
    if (!make_room(now, info_hash)) return false;
    it = records_.try_emplace(info_hash).first;
  }
  Record& record = it->second;
  total_ -= std::erase_if(record, [&](const Provider& p) { return p.endpoint == provider; });
  drop_surplus(record, provider);
  record.push_back({provider, now + limits::kRecordLife});
  ++total_;
  return true;
}

/// Makes room for one more provider of `record`, oldest first.
void RecordStore::drop_surplus(Record& record, const Endpoint& provider) {
  const auto same_address = [&](const Provider& p) {
    return equal(p.endpoint.address(), provider.address());
  };
  const auto there = std::count_if(record.begin(), record.end(), same_address);
  if (static_cast<std::size_t>(there) >= per_address_) {
    record.erase(std::find_if(record.begin(), record.end(), same_address));
    --total_;
  }
  // Where the store is full, a record with somebody in it grows no more (make_room saw to others).
  if (record.size() >= limits::kPeersPerRecord || total_ >= limits::kProvidersTotal) {
    record.erase(record.begin());
    --total_;
  }
}

bool RecordStore::make_room(TimePoint now, const InfoHash& info_hash) {
  const auto full = [&] {
    return records_.size() >= limits::kRecords || total_ >= limits::kProvidersTotal;
  };
  if (full()) expire(now);
  while (full()) {
    const auto farthest = std::max_element(
        records_.begin(), records_.end(),
        [&](const auto& a, const auto& b) { return closer(a.first, b.first, self_); });
    if (closer(farthest->first, info_hash, self_)) return false;
    drop(farthest);
  }
  return true;
}

void RecordStore::drop(Records::iterator it) {
  total_ -= it->second.size();
  records_.erase(it);
}

std::vector<Endpoint> RecordStore::pick(TimePoint now, const InfoHash& info_hash, std::size_t count,
                                        Rng& rng) const {
  std::vector<Endpoint> out;
  const auto it = records_.find(info_hash);
  if (it == records_.end()) return out;
  for (const Provider& provider : it->second) {
    if (provider.expires > now) out.push_back(provider.endpoint);
  }
  rng.shuffle(std::span(out));
  if (out.size() > count) out.resize(count);
  return out;
}

void RecordStore::expire(TimePoint now) {
  for (auto it = records_.begin(); it != records_.end();) {
    total_ -= std::erase_if(it->second, [&](const Provider& p) { return p.expires <= now; });
    it = it->second.empty() ? records_.erase(it) : std::next(it);
  }
}

void RecordStore::check_invariants() const {
  KITH_ASSERT(records_.size() <= limits::kRecords);
  std::size_t total = 0;
  for (const auto& [info_hash, record] : records_) {
    KITH_ASSERT(!record.empty() && record.size() <= limits::kPeersPerRecord);
    for (std::size_t i = 0; i + 1 < record.size(); ++i) {
      KITH_ASSERT(record[i].expires <= record[i + 1].expires);
    }
    total += record.size();
  }
  KITH_ASSERT(total == total_ && total <= limits::kProvidersTotal);
}

}  // namespace kith::dht
