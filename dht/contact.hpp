// What the routing table knows of a node that has answered.
#pragma once

#include "proto/endpoint.hpp"
#include "proto/ids.hpp"
#include "proto/time.hpp"
#include "proto/wire/krpc.hpp"

namespace kith::dht {

struct Contact {
  NodeId id;
  Endpoint endpoint;
  TimePoint since;          // when it answered first at this endpoint
  TimePoint last_response;  // never in the future
  TimePoint last_check;     // when it was last asked because it was questionable
  Duration rtt{};           // smoothed
  unsigned failures = 0;    // queries without an answer since the last answer

  [[nodiscard]] krpc::Node node() const { return {id, endpoint}; }
  bool operator==(const Contact&) const = default;
};

}  // namespace kith::dht
