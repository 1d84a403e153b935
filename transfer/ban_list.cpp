#include "transfer/ban_list.hpp"

#include <algorithm>

#include "proto/limits.hpp"

namespace kith::transfer {

using namespace std::chrono_literals;

bool BanList::report(TimePoint now, const DeviceId& device, const ShareId& share,
                     ChunkIndex index) {
  if (banned_.contains(device)) return false;
  make_room();
  auto& strikes = records_[device];
  const bool repeated = std::any_of(strikes.begin(), strikes.end(), [&](const Strike& s) {
    return s.share == share && s.index == index;
  });
  strikes.push_back({now, share, index});
  const auto recent = std::count_if(strikes.begin(), strikes.end(), [now](const Strike& s) {
    return now - s.at < limits::kBadChunkWindow;
  });
  if (repeated || static_cast<std::size_t>(recent) >= limits::kBadChunksToBan) {
    records_.erase(device);
    ban(device);
    return true;
  }
  // Old strikes stay only to recognise the same chunk again.
  if (strikes.size() > limits::kStrikesKept) strikes.erase(strikes.begin());
  return false;
}

void BanList::ban(const DeviceId& device) {
  if (banned_order_.size() >= limits::kBanEntries) {
    banned_.erase(banned_order_.front());
    banned_order_.erase(banned_order_.begin());
  }
  banned_.insert(device);
  banned_order_.push_back(device);
}

void BanList::make_room() {
  if (records_.size() < limits::kBanEntries) return;
  const auto oldest = std::min_element(
      records_.begin(), records_.end(),
      [](const auto& a, const auto& b) { return a.second.back().at < b.second.back().at; });
  records_.erase(oldest);
}

}  // namespace kith::transfer
