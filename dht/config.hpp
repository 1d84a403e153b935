// How a DHT node is set up.
#pragma once

#include <cstdint>

#include "proto/ids.hpp"

namespace kith::dht {

struct Config {
  NodeId self;
  /// Swarm: datagrams are sealed, every node is a member, several may share an address. Otherwise
  /// the public network, with its rules of diversity.
  bool swarm_mode = true;
  /// What announcements name; 0: nothing is announced.
  std::uint16_t tcp_port = 0;
};

}  // namespace kith::dht
