// Joins in progress, from the joiner's side (joins.hpp): dialling, the answer, the roster, the end.
#include <algorithm>

#include "node/engine/engine.hpp"
#include "proto/crypto/beacon.hpp"
#include "proto/limits.hpp"
#include "proto/text.hpp"

namespace kith::node {
namespace {

using namespace std::chrono_literals;

constexpr Duration kRetry = 1s;
constexpr Duration kRetryWaiting = 5s;  // the device waited for may come back
constexpr Duration kRetryWrong = 10s;
constexpr Duration kBeaconEvery = 1s;

}  // namespace

void Engine::begin_join(Turn& turn, RequestId request, const Join& command) {
  Swarm* member = swarms_.find(command.invite.swarm);
  if (member != nullptr && member->role) {
    return turn.done(request, Joined{named_view(*member), true});
  }
  // An invite says when it ends; asking whoever made it would only tell the same.
  auto join = std::make_unique<PendingJoin>();
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
    if (take_answers(turn, join)) continue;
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
    for (PendingJoin::Try& attempt : join.tries) {
      if (!attempt.dialling && turn.now.mono >= attempt.next) dial_join(turn, join, attempt);
    }
  }
}

// What was given so far by those who say that we are in. True: the join is done.
bool Engine::take_answers(Turn& turn, PendingJoin& join) {
  std::vector<std::pair<ConnId, std::string>> wrong;
  std::optional<ConnId> whole;
  for (auto& [id, answer] : join.answers) {
    Connection* conn = find(id);
    auto good = answer.take_some();
    if (good && !answer.incoming.empty()) continue;
    if (good && conn->pull.again) {
      ask_for_ops(*conn, answer.roster);
      continue;
    }
    if (good && !answer.all_sent) continue;
    if (good) good = answer.check(swarms_.self());
    if (good) whole = id;
    if (!good) wrong.emplace_back(id, "its answer is wrong: " + to_string(good.error()));
  }
  for (const auto& [id, why] : wrong) end_attempt(turn, join, *find(id), why, kRetryWrong);
  if (!whole) return false;
  finish_join(turn, join, *whole);
  return true;
}

// One address of several: the others may still lead to who can let us in.
void Engine::end_attempt(Turn& turn, PendingJoin& join, const Connection& conn,
                         const std::string& why, Duration retry) {
  const Endpoint remote = conn.remote;
  drop(turn, conn.id, why);
  if (PendingJoin::Try* attempt = join.find(remote)) attempt->next = turn.now.mono + retry;
}

void Engine::join_failed(Turn& turn, std::uint64_t number, Error error) {
  const auto it = joins_.find(number);
  if (it == joins_.end()) return;
  turn.fail(it->second->request, std::move(error));
  end_join(turn, number, "the join has ended");
}

void Engine::end_join(Turn& turn, std::uint64_t number, const std::string& why) {
  joins_.erase(number);
  std::vector<ConnId> ids;
  for (const auto& [id, conn] : connections_) {
    if (!conn->incoming && conn->join == number) ids.push_back(id);
  }
  for (const ConnId id : ids) close(turn, id, why);
}

void Engine::finish_join(Turn& turn, PendingJoin& join, ConnId from) {
  JoinAnswer answer = std::move(join.answers.at(from));
  const RequestId request = join.request;
  const Endpoint remote = find(from)->remote;
  end_join(turn, join.number, "joined");
  Swarm* swarm = swarms_.adopt(turn, std::move(answer.roster), answer.secrets);
  discovery_.add_swarm(turn, *swarm);
  discovery_.add_address(turn, swarm->id, remote, answer.from, FoundBy::kInvite);
  // Saved at once: a join without a node ends here, and the next command knows nobody else.
  discovery_.succeeded(turn, swarm->id, remote, answer.from);
  turn.done_when_saved(request, Joined{named_view(*swarm), false}, swarm->id);
  turn.event("joined", swarm->name, swarm->id.hex());
}

// An operation of the roster of whoever said that we are in.
Result<void> Engine::on_joiners_ops(Connection& conn, RosterOpsFrame frame) {
  const auto join = joins_.find(conn.join);
  if (conn.incoming || join == joins_.end()) return {};
  const auto it = join->second->answers.find(conn.id);
  if (it == join->second->answers.end()) return {};
  JoinAnswer& answer = it->second;
  if (!answer.incoming.empty()) {
    return peer_error(Errc::kLimit, "roster operations that nobody asked for");
  }
  answer.all_sent = !frame.more;
  for (Buffer& op : frame.ops) answer.incoming.push_back(std::move(op));
  return {};
}

Result<void> Engine::on_join_answer(Turn& turn, Connection& conn, Bytes body) {
  KITH_TRY(const JoinAnswerFrame frame, JoinAnswerFrame::decode(body));
  const auto it = joins_.find(conn.join);
  if (conn.incoming || it == joins_.end()) return {};
  PendingJoin& join = *it->second;
  switch (frame.state) {
    case JoinAnswerFrame::State::kIn: {
      KITH_TRY(JoinSecrets secrets, open_join_secrets(config_.keys, frame.secrets));
      join.answers.try_emplace(
          conn.id,
          JoinAnswer{conn.device, std::move(secrets), Roster(join.invite.swarm), {}, false});
      break;
    }
    case JoinAnswerFrame::State::kWaiting: {
      const std::string whom = frame.waiting_for->hex().substr(0, 8);
      turn.progress(join.request,
                    JoinProgress{"waiting for device " + whom + ", which made the invite"});
      end_attempt(turn, join, conn,
                  "a member answers, which waits for the device that made the invite",
                  kRetryWaiting);
      break;
    }
    case JoinAnswerFrame::State::kRefused:
      // Any member can refuse; who made the invite knows.
      if (conn.device == join.invite.issuer) {
        join_failed(turn, join.number,
                    local_error(Errc::kRefused, "the swarm refused: " + escape(frame.reason), {},
                                "ask for a new invite"));
      } else {
        end_attempt(turn, join, conn, "a member refuses: " + escape(frame.reason), kRetryWrong);
      }
      break;
  }
  return {};
}

void Engine::join_connection_ended(Turn& turn, const Connection& conn, const std::string& why) {
  const auto it = joins_.find(conn.join);
  if (it == joins_.end()) return;
  PendingJoin& join = *it->second;
  join.answers.erase(conn.id);
  if (PendingJoin::Try* attempt = join.find(conn.remote)) {
    attempt->dialling = false;
    attempt->next = turn.now.mono + kRetry;
    const bool silent = conn.state == Connection::State::kHandshake;
    attempt->result = silent ? "somebody listens there but does not answer this invite" : why;
  }
}

}  // namespace kith::node
