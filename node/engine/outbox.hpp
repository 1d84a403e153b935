// The single output of the engine: plain values that the runtime (or the simulator) applies after
// the call returned.
#pragma once

#include <vector>

#include "node/engine/catalog_write.hpp"
#include "node/engine/command.hpp"
#include "node/engine/job.hpp"
#include "proto/endpoint.hpp"

namespace kith::node {

struct OutDatagram {
  Endpoint to;
  Buffer bytes;
};
/// A LAN beacon: sent to the multicast group on every interface.
struct OutBeacon {
  Buffer bytes;
};
struct OutConnect {
  ConnId conn{};
  Endpoint to;
};
/// At once, and no handle_closed follows; or (`flush`) after what is queued was written, and it
/// does.
struct OutClose {
  ConnId conn{};
  bool flush = false;
};
enum class LogLevel : std::uint8_t { kDebug, kInfo, kWarning, kError };
struct LogLine {
  LogLevel level{};
  std::string text;
};

struct Outbox {
  std::vector<OutDatagram> datagrams;
  std::vector<OutBeacon> beacons;
  std::vector<OutConnect> connects;
  std::vector<ConnId> writable;  // have something to write: ask Engine::write_plan
  std::vector<OutClose> closes;
  std::vector<Job> jobs;
  std::vector<CatalogWrite> catalog;
  std::vector<Reply> replies;
  std::vector<NodeEvent> events;
  std::vector<LogLine> log;
};

}  // namespace kith::node
