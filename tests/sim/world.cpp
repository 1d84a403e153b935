#include "tests/sim/world.hpp"

#include "proto/assert.hpp"
#include "storage/importer.hpp"

namespace kith::sim {
namespace {

using namespace std::chrono_literals;

constexpr std::uint16_t kPort = 5484;
constexpr std::uint64_t kCheckEvery = 16;   // turns
constexpr std::size_t kWindow = 64 * 1024;  // bytes of a stream on their way, one direction
constexpr Duration kDiskMin = 50us;
constexpr Duration kDiskMax = 3ms;

node::Manifests::Source source_of(storage::Catalog& catalog) {
  return {
      [&catalog](const ShareId& share) -> Result<std::optional<Buffer>> {
        KITH_TRY(auto record, catalog.share(share));
        return record ? std::optional(record->root) : std::nullopt;
      },
      [&catalog](const ShareId& share) -> Result<std::optional<ChunkKey>> {
        KITH_TRY(auto record, catalog.share(share));
        return record ? std::optional(record->key) : std::nullopt;
      },
      [&catalog](const ShareId& share, std::uint32_t page) { return catalog.page(share, page); },
      [&catalog](CopyId copy, std::uint32_t page) { return catalog.file_stats(copy, page); },
  };
}

node::CopyTable::Lookup lookup_in(storage::Catalog& catalog) {
  return [&catalog](CopyId id) -> Result<std::optional<node::CopyTable::Place>> {
    KITH_TRY(const auto copies, catalog.copies());
    for (const auto& copy : copies) {
      if (copy.id == id) return std::optional(node::CopyTable::Place{copy.share, copy.path, false});
    }
    return std::optional<node::CopyTable::Place>();
  };
}

}  // namespace

// --- a node ---

Node::Node(World& world, std::size_t number)
    : world_(world),
      number_(number),
      // Each in a /24 of its own, as over the Internet.
      address_(Endpoint::v4(
          {44, static_cast<std::uint8_t>(number / 250), static_cast<std::uint8_t>(number % 250), 1},
          kPort)),
      rng_(world.rng().next_u64()),
      keys_(DeviceKeys::generate(rng_)),
      disk_(std::make_unique<storage::MemoryFileIo>()),
      catalog_(std::make_unique<storage::Catalog>(storage::Catalog::open_in_memory().value())) {}

void Node::start() {
  KITH_ASSERT(engine_ == nullptr);
  ++life_;
  slabs_ = std::make_unique<SlabPool>();
  jobs_ = std::make_unique<node::Jobs>(*disk_, *slabs_, source_of(*catalog_), lookup_in(*catalog_));
  node::EngineConfig config;
  config.keys = keys_;
  config.device_name = "node" + std::to_string(number_);
  config.listening = {address_};
  config.own = {address_};
  config.lan = false;
  engine_ = std::make_unique<node::Engine>(std::move(config), rng_, *slabs_);
  const auto state = node::load_state(*catalog_, disk_->boot_id()).value();
  turn([&](node::Outbox& out) { engine_->start(world_.now(), state, out); });
}

void Node::crash(storage::MemoryFileIo::Crash kind) {
  world_.note("crash", number_, 0);
  ++life_;
  for (auto& [conn, stream] : std::exchange(streams_, {})) {
    Node* peer = stream.peer;
    const ConnId other = stream.peer_conn;
    world_.after(world_.delay(), [peer, other, life = peer->life_] {
      if (peer->life_ == life) peer->closed(other, "the other side is gone");
    });
  }
  engine_.reset();
  jobs_.reset();
  waiting_.clear();
  armed_.reset();
  disk_->crash(kind);
  disk_->restart(world_.rng().next_u64());
}

template <class F>
void Node::turn(F&& input) {
  node::Outbox out;
  input(out);
  // They cost more than the turn itself: now and then is enough to find what breaks and stays
  // broken.
  if (++turns_ % kCheckEvery == 0) engine_->check_invariants();
  apply(out);
}

void Node::apply(node::Outbox& out) {
  for (const auto& datagram : out.datagrams) {
    Node* to = world_.find(datagram.to);
    if (to == nullptr || !world_.connected(*this, *to)) continue;
    if (world_.rng().chance(world_.faults_.loss_percent, 100)) continue;
    const int copies = world_.rng().chance(world_.faults_.duplicate_percent, 100) ? 2 : 1;
    for (int i = 0; i < copies; ++i) {
      world_.after(world_.delay(), [to, from = address_, bytes = datagram.bytes, life = to->life_] {
        if (to->life_ != life || !to->is_up()) return;
        to->world_.note("datagram", to->number_, bytes.size());
        to->turn([&](node::Outbox& o) {
          to->engine_->handle_datagram(to->world_.now(), from, bytes, o);
        });
      });
    }
  }
  if (!out.catalog.empty()) {
    auto writes = std::make_shared<std::vector<node::CatalogWrite>>(std::move(out.catalog));
    world_.after(1ms, [this, writes, life = life_] {
      if (life_ == life) save(std::move(*writes));
    });
  }
  for (node::Job& job : out.jobs) run_job(std::move(job));
  for (node::Reply& reply : out.replies) answer(reply);
  for (const auto& connect : out.connects) {
    world_.after(world_.delay(), [this, connect, life = life_] {
      if (life_ == life) this->connect(connect);
    });
  }
  for (const ConnId conn : out.writable) pump(conn);
  for (const auto& close : out.closes) this->close(close);
  arm();
}

void Node::answer(node::Reply& reply) {
  if (std::holds_alternative<node::Progress>(reply.body)) return;
  const auto it = waiting_.find(reply.request);
  if (it == waiting_.end()) return;
  const auto done = std::move(it->second);
  waiting_.erase(it);
  if (auto* answer = std::get_if<node::Done>(&reply.body)) {
    done(std::move(*answer));
  } else {
    done(std::get<Error>(std::move(reply.body)));
  }
}

void Node::connect(const node::OutConnect& connect) {
  Node* to = world_.find(connect.to);
  if (to == nullptr || !to->is_up() || !world_.connected(*this, *to)) {
    return turn([&](node::Outbox& o) {
      engine_->handle_closed(world_.now(), connect.conn,
                             network_error(Errc::kUnreachable, "cannot connect"), o);
    });
  }
  std::optional<ConnId> theirs;
  const Endpoint ephemeral =
      address_.with_port(static_cast<std::uint16_t>(30'000 + world_.rng().uniform(30'000)));
  to->turn(
      [&](node::Outbox& o) { theirs = to->engine_->handle_accepted(world_.now(), ephemeral, o); });
  if (!theirs) return closed(connect.conn, "refused");
  streams_[connect.conn] = {to, *theirs};
  to->streams_[*theirs] = {this, connect.conn};
  to->turn([&](node::Outbox& o) {
    to->engine_->handle_connected(world_.now(), *theirs, to->address_, o);
  });
  if (streams_.contains(connect.conn)) {
    turn([&](node::Outbox& o) {
      engine_->handle_connected(world_.now(), connect.conn, ephemeral, o);
    });
  }
}

void Node::close(const node::OutClose& close) {
  pump(close.conn);
  const auto it = streams_.find(close.conn);
  if (it == streams_.end()) return;
  const Node::Stream stream = it->second;
  streams_.erase(it);
  // Behind everything that is on its way already.
  world_.after(world_.faults_.delay_max * 2, [stream, life = stream.peer->life_] {
    if (stream.peer->life_ == life) stream.peer->closed(stream.peer_conn, "the other side closed");
  });
  if (close.flush) {
    world_.after(1ms, [this, conn = close.conn, life = life_] {
      if (life_ != life) return;
      turn([&](node::Outbox& o) {
        engine_->handle_closed(world_.now(), conn, network_error(Errc::kClosed, "closed"), o);
      });
    });
  }
}

// Moves what the engine wants to write into the stream, as far as its window has room.
void Node::pump(ConnId conn) {
  const auto it = streams_.find(conn);
  if (it == streams_.end() || !is_up()) return;
  Stream& stream = it->second;
  if (!world_.connected(*this, *stream.peer)) {
    if (std::exchange(stream.writable_pending, true)) return;
    world_.after(100ms, [this, conn, life = life_] {
      if (life_ != life || !streams_.contains(conn)) return;
      streams_[conn].writable_pending = false;
      pump(conn);
    });
    return;
  }
  while (stream.in_flight < kWindow) {
    std::vector<Bytes> plan;
    engine_->write_plan(conn, plan);
    Buffer bytes;
    const std::size_t room =
        std::min<std::size_t>(kWindow - stream.in_flight, 1 + world_.rng().uniform(kWindow / 2));
    for (const Bytes run : plan)
      append(bytes, run.first(std::min(run.size(), room - bytes.size())));
    if (bytes.empty()) return;
    const std::size_t n = bytes.size();
    stream.in_flight += n;
    Node* peer = stream.peer;
    // Streams keep their order: the delay is the same for all of one connection.
    world_.after(world_.faults_.delay_max,
                 [this, conn, peer, other = stream.peer_conn, bytes = std::move(bytes),
                  life = peer->life_, mine = life_] {
                   if (peer->life_ == life && peer->is_up()) peer->deliver(other, bytes);
                   if (life_ != mine || !streams_.contains(conn)) return;
                   streams_[conn].in_flight -= bytes.size();
                   pump(conn);
                 });
    turn([&](node::Outbox& o) { engine_->handle_wrote(world_.now(), conn, n, o); });
    if (!streams_.contains(conn)) return;
  }
}

void Node::deliver(ConnId conn, Buffer bytes) {
  world_.note("stream", number_, bytes.size());
  Bytes rest(bytes);
  while (!rest.empty() && streams_.contains(conn)) {
    std::vector<MutableBytes> plan;
    engine_->read_plan(conn, plan);
    std::size_t n = 0;
    for (const MutableBytes run : plan) {
      const std::size_t part = std::min(run.size(), rest.size() - n);
      std::copy_n(rest.begin() + static_cast<std::ptrdiff_t>(n), part, run.begin());
      n += part;
    }
    if (n == 0) return;
    rest = rest.subspan(n);
    turn([&](node::Outbox& o) { engine_->handle_read(world_.now(), conn, n, o); });
  }
}

void Node::closed(ConnId conn, const std::string& why) {
  streams_.erase(conn);
  if (!is_up()) return;
  turn([&](node::Outbox& o) {
    engine_->handle_closed(world_.now(), conn, network_error(Errc::kClosed, why), o);
  });
}

void Node::run_job(node::Job job) {
  auto shared = std::make_shared<node::Job>(std::move(job));
  const auto span = static_cast<std::uint64_t>((kDiskMax - kDiskMin).count());
  const Duration delay = kDiskMin + Duration(static_cast<std::int64_t>(world_.rng().uniform(span)));
  world_.after(delay, [this, shared, life = life_] {
    if (life_ != life) return;
    disk_->set_time_ns(count(world_.now().wall) * 1'000'000);
    const std::size_t kind = shared->index();
    node::JobResult result = jobs_->run(std::move(*shared), world_.now().wall);
    world_.note("job", number_, kind);
    turn([&](node::Outbox& o) { engine_->handle_job(world_.now(), std::move(result), o); });
  });
}

void Node::save(std::vector<node::CatalogWrite> writes) {
  std::optional<Error> error;
  if (auto begun = catalog_->begin(); !begun) error = begun.error();
  for (const auto& write : writes) {
    if (error) break;
    if (auto done = node::execute(*catalog_, write.body, disk_->boot_id()); !done)
      error = done.error();
  }
  if (!error) {
    if (auto done = catalog_->commit(); !done) error = done.error();
  } else {
    catalog_->roll_back();
  }
  if (error) world_.catalog_errors_.push_back(to_string(*error));
  for (const auto& write : writes) {
    if (!error) jobs_->manifests().saved(write.body);
    if (!write.ack && !error) continue;
    turn([&](node::Outbox& o) {
      engine_->handle_catalog(world_.now(), {write.ack.value_or(0), error}, o);
    });
  }
}

void Node::arm() {
  const auto at = engine_->next_timeout();
  if (!at || at == armed_) return;
  armed_ = at;
  world_.at(std::max(*at, world_.now().mono), [this, at, life = life_] {
    if (life_ != life || armed_ != at) return;
    armed_.reset();
    turn([&](node::Outbox& o) { engine_->handle_timeout(world_.now(), o); });
  });
}

node::RequestId Node::command(node::CommandBody body,
                              std::function<void(Result<node::Done>)> done) {
  const node::RequestId request{next_request_++};
  waiting_[request] = std::move(done);
  turn([&](node::Outbox& o) {
    engine_->handle_command(world_.now(), {request, std::move(body)}, o);
  });
  return request;
}

void Node::hang_up(node::RequestId request) {
  waiting_.erase(request);
  turn([&](node::Outbox& o) {
    engine_->handle_command(world_.now(), {node::RequestId{0}, node::CancelRequest{request}}, o);
  });
}

Result<std::string> Node::share(const std::string& path, const Chunking& chunking) {
  std::optional<Result<node::Done>> answer;
  const auto keep = [&answer](Result<node::Done> done) { answer = std::move(done); };
  command(node::ResolveShareTarget{}, keep);
  KITH_TRY(const node::Done resolved, *answer);
  const auto& target = std::get<node::SwarmTarget>(resolved);
  storage::ImportOptions options;
  options.chunking = chunking;
  options.conv = target.conv;
  options.recorded_at = world_.now().wall;
  KITH_TRY(const auto imported, storage::import_tree(*disk_, *slabs_, path, std::move(options)));
  const CopyId copy{static_cast<std::int64_t>(rng_.next_u64() >> 2) + 1};
  KITH_CHECK(catalog_->begin());
  KITH_CHECK(catalog_->put_share(
      {imported.share, target.swarm, imported.root.name, imported.key, imported.root_ciphertext}));
  storage::CopyRecord record;
  record.id = copy;
  record.share = imported.share;
  record.state = storage::CopyState::kShared;
  record.path = path;
  KITH_CHECK(catalog_->put_copy(record));
  for (std::size_t i = 0; i < imported.pages.size(); ++i) {
    const auto number = static_cast<std::uint32_t>(i);
    KITH_CHECK(catalog_->put_page(imported.share, number, imported.pages[i].ciphertext));
    KITH_CHECK(catalog_->put_file_stats(copy, number, imported.pages[i].file_stats));
  }
  KITH_CHECK(catalog_->commit());
  command(node::AddShare{target.swarm, imported.share, imported.key, copy, path, imported.root},
          keep);
  KITH_TRY(const node::Done added, *answer);
  return std::get<node::ShareAdded>(added).share.link;
}

// --- the world ---

World::World(std::uint64_t seed, NetworkFaults faults) : rng_(seed), faults_(faults) {}

World::~World() {
  // Events hold jobs, and jobs hold slabs of the nodes.
  events_ = {};
}

Node& World::add_node() {
  nodes_.push_back(std::make_unique<Node>(*this, nodes_.size()));
  nodes_.back()->start();
  return *nodes_.back();
}

void World::at(TimePoint time, std::function<void()> event) {
  events_.push({time, next_event_++, std::move(event)});
}

bool World::run_until(const std::function<bool()>& done, Duration limit) {
  const TimePoint end = now_.mono + limit;
  while (!done()) {
    if (events_.empty() || events_.top().time > end) return false;
    const Event event = events_.top();
    events_.pop();
    const Duration passed = event.time - now_.mono;
    now_.mono = event.time;
    nanos_ += passed;
    now_.wall = UnixMillis(kWallStart +
                           std::chrono::duration_cast<std::chrono::milliseconds>(nanos_).count());
    event.run();
  }
  return true;
}

void World::run_for(Duration duration) {
  const TimePoint end = now_.mono + duration;
  bool over = false;
  at(end, [&over] { over = true; });
  static_cast<void>(run_until([&over] { return over; }, duration));
}

bool World::connected(const Node& a, const Node& b) const {
  return cut_off_.contains(a.number_) == cut_off_.contains(b.number_);
}

Duration World::delay() {
  const auto span = static_cast<std::uint64_t>((faults_.delay_max - faults_.delay_min).count());
  return faults_.delay_min + Duration(static_cast<std::int64_t>(rng_.uniform(span + 1)));
}

Node* World::find(const Endpoint& address) {
  for (const auto& node : nodes_) {
    if (node->address_ == address) return node.get();
  }
  return nullptr;
}

void World::note(std::string_view what, std::uint64_t a, std::uint64_t b) {
  Buffer text(trace_.begin(), trace_.end());
  append(text, as_bytes(what));
  append_be<std::int64_t>(text, now_.mono.time_since_epoch().count());
  append_be(text, a);
  append_be(text, b);
  trace_ = blake2b_256(text);
}

std::string World::trace() const { return to_hex(trace_); }

}  // namespace kith::sim
