// Joining swarms, from the joiner's side: dial the addresses of the invite under its psk, ask, take
// the secrets and the roster, and accept only a roster that hashes from the swarm id and holds us.
#pragma once

#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "node/engine/command.hpp"
#include "node/engine/turn.hpp"
#include "proto/swarm/roster.hpp"
#include "proto/swarm/secrets.hpp"
#include "proto/wire/frames.hpp"

namespace kith::node {

/// What one device that said that we are in has given. Nothing of it is mixed with what another
/// gives: any member, also one that has no right to, can answer an invite.
struct JoinAnswer {
  DeviceId from;
  JoinSecrets secrets;
  Roster roster;
  std::deque<Buffer> incoming;  // of one frame at most
  bool all_sent = false;

  /// Takes up some of what came. Error: it gives what does not belong into the roster.
  [[nodiscard]] Result<void> take_some();
  /// Of a roster that came whole: it holds `self`, and whoever gave it and the secrets is an admin
  /// there. A mirror may not choose our G.
  [[nodiscard]] Result<void> check(const DeviceId& self) const;
};

struct PendingJoin {
  std::uint64_t number = 0;
  RequestId request{};
  Invite invite;
  std::string device_name;
  TimePoint give_up{};
  TimePoint next_beacon{};
  struct Try {
    Endpoint endpoint;
    TimePoint next{};
    bool dialling = false;
    std::string result;  // what came of it, for the message
  };
  std::vector<Try> tries;
  std::map<ConnId, JoinAnswer> answers;

  /// One more to try, at once, unless it is known, unusable, or one too many.
  void add_address(TimePoint now, const Endpoint& endpoint);
  /// Nullptr: not one of those to try.
  Try* find(const Endpoint& endpoint);
  /// "tried 192.0.2.1:5484: cannot connect: Connection refused; …"
  [[nodiscard]] std::string what_was_tried() const;
};

/// The request of a joiner.
[[nodiscard]] JoinFrame make_join_frame(const PendingJoin& join, const DeviceKeys& keys);

}  // namespace kith::node
