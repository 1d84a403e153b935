#include "tests/sim/world.hpp"

#include "proto/assert.hpp"

namespace kith::sim {
namespace {

using namespace std::chrono_literals;

constexpr std::uint16_t kPort = 5484;
constexpr std::uint64_t kCheckEvery = 16;   // turns
constexpr std::size_t kWindow = 64 * 1024;  // bytes of a stream on their way, one direction
constexpr Duration kDiskMin = 50us;
constexpr Duration kDiskMax = 3ms;

}  // namespace

// --- a node ---

Node::Node(World& world, std::size_t number, bool lan)
    : world_(world),
      number_(number),
      address_(Endpoint::v4(
          {static_cast<std::uint8_t>(lan ? 10 : 44), static_cast<std::uint8_t>(number / 250),
           static_cast<std::uint8_t>(number % 250), 1},
          kPort)),
      rng_(world.rng().next_u64()),
      keys_(DeviceKeys::generate(rng_)) {}

void Node::start() {
  KITH_ASSERT(engine_ == nullptr);
  ++life_;
  events_.clear();
  const node::SavedState state = backing_.start();
  node::EngineConfig config;
  config.keys = keys_;
  config.device_name = "node" + std::to_string(number_);
  config.listening = {address_};
  config.own = {address_};
  config.lan = false;
  engine_ = std::make_unique<node::Engine>(std::move(config), rng_, backing_.slabs());
  turn([&](node::Outbox& out) { engine_->start(now(), state, out); });
}

void Node::crash(Crash kind) {
  world_.note("crash", number_, 0);
  ++life_;
  for (auto& [conn, stream] : std::exchange(streams_, {})) {
    Node* peer = stream.peer;
    const ConnId other = stream.peer_conn;
    peer->later(world_.delay(), [peer, other] { peer->closed(other, "the other side is gone"); });
  }
  engine_.reset();
  waiting_.clear();
  armed_.reset();
  disk().forget_script();
  backing_.crash(kind, world_.rng());
}

void Node::crash_at(std::uint64_t call, Crash kind) {
  planned_crash_ = kind;
  disk().crash_at(disk().calls() + call, kind);
}

void Node::sleep(Duration duration) { asleep_until_ = world_.now().mono + duration; }

Now Node::now() const {
  const Now world = world_.now();
  return {world.mono, UnixMillis(count(world.wall) + clock_shift_.count())};
}

void Node::later(Duration delay, std::function<void()> event) {
  world_.after(delay, [this, life = life_, event = std::move(event)] { run_in_life(life, event); });
}

void Node::run_in_life(std::uint64_t life, const std::function<void()>& event) {
  if (life_ != life || !is_up()) return;
  if (world_.now().mono >= asleep_until_) return event();
  world_.at(asleep_until_, [this, life, event] { run_in_life(life, event); });
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
      to->later(world_.delay(), [to, from = address_, bytes = datagram.bytes] {
        to->world_.note("datagram", to->number_, bytes.size());
        to->turn([&](node::Outbox& o) { to->engine_->handle_datagram(to->now(), from, bytes, o); });
      });
    }
  }
  if (!out.catalog.empty()) {
    auto writes = std::make_shared<std::vector<node::CatalogWrite>>(std::move(out.catalog));
    later(1ms, [this, writes] { save(std::move(*writes)); });
  }
  for (node::Job& job : out.jobs) run_job(std::move(job));
  for (node::Reply& reply : out.replies) answer(reply);
  for (const auto& connect : out.connects) {
    later(world_.delay(), [this, connect] { this->connect(connect); });
  }
  for (const ConnId conn : out.writable) pump(conn);
  for (const auto& close : out.closes) this->close(close);
  for (node::NodeEvent& event : out.events) events_.push_back(std::move(event));
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
  const bool answers = to != nullptr && to->is_up() && to->asleep_until_ <= world_.now().mono;
  if (!answers || !world_.connected(*this, *to)) {
    return turn([&](node::Outbox& o) {
      engine_->handle_closed(now(), connect.conn,
                             network_error(Errc::kUnreachable, "cannot connect"), o);
    });
  }
  std::optional<ConnId> theirs;
  const Endpoint ephemeral =
      address_.with_port(static_cast<std::uint16_t>(30'000 + world_.rng().uniform(30'000)));
  to->turn(
      [&](node::Outbox& o) { theirs = to->engine_->handle_accepted(to->now(), ephemeral, o); });
  if (!theirs) return closed(connect.conn, "refused");
  streams_[connect.conn] = {to, *theirs};
  to->streams_[*theirs] = {this, connect.conn};
  to->turn(
      [&](node::Outbox& o) { to->engine_->handle_connected(to->now(), *theirs, to->address_, o); });
  if (streams_.contains(connect.conn)) {
    turn([&](node::Outbox& o) { engine_->handle_connected(now(), connect.conn, ephemeral, o); });
  }
}

void Node::close(const node::OutClose& close) {
  pump(close.conn);
  const auto it = streams_.find(close.conn);
  if (it == streams_.end()) return;
  const Node::Stream stream = it->second;
  streams_.erase(it);
  // Behind everything that is on its way already.
  stream.peer->later(world_.faults_.delay_max * 2,
                     [stream] { stream.peer->closed(stream.peer_conn, "the other side closed"); });
  if (close.flush) {
    later(1ms, [this, conn = close.conn] {
      turn([&](node::Outbox& o) {
        engine_->handle_closed(now(), conn, network_error(Errc::kClosed, "closed"), o);
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
    later(100ms, [this, conn] {
      if (!streams_.contains(conn)) return;
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
    peer->later(world_.faults_.delay_max,
                [peer, other = stream.peer_conn, bytes = std::move(bytes)] {
                  const auto at = peer->streams_.find(other);
                  if (at == peer->streams_.end()) return;
                  append(at->second.arrived, bytes);
                  peer->read_more(other);
                });
    turn([&](node::Outbox& o) { engine_->handle_wrote(now(), conn, n, o); });
    if (!streams_.contains(conn)) return;
  }
}

void Node::read_slowly(std::optional<std::size_t> bytes_per_second) {
  reading_rate_ = bytes_per_second;
  std::vector<ConnId> conns;
  for (const auto& [conn, stream] : streams_) conns.push_back(conn);
  for (const ConnId conn : conns) read_more(conn);
}

// Reads what has arrived, or as much of it as a second allows; the sender's window opens by that.
void Node::read_more(ConnId conn) {
  const auto it = streams_.find(conn);
  if (it == streams_.end() || it->second.reading) return;
  Stream& stream = it->second;
  const std::size_t n = std::min(stream.arrived.size(), reading_rate_.value_or(SIZE_MAX));
  if (n == 0) return;
  const Buffer bytes = to_buffer(Bytes(stream.arrived).first(n));
  stream.arrived.erase(stream.arrived.begin(),
                       stream.arrived.begin() + static_cast<std::ptrdiff_t>(n));
  stream.peer->later(Duration(0), [peer = stream.peer, other = stream.peer_conn, n] {
    const auto at = peer->streams_.find(other);
    if (at == peer->streams_.end()) return;
    at->second.in_flight -= n;
    peer->pump(other);
  });
  if (reading_rate_) {
    stream.reading = true;
    later(1s, [this, conn] {
      if (!streams_.contains(conn)) return;
      streams_[conn].reading = false;
      read_more(conn);
    });
  }
  deliver(conn, bytes);
}

void Node::deliver(ConnId conn, Bytes rest) {
  world_.note("stream", number_, rest.size());
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
    turn([&](node::Outbox& o) { engine_->handle_read(now(), conn, n, o); });
  }
}

void Node::closed(ConnId conn, const std::string& why) {
  streams_.erase(conn);
  if (!is_up()) return;
  turn([&](node::Outbox& o) {
    engine_->handle_closed(now(), conn, network_error(Errc::kClosed, why), o);
  });
}

void Node::run_job(node::Job job) {
  auto shared = std::make_shared<node::Job>(std::move(job));
  const auto span = static_cast<std::uint64_t>((kDiskMax - kDiskMin).count());
  const Duration delay = kDiskMin + Duration(static_cast<std::int64_t>(world_.rng().uniform(span)));
  later(delay, [this, shared] {
    const std::size_t kind = shared->index();
    node::JobResult result = backing_.run(std::move(*shared), now().wall);
    if (disk().crashed()) return crash(planned_crash_);
    world_.note("job", number_, kind);
    turn([&](node::Outbox& o) { engine_->handle_job(now(), std::move(result), o); });
  });
}

void Node::save(std::vector<node::CatalogWrite> writes) {
  std::vector<std::uint64_t> acks;
  for (const auto& write : writes) {
    if (write.ack) acks.push_back(*write.ack);
  }
  std::optional<Error> error;
  if (auto saved = backing_.save(std::move(writes)); !saved) error = saved.error();
  if (error) world_.catalog_errors_.push_back(to_string(*error));
  if (error && acks.empty()) acks.push_back(0);
  for (const std::uint64_t ack : acks) {
    turn([&](node::Outbox& o) { engine_->handle_catalog(now(), {ack, error}, o); });
  }
}

void Node::arm() {
  const auto at = engine_->next_timeout();
  if (!at || at == armed_) return;
  armed_ = at;
  later(std::max(*at - world_.now().mono, Duration(0)), [this, at] {
    if (armed_ != at) return;
    armed_.reset();
    turn([&](node::Outbox& o) { engine_->handle_timeout(now(), o); });
  });
}

node::RequestId Node::command(node::CommandBody body,
                              std::function<void(Result<node::Done>)> done) {
  const node::RequestId request{next_request_++};
  waiting_[request] = std::move(done);
  turn([&](node::Outbox& o) { engine_->handle_command(now(), {request, std::move(body)}, o); });
  return request;
}

void Node::hang_up(node::RequestId request) {
  waiting_.erase(request);
  turn([&](node::Outbox& o) {
    engine_->handle_command(now(), {node::RequestId{0}, node::CancelRequest{request}}, o);
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
  options.recorded_at = now().wall;
  const CopyId copy = node::random_copy_id(rng_);
  auto imported = backing_.import(path, std::move(options), target.swarm, copy);
  if (disk().crashed()) crash(planned_crash_);
  if (!imported) return std::move(imported).error();
  answer.reset();
  command(std::move(*imported), keep);
  KITH_TRY(const node::Done added, *answer);
  return std::get<node::ShareAdded>(added).share.link;
}

// --- the world ---

World::World(std::uint64_t seed, NetworkFaults faults) : rng_(seed), faults_(faults) {}

World::~World() {
  // Events hold jobs, and jobs hold slabs of the nodes.
  events_ = {};
}

Node& World::add_node(bool lan) {
  nodes_.push_back(std::make_unique<Node>(*this, nodes_.size(), lan));
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
