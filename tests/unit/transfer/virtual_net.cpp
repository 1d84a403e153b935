#include "tests/unit/transfer/virtual_net.hpp"

#include <algorithm>

#include "proto/assert.hpp"
#include "proto/crypto/bulk.hpp"

namespace kith::transfer::test {

// --- ModelShare ---

ModelShare ModelShare::make(Rng& rng, std::uint32_t pages, std::uint32_t chunks,
                            std::uint32_t max_length) {
  ModelShare out;
  out.id = rng.random<ShareId>();
  const auto length = [&] { return static_cast<std::uint32_t>(1 + rng.uniform(max_length)); };
  out.root_length = std::min<std::uint32_t>(length(), limits::kPageMax);
  for (std::uint32_t i = 0; i < pages; ++i) {
    out.page_lengths.push_back(std::min<std::uint32_t>(length(), limits::kPageMax));
  }
  for (std::uint32_t i = 0; i < chunks; ++i) out.chunk_lengths.push_back(length());
  return out;
}

std::uint32_t ModelShare::length(ChunkIndex index) const {
  if (index == 0) return root_length;
  if (index <= page_lengths.size()) return page_lengths[index - 1];
  return chunk_lengths[index - 1 - page_lengths.size()];
}

std::uint64_t ModelShare::bytes() const {
  std::uint64_t sum = 0;
  for (ChunkIndex i = 0; i < total(); ++i) sum += length(i);
  return sum;
}

std::pair<std::uint32_t, std::uint32_t> ModelShare::chunks_of(std::uint32_t page) const {
  const std::size_t n = chunk_lengths.size();
  const std::size_t pages = page_lengths.size();
  return {static_cast<std::uint32_t>(n * page / pages),
          static_cast<std::uint32_t>(n * (page + 1) / pages)};
}

// --- VirtualNet ---

VirtualNet::VirtualNet(std::uint64_t seed) : rng_(seed), swarm_(rng_.random<SwarmId>()) {}
VirtualNet::~VirtualNet() = default;

std::size_t VirtualNet::add_node(Behaviour behaviour, Config config) {
  auto node = std::make_unique<Node>();
  node->device = rng_.random<DeviceId>();
  node->behaviour = std::move(behaviour);
  node->rng = std::make_unique<SeededRng>(rng_.next_u64());
  node->manager = std::make_unique<Manager>(config, *node->rng);
  nodes_.push_back(std::move(node));
  return nodes_.size() - 1;
}

template <class F>
void VirtualNet::drive(std::size_t node, F&& call) {
  Outbox out;
  ++nodes_[node]->calls;
  call(*nodes_[node]->manager, out);
  // That looks at every chunk of every peer: with hundreds of them now and then is enough.
  const std::uint64_t every = nodes_.size() < 100 ? check_every_ : 64;
  if (nodes_[node]->calls % every == 0) nodes_[node]->manager->check_invariants();
  nodes_[node]->peak = std::max(nodes_[node]->peak, nodes_[node]->manager->reserved());
  apply(node, std::move(out));
  rearm(node);
}

void VirtualNet::seed_share(std::size_t node, const ModelShare& share) {
  shares_.emplace(share.id, share);
  drive(node, [&](Manager& m, Outbox& out) {
    m.add_share(now_, share.id, swarm(share.swarm), false, out);
    m.set_shape(now_, share.id, share.total(), share.page_lengths,
                Buffer((share.total() + 7) / 8, 0xff), out);
  });
}

void VirtualNet::fetch(std::size_t node, const ModelShare& share) {
  shares_.emplace(share.id, share);
  nodes_[node]->fetching.insert(share.id);
  drive(node, [&](Manager& m, Outbox& out) {
    m.add_share(now_, share.id, swarm(share.swarm), true, out);
  });
}

void VirtualNet::remove(std::size_t node, const ModelShare& share) {
  nodes_[node]->fetching.erase(share.id);
  nodes_[node]->completed.erase(share.id);
  drive(node, [&](Manager& m, Outbox& out) { m.remove_share(now_, share.id, out); });
}

void VirtualNet::stop_fetching(std::size_t node, const ModelShare& share) {
  nodes_[node]->fetching.erase(share.id);
  drive(node, [&](Manager& m, Outbox& out) { m.stop_fetching(now_, share.id, out); });
}

void VirtualNet::resume(std::size_t node, const ModelShare& share) {
  nodes_[node]->fetching.insert(share.id);
  drive(node, [&](Manager& m, Outbox& out) {
    m.add_share(now_, share.id, swarm(share.swarm), true, out);
    m.set_shape(now_, share.id, share.total(), share.page_lengths, {}, out);
    m.set_lengths(now_, share.id, static_cast<ChunkIndex>(1 + share.page_lengths.size()),
                  share.chunk_lengths, out);
  });
}

void VirtualNet::set_limits(std::size_t node, const LimitRules& rules) {
  drive(node, [&](Manager& m, Outbox& out) { m.set_limits(now_, rules, out); });
}

SwarmId VirtualNet::swarm(std::uint8_t number) const {
  SwarmId out = swarm_;
  out.bytes[0] = static_cast<std::uint8_t>(out.bytes[0] + number);
  return out;
}

std::size_t VirtualNet::reconnect(std::size_t number, LinkOptions options) {
  close(number);
  const Link& link = *links_[number];
  return connect(link.there.from, link.there.to, options);
}

std::size_t VirtualNet::connect(std::size_t a, std::size_t b, LinkOptions options) {
  auto link = std::make_unique<Link>();
  link->options = options;
  const ConnId ca{next_conn_++};
  const ConnId cb{next_conn_++};
  link->there.from = link->back.to = a;
  link->there.to = link->back.from = b;
  link->there.from_conn = link->back.to_conn = ca;
  link->there.to_conn = link->back.from_conn = cb;
  const std::size_t number = links_.size();
  link_of_[ca] = link_of_[cb] = number;
  links_.push_back(std::move(link));
  drive(a, [&](Manager& m, Outbox& out) {
    m.on_connected(now_, ca, nodes_[b]->device, swarm(options.swarm), options.lan, out);
    m.on_round_trip(ca, 2 * options.delay);
  });
  drive(b, [&](Manager& m, Outbox& out) {
    m.on_connected(now_, cb, nodes_[a]->device, swarm(options.swarm), options.lan, out);
    m.on_round_trip(cb, 2 * options.delay);
  });
  return number;
}

void VirtualNet::close(std::size_t number) {
  Link& link = *links_[number];
  if (!link.open) return;
  link.open = false;
  link.there.queue.clear();
  link.back.queue.clear();
  trace_.push_back("close " + std::to_string(number));
  for (Direction* dir : {&link.there, &link.back}) {
    drive(dir->from, [&](Manager& m, Outbox& out) { m.on_closed(now_, dir->from_conn, out); });
  }
}

void VirtualNet::at(Duration from_now, std::function<void()> what) {
  events_.emplace(std::pair(now_ + from_now, sequence_++), std::move(what));
}

void VirtualNet::run(Duration limit, const std::function<bool()>& done) {
  const TimePoint end = now_ + limit;
  while (!events_.empty() && !done()) {
    const auto first = events_.begin();
    if (first->first.first > end) {
      now_ = end;
      return;
    }
    if (before_event && before_event(events_run_)) return;
    now_ = first->first.first;
    const auto what = std::move(first->second);
    events_.erase(first);
    ++events_run_;
    what();
  }
}

bool VirtualNet::run_fetches(Duration limit) {
  const auto done = [this] {
    return std::all_of(nodes_.begin(), nodes_.end(), [](const auto& node) {
      return std::includes(node->completed.begin(), node->completed.end(), node->fetching.begin(),
                           node->fetching.end());
    });
  };
  run(limit, done);
  return done();
}

bool VirtualNet::complete(std::size_t node, const ShareId& share) const {
  return nodes_[node]->completed.contains(share);
}

std::size_t VirtualNet::links_open() const {
  return static_cast<std::size_t>(
      std::count_if(links_.begin(), links_.end(), [](const auto& l) { return l->open; }));
}

void VirtualNet::rearm(std::size_t number) {
  Node& node = *nodes_[number];
  const auto next = node.manager->next_timeout();
  if (!next || (node.timer && *node.timer <= *next && *node.timer > now_)) return;
  node.timer = std::max(*next, now_);
  at(*node.timer - now_, [this, number, due = *node.timer] {
    Node& n = *nodes_[number];
    if (n.timer != due) return;
    n.timer.reset();
    drive(number, [&](Manager& m, Outbox& out) { m.on_timeout(now_, out); });
  });
}

void VirtualNet::apply(std::size_t node, Outbox out) {
  for (SendFrame& f : out.frames) {
    KITH_ASSERT(f.frame.size() <= limits::kFrameMax);
    trace_.push_back(std::to_string(node) + " frame " + to_hex(f.frame));
    const std::size_t bytes = f.frame.size() + 18;
    push(node, f.to, {std::move(f.frame), std::nullopt, bytes});
  }
  for (SendSection& s : out.sections) {
    trace_.push_back(std::to_string(node) + " section " + to_hex(s.frame.encode()));
    nodes_[node]->sent += s.frame.length;
    const std::size_t bytes = section_wire_bytes(s.frame.length);
    const ConnId to = s.to;
    push(node, to, {{}, std::move(s), bytes});
  }
  for (const SealRequest& r : out.seals) seal(node, r);
  for (StoreRequest& r : out.stores) store(node, std::move(r));
  for (const Event& e : out.events) apply_event(node, e);
}

void VirtualNet::apply_event(std::size_t node, const Event& event) {
  if (const auto* closing = std::get_if<CloseConnection>(&event)) {
    trace_.push_back(std::to_string(node) + " closes: " + closing->why.what);
    at(Duration{0}, [this, link = link_of_.at(closing->conn)] { close(link); });
  } else if (const auto* stored = std::get_if<ChunkStored>(&event)) {
    on_stored_index(node, *stored);
  } else if (const auto* complete = std::get_if<FetchComplete>(&event)) {
    nodes_[node]->completed.insert(complete->share);
  } else if (const auto* check = std::get_if<CheckChunk>(&event)) {
    const Behaviour& b = nodes_[node]->behaviour;
    if (!b.heals || !(b.lies || b.rotten.contains(check->index))) return;
    at(1ms, [this, node, c = *check] {
      drive(node, [&](Manager& m, Outbox& out) { m.drop_have(now_, c.share, c.index, out); });
    });
  } else if (std::holds_alternative<FetchFailed>(event)) {
    nodes_[node]->failed = true;
  } else if (std::holds_alternative<ChunkUnavailable>(event)) {
    ++nodes_[node]->unavailable;
  }
}

void VirtualNet::on_stored_index(std::size_t node, const ChunkStored& event) {
  const ModelShare& share = shares_.at(event.share);
  at(300us, [this, node, &share, index = event.index] {
    drive(node, [&](Manager& m, Outbox& out) {
      if (!m.has_share(share.id)) return;
      if (index == 0) {
        m.set_shape(now_, share.id, share.total(), share.page_lengths, Buffer{0x80}, out);
      } else if (index <= share.page_lengths.size()) {
        const auto [first, last] = share.chunks_of(index - 1);
        const auto base = static_cast<ChunkIndex>(1 + share.page_lengths.size());
        m.set_lengths(now_, share.id, base + first,
                      std::span(share.chunk_lengths).subspan(first, last - first), out);
      }
    });
  });
}

void VirtualNet::seal(std::size_t number, const SealRequest& request) {
  Node& node = *nodes_[number];
  ++node.seals;
  const bool fails = node.behaviour.seal_failures > 0 && node.seals % 10 == 0;
  if (fails) --node.behaviour.seal_failures;
  const Duration jitter = std::chrono::microseconds(rng_.uniform(300));
  at(node.behaviour.seal_time + jitter, [this, number, request, fails] {
    Node& n = *nodes_[number];
    const ModelShare& share = shares_.at(request.share);
    const std::uint32_t size = share.length(request.index);
    if (fails) {
      return drive(number, [&](Manager& m, Outbox& out) { m.on_seal_failed(now_, request, out); });
    }
    KITH_ASSERT(request.offset < size && request.length % kRecordBytes == 0);
    SlabChain chain(pool_, std::min(request.length, size - request.offset));
    const bool wrong = n.behaviour.rotten.contains(request.index) ||
                       (n.behaviour.lies && request.index > share.page_lengths.size());
    for (std::size_t i = 0; i < chain.slab_count(); ++i) {
      const MutableBytes raw = chain.raw(i);
      store_be<std::uint32_t>(raw, request.index + (wrong ? 1'000'000 : 0));
      store_be<std::uint32_t>(raw.subspan(4),
                              static_cast<std::uint32_t>(request.offset / kRecordBytes + i));
      std::copy_n(request.share.bytes.begin(), 32, raw.begin() + 8);
    }
    drive(number, [&](Manager& m, Outbox& out) {
      m.on_sealed(now_, request, n.next_section++, size, std::move(chain), out);
    });
  });
}

StoreOutcome VirtualNet::inspect(StoreRequest& request) const {
  const ModelShare& share = shares_.at(request.share);
  std::size_t bytes = 0;
  for (const ReceivedSection& s : request.sections) bytes += s.length;
  KITH_ASSERT(request.sealed.size() == share.length(request.index));
  KITH_ASSERT(bytes == request.sealed.size());
  for (std::size_t i = 0; i < request.sealed.slab_count(); ++i) {
    const Bytes raw = request.sealed.raw(i);
    KITH_ASSERT(load_be<std::uint32_t>(raw.subspan(4)) == i);
    KITH_ASSERT(equal(raw.subspan(8, 32), request.share.view()));
    if (load_be<std::uint32_t>(raw) != request.index) return StoreOutcome::kBadChunk;
  }
  return StoreOutcome::kStored;
}

void VirtualNet::store(std::size_t node, StoreRequest request) {
  auto shared = std::make_shared<StoreRequest>(std::move(request));
  const Duration jitter = std::chrono::microseconds(rng_.uniform(300));
  const std::size_t nth = nodes_[node]->stores++;
  at(nodes_[node]->behaviour.store_time + jitter, [this, node, shared, nth] {
    const auto& forced = nodes_[node]->behaviour.store_outcome;
    const StoreOutcome found = inspect(*shared);
    const StoreOutcome outcome = forced && forced->first == nth ? forced->second : found;
    shared->sealed = SlabChain{};
    drive(node, [&](Manager& m, Outbox& out) {
      m.on_stored(now_, shared->share, shared->index, shared->from, outcome, std::nullopt, out);
    });
  });
}

VirtualNet::Direction* VirtualNet::direction(std::size_t node, ConnId conn, Link** link) {
  *link = links_[link_of_.at(conn)].get();
  if (!(*link)->open) return nullptr;
  Direction& there = (*link)->there;
  return there.from == node && there.from_conn == conn ? &there : &(*link)->back;
}

void VirtualNet::push(std::size_t node, ConnId conn, Item item) {
  Link* link = nullptr;
  Direction* dir = direction(node, conn, &link);
  if (dir == nullptr) return;
  if (item.section) {
    const Buffer announcement = item.section->frame.encode();
    item.bytes += announcement.size() + 18;
  }
  dir->unsent += item.bytes;
  dir->queue.push_back(std::move(item));
  if (!dir->writing) write_next(*link, *dir);
}

void VirtualNet::write_next(Link& link, Direction& dir) {
  if (dir.queue.empty() || nodes_[dir.to]->behaviour.never_reads) return;
  dir.writing = true;
  Item item = std::move(dir.queue.front());
  dir.queue.pop_front();
  Duration time{static_cast<std::int64_t>(item.bytes * 1'000'000'000 / link.options.rate)};
  if (rng_.uniform(1'000) < link.options.stall_chance) {
    time += std::chrono::milliseconds(rng_.uniform(300));
  }
  auto shared = std::make_shared<Item>(std::move(item));
  at(time, [this, &link, &dir, shared] {
    dir.writing = false;
    if (!link.open) return;
    dir.unsent -= shared->bytes;
    at(link.options.delay, [this, &link, &dir, shared] { deliver(link, dir, std::move(*shared)); });
    drive(dir.from, [&](Manager& m, Outbox& out) {
      m.on_wrote(now_, dir.from_conn, shared->bytes, dir.unsent, out);
    });
    if (!dir.writing) write_next(link, dir);
  });
}

void VirtualNet::deliver(Link& link, Direction& dir, Item item) {
  if (!link.open) return;
  const auto fail = [&](const Error& error) {
    trace_.push_back(std::to_string(dir.to) + " refuses: " + error.what);
    at(Duration{0}, [this, n = link_of_.at(dir.to_conn)] { close(n); });
  };
  if (!item.section) {
    drive(dir.to, [&](Manager& m, Outbox& out) {
      const auto type = static_cast<FrameType>(item.frame[0]);
      const auto result = m.on_frame(now_, dir.to_conn, type, Bytes(item.frame).subspan(1), out);
      if (!result) fail(result.error());
    });
    return;
  }
  bool accepted = true;
  drive(dir.to, [&](Manager& m, Outbox& out) {
    const auto result = m.on_chunk(now_, dir.to_conn, item.section->frame, out);
    accepted = result.has_value();
    if (!result) fail(result.error());
  });
  if (!accepted) return;
  drive(dir.to, [&](Manager& m, Outbox& out) {
    m.on_section(now_, dir.to_conn, std::move(item.section->sealed), out);
  });
}

}  // namespace kith::transfer::test
