// Connections of the engine: who may connect, handshakes, bytes to frames, and their end.
#include <algorithm>

#include "node/engine/engine.hpp"
#include "proto/assert.hpp"
#include "proto/limits.hpp"

namespace kith::node {
namespace {

// Private addresses, but for 100.64/10: behind those lie carriers and virtual networks.
bool is_on_lan(const Endpoint& remote) {
  const bool shared = !remote.is_v6() && remote.address()[0] == 100;
  return remote.is_private() && !shared;
}

using namespace std::chrono_literals;

// One device of a swarm whose add has not reached us yet gets this long to show it.
constexpr Duration kUnknownDevice = 15s;
// What is queued at a close must leave within this.
constexpr Duration kFarewell = 3s;
constexpr Duration kSilent = 5s;
constexpr Duration kCatchUp = 2s;
// A connection whose keys are outdated ends within this; until then another is tried to be made.
constexpr Duration kRenewal = 60s;
constexpr Duration kRenewalRetry = 10s;
// A connection beyond the mesh ends when no section passed for so long.
constexpr Duration kUnused = 60s;
constexpr std::size_t kWriteBytes = 1 * limits::kMiB;
constexpr std::size_t kWriteRuns = 64;

bool is_half_open(const Connection& conn) {
  return conn.incoming && conn.state == Connection::State::kHandshake;
}

}  // namespace

Connection* Engine::find(ConnId id) {
  const auto it = connections_.find(id);
  return it == connections_.end() ? nullptr : it->second.get();
}

Connection* Engine::connection_to(const SwarmId& swarm, const DeviceId& device) {
  for (const auto& [id, conn] : connections_) {
    if (conn->state == Connection::State::kOpen && conn->kind == ConnectionKind::kMember &&
        conn->swarm == swarm && conn->device == device) {
      return conn.get();
    }
  }
  return nullptr;
}

std::size_t Engine::half_open(const Endpoint* subnet_of) const {
  return static_cast<std::size_t>(
      std::count_if(connections_.begin(), connections_.end(), [&](const auto& item) {
        const Connection& conn = *item.second;
        return is_half_open(conn) &&
               (subnet_of == nullptr || equal(conn.remote.subnet(), subnet_of->subnet()));
      }));
}

bool Engine::guests_full(const Endpoint& from) const {
  std::size_t all = 0;
  std::size_t near = 0;
  for (const auto& [id, conn] : connections_) {
    if (!conn->incoming || conn->kind != ConnectionKind::kInvite) continue;
    ++all;
    if (equal(conn->remote.subnet(), from.subnet())) ++near;
  }
  return all >= limits::kGuestsMax || near >= limits::kGuestsPerSubnet;
}

Connection& Engine::add_connection(Turn& turn, ConnId id, const Endpoint& remote, bool incoming) {
  auto conn = std::make_unique<Connection>();
  conn->id = id;
  conn->remote = remote;
  conn->incoming = incoming;
  conn->since = turn.now.mono;
  conn->heard = turn.now.mono;
  conn->deadline = turn.now.mono + limits::kHandshakeTime;
  Connection& out = *conn;
  connections_[id] = std::move(conn);
  return out;
}

// --- beginnings ---

std::optional<ConnId> Engine::handle_accepted(Now now, const Endpoint& from, Outbox& out) {
  Turn turn{now, out, transfer_out_};
  const bool full = connections_.size() >= limits::kConnectionsMax ||
                    half_open(nullptr) >= limits::kHalfOpenMax ||
                    half_open(&from) >= limits::kHalfOpenPerSubnet;
  if (full) return std::nullopt;
  const ConnId id{next_conn_++};
  Connection& conn = add_connection(turn, id, from, true);
  conn.state = Connection::State::kHandshake;
  conn.handshake.emplace(PeerHandshake::responder(config_.keys.noise));
  return id;
}

Connection& Engine::dial(Turn& turn, Swarm& swarm, const Endpoint& endpoint,
                         const AddressBook::Address& address) {
  const ConnId id{next_conn_++};
  Connection& conn = add_connection(turn, id, endpoint, false);
  conn.swarm = swarm.id;
  conn.expected = address.device;
  // Whoever met only silence may have slept through a change of epoch: every other attempt says so.
  const bool catch_up = !swarm.network || (address.silent && address.failures % 2 == 1);
  conn.kind = catch_up ? ConnectionKind::kCatchUp : ConnectionKind::kMember;
  turn.out.connects.push_back({id, endpoint});
  return conn;
}

void Engine::dial_join(Turn& turn, PendingJoin& join, PendingJoin::Try& attempt) {
  attempt.dialling = true;
  attempt.result = "cannot connect: no answer yet";
  const ConnId id{next_conn_++};
  Connection& conn = add_connection(turn, id, attempt.endpoint, false);
  conn.swarm = join.invite.swarm;
  conn.kind = ConnectionKind::kInvite;
  conn.join = join.number;
  turn.out.connects.push_back({id, attempt.endpoint});
}

void Engine::handle_connected(Now now, ConnId id, const Endpoint& local, Outbox& out) {
  Turn turn{now, out, transfer_out_};
  Connection* conn = find(id);
  if (conn == nullptr) return;
  conn->local = local;
  if (conn->incoming) return;
  const Swarm* swarm = swarms_.find(conn->swarm);
  PeerHandshake::Dial dial;
  dial.own_static = config_.keys.noise;
  dial.to = conn->expected;
  if (conn->kind == ConnectionKind::kInvite) {
    const auto join = joins_.find(conn->join);
    if (join == joins_.end()) return drop(turn, id, "the join has ended");
    const Secret& seed = join->second->invite.seed;
    dial.psk = invite_psk(invite_j(seed));
    dial.signer = invite_keys(seed);
  } else {
    if (swarm == nullptr || (conn->kind == ConnectionKind::kMember && !swarm->network)) {
      return drop(turn, id, "the swarm is gone");
    }
    const bool member = conn->kind == ConnectionKind::kMember;
    conn->epoch = swarm->epoch;
    dial.psk = member ? swarm->network->psk : catch_up_psk(swarm->secrets.group());
    dial.signer = config_.keys.sign;
  }
  conn->state = Connection::State::kHandshake;
  conn->deadline = now.mono + limits::kHandshakeTime;
  conn->handshake.emplace(PeerHandshake::initiator(dial));
  Buffer message;
  conn->handshake->start(now.wall, rng_, message);
  conn->out.push(message);
  conn->pinged = now.mono;
  mark_writable(id);
  finish_turn(turn);
}

// --- reading ---

void Engine::read_plan(ConnId id, std::vector<MutableBytes>& out) {
  if (Connection* conn = find(id)) conn->in.plan(out, limits::kReadPerTurn);
}

void Engine::handle_read(Now now, ConnId id, std::size_t n, Outbox& out) {
  Turn turn{now, out, transfer_out_};
  Connection* conn = find(id);
  if (conn == nullptr) return;
  // A sign of life is a whole frame, or a part of a section: what comes of a record may be the rest
  // of one that was damaged on its way.
  if (conn->in.in_section()) conn->heard = now.mono;
  conn->in.commit(n);
  conn->received += n;
  bytes_received_ += n;
  while (conn != nullptr && process(turn, *conn)) conn = find(id);
  finish_turn(turn);
}

// One step: a message of the handshake, a frame, or a section. False: more bytes are needed.
bool Engine::process(Turn& turn, Connection& conn) {
  if (conn.state == Connection::State::kClosing) {
    conn.in.discard();
    return false;
  }
  if (conn.state != Connection::State::kOpen) return process_handshake(turn, conn);
  if (conn.in.section_complete()) {
    conn.used = turn.now.mono;
    conn.channel->add_section_received(section_wire_bytes(conn.section->length));
    conn.section.reset();
    transfer_.on_section(turn.now.mono, conn.id, conn.in.take_section(), turn.transfer);
    return true;
  }
  if (conn.in.in_section()) return false;
  auto opened = conn.channel->open_frame(conn.in.control());
  if (!opened) {
    drop(turn, conn.id, to_string(opened.error()));
    return false;
  }
  if (!*opened) return false;
  conn.heard = turn.now.mono;
  const Bytes frame = (*opened)->frame;
  const auto type = static_cast<FrameType>(frame[0]);
  const ConnId id = conn.id;
  const std::size_t consumed = (*opened)->consumed;
  // A section's records stand directly behind its announcement, and move as soon as it is known.
  if (type == FrameType::kChunk) {
    const Buffer body = to_buffer(frame.subspan(1));
    conn.in.consume(consumed);
    if (const auto done = on_chunk(turn, conn, body); !done) close(turn, id, done.error().what);
    return true;
  }
  const auto done = on_frame(turn, conn, type, frame.subspan(1));
  if (find(id) == nullptr) return false;
  conn.in.consume(consumed);
  if (!done) close(turn, id, done.error().what);
  return true;
}

bool Engine::process_handshake(Turn& turn, Connection& conn) {
  const MutableBytes bytes = conn.in.control();
  if (!conn.handshake) return false;
  const std::size_t taken = bytes.empty() ? 0 : conn.handshake->feed(bytes);
  conn.in.consume(taken);
  switch (conn.handshake->state()) {
    case PeerHandshake::State::kFirstComplete:
      answer_first(turn, conn);
      return true;
    case PeerHandshake::State::kPeerKnown:
      finish_handshake(turn, conn);
      return true;
    case PeerHandshake::State::kDone:
      opened(turn, conn);
      return true;
    case PeerHandshake::State::kFailed:
      drop(turn, conn.id, to_string(conn.handshake->error()));
      return false;
    case PeerHandshake::State::kStart:
    case PeerHandshake::State::kAwaitSecond:
    case PeerHandshake::State::kAwaitFirst:
    case PeerHandshake::State::kFirstOpened:
    case PeerHandshake::State::kAwaitThird:
    case PeerHandshake::State::kSilent:
      return taken > 0 && !conn.in.control().empty();
  }
  return false;
}

// --- the responder ---

void Engine::answer_first(Turn& turn, Connection& conn) {
  PeerHandshake& handshake = *conn.handshake;
  if (!first_messages_.allow(turn.now.mono, conn.remote.subnet_key())) {
    return handshake.stay_silent();
  }
  const auto candidates = swarms_.candidates(turn.now);
  const auto first = handshake.try_psks(candidates);
  if (!first) return;
  const auto admission = swarms_.admit(turn.now, *first);
  if (!admission) {
    // Perhaps it is ourselves, at an address that some hint named: never to be tried again.
    if (equal(first->message.key.view(), swarms_.self().view())) {
      for (auto& [id, other] : connections_) {
        if (!other->incoming && other->local == conn.remote) discovery_.forget(other->remote);
      }
    }
    return handshake.stay_silent();
  }
  const bool invite = admission->kind == Admission::Kind::kInvite;
  if (invite && guests_full(conn.remote)) return handshake.stay_silent();
  // Only who holds a psk, and does not repeat what it overheard, takes from what all share.
  if (!handshakes_.allows(turn.now.mono)) return handshake.stay_silent();
  handshakes_.spend(1);
  conn.swarm = admission->swarm;
  conn.invite = admission->invite;
  conn.epoch = swarms_.find(conn.swarm)->epoch;
  conn.kind = invite                                         ? ConnectionKind::kInvite
              : admission->kind == Admission::Kind::kCatchUp ? ConnectionKind::kCatchUp
                                                             : ConnectionKind::kMember;
  Buffer message;
  handshake.accept(own_payload(invite ? nullptr : swarms_.find(conn.swarm)),
                   invite ? FirstKey::kInvite : FirstKey::kDevice, rng_, message);
  conn.out.push(message);
  conn.pinged = turn.now.mono;
  mark_writable(conn.id);
}

HandshakePayload Engine::own_payload(const Swarm* swarm) const {
  HandshakePayload out;
  out.binding = config_.keys.binding();
  if (swarm != nullptr) out.heads = swarm->roster.best_heads(limits::kHandshakeHeads);
  return out;
}

// --- the initiator ---

void Engine::finish_handshake(Turn& turn, Connection& conn) {
  const DeviceId device = conn.handshake->peer().binding.device;
  const Swarm* swarm = swarms_.find(conn.swarm);
  const bool removed = swarm != nullptr && swarm->roster.state().is_removed(device);
  if (device == swarms_.self() || removed) {
    discovery_.forget(conn.remote);
    return drop(turn, conn.id, removed ? "it was removed from the swarm" : "it is this device");
  }
  Buffer message;
  conn.handshake->finish(own_payload(swarm), rng_, message);
  conn.out.push(message);
  mark_writable(conn.id);
}

// --- open ---

void Engine::opened(Turn& turn, Connection& conn) {
  const HandshakePayload peer = conn.handshake->peer();
  conn.device = peer.binding.device;
  conn.channel.emplace(conn.handshake->split());
  conn.handshake.reset();
  conn.state = Connection::State::kOpen;
  conn.round_trip = turn.now.mono - conn.pinged;
  conn.heard = conn.pinged = turn.now.mono;
  conn.guest_until = turn.now.mono + limits::kGuestTime;
  if (conn.incoming) ++reached_by_;
  if (conn.kind == ConnectionKind::kInvite) {
    if (conn.incoming) return;
    const auto join = joins_.find(conn.join);
    if (join == joins_.end()) return close(turn, conn.id, "the join has ended");
    send(conn, make_join_frame(*join->second, config_.keys).encode());
    return;
  }
  if (!conn.incoming) discovery_.succeeded(turn, conn.swarm, conn.remote, conn.device);
  conn.heads = peer.heads;
  // The handshake had room for some of our heads only.
  const Swarm* swarm = swarms_.find(conn.swarm);
  const bool more = swarm != nullptr && swarm->roster.heads().size() > limits::kHandshakeHeads;
  if (more) send(conn, roster_have(*swarm));
  want_roster(conn, peer.heads);
  opened_member(turn, conn);
}

void Engine::opened_member(Turn& turn, Connection& conn) {
  if (conn.kind != ConnectionKind::kMember) return;
  Swarm* swarm = swarms_.find(conn.swarm);
  if (swarm == nullptr) return close(turn, conn.id, "this device left the swarm");
  conn.deadline = turn.now.mono + kUnknownDevice;
  if (swarm->is_member(conn.device)) admit_device(turn, conn);
}

// The device stands in the roster: from here on it takes part.
void Engine::admit_device(Turn& turn, Connection& conn) {
  if (!keep_among_two(turn, conn)) return;
  conn.announced = true;
  transfer_.on_connected(turn.now.mono, conn.id, conn.device, conn.swarm, is_on_lan(conn.remote),
                         turn.transfer);
  transfer_.on_round_trip(conn.id, *conn.round_trip);
  discovery_.connected(turn, conn.swarm, conn.device, conn.remote, !conn.incoming);
  turn.log(LogLevel::kInfo,
           "connected to " + conn.device.hex().substr(0, 8) + " at " + conn.remote.to_string());
  turn.event("peer-connected", conn.remote.to_string(), conn.device.hex());
  send_peers(conn);
  introduce(conn);
  hear_early(turn, conn);
}

// Of two connections between two devices the one dialled by the smaller id stays, unless it has
// been silent; both ends decide the same. False: `conn` was the one to go.
bool Engine::keep_among_two(Turn& turn, Connection& conn) {
  Connection* other = nullptr;
  for (const auto& [id, candidate] : connections_) {
    if (candidate.get() != &conn && candidate->announced && candidate->swarm == conn.swarm &&
        candidate->device == conn.device && candidate->state == Connection::State::kOpen) {
      other = candidate.get();
    }
  }
  if (other == nullptr) return true;
  const bool silent = turn.now.mono - other->heard >= kSilent;
  const bool same_dialler = other->incoming == conn.incoming;
  const bool smaller_dialled = (swarms_.self() < conn.device) != conn.incoming;
  if (silent || same_dialler || smaller_dialled) {
    close(turn, other->id, "another connection between the two devices stays");
    return true;
  }
  close(turn, conn.id, "another connection between the two devices stays");
  return false;
}

// --- writing ---

void Engine::send(Connection& conn, Bytes frame) {
  if (conn.state != Connection::State::kOpen) return;
  if (conn.out.unsent_control() + frame.size() > limits::kControlQueue) {
    // Not at once: callers up the stack still hold the connection.
    doomed_.insert(conn.id);
    return;
  }
  conn.send(frame);
  mark_writable(conn.id);
}

void Engine::write_plan(ConnId id, std::vector<Bytes>& out) const {
  const auto it = connections_.find(id);
  if (it != connections_.end()) it->second->out.plan(out, kWriteBytes, kWriteRuns);
}

void Engine::handle_wrote(Now now, ConnId id, std::size_t n, Outbox& out) {
  Turn turn{now, out, transfer_out_};
  Connection* conn = find(id);
  if (conn == nullptr) return;
  conn->out.wrote(n);
  conn->sent += n;
  bytes_sent_ += n;
  if (conn->announced && conn->state == Connection::State::kOpen) {
    transfer_.on_wrote(now.mono, id, n, conn->out.unsent(), turn.transfer);
  }
  finish_turn(turn);
}

// --- ends ---

void Engine::close(Turn& turn, ConnId id, const std::string& reason) {
  Connection* conn = find(id);
  if (conn == nullptr || conn->state == Connection::State::kClosing) return;
  if (conn->state != Connection::State::kOpen) return drop(turn, id, reason);
  conn->send(CloseFrame{reason}.encode());
  ended(turn, *conn, reason);
  conn->state = Connection::State::kClosing;
  conn->deadline = turn.now.mono + kFarewell;
  writable_.erase(id);
  turn.out.closes.push_back({id, true});
}

void Engine::drop(Turn& turn, ConnId id, const std::string& why) {
  Connection* conn = find(id);
  if (conn == nullptr) return;
  ended(turn, *conn, why);
  connections_.erase(id);
  writable_.erase(id);
  turn.out.closes.push_back({id, false});
}

void Engine::handle_closed(Now now, ConnId id, const Error& why, Outbox& out) {
  Turn turn{now, out, transfer_out_};
  Connection* conn = find(id);
  if (conn == nullptr) return;
  ended(turn, *conn, why.what);
  connections_.erase(id);
  writable_.erase(id);
  finish_turn(turn);
}

// Told once per connection: whoever counted on it hears that it is no more.
void Engine::ended(Turn& turn, Connection& conn, const std::string& why) {
  if (conn.state == Connection::State::kClosing) return;
  if (conn.announced) {
    conn.announced = false;
    transfer_.on_closed(turn.now.mono, conn.id, turn.transfer);
    turn.event("peer-lost", why, conn.device.hex());
    turn.log(LogLevel::kInfo, "lost " + conn.device.hex().substr(0, 8) + ": " + why);
    discovery_.disconnected(turn, conn.swarm, conn.device);
  }
  if (conn.incoming) return;
  if (conn.kind == ConnectionKind::kInvite) return join_connection_ended(turn, conn, why);
  const bool silent = conn.state == Connection::State::kHandshake;
  discovery_.failed(turn, conn.swarm, conn.remote, silent ? "no answer: " + why : why, silent);
}

// A connection of ours that was made to catch up has done so: the dialler connects anew.
bool Engine::has_caught_up(const Turn& turn, const Connection& conn) {
  if (conn.incoming || conn.kind != ConnectionKind::kCatchUp) return false;
  // Long enough for the other side to take up what it lacks.
  if (conn.state != Connection::State::kOpen || turn.now.mono - conn.since < kCatchUp) return false;
  const Swarm* swarm = swarms_.find(conn.swarm);
  if (conn.pull.asked || conn.pull.again) return false;
  const bool done = swarm == nullptr || (swarm->network && swarm->incoming.empty() &&
                                         !swarm->roster.lacks_any(conn.heads));
  return done;
}

// Deadlines of handshakes and farewells, pings, and connections whose device never appeared.
void Engine::watch_connections(Turn& turn) {
  std::vector<std::pair<ConnId, std::string>> overdue;
  std::vector<ConnId> quiet;
  for (const auto& [id, conn] : connections_) {
    const bool late = turn.now.mono >= conn->deadline;
    if (conn->state != Connection::State::kOpen) {
      if (late) overdue.emplace_back(id, "the handshake took too long");
    } else if (has_caught_up(turn, *conn)) {
      overdue.emplace_back(id, "the roster is caught up with");
    } else if (conn->kind != ConnectionKind::kMember) {
      // However much it says: an invite, or having been a member, keeps nobody's place.
      if (turn.now.mono >= conn->guest_until) {
        overdue.emplace_back(id, "there is nothing to wait for");
      }
    } else if (!conn->announced) {
      if (late) overdue.emplace_back(id, "the device does not stand in the roster");
    } else if (conn->beyond && turn.now.mono - std::max(conn->used, conn->since) >= kUnused) {
      overdue.emplace_back(id, "nothing passes on this connection any more");
    } else if (turn.now.mono - conn->heard >= limits::kIdleClose) {
      overdue.emplace_back(id, "nothing was heard for a minute");
    } else if (turn.now.mono - conn->pinged >= limits::kIdlePing) {
      quiet.push_back(id);
    }
  }
  for (const auto& [id, why] : overdue) {
    Connection* conn = find(id);
    if (conn == nullptr) continue;
    if (conn->state == Connection::State::kOpen) {
      close(turn, id, why);
    } else {
      drop(turn, id, why);
    }
  }
  for (const ConnId id : quiet) {
    Connection* conn = find(id);
    if (conn == nullptr) continue;
    conn->pinged = turn.now.mono;
    send(*conn, PingFrame{++conn->ping_number}.encode());
  }
}

bool Engine::is_outdated(const Turn& turn, const Connection& conn) {
  const Swarm* swarm = swarms_.find(conn.swarm);
  return (swarm != nullptr && swarm->epoch != conn.epoch) ||
         turn.now.mono - conn.since >= limits::kConnectionLife ||
         conn.sent + conn.received >= limits::kConnectionBytesMax;
}

// After a change of epoch, a day, or 2^40 bytes there is a new handshake: whoever dialled dials
// again, and the old connection goes when the new one stands (keep_among_two), or after a minute.
void Engine::renew_connections(Turn& turn) {
  std::vector<ConnId> outdated;
  for (const auto& [id, conn] : connections_) {
    if (conn->announced && is_outdated(turn, *conn)) outdated.push_back(id);
  }
  for (const ConnId id : outdated) {
    Connection* conn = find(id);
    if (conn == nullptr) continue;
    if (!conn->renew_by) conn->renew_by = turn.now.mono + kRenewal;
    if (turn.now.mono >= *conn->renew_by) {
      close(turn, id, "it is time for a new handshake");
      continue;
    }
    Swarm* swarm = swarms_.find(conn->swarm);
    if (conn->incoming || swarm == nullptr || !swarm->network) continue;
    if (turn.now.mono < conn->next_renewal) continue;
    conn->next_renewal = turn.now.mono + kRenewalRetry;
    AddressBook::Address address;
    address.device = conn->device;
    dial(turn, *swarm, conn->remote, address).beyond = conn->beyond;
  }
}

}  // namespace kith::node
