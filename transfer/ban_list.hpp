// Which devices sent chunks whose records opened and whose hash was wrong. A device is banned by
// the third within an hour, or by the same one twice (docs/protocol.md, "Blame"). Bans last as long
// as the process; both maps are bounded, the oldest entry goes.
#pragma once

#include <map>
#include <set>
#include <vector>

#include "proto/ids.hpp"
#include "proto/time.hpp"

namespace kith::transfer {

class BanList {
 public:
  /// Records one bad chunk. True if the device is banned by it (and was not before).
  [[nodiscard]] bool report(TimePoint now, const DeviceId& device, const ShareId& share,
                            ChunkIndex index);
  /// Whether it is banned.
  [[nodiscard]] bool contains(const DeviceId& device) const { return banned_.contains(device); }

  /// Devices on record, banned or not.
  [[nodiscard]] std::size_t size() const { return records_.size() + banned_.size(); }

 private:
  struct Strike {
    TimePoint at;
    ShareId share;
    ChunkIndex index;
  };
  void ban(const DeviceId& device);
  void make_room();

  std::map<DeviceId, std::vector<Strike>> records_;
  std::set<DeviceId> banned_;
  std::vector<DeviceId> banned_order_;  // oldest first
};

}  // namespace kith::transfer
