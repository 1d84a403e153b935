#include "tests/unit/transfer/session_model.hpp"

#include <algorithm>

#include "proto/assert.hpp"
#include "proto/crypto/bulk.hpp"
#include "proto/limits.hpp"

namespace kith::transfer::test {

using namespace std::chrono_literals;

namespace {

constexpr Config kConfig{1 << 20, 1 << 20};

}  // namespace

SessionModel::SessionModel(Bytes input) : input_(input), rng_(7), manager_(kConfig, rng_) {
  for (std::uint8_t i = 0; i < 3; ++i) {
    ShareId id;
    id.bytes[0] = i;
    shares_.push_back(id);
  }
}

std::uint8_t SessionModel::next() {
  if (input_.empty()) return 0;
  const std::uint8_t value = input_[0];
  input_ = input_.subspan(1);
  return value;
}

std::optional<ConnId> SessionModel::peer() {
  if (peers_.empty()) return std::nullopt;
  return std::next(peers_.begin(), next() % static_cast<std::ptrdiff_t>(peers_.size()))->first;
}

/// One share is served, another is fetched and partly known, a third is nothing yet.
void SessionModel::start() {
  const std::vector<std::uint32_t> pages = {length(1), length(2)};
  std::vector<std::uint32_t> lengths;
  for (ChunkIndex i = 1 + kPages; i < kTotal; ++i) lengths.push_back(length(i));
  drive([&](Outbox& out) {
    manager_.add_share(now_, shares_[0], swarm_, false, out);
    manager_.set_shape(now_, shares_[0], kTotal, pages, Buffer(5, 0xff), out);
    manager_.add_share(now_, shares_[1], swarm_, true, out);
    manager_.set_shape(now_, shares_[1], kTotal, pages, Buffer{0xe0, 0x01}, out);
    manager_.set_lengths(now_, shares_[1], 1 + kPages, lengths, out);
  });
}

void SessionModel::run() {
  start();
  connect();
  while (!input_.empty()) step();
  finish();
}

/// A handle that we gave to this peer; now and then another.
Handle SessionModel::our_handle(ConnId conn) {
  const auto& given = peers_.at(conn).watched_by_us;
  if (given.empty() || next() % 64 == 0) return next() % 4;
  return std::next(given.begin(), next() % static_cast<std::ptrdiff_t>(given.size()))->first;
}

template <class F>
void SessionModel::drive(F&& call) {
  Outbox out;
  call(out);
  manager_.check_invariants();
  // One chunk may stand over the budget, when nothing else is reserved.
  KITH_ASSERT(manager_.reserved() <= kConfig.receive_budget_bytes + limits::kPageMax);
  take(out);
}

void SessionModel::take(Outbox& out) {
  for (const SendFrame& sent : out.frames) take_frame(sent);
  for (const SendSection& sent : out.sections) {
    const auto it = peers_.find(sent.to);
    KITH_ASSERT(it != peers_.end());
    KITH_ASSERT(sent.sealed.size() == sent.frame.length);
    it->second.unsent += section_wire_bytes(sent.frame.length);
    // Sections of a chunk come in order, from the beginning, until it is whole or refused.
    const std::pair key(sent.frame.handle, sent.frame.index);
    std::uint32_t& offset = it->second.sent[key];
    KITH_ASSERT(sent.frame.offset == offset);
    offset += sent.frame.length;
    if (offset == sent.frame.size) it->second.sent.erase(key);
    ++sections_sent_;
  }
  for (const SealRequest& request : out.seals) {
    KITH_ASSERT(request.length > 0 && request.length % kRecordBytes == 0);
    seals_.push_back(request);
  }
  for (StoreRequest& request : out.stores) {
    KITH_ASSERT(request.sealed.size() == length(request.index));
    stores_.push_back(std::move(request));
  }
  for (const Event& event : out.events) {
    if (const auto* closing = std::get_if<CloseConnection>(&event)) peers_.erase(closing->conn);
  }
}

void SessionModel::take_frame(const SendFrame& sent) {
  const auto it = peers_.find(sent.to);
  KITH_ASSERT(it != peers_.end());
  Peer& to = it->second;
  to.unsent += sent.frame.size();
  const Bytes body = Bytes(sent.frame).subspan(1);
  switch (static_cast<FrameType>(sent.frame[0])) {
    case FrameType::kWatch: {
      const auto frame = WatchFrame::decode(body).value();
      KITH_ASSERT(to.watched_by_us.emplace(frame.handle, frame.share).second);
      return;
    }
    case FrameType::kWant: {
      const auto frame = WantFrame::decode(body).value();
      KITH_ASSERT(to.watched_by_us.contains(frame.handle));
      KITH_ASSERT(to.wants.emplace(std::pair(frame.handle, frame.index), Progress{}).second);
      KITH_ASSERT(to.wants.size() <= limits::kQueuedWantsPerPeer);
      return;
    }
    case FrameType::kCancel: {
      const auto frame = CancelFrame::decode(body).value();
      for (auto& [key, progress] : to.wants) {
        if (key.first != frame.handle || (frame.index && key.second != *frame.index)) continue;
        progress.cancelled = true;
      }
      if (frame.index) KITH_ASSERT(to.wants.contains({frame.handle, *frame.index}));
      return;
    }
    case FrameType::kRefuse: {
      const auto frame = RefuseFrame::decode(body).value();
      to.sent.erase({frame.handle, frame.index});
      return;
    }
    default:
      return;
  }
}

void SessionModel::drop(ConnId conn) {
  peers_.erase(conn);
  drive([&](Outbox& out) { manager_.on_closed(now_, conn, out); });
}

void SessionModel::feed(ConnId conn, const Buffer& frame) {
  if (static_cast<FrameType>(frame[0]) == FrameType::kRefuse) {
    const auto refuse = RefuseFrame::decode(Bytes(frame).subspan(1));
    if (refuse) peers_.at(conn).wants.erase({refuse->handle, refuse->index});
  }
  bool accepted = true;
  drive([&](Outbox& out) {
    const auto result = manager_.on_frame(now_, conn, static_cast<FrameType>(frame[0]),
                                          Bytes(frame).subspan(1), out);
    accepted = result.has_value();
  });
  if (!accepted) drop(conn);
}

void SessionModel::step() {
  switch (next() % 32) {
    case 0:
      return connect();
    case 1:
      return next() % 4 == 0 ? close() : connect();
    case 2:
      return wild_frame();
    case 3:
    case 4:
      return have_set();
    case 5:
      return have();
    case 6:
      return refuse();
    case 7:
    case 8:
    case 9:
    case 10:
      return section();
    case 11:
    case 12:
    case 13:
    case 24:
    case 25:
    case 26:
      return peer_frame();
    case 14:
    case 27:
    case 28:
      return answer_seal(false);
    case 15:
      return answer_seal(true);
    case 16:
    case 17:
      return answer_store();
    case 18:
      return time_passes();
    case 19:
    case 29:
    case 30:
      return wrote();
    case 20:
      return share_comes_or_goes();
    case 21:
      return shape_or_lengths();
    case 22:
      return have_changes();
    default:
      return limits_change();
  }
}

void SessionModel::connect() {
  if (peers_.size() >= 4) return;
  const ConnId conn{next_conn_++};
  Peer peer;
  peer.device.bytes[0] = next();
  const bool banned = manager_.is_banned(peer.device);
  SwarmId swarm = swarm_;
  if (next() % 8 == 0) swarm.bytes[0] = 1;
  peers_.emplace(conn, std::move(peer));
  drive([&](Outbox& out) {
    manager_.on_connected(now_, conn, peers_.at(conn).device, swarm, false, out);
  });
  KITH_ASSERT(!banned || !peers_.contains(conn));
}

void SessionModel::close() {
  if (const auto conn = peer()) drop(*conn);
}

void SessionModel::wild_frame() {
  const auto conn = peer();
  if (!conn || next() % 4 != 0) return;
  Buffer frame{next()};
  const std::size_t asked = next();
  const std::size_t n = std::min(asked, input_.size());
  append(frame, input_.first(n));
  input_ = input_.subspan(n);
  feed(*conn, frame);
}

void SessionModel::have_set() {
  const auto conn = peer();
  if (!conn) return;
  HaveSetFrame frame;
  frame.handle = our_handle(*conn);
  const std::uint8_t kind = next();
  if (kind < 8) {
    frame.total = 0;
  } else if (kind < 12) {
    frame.total = next16();
    frame.first = next() * 8U;
    frame.bits = {next()};
  } else {
    frame.total = kTotal;
    frame.bits = {next(), next(), next(), next(), next()};
    if (kind >= 128) frame.bits.assign(5, 0xff);
  }
  feed(*conn, frame.encode());
}

void SessionModel::have() {
  const auto conn = peer();
  if (!conn) return;
  HaveFrame frame;
  frame.handle = our_handle(*conn);
  const ChunkIndex end = next() % 32 == 0 ? 48 : kTotal;
  for (int i = next() % 8; i > 0; --i) frame.indices.push_back(next() % end);
  feed(*conn, frame.encode());
}

void SessionModel::refuse() {
  const auto conn = peer();
  if (!conn) return;
  auto& wants = peers_.at(*conn).wants;
  const bool wild = next() % 64 == 0;
  if (wants.empty() && !wild) return;
  if (wild) {
    return feed(*conn, RefuseFrame{next() % 4U, next() % 48U}.encode());
  }
  const auto it = std::next(wants.begin(), next() % static_cast<std::ptrdiff_t>(wants.size()));
  const auto key = it->first;
  feed(*conn, RefuseFrame{key.first, key.second}.encode());
}

void SessionModel::section() {
  const auto conn = peer();
  if (!conn) return;
  Peer& from = peers_.at(*conn);
  ChunkFrame frame;
  std::map<std::pair<Handle, ChunkIndex>, Progress>::iterator it = from.wants.end();
  if (!from.wants.empty()) {
    it = std::next(from.wants.begin(), next() % static_cast<std::ptrdiff_t>(from.wants.size()));
    frame.handle = it->first.first;
    frame.index = it->first.second;
    frame.offset = it->second.received;
  } else {
    if (next() % 16 != 0) return;
    frame.handle = next() % 4U;
    frame.index = next() % 48U;
  }
  frame.size = length(frame.index);
  frame.section = from.next_section++;
  const std::uint32_t rest = frame.size > frame.offset ? frame.size - frame.offset : 1;
  frame.length = next() % 2 == 0 ? rest : std::min<std::uint32_t>(rest, kRecordBytes);
  const std::uint8_t wild = next();
  if (wild == 1) frame.offset += kRecordBytes;
  if (wild == 2) frame.size += 1;
  if (wild == 3) frame.length = 1 + next16();
  bool accepted = false;
  drive([&](Outbox& out) { accepted = manager_.on_chunk(now_, *conn, frame, out).has_value(); });
  if (!accepted) return drop(*conn);
  KITH_ASSERT(it != from.wants.end());  // what nobody asked for is never accepted
  KITH_ASSERT(frame.offset == it->second.received);
  it->second.received += frame.length;
  if (it->second.received == frame.size) from.wants.erase(it);
  drive(
      [&](Outbox& out) { manager_.on_section(now_, *conn, SlabChain(pool_, frame.length), out); });
}

void SessionModel::peer_frame() {
  const auto conn = peer();
  if (!conn) return;
  Peer& from = peers_.at(*conn);
  const bool wild = next() % 32 == 0;
  const Handle handle = next() % 4;
  const ChunkIndex index = next() % 48;
  const std::uint8_t kind = next() % 12;
  if (kind == 0 || from.watched_by_peer.empty()) {
    const ShareId id = share();
    const bool twice = std::any_of(from.watched_by_peer.begin(), from.watched_by_peer.end(),
                                   [&](const auto& w) { return w.second == id; });
    if (!wild && (twice || from.watched_by_peer.contains(handle))) return;
    from.watched_by_peer.emplace(handle, id);
    return feed(*conn, WatchFrame{handle, id}.encode());
  }
  if (!wild && !from.watched_by_peer.contains(handle)) return;
  switch (kind) {
    case 1:
      from.watched_by_peer.erase(handle);
      std::erase_if(from.peer_wants, [&](const auto& want) { return want.first == handle; });
      return feed(*conn, CancelFrame{handle, std::nullopt}.encode());
    case 2:
      return feed(*conn, BadFrame{handle, index}.encode());
    case 3:
    case 4:
      from.peer_wants.erase({handle, index});
      return feed(*conn, CancelFrame{handle, index}.encode());
    default:
      if (!from.peer_wants.emplace(handle, index).second && !wild) return;
      return feed(*conn, WantFrame{handle, index}.encode());
  }
}

void SessionModel::answer_seal(bool fails) {
  if (seals_.empty()) return;
  const std::size_t which = next() % seals_.size();
  const SealRequest request = seals_[which];
  seals_.erase(seals_.begin() + static_cast<std::ptrdiff_t>(which));
  const std::uint32_t size = length(request.index);
  if (fails || request.offset >= size) {
    return drive([&](Outbox& out) { manager_.on_seal_failed(now_, request, out); });
  }
  const std::uint32_t bytes = std::min(request.length, size - request.offset);
  drive([&](Outbox& out) {
    manager_.on_sealed(now_, request, next(), size, SlabChain(pool_, bytes), out);
  });
}

void SessionModel::answer_store() {
  if (stores_.empty()) return;
  const std::size_t which = next() % stores_.size();
  StoreRequest request = std::move(stores_[which]);
  stores_.erase(stores_.begin() + static_cast<std::ptrdiff_t>(which));
  request.sealed = SlabChain{};
  const std::uint8_t kind = next();
  const StoreOutcome outcome = kind < 8    ? StoreOutcome::kBadRecord
                               : kind < 40 ? StoreOutcome::kBadChunk
                               : kind < 44 ? StoreOutcome::kFailed
                                           : StoreOutcome::kStored;
  if (outcome == StoreOutcome::kStored) ++chunks_stored_;
  drive([&](Outbox& out) {
    manager_.on_stored(now_, request.share, request.index, request.from, outcome, std::nullopt,
                       out);
  });
}

void SessionModel::time_passes() {
  now_ += std::chrono::milliseconds(next16());
  drive([&](Outbox& out) { manager_.on_timeout(now_, out); });
  const auto due = manager_.next_timeout();
  KITH_ASSERT(!due || *due > now_);
}

void SessionModel::wrote() {
  const auto conn = peer();
  if (!conn) return;
  Peer& to = peers_.at(*conn);
  const std::size_t bytes = std::min<std::size_t>(to.unsent, next16() * 16);
  to.unsent -= bytes;
  now_ += std::chrono::microseconds(next());
  drive([&](Outbox& out) { manager_.on_wrote(now_, *conn, bytes, to.unsent, out); });
}

void SessionModel::share_comes_or_goes() {
  const ShareId id = share();
  const std::uint8_t kind = next() % 8;
  drive([&](Outbox& out) {
    if (kind < 5) {
      manager_.add_share(now_, id, swarm_, kind != 0, out);
    } else if (kind == 5) {
      manager_.stop_fetching(now_, id, out);
    } else if (kind == 6) {
      manager_.remove_share(now_, id, out);
    }
  });
}

void SessionModel::shape_or_lengths() {
  const ShareId id = share();
  const std::vector<std::uint32_t> pages = {length(1), length(2)};
  std::vector<std::uint32_t> lengths;
  for (ChunkIndex i = 1 + kPages; i < kTotal; ++i) lengths.push_back(length(i));
  const std::uint8_t kind = next();
  drive([&](Outbox& out) {
    if (kind % 2 == 0) {
      manager_.set_shape(now_, id, kTotal, pages, Buffer{kind, next()}, out);
    } else {
      const std::size_t first = next() % lengths.size();
      manager_.set_lengths(now_, id, static_cast<ChunkIndex>(1 + kPages + first),
                           std::span(lengths).subspan(first), out);
    }
  });
}

void SessionModel::have_changes() {
  const ShareId id = share();
  const ChunkIndex index = next() % 48;
  const bool comes = next() % 2 == 0;
  drive([&](Outbox& out) {
    comes ? manager_.add_have(now_, id, index, out) : manager_.drop_have(now_, id, index, out);
  });
}

void SessionModel::limits_change() {
  LimitRules limits;
  for (std::uint8_t i = next() % 3; i > 0; --i) {
    LimitRule rule;
    if (next() % 3 == 0 && !peers_.empty()) rule.device = peers_.begin()->second.device;
    rule.up = next() % 4 == 0 ? next16() * 10'000 : 0;
    rule.down = next() % 4 == 0 ? next16() * 10'000 : 0;
    limits.rules.push_back(rule);
  }
  drive([&](Outbox& out) { manager_.set_limits(now_, limits, out); });
}

void SessionModel::finish() {
  while (!peers_.empty()) drop(peers_.begin()->first);
  while (!stores_.empty()) answer_store();
  while (!seals_.empty()) answer_seal(false);
  KITH_ASSERT(manager_.reserved() == 0);
  KITH_ASSERT(manager_.send_reserved() == 0);
  KITH_ASSERT(pool_.in_use() == 0);
}

}  // namespace kith::transfer::test
