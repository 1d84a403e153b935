#include "tests/unit/node/engine/support.hpp"

#include <algorithm>

namespace kith::node::test {

// --- the node ---

Node::Node(std::uint8_t seed) : rng_(seed), address_(Endpoint::v4({10, 0, 0, seed}, 5484)) {
  EngineConfig config;
  config.keys = DeviceKeys::generate(rng_);
  config.device_name = "node " + std::to_string(seed);
  config.listening = {address_};
  config.own = {address_};
  config.lan = false;
  const SavedState saved = backing_.start();
  engine_.emplace(std::move(config), rng_, backing_.slabs());
  turn([&](Outbox& out) { engine_->start(now, saved, out); });
}

void Node::turn(const std::function<void(Outbox&)>& input) {
  Outbox out;
  input(out);
  engine_->check_invariants();
  take(out);
  if (!working_) work();
}

void Node::take(Outbox& out) {
  for (Job& job : out.jobs) jobs_.push_back(std::move(job));
  for (const OutClose& close : out.closes) (close.flush ? flushing_ : closed_).insert(close.conn);
  dials.insert(dials.end(), out.connects.begin(), out.connects.end());
  for (NodeEvent& event : out.events) events.push_back(std::move(event));
  for (LogLine& line : out.log) log.push_back(std::move(line));
  for (Reply& reply : out.replies) {
    if (auto* done = std::get_if<Done>(&reply.body)) answers_.emplace(reply.request, *done);
    if (auto* error = std::get_if<Error>(&reply.body)) answers_.emplace(reply.request, *error);
  }
  if (out.catalog.empty()) return;
  for (const CatalogWrite& write : out.catalog) {
    if (write.ack) committed_.push_back({*write.ack, {}});
  }
  const auto saved = backing_.save(std::move(out.catalog));
  EXPECT_TRUE(saved) << to_string(saved.error());
}

void Node::work() {
  working_ = true;
  while (!jobs_.empty() || (!hold_catalog && !committed_.empty())) {
    if (!hold_catalog && !committed_.empty()) {
      const CatalogDone done = committed_.front();
      committed_.pop_front();
      turn([&](Outbox& out) { engine_->handle_catalog(now, done, out); });
      continue;
    }
    JobResult result = backing_.run(std::move(jobs_.front()), now.wall);
    jobs_.pop_front();
    turn([&](Outbox& out) { engine_->handle_job(now, std::move(result), out); });
  }
  working_ = false;
}

void Node::pass(Duration time) {
  const TimePoint end = now.mono + time;
  const auto go_to = [this](TimePoint at) {
    const auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(at - now.mono);
    now = {at, UnixMillis(count(now.wall) + ms.count())};
  };
  for (auto at = engine_->next_timeout(); at && *at <= end; at = engine_->next_timeout()) {
    go_to(std::max(*at, now.mono));
    turn([&](Outbox& out) { engine_->handle_timeout(now, out); });
  }
  go_to(end);
}

RequestId Node::begin(CommandBody body) {
  const RequestId request{next_request_++};
  turn([&](Outbox& out) { engine_->handle_command(now, {request, std::move(body)}, out); });
  return request;
}

const Result<Done>* Node::answer(RequestId request) const {
  const auto it = answers_.find(request);
  return it == answers_.end() ? nullptr : &it->second;
}

Result<Done> Node::ask(CommandBody body) {
  const Result<Done>* answered = answer(begin(std::move(body)));
  return answered == nullptr ? local_error(Errc::kTimeout, "not answered at once") : *answered;
}

Invite Node::invite(const std::string& role, std::uint32_t uses) {
  MakeInvite command;
  command.role = role;
  command.uses = uses;
  return Invite::parse(std::get<InviteMade>(*ask(command)).text).value();
}

Link Node::share(const storage::test::Tree& tree, const Chunking& chunking) {
  const auto target = std::get<SwarmTarget>(*ask(ResolveShareTarget{}));
  disk().set_time_ns((count(now.wall) - 10'000) * 1'000'000);
  storage::test::write_tree(disk(), "/shared", tree);
  storage::ImportOptions options;
  options.chunking = chunking;
  options.conv = target.conv;
  options.recorded_at = now.wall;
  const CopyId copy = node::random_copy_id(rng_);
  auto imported = backing_.import("/shared", std::move(options), target.swarm, copy);
  return Link::parse(std::get<ShareAdded>(*ask(std::move(*imported))).share.link).value();
}

void Node::expect_baseline() const {
  engine_->check_invariants();
  EXPECT_EQ(engine_->connection_count(), 0U);
  EXPECT_EQ(engine_->receive_memory(), 0U);
  EXPECT_EQ(engine_->send_memory(), 0U);
  EXPECT_EQ(slabs().in_use(), 0U);
}

void Node::lose(ConnId conn) {
  flushing_.erase(conn);
  closed_.insert(conn);
  turn([&](Outbox& out) {
    engine_->handle_closed(now, conn, network_error(Errc::kClosed, "it is cut"), out);
  });
}

// --- a connection ---

Wire::Wire(Node& node, const Endpoint& from) : node_(&node) {
  node.turn([&](Outbox& out) { conn_ = *node.engine().handle_accepted(node.now, from, out); });
}

Wire Wire::answer(Node& node) {
  const OutConnect dial = node.dials.front();
  node.dials.pop_front();
  Wire out(node, dial.conn);
  node.turn([&](Outbox& o) {
    node.engine().handle_connected(node.now, dial.conn, node.address().with_port(50'000), o);
  });
  return out;
}

void Wire::write(Bytes bytes) {
  while (!bytes.empty() && !is_closed()) {
    std::vector<MutableBytes> plan;
    node_->engine().read_plan(conn_, plan);
    if (plan.empty()) return;
    const std::size_t n = std::min(plan.front().size(), bytes.size());
    std::copy_n(bytes.begin(), n, plan.front().begin());
    bytes = bytes.subspan(n);
    node_->turn([&](Outbox& out) { node_->engine().handle_read(node_->now, conn_, n, out); });
  }
}

std::size_t Wire::room() const {
  std::vector<MutableBytes> plan;
  node_->engine().read_plan(conn_, plan);
  std::size_t out = 0;
  for (const MutableBytes run : plan) out += run.size();
  return out;
}

Buffer Wire::read(std::size_t limit) {
  Buffer out;
  while (out.size() < limit) {
    std::vector<Bytes> plan;
    node_->engine().write_plan(conn_, plan);
    const std::size_t before = out.size();
    for (const Bytes run : plan) append(out, run.first(std::min(run.size(), limit - out.size())));
    const std::size_t n = out.size() - before;
    if (n == 0) break;
    node_->turn([&](Outbox& o) { node_->engine().handle_wrote(node_->now, conn_, n, o); });
  }
  if (node_->is_closing(conn_) && out.size() < limit) node_->lose(conn_);
  return out;
}

void Wire::cut() {
  if (!is_closed()) node_->lose(conn_);
}

// --- a device ---

Buffer Device::first(const Secret& psk, const SignKeys& signer, const std::optional<DeviceId>& to) {
  shake_.emplace(PeerHandshake::initiator({keys_.noise, psk, signer, to}));
  Buffer out;
  shake_->start(wire_.node().now.wall, wire_.node().rng(), out);
  return out;
}

std::optional<Buffer> Device::third(Bytes second) {
  if (shake_->feed(second) != second.size()) return std::nullopt;
  if (shake_->state() != PeerHandshake::State::kPeerKnown) return std::nullopt;
  HandshakePayload own;
  own.binding = keys_.binding();
  Buffer out;
  shake_->finish(own, wire_.node().rng(), out);
  peer = shake_->peer().binding;
  channel_.emplace(shake_->split());
  return out;
}

bool Device::dial(const Secret& psk, const SignKeys& signer) {
  wire_.write(first(psk, signer));
  const auto message = third(wire_.read());
  if (message) wire_.write(*message);
  return message.has_value();
}

std::optional<Buffer> Device::second(Bytes first, const Secret& psk, FirstKey key) {
  shake_.emplace(PeerHandshake::responder(keys_.noise));
  if (shake_->feed(first) != first.size()) return std::nullopt;
  const PskCandidate candidate{psk, 0};
  if (!shake_->try_psks(std::span(&candidate, 1))) return std::nullopt;
  HandshakePayload own;
  own.binding = keys_.binding();
  Buffer out;
  shake_->accept(own, key, wire_.node().rng(), out);
  return out;
}

bool Device::take_third(Bytes third) {
  const std::size_t taken = shake_->feed(third);
  if (shake_->state() != PeerHandshake::State::kDone) return false;
  peer = shake_->peer().binding;
  channel_.emplace(shake_->split());
  append(unread_, third.subspan(taken));
  return true;
}

bool Device::answer(const Secret& psk, FirstKey key) {
  const auto message = second(wire_.read(), psk, key);
  if (!message) return false;
  wire_.write(*message);
  return take_third(wire_.read());
}

Buffer Device::sealed(Bytes frame) {
  Buffer out;
  channel_->seal_frame(frame, out);
  return out;
}

void Device::send_section(const ChunkFrame& frame, Bytes content) {
  SlabPool pool;
  SlabChain chain = SlabChain::from(pool, content);
  seal_section(channel_->send_bulk_key(), frame.section, chain);
  Buffer out = sealed(frame.encode());
  for (std::size_t i = 0; i < chain.slab_count(); ++i) {
    append(out, chain.raw(i).first(chain.slab_size(i) + kTagBytes));
  }
  wire_.write(out);
}

std::vector<Buffer> Device::frames() {
  append(unread_, wire_.read());
  std::vector<Buffer> out;
  for (;;) {
    const auto opened = channel_->open_frame(unread_);
    if (!opened || !*opened) return out;
    out.push_back(to_buffer((*opened)->frame));
    std::size_t taken = (*opened)->consumed;
    if (type_of(out.back()) == FrameType::kChunk) {
      const auto frame = decoded<ChunkFrame>(out.back());
      SlabPool pool;
      SlabChain chain(pool, frame.length);
      for (std::size_t i = 0; i < chain.slab_count(); ++i) {
        const std::size_t n = chain.slab_size(i) + kTagBytes;
        std::copy_n(unread_.begin() + static_cast<std::ptrdiff_t>(taken), n, chain.raw(i).begin());
        taken += n;
      }
      EXPECT_TRUE(
          open_section(channel_->receive_bulk_key(), frame.section, chain, 0, chain.size()));
      sections.push_back({frame, chain.to_buffer()});
    }
    unread_.erase(unread_.begin(), unread_.begin() + static_cast<std::ptrdiff_t>(taken));
  }
}

std::optional<Buffer> Device::first_of(FrameType type) {
  for (Buffer& frame : frames()) {
    if (type_of(frame) == type) return std::move(frame);
  }
  return std::nullopt;
}

std::optional<std::string> Device::close_reason() {
  const auto frame = first_of(FrameType::kClose);
  if (!frame) return std::nullopt;
  return decoded<CloseFrame>(*frame).reason;
}

bool Device::is_alive() {
  static_cast<void>(frames());
  send(PingFrame{7'777}.encode());
  const auto pong = first_of(FrameType::kPong);
  return pong && decoded<PongFrame>(*pong).number == 7'777;
}

// --- members ---

JoinFrame join_frame(const Invite& invite, const DeviceBinding& binding) {
  const SignKeys keys = invite_keys(invite.seed);
  JoinFrame out;
  out.invite = keys.pub;
  out.binding = binding.encode();
  out.name = "a device";
  out.signature = sign_join(keys, invite.swarm, out.binding, out.name);
  return out;
}

Device joiner(Node& node, const DeviceKeys& keys, const Invite& invite) {
  Device out(Wire(node), keys);
  EXPECT_TRUE(out.dial(invite_psk(invite_j(invite.seed)), invite_keys(invite.seed)));
  return out;
}

Secret Member::psk() const {
  return epoch_psk(*secrets.find(roster.state().current_epoch)->network);
}

Member join(Node& node, const std::string& role) {
  const Invite invite = node.invite(role);
  Member out{DeviceKeys::generate(node.rng()), Roster(invite.swarm), {}};
  Device device = joiner(node, out.keys, invite);
  device.send(join_frame(invite, out.keys.binding()).encode());
  std::optional<JoinSecrets> secrets;
  for (const Buffer& frame : device.frames()) {
    if (type_of(frame) == FrameType::kJoinAnswer) {
      secrets = open_join_secrets(out.keys, decoded<JoinAnswerFrame>(frame).secrets).value();
    }
    if (type_of(frame) != FrameType::kRosterOps) continue;
    for (const Buffer& op : decoded<RosterOpsFrame>(frame).ops) {
      EXPECT_TRUE(out.roster.add(op));
    }
  }
  EXPECT_TRUE(secrets);
  out.secrets = SwarmKeys(secrets->group);
  out.secrets.learn(out.roster.state().current_epoch, secrets->epoch);
  device.wire().cut();
  return out;
}

Device connect(Node& node, const Member& member) {
  Device out(Wire(node), member.keys);
  EXPECT_TRUE(out.dial(member.psk(), member.keys.sign));
  return out;
}

}  // namespace kith::node::test
