// What the DHT wants done: datagrams to send and events to hear of. A plain value; the caller
// applies it after the call returned.
#pragma once

#include <optional>
#include <variant>
#include <vector>

#include "proto/bytes.hpp"
#include "proto/endpoint.hpp"
#include "proto/ids.hpp"

namespace kith::dht {

/// One iterative lookup of this process. Never reused.
enum class LookupId : std::uint64_t {};

/// The first 8 bytes of a node id: what a sealed datagram names sender and receiver by.
using NodePrefix = FixedBytes<8, struct NodePrefixTag>;
/// As sealed datagrams carry it.
[[nodiscard]] inline NodePrefix prefix_of(const NodeId& id) {
  return *NodePrefix::from(id.view().first(NodePrefix::kSize));
}

/// KRPC of at most 1,200 bytes. In swarm mode it is sealed for the first bytes of `node`, or for
/// nobody in particular (to = 0) where `node` is not known: only a ping is sent so.
struct Datagram {
  Endpoint to;
  std::optional<NodeId> node;
  Buffer krpc;
};

/// Providers of a running find_providers, as replies come in. No endpoint is told twice per lookup.
struct ProvidersFound {
  LookupId lookup;
  InfoHash info_hash;
  std::vector<Endpoint> peers;  // TCP
};
/// A find_providers or find_node has ended. No responders: nobody could be asked.
struct LookupDone {
  LookupId lookup;
  InfoHash info_hash;  // or the id looked for
  std::size_t responders;
};
/// A contact answered for the first time, or first at this endpoint.
struct ContactSeen {
  NodeId node;
  Endpoint endpoint;
  std::optional<Endpoint> us;  // the address that it sees us under
};
using Event = std::variant<ProvidersFound, LookupDone, ContactSeen>;

struct Outbox {
  std::vector<Datagram> datagrams;
  std::vector<Event> events;
};

}  // namespace kith::dht
