// What frames mean: one function per frame kind. An error closes the connection with its text.
#include <algorithm>

#include "node/engine/engine.hpp"
#include "proto/limits.hpp"
#include "proto/text.hpp"

namespace kith::node {
namespace {

// Room for the encoding around the operations of one frame.
constexpr std::size_t kOpsBytes = limits::kFrameMax - 8 * limits::kKiB;
constexpr std::size_t kPeersPerFrame = 64;
// A joiner that was told no, or whom to ask, has nothing to wait for.
constexpr Duration kAfterAnswer = std::chrono::seconds(3);

bool is_transfer(FrameType type) {
  switch (type) {
    case FrameType::kWatch:
    case FrameType::kHaveSet:
    case FrameType::kHave:
    case FrameType::kWant:
    case FrameType::kCancel:
    case FrameType::kRefuse:
    case FrameType::kBad:
      return true;
    default:
      return false;
  }
}

// As many of the operations that `want` asks for as one frame holds.
RosterOpsFrame answer_want(const Roster& roster, const RosterWantFrame& want) {
  RosterOpsFrame out;
  const auto after = want.after ? roster.find(*want.after) : std::nullopt;
  std::size_t bytes = 0;
  for (const OpIndex i : roster.missing(want.have)) {
    if (after && i <= *after) continue;
    const Buffer& op = roster.op(i).encoded;
    bytes += op.size() + 8;
    out.more = bytes > kOpsBytes || out.ops.size() == limits::kOpsPerFrame;
    if (out.more) break;
    out.ops.push_back(op);
  }
  return out;
}

}  // namespace

Result<void> Engine::on_frame(Turn& turn, Connection& conn, FrameType type, Bytes body) {
  switch (type) {
    case FrameType::kClose:
      return on_close(turn, conn, body);
    case FrameType::kPing:
      return on_ping(conn, body);
    case FrameType::kPong:
      return on_pong(turn, conn, body);
    case FrameType::kRosterHave:
      return on_roster_have(conn, body);
    case FrameType::kRosterWant:
      return on_roster_want(turn, conn, body);
    case FrameType::kRosterOps:
      return on_roster_ops(turn, conn, body);
    case FrameType::kJoin:
      return on_join(turn, conn, body);
    case FrameType::kJoinAnswer:
      return on_join_answer(turn, conn, body);
    default:
      break;
  }
  // Everything else is between devices that both stand in the roster.
  if (type != FrameType::kPeers && !is_transfer(type)) return {};  // of a later version
  if (!conn.announced) return keep_early(conn, type, body);
  if (type == FrameType::kPeers) return on_peers(turn, conn, body);
  return transfer_.on_frame(turn.now.mono, conn.id, type, body, turn.transfer);
}

// A device that joined a moment ago says what it wants before its `add` has reached us: that is
// heard when it has. On connections that are for less it is passed over.
Result<void> Engine::keep_early(Connection& conn, FrameType type, Bytes body) {
  if (conn.kind != ConnectionKind::kMember) return {};
  if (conn.early_bytes + body.size() > limits::kEarlyFrames) {
    return peer_error(Errc::kLimit, "too much before the device stood in the roster");
  }
  conn.early_bytes += body.size() + sizeof(Buffer);
  Buffer& frame = conn.early.emplace_back(1, static_cast<std::uint8_t>(type));
  append(frame, body);
  return {};
}

void Engine::hear_early(Turn& turn, Connection& conn) {
  for (const Buffer& frame : std::exchange(conn.early, {})) {
    const auto type = static_cast<FrameType>(frame[0]);
    const auto done = on_frame(turn, conn, type, Bytes(frame).subspan(1));
    if (!done) return close(turn, conn.id, done.error().what);
  }
}

Result<void> Engine::on_chunk(Turn& turn, Connection& conn, Bytes body) {
  if (!conn.announced)
    return peer_error(Errc::kRefused, "a chunk on a connection without transfer");
  KITH_TRY(const ChunkFrame frame, ChunkFrame::decode(body));
  KITH_CHECK(transfer_.on_chunk(turn.now.mono, conn.id, frame, turn.transfer));
  conn.section = frame;
  conn.in.expect_section(slabs_, frame.length);
  return {};
}

Result<void> Engine::on_ping(Connection& conn, Bytes body) {
  KITH_TRY(const PingFrame ping, PingFrame::decode(body));
  send(conn, PongFrame{ping.number}.encode());
  return {};
}

Result<void> Engine::on_pong(Turn& turn, Connection& conn, Bytes body) {
  KITH_TRY(const PongFrame pong, PongFrame::decode(body));
  if (pong.number != conn.ping_number) return {};
  conn.round_trip = turn.now.mono - conn.pinged;
  transfer_.on_round_trip(conn.id, *conn.round_trip);
  return {};
}

Result<void> Engine::on_close(Turn& turn, Connection& conn, Bytes body) {
  KITH_TRY(const CloseFrame frame, CloseFrame::decode(body));
  drop(turn, conn.id, "it said: " + escape(frame.reason));
  return {};
}

// --- roster ---

Buffer Engine::roster_have(const Swarm& swarm) {
  RosterHaveFrame out;
  out.heads = swarm.roster.best_heads(limits::kHeadsPerFrame);
  return out.encode();
}

// Asks for operations if the other side has heads that are not known here, unless that is going on:
// every answer holds what the other side has by then.
void Engine::want_roster(Connection& conn, std::span<const OpId> theirs) {
  const Swarm* swarm = swarms_.find(conn.swarm);
  const bool asking = conn.pull.asked || conn.pull.again;
  if (swarm == nullptr || asking || !swarm->roster.lacks_any(theirs)) return;
  conn.pull.after.reset();
  ask_for_ops(conn, swarm->roster);
}

void Engine::ask_for_ops(Connection& conn, const Roster& roster) {
  conn.pull.asked = true;
  conn.pull.again = false;
  send(conn, RosterWantFrame{roster.best_heads(limits::kHeadsPerFrame), conn.pull.after}.encode());
}

Result<void> Engine::on_roster_have(Connection& conn, Bytes body) {
  KITH_TRY(const RosterHaveFrame frame, RosterHaveFrame::decode(body));
  if (conn.kind == ConnectionKind::kInvite) return {};
  want_roster(conn, frame.heads);
  return {};
}

Result<void> Engine::on_roster_want(Turn& turn, Connection& conn, Bytes body) {
  KITH_TRY(const RosterWantFrame frame, RosterWantFrame::decode(body));
  const Swarm* swarm = swarms_.find(conn.swarm);
  const bool joiner = conn.kind == ConnectionKind::kInvite;
  if (swarm == nullptr || (joiner && !conn.let_in)) return {};
  // Whoever holds an epoch's psk and does not stand in the roster (yet) is told nothing of it; when
  // its add arrives it hears of our heads, and asks again.
  const bool may = joiner || swarm->is_member(conn.device);
  if (may) conn.guest_until = turn.now.mono + limits::kGuestTime;
  send(conn, (may ? answer_want(swarm->roster, frame) : RosterOpsFrame()).encode());
  return {};
}

Result<void> Engine::on_roster_ops(Turn& turn, Connection& conn, Bytes body) {
  KITH_TRY(RosterOpsFrame frame, RosterOpsFrame::decode(body));
  conn.pull.asked = false;
  const bool more = frame.more && !frame.ops.empty();
  std::optional<OpId> last;
  if (more) last = op_id(frame.ops.back());
  if (conn.kind == ConnectionKind::kInvite) {
    KITH_CHECK(on_joiners_ops(conn, std::move(frame)));
  } else {
    Swarm* swarm = swarms_.find(conn.swarm);
    if (swarm == nullptr) return {};
    if (!swarms_.queue_ops(*swarm, conn.id, std::move(frame.ops))) {
      turn.log(LogLevel::kDebug, "roster operations are asked for again: too many wait");
      conn.pull.again = true;
      return {};
    }
  }
  if (!more) return {};
  conn.guest_until = turn.now.mono + limits::kGuestTime;
  conn.pull.again = true;
  conn.pull.after = last;
  return {};
}

// What came from whoever has more to give was taken up.
void Engine::go_on_asking(const Swarm& swarm) {
  if (!swarm.incoming.empty() || swarm.roster.ready() > 0) return;
  for (const auto& [id, conn] : connections_) {
    if (conn->swarm == swarm.id && conn->pull.again) ask_for_ops(*conn, swarm.roster);
  }
}

// Only valid operations are passed on, parents first, so whoever sends others is at fault. Some may
// come early, where an answer before them was dropped.
void Engine::blame_for_ops(Turn& turn, const Swarms::OpsTaken& taken) {
  for (const ConnId id : taken.early) {
    Connection* conn = find(id);
    if (conn == nullptr || ++conn->early_ops <= limits::kRosterPending) continue;
    close(turn, id, "too many roster operations without their parents");
  }
  for (const ConnId id : taken.wrong) close(turn, id, "a roster operation is not valid");
}

// A few per turn, so that a flood of operations holds up nothing else.
void Engine::take_queued_ops(Turn& turn) {
  std::vector<Swarm*> changed;
  for (auto& [id, swarm] : swarms_.all()) {
    const bool any = !swarm->incoming.empty() || swarm->roster.ready() > 0;
    if (!any) continue;
    const Swarms::OpsTaken taken = swarms_.take_ops(turn, *swarm);
    if (taken.changed) changed.push_back(swarm.get());
    blame_for_ops(turn, taken);
    go_on_asking(*swarm);
  }
  for (Swarm* swarm : changed) roster_changed(turn, *swarm);
}

// Tells every connection of the swarm, and looks at who belongs now.
void Engine::roster_changed(Turn& turn, Swarm& swarm) {
  const Buffer frame = roster_have(swarm);
  std::vector<ConnId> ids;
  for (const auto& [id, conn] : connections_) {
    const bool of_swarm = conn->state == Connection::State::kOpen && conn->swarm == swarm.id;
    if (of_swarm && conn->kind != ConnectionKind::kInvite) ids.push_back(id);
  }
  for (const ConnId id : ids) {
    Connection* conn = find(id);
    if (conn == nullptr) continue;
    if (conn->announced && !swarm.is_member(conn->device)) {
      close(turn, id, "the device was removed from the swarm");
      continue;
    }
    send(*conn, frame);
    conn = find(id);
    const bool appeared = conn != nullptr && conn->kind == ConnectionKind::kMember &&
                          !conn->announced && swarm.is_member(conn->device);
    if (appeared) admit_device(turn, *conn);
  }
  discovery_.roster_changed(turn, swarm);
}

// --- joiners ---

Result<void> Engine::on_join(Turn& turn, Connection& conn, Bytes body) {
  KITH_TRY(const JoinFrame frame, JoinFrame::decode(body));
  Swarm* swarm = swarms_.find(conn.swarm);
  const bool mine = conn.incoming && conn.kind == ConnectionKind::kInvite && swarm != nullptr;
  if (!mine || frame.invite != *conn.invite) return peer_error(Errc::kRefused, "not a joiner");
  // Bindings are no secret: only the device that proved it in the handshake may ask with it, or
  // whoever finds a used invite would be sent the roster in the name of a member.
  const auto binding = DeviceBinding::decode(frame.binding);
  if (!binding || binding->device != conn.device) {
    return peer_error(Errc::kRefused, "a request for another device");
  }
  if (std::exchange(conn.asked_to_join, true)) {
    return peer_error(Errc::kRefused, "a second request to join");
  }
  answer_joiner(turn, conn, *swarm, frame);
  return {};
}

void Engine::answer_joiner(Turn& turn, Connection& conn, Swarm& swarm, const JoinFrame& frame) {
  for (auto& [ack, redemption] : redemptions_) {
    if (redemption.swarm == swarm.id) {
      redemption.requests.emplace_back(conn.id, frame);
      return;
    }
  }
  Swarms::JoinOutcome outcome = swarms_.answer_join(turn.now, swarm, frame);
  if (outcome.add) {
    const std::uint64_t ack = next_ack_++;
    turn.out.catalog.push_back({PutOps{swarm.id, {outcome.add->encoded}}, ack, true});
    redemptions_[ack] = {swarm.id, *outcome.add, frame.name, {{conn.id, frame}}};
  } else if (outcome.answer.state == JoinAnswerFrame::State::kIn) {
    let_in(conn, outcome.answer);
  } else {
    send(conn, outcome.answer.encode());
    conn.guest_until = turn.now.mono + kAfterAnswer;
  }
}

// False: the ack is of something else.
bool Engine::on_add_saved(Turn& turn, const CatalogDone& done) {
  const auto it = redemptions_.find(done.ack);
  if (it == redemptions_.end()) return false;
  const Redemption redemption = std::move(it->second);
  redemptions_.erase(it);
  Swarm* swarm = swarms_.find(redemption.swarm);
  if (swarm == nullptr) return true;
  std::optional<Error> error = done.error;
  if (!error) {
    const auto taken = swarms_.take_saved(turn, *swarm, redemption.add);
    if (!taken) error = taken.error();
  }
  if (!error) {
    turn.event("member-joined", escape(redemption.name), swarm->name);
    roster_changed(turn, *swarm);
  }
  for (const auto& [id, frame] : redemption.requests) {
    Connection* conn = find(id);
    if (conn == nullptr || conn->state != Connection::State::kOpen) continue;
    // Everybody is answered by what is saved now.
    error ? close(turn, id, "this device cannot save its roster")
          : answer_joiner(turn, *conn, *swarm, frame);
  }
  return true;
}

// The secrets, and as much of the roster as fits a frame; the joiner asks for the rest.
void Engine::let_in(Connection& conn, const JoinAnswerFrame& answer) {
  const Swarm* swarm = swarms_.find(conn.swarm);
  if (swarm == nullptr) return;
  conn.let_in = true;
  send(conn, answer.encode());
  send(conn, answer_want(swarm->roster, {}).encode());
}

// --- peers ---

void Engine::send_peers(Connection& conn) {
  PeersFrame frame;
  for (const auto& [id, other] : connections_) {
    if (other.get() == &conn || !other->announced || other->swarm != conn.swarm) continue;
    if (frame.peers.size() >= kPeersPerFrame) break;
    // Only what was dialled is known to be an address where the device listens.
    if (!other->incoming) frame.peers.push_back({other->device, other->remote});
  }
  if (!frame.peers.empty()) send(conn, frame.encode());
}

// Tells the others of a device that was dialled: they may want to meet it too.
void Engine::introduce(const Connection& fresh) {
  if (fresh.incoming) return;
  PeersFrame frame;
  frame.peers.push_back({fresh.device, fresh.remote});
  const Buffer encoded = frame.encode();
  const ConnId id = fresh.id;
  const SwarmId swarm = fresh.swarm;
  std::vector<ConnId> others;
  for (const auto& [other_id, other] : connections_) {
    if (other_id != id && other->announced && other->swarm == swarm) others.push_back(other_id);
  }
  for (const ConnId other : others) {
    if (Connection* conn = find(other)) send(*conn, encoded);
  }
}

Result<void> Engine::on_peers(Turn& turn, Connection& conn, Bytes body) {
  KITH_TRY(const PeersFrame frame, PeersFrame::decode(body));
  for (const PeersFrame::Entry& entry : frame.peers) {
    if (entry.device == swarms_.self()) continue;
    // A loopback address means another machine's loopback, unless the peer is on this machine.
    if (entry.endpoint.is_loopback() && !conn.remote.is_loopback()) continue;
    discovery_.add_address(turn, conn.swarm, entry.endpoint, entry.device, FoundBy::kPeers,
                           conn.device);
  }
  return {};
}

}  // namespace kith::node
