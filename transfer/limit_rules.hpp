// Limits that the user sets: for everything, for a swarm, for a device, or for a device in a swarm;
// in each direction. A connection obeys all that are about it. On request, peers on the local
// network are exempt from those that name no device.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "proto/ids.hpp"

namespace kith::transfer {

/// Of whom, and how fast: bytes per second; 0: not limited. Without a swarm and a device: of all.
struct LimitRule {
  std::optional<SwarmId> swarm{};
  std::optional<DeviceId> device{};
  std::uint64_t up = 0;
  std::uint64_t down = 0;
  bool operator==(const LimitRule&) const = default;
};
struct LimitRules {
  std::vector<LimitRule> rules;  // each about others
  bool lan_exempt = false;
  bool operator==(const LimitRules&) const = default;
};

}  // namespace kith::transfer
