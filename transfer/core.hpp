// What the two halves of the transfer core share. Owned by the Manager.
#pragma once

#include <map>
#include <utility>
#include <vector>

#include "proto/rng.hpp"
#include "transfer/ban_list.hpp"
#include "transfer/manager.hpp"
#include "transfer/peer_session.hpp"
#include "transfer/share_swarm.hpp"
#include "transfer/speed_limits.hpp"

namespace kith::transfer {

struct Core {
  Config config;
  Rng& rng;
  std::map<ShareId, ShareSwarm> shares{};
  std::map<ConnId, PeerSession> sessions{};
  BanList bans{};
  SpeedLimits limits{};
  /// Connections to be closed when the running call ends: closing takes sessions away, which nobody
  /// may do under a loop over them.
  std::vector<std::pair<ConnId, Error>> closing{};
  /// Looks at a connection, and at a request in flight, to see whether something may be asked of it
  /// or sent to it: what tests hold against the number of calls.
  std::uint64_t looks = 0;

  [[nodiscard]] ShareSwarm* share(const ShareId& id) {
    const auto it = shares.find(id);
    return it == shares.end() ? nullptr : &it->second;
  }
  [[nodiscard]] PeerSession* session(ConnId conn) {
    const auto it = sessions.find(conn);
    return it == sessions.end() ? nullptr : &it->second;
  }
  /// With the end of the running call.
  void close(ConnId conn, Error why) { closing.emplace_back(conn, std::move(why)); }
};

/// Queues a control frame.
template <class Frame>
void send(Outbox& out, ConnId to, const Frame& frame) {
  out.frames.push_back({to, frame.encode()});
}

}  // namespace kith::transfer
