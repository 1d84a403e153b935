#include "node/engine/engine.hpp"

#include <algorithm>

#include "proto/assert.hpp"
#include "proto/crypto/beacon.hpp"
#include "proto/limits.hpp"

namespace kith::node {
namespace {

using namespace std::chrono_literals;

// No timer comes so late on a machine that runs.
constexpr Duration kAsleep = 10s;
constexpr std::size_t kDialsAtOnce = 16;
// A full mesh up to here, of whom chance chose; beyond it more connections only cost, except those
// to providers of what is being looked for, while something passes on them.
constexpr std::size_t kConnectionsPerSwarm = 50;

}  // namespace

Engine::Engine(EngineConfig config, Rng& rng, SlabPool& slabs)
    : config_(std::move(config)),
      rng_(rng),
      slabs_(slabs),
      swarms_(config_.keys, rng),
      transfer_({limits::kReceiveBudget, limits::kSendBudget}, rng),
      copies_(transfer_, rng),
      discovery_(swarms_, rng),
      handshakes_(limits::kHandshakesPerSecond, limits::kHandshakesPerSecond),
      first_messages_(limits::kFirstMessageEvery, limits::kFirstMessages, false) {}

Engine::~Engine() = default;

void Engine::start(Now now, const SavedState& saved, Outbox& out) {
  Turn turn{now, out, transfer_out_};
  started_ = next_watch_ = now.mono;
  const std::uint16_t port = config_.listening.empty() ? 0 : config_.listening.front().port();
  discovery_.configure(port, config_.lan, config_.bootstrap);
  for (const SavedSwarm& swarm : saved.swarms) swarms_.restore(turn, swarm);
  for (auto& [id, swarm] : swarms_.all()) discovery_.add_swarm(turn, *swarm);
  for (const SavedPeer& peer : saved.peers) {
    for (const Endpoint& endpoint : peer.endpoints) {
      discovery_.add_address(turn, peer.swarm, endpoint, peer.device, FoundBy::kRemembered);
    }
  }
  restore_limits(turn, saved.limits);
  copies_.set_scrub(config_.scrub);
  for (const SavedCopy& copy : saved.copies) copies_.restore(turn, copy);
  restore_space(turn, saved);
  look_around(turn);
  finish_turn(turn);
}

void Engine::shutdown(Now now, Outbox& out) {
  Turn turn{now, out, transfer_out_};
  copies_.flush_all(turn);
  std::vector<ConnId> ids;
  for (const auto& [id, conn] : connections_) ids.push_back(id);
  for (const ConnId id : ids) close(turn, id, "the node ends");
  finish_turn(turn);
}

// Everything that one input led to, until nothing is left to do.
void Engine::finish_turn(Turn& turn) {
  last_now_ = turn.now.mono;
  run_waiting(turn);
  run_looked(turn);
  for (;;) {
    while (drain_transfer(turn)) {
    }
    if (doomed_.empty()) break;
    for (const ConnId id : std::exchange(doomed_, {})) drop(turn, id, "it does not read");
  }
  hold_promises(turn);
  name_sources(turn.out);
  turn.out.writable.insert(turn.out.writable.end(), writable_.begin(), writable_.end());
  writable_.clear();
}

// What is provided and looked for, and whom to dial: once per beat and after what users ask, not
// after every datagram or read.
void Engine::look_around(Turn& turn) {
  for (auto& [id, swarm] : swarms_.all()) {
    if (!swarm->role) continue;
    discovery_.set_shares(turn, *swarm, copies_.announced(id), copies_.looked_for(id));
  }
  dial_more(turn);
}

bool Engine::drain_transfer(Turn& turn) {
  transfer::Outbox batch = std::exchange(transfer_out_, {});
  for (transfer::SendFrame& frame : batch.frames) {
    if (Connection* conn = find(frame.to)) send(*conn, frame.frame);
  }
  for (transfer::SendSection& section : batch.sections) {
    Connection* conn = find(section.to);
    if (conn == nullptr || conn->state != Connection::State::kOpen) continue;
    conn->used = turn.now.mono;
    conn->send(section.frame, std::move(section.sealed));
    mark_writable(section.to);
  }
  for (transfer::SealRequest& request : batch.seals) seal(turn, request);
  for (transfer::StoreRequest& request : batch.stores) store(turn, std::move(request));
  const bool any_event = !batch.events.empty();
  for (const transfer::Event& event : batch.events) {
    std::visit([&](const auto& e) { on_event(turn, e); }, event);
  }
  const bool more = !transfer_out_.frames.empty() || !transfer_out_.sections.empty() ||
                    !transfer_out_.seals.empty() || !transfer_out_.stores.empty() ||
                    !transfer_out_.events.empty();
  return any_event || more;
}

void Engine::seal(Turn& turn, transfer::SealRequest request) {
  Connection* conn = find(request.to);
  const auto copy = copies_.source(turn, request.share, request.index);
  if (conn == nullptr || !conn->channel || !copy) {
    return transfer_.on_seal_failed(turn.now.mono, request, turn.transfer);
  }
  turn.out.jobs.push_back(
      SealSectionJob{*copy, request, conn->channel->send_bulk_key(), conn->next_section++});
}

void Engine::store(Turn& turn, transfer::StoreRequest request) {
  const Connection* conn = find(request.from);
  const ShareId share = request.share;
  const ChunkIndex index = request.index;
  const ConnId from = request.from;
  std::optional<Job> job;
  if (conn != nullptr && conn->channel) {
    job = copies_.store_job(std::move(request), conn->channel->receive_bulk_key(), conn->device);
  }
  if (job) {
    turn.out.jobs.push_back(std::move(*job));
    return;
  }
  // Nobody fetches it any more, or its connection ended with it half-way in this very turn. The
  // answer gives the memory back, also when the share is gone.
  transfer_.on_stored(turn.now.mono, share, index, from, transfer::StoreOutcome::kLost, {},
                      turn.transfer);
}

void Engine::on_event(Turn& turn, const transfer::CloseConnection& event) {
  close(turn, event.conn, event.why.what);
}

void Engine::on_event(Turn& turn, const transfer::DeviceBanned& event) {
  turn.log(LogLevel::kWarning, "banned " + event.device.hex().substr(0, 8) + ": " + event.why);
  turn.event("device-banned", event.why, event.device.hex());
}

// --- results ---

void Engine::on_result(Turn& turn, SectionSealed result) {
  if (result.error) {
    if (tells_of_loss(*result.error)) {
      copies_.withdraw(turn, result.copy, result.request.share, result.request.index, *result.error,
                       result.path);
    } else {
      turn.log(LogLevel::kWarning, "cannot read a chunk: " + to_string(*result.error));
    }
    return transfer_.on_seal_failed(turn.now.mono, result.request, turn.transfer);
  }
  transfer_.on_sealed(turn.now.mono, result.request, result.section, result.size,
                      std::move(result.sealed), turn.transfer);
}

void Engine::handle_job(Now now, JobResult result, Outbox& out) {
  Turn turn{now, out, transfer_out_};
  struct Handler {
    Engine& engine;
    Turn& turn;
    void operator()(RootOpened&& r) { engine.copies_.on_root(turn, std::move(r)); }
    void operator()(PageOpened&& r) { engine.copies_.on_page(turn, std::move(r)); }
    void operator()(ChunkWritten&& r) { engine.copies_.on_chunk(turn, r); }
    void operator()(BytesFound&& r) { engine.copies_.on_bytes_found(turn, std::move(r)); }
    void operator()(ChunkRead&& r) { engine.copies_.on_chunk_read(turn, std::move(r)); }
    void operator()(SectionSealed&& r) { engine.on_result(turn, std::move(r)); }
    void operator()(FetchPrepared&& r) { engine.copies_.on_prepared(turn, r); }
    void operator()(DestinationCompared&& r) { engine.copies_.on_compared(turn, r); }
    void operator()(PageSelected&& r) { engine.copies_.on_selected(turn, r); }
    void operator()(RoomChecked&& r) { engine.copies_.on_room(turn, r); }
    void operator()(FetchFinished&& r) { engine.copies_.on_finished(turn, std::move(r)); }
    void operator()(FetchRenamed&& r) { engine.copies_.on_renamed(turn, std::move(r)); }
    void operator()(FetchDiscarded&& r) { engine.copies_.on_discarded(turn, r); }
    void operator()(GarbageCollected&& r) { engine.copies_.on_collected(turn, r); }
    void operator()(CopySynced&& r) { engine.copies_.on_synced(turn, r); }
    void operator()(ChunkVerified&& r) { engine.copies_.on_verified(turn, r); }
    void operator()(ChunkMended&& r) { engine.copies_.on_mended(turn, r); }
    void operator()(ChunkCopied&& r) { engine.copies_.on_copied(turn, r); }
    void operator()(TreeScanned&& r) { engine.copies_.on_scanned(turn, std::move(r)); }
    void operator()(ChunksFound&& r) { engine.copies_.on_found(turn, r); }
    void operator()(CopyOpened&& r) { engine.copies_.on_opened(turn, std::move(r)); }
    void operator()(PageLooked&& r) { engine.copies_.on_looked(turn, r); }
    void operator()(ChunkLocated&& r) { engine.copies_.on_located(turn, r); }
    void operator()(CopyMoved&& r) { engine.copies_.on_moved(turn, r); }
  };
  std::visit(Handler{*this, turn}, std::move(result));
  finish_turn(turn);
}

// The last of the turn's writes that must outlive a power cut answers for those before it.
void Engine::hold_promises(Turn& turn) {
  if (turn.promises.empty()) return;
  auto& writes = turn.out.catalog;
  const auto last = std::find_if(writes.rbegin(), writes.rend(),
                                 [](const CatalogWrite& write) { return write.full; });
  KITH_ASSERT(last != writes.rend());
  if (!last->ack) last->ack = next_ack_++;
  promises_[*last->ack] = std::exchange(turn.promises, {});
}

void Engine::keep_promises(Turn& turn, const CatalogDone& done) {
  const auto it = promises_.find(done.ack);
  if (it == promises_.end()) return;
  for (Promise& promise : it->second) {
    if (!done.error) {
      turn.done(promise.request, std::move(promise.done));
      continue;
    }
    Error error = *done.error;
    error.what = "it could not be saved: " + error.what;
    turn.fail(promise.request, std::move(error));
    if (Swarm* begun = promise.begun ? swarms_.find(*promise.begun) : nullptr) {
      forget_swarm(turn, *begun);
    }
  }
  promises_.erase(it);
}

void Engine::handle_catalog(Now now, const CatalogDone& done, Outbox& out) {
  Turn turn{now, out, transfer_out_};
  if (done.error) {
    turn.log(LogLevel::kError, "the catalog could not be written: " + to_string(*done.error));
    turn.event("catalog-failed", done.error->what, done.error->subject);
  }
  keep_promises(turn, done);
  if (!on_add_saved(turn, done)) copies_.on_catalog(turn, done);
  finish_turn(turn);
}

// --- datagrams ---

void Engine::handle_datagram(Now now, const Endpoint& from, Bytes bytes, Outbox& out) {
  Turn turn{now, out, transfer_out_};
  discovery_.handle_datagram(turn, from, bytes);
  finish_turn(turn);
}

void Engine::handle_beacon(Now now, const Endpoint& from, Bytes bytes, Outbox& out) {
  Turn turn{now, out, transfer_out_};
  notice_sleep(turn);
  for (auto& [number, join] : joins_) {
    const auto beacon = open_beacon(invite_beacon(invite_j(join->invite.seed)), bytes, now.wall);
    if (beacon && beacon->device != swarms_.self()) {
      join->add_address(now.mono, from.with_port(beacon->port));
    }
  }
  discovery_.handle_beacon(turn, from, bytes);
  watch_joins(turn);
  finish_turn(turn);
}

// --- dialling ---

bool Engine::wants_dial(const Swarm& swarm, const AddressBook::Address& address) const {
  if (!swarm.role) return false;
  if (!address.device) {
    return true;
  }
  if (*address.device == swarms_.self()) return false;
  const bool banned = transfer_.is_banned(*address.device);
  const bool removed = swarm.roster.state().is_removed(*address.device);
  return !banned && !removed;
}

void Engine::dial_more(Turn& turn) {
  for (auto& [id, swarm] : swarms_.all()) {
    AddressBook* book = discovery_.book(id);
    if (book == nullptr || !swarm->role) continue;
    std::set<DeviceId> met;
    std::set<Endpoint> busy;
    std::size_t dialling = 0;
    for (const auto& [conn_id, conn] : connections_) {
      if (conn->swarm != id || conn->state == Connection::State::kClosing) continue;
      if (conn->state == Connection::State::kOpen && conn->kind != ConnectionKind::kInvite) {
        met.insert(conn->device);
      } else if (!conn->incoming) {
        ++dialling;
        if (conn->expected) met.insert(*conn->expected);
      }
      if (!conn->incoming) busy.insert(conn->remote);
    }
    while (dialling < kDialsAtOnce) {
      // Whoever has what is looked for may be none of those that the mesh holds.
      const bool beyond = met.size() >= kConnectionsPerSwarm;
      if (beyond && connections_.size() >= limits::kConnectionsMax) break;
      const auto next =
          book->next(turn.now.mono, [&](const Endpoint& endpoint, const auto& address) {
            if (beyond && address.provides_until <= turn.now.mono) return false;
            const bool is_met = address.device && met.contains(*address.device);
            return !is_met && !busy.contains(endpoint) && wants_dial(*swarm, address);
          });
      if (!next) break;
      dial(turn, *swarm, next->first, next->second).beyond = beyond;
      busy.insert(next->first);
      if (next->second.device) met.insert(*next->second.device);
      ++dialling;
    }
  }
}

// --- time ---

// A machine that slept, or a process that was stopped, had no chance to find anybody meanwhile:
// what people are willing to wait is counted from when it woke.
void Engine::notice_sleep(Turn& turn) {
  const Duration slept = turn.now.mono - next_watch_;
  if (slept < kAsleep) return;
  next_watch_ = turn.now.mono;
  for (auto& [number, join] : joins_) join->give_up += slept;
  copies_.slept(slept);
}

void Engine::handle_timeout(Now now, Outbox& out) {
  Turn turn{now, out, transfer_out_};
  notice_sleep(turn);
  take_queued_ops(turn);
  watch_joins(turn);
  const auto due = transfer_.next_timeout();
  if (due && *due <= now.mono) transfer_.on_timeout(now.mono, turn.transfer);
  copies_.on_timeout(turn);
  discovery_.on_timeout(turn);
  if (now.mono >= next_watch_) {
    next_watch_ = now.mono + kWatchEvery;
    watch_connections(turn);
    renew_connections(turn);
    look_around(turn);
  }
  finish_turn(turn);
}

std::optional<TimePoint> Engine::next_timeout() const {
  // Deadlines of connections, joins and addresses to dial are looked at on a beat: they are counted
  // in seconds, and a scan over all of them after every datagram would cost more than it gives.
  TimePoint at = next_watch_;
  const auto earliest = [&at](std::optional<TimePoint> t) {
    if (t) at = std::min(at, *t);
  };
  if (swarms_.has_queued()) earliest(last_now_);
  earliest(transfer_.next_timeout());
  earliest(copies_.next_timeout());
  earliest(discovery_.next_timeout());
  for (const auto& [number, join] : joins_) {
    for (const auto& [conn, answer] : join->answers) {
      if (!answer.incoming.empty()) earliest(last_now_);
    }
  }
  return at;
}

void Engine::check_invariants() const {
  transfer_.check_invariants();
  for (const auto& [id, conn] : connections_) {
    KITH_ASSERT(conn->id == id);
    KITH_ASSERT(!conn->announced || conn->state == Connection::State::kOpen);
    KITH_ASSERT(conn->state != Connection::State::kOpen || conn->channel.has_value());
  }
}

}  // namespace kith::node
