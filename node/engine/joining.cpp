// Joins in progress, from the joiner's side (joins.hpp): dialling, the answer, the roster, the end.
#include <algorithm>

#include "node/engine/engine.hpp"
#include "proto/crypto/beacon.hpp"
#include "proto/limits.hpp"

namespace kith::node {
namespace {

using namespace std::chrono_literals;

constexpr Duration kRetry = 1s;
constexpr Duration kBeaconEvery = 1s;

}  // namespace

void Engine::begin_join(Turn& turn, RequestId request, const Join& command) {
  Swarm* member = swarms_.find(command.invite.swarm);
  if (member != nullptr && member->role) {
    return turn.done(request, Joined{named_view(*member), true});
  }
  // An invite says when it ends; asking whoever made it would only tell the same.
  auto join = std::make_unique<PendingJoin>(command.invite.swarm);
  join->number = next_join_++;
  join->request = request;
  join->invite = command.invite;
  join->device_name = command.device_name.empty() ? config_.device_name : command.device_name;
  join->give_up = turn.now.mono + command.patience;
  join->next_beacon = turn.now.mono;
  for (const Endpoint& hint : command.invite.hints) join->add_address(turn.now.mono, hint);
  for (const Endpoint& endpoint : config_.bootstrap) join->add_address(turn.now.mono, endpoint);
  joins_[join->number] = std::move(join);
  watch_joins(turn);
}

void Engine::watch_joins(Turn& turn) {
  std::vector<std::uint64_t> numbers;
  for (const auto& [number, join] : joins_) numbers.push_back(number);
  for (const std::uint64_t number : numbers) {
    PendingJoin& join = *joins_.at(number);
    if (!join.incoming.empty()) {
      for (std::size_t i = 0; i < limits::kReducePerTurn && !join.incoming.empty(); ++i) {
        // What is not a part of this swarm's roster is refused by the roster itself.
        if (const auto added = join.roster.add(join.incoming.front()); !added) {
          turn.log(LogLevel::kWarning, "joining: " + to_string(added.error()));
        }
        join.incoming.pop_front();
      }
    }
    Connection* from = join.conn ? find(*join.conn) : nullptr;
    if (from != nullptr && from->pull.again && join.incoming.empty()) {
      ask_for_ops(*from, join.roster);
    }
    if (join.secrets && join.all_sent && join.incoming.empty()) {
      finish_join(turn, join);
      continue;
    }
    if (turn.now.mono >= join.give_up) {
      join_failed(
          turn, number,
          local_error(Errc::kTimeout, "nobody answered the invite: " + join.what_was_tried(), {},
                      "is the device that made it running, and reachable from here?"));
      continue;
    }
    if (config_.lan && discovery_.port() != 0 && turn.now.mono >= join.next_beacon) {
      join.next_beacon = turn.now.mono + kBeaconEvery;
      const Secret key = invite_beacon(invite_j(join.invite.seed));
      turn.out.beacons.push_back(
          {seal_beacon(key, config_.keys.sign, discovery_.port(), turn.now.wall, rng_)});
    }
    if (join.conn) continue;
    for (PendingJoin::Try& attempt : join.tries) {
      if (!attempt.dialling && turn.now.mono >= attempt.next) dial_join(turn, join, attempt);
    }
  }
}

void Engine::join_failed(Turn& turn, std::uint64_t number, Error error) {
  const auto it = joins_.find(number);
  if (it == joins_.end()) return;
  turn.fail(it->second->request, std::move(error));
  joins_.erase(it);
  std::vector<ConnId> ids;
  for (const auto& [id, conn] : connections_) {
    if (!conn->incoming && conn->join == number) ids.push_back(id);
  }
  for (const ConnId id : ids) close(turn, id, "the join has ended");
}

void Engine::finish_join(Turn& turn, PendingJoin& join) {
  const std::uint64_t number = join.number;
  const bool holds_us = !join.roster.empty() && join.roster.state().find(swarms_.self()) != nullptr;
  if (!holds_us) {
    return join_failed(turn, number,
                       local_error(Errc::kVerification,
                                   "the answer came with a roster that does not hold this device",
                                   {}, "ask for a new invite"));
  }
  const RequestId request = join.request;
  const Connection* conn = join.conn ? find(*join.conn) : nullptr;
  const std::optional<Endpoint> remote = conn ? std::optional(conn->remote) : std::nullopt;
  const std::optional<DeviceId> device = conn ? std::optional(conn->device) : std::nullopt;
  const Secret group = join.secrets->group;
  Swarm* swarm = swarms_.adopt(turn, std::move(join.roster), group);
  swarm->secrets.learn(swarm->epoch, join.secrets->epoch);
  if (!swarm->network && join.secrets->epoch.network) {
    swarm->network.emplace(*join.secrets->epoch.network);
  }
  joins_.erase(number);
  discovery_.add_swarm(turn, *swarm);
  if (remote) {
    discovery_.add_address(turn, swarm->id, *remote, device, FoundBy::kInvite);
    // Saved at once: a join without a node ends here, and the next command knows nobody else.
    discovery_.succeeded(turn, swarm->id, *remote, *device);
    close(turn, conn->id, "joined");
  }
  turn.done(request, Joined{named_view(*swarm), false});
  turn.event("joined", swarm->name, swarm->id.hex());
}

void Engine::join_connection_ended(Turn& turn, const Connection& conn, const std::string& why) {
  const auto it = joins_.find(conn.join);
  if (it == joins_.end()) return;
  PendingJoin& join = *it->second;
  if (join.conn == conn.id) {
    join.conn.reset();
    join.secrets.reset();
    join.all_sent = false;
    join.incoming.clear();
    join.roster = Roster(join.invite.swarm);
  }
  if (PendingJoin::Try* attempt = join.find(conn.remote)) {
    attempt->dialling = false;
    attempt->next = turn.now.mono + kRetry;
    const bool silent = conn.state == Connection::State::kHandshake;
    attempt->result = silent ? "somebody listens there but does not answer this invite" : why;
  }
}

}  // namespace kith::node
