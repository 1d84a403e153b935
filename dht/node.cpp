#include "dht/node.hpp"

#include <algorithm>

#include "proto/assert.hpp"

namespace kith::dht {

using namespace std::chrono_literals;

namespace {

// Queries answered per source. A member may share an address with others and does many lookups when
// it starts; strangers get what Mainline clients give.
constexpr Duration kSwarmQueryInterval = 5ms;
constexpr std::size_t kSwarmQueryBurst = 400;
constexpr Duration kPublicQueryInterval = 200ms;
constexpr std::size_t kPublicQueryBurst = 50;

constexpr Duration kGreetInterval = 25ms;
constexpr std::size_t kGreetBurst = 100;
/// An endpoint that answered within this time keeps its id against another that claims it.
constexpr Duration kSurelyAlive = 30s;

RateLimiter make_limiter(bool swarm_mode) {
  return swarm_mode ? RateLimiter(kSwarmQueryInterval, kSwarmQueryBurst, true)
                    : RateLimiter(kPublicQueryInterval, kPublicQueryBurst, false);
}

std::size_t per_address(bool swarm_mode) {
  return swarm_mode ? limits::kPeersPerRecord : limits::kPublicPerAddress;
}

}  // namespace

Node::Node(const Config& config, Rng& rng)
    : config_(config),
      rng_(rng),
      table_(config.self, !config.swarm_mode),
      rpc_(rng),
      records_(config.self, per_address(config.swarm_mode)),
      maintenance_(rng),
      handler_(config_, table_, announcer_, records_, rng),
      queries_(make_limiter(config.swarm_mode)),
      greetings_(kGreetInterval, kGreetBurst) {}

// --- datagrams ---

void Node::handle_datagram(TimePoint now, const Endpoint& from, Bytes krpc,
                           const std::optional<NodePrefix>& sender, Outbox& out) {
  const auto message = krpc::decode(krpc);
  if (!message || !from.is_usable()) return;
  const auto is_foreign = [&](const NodeId& id) {
    return id == config_.self || (sender && prefix_of(id) != *sender);
  };
  if (const auto* query = std::get_if<krpc::Query>(&message->body)) {
    if (is_foreign(query->id) || !queries_.allow(now, from)) return;
    on_query(now, from, message->transaction, *query, out);
  } else if (const auto* response = std::get_if<krpc::Response>(&message->body)) {
    if (is_foreign(response->id)) return;
    on_response(now, from, message->transaction, *response, out);
  } else {
    on_failure(now, from, message->transaction, out);
  }
}

void Node::on_query(TimePoint now, const Endpoint& from, Bytes transaction,
                    const krpc::Query& query, Outbox& out) {
  out.datagrams.push_back({from, query.id, handler_.answer(now, from, transaction, query)});
  if (!query.read_only) greet(now, {query.id, from}, out);
}

void Node::on_response(TimePoint now, const Endpoint& from, Bytes transaction,
                       const krpc::Response& response, Outbox& out) {
  const auto call = rpc_.match(now, transaction, from);
  if (!call) return;
  if (call->node && *call->node != response.id) {
    on_call_failed(now, *call, out);
    return;
  }
  const krpc::Node node{response.id, from};
  on_alive(now, node, now - call->sent, response.ip, out);
  if (call->purpose == Purpose::kLookup) on_lookup_reply(now, *call, node, response, out);
}

/// The node lives, but will not do what was asked.
void Node::on_failure(TimePoint now, const Endpoint& from, Bytes transaction, Outbox& out) {
  const auto call = rpc_.match(now, transaction, from);
  if (!call || call->purpose != Purpose::kLookup) return;
  const auto it = activities_.find(call->lookup);
  if (it == activities_.end()) return;
  it->second.lookup.on_failure({*call->node, call->to});
  advance(now, call->lookup, out);
}

// --- contacts ---

void Node::on_alive(TimePoint now, const krpc::Node& node, Duration rtt,
                    const std::optional<Endpoint>& us, Outbox& out) {
  const bool first = table_.size() == 0;
  const auto outcome = table_.on_response(now, node, rtt);
  using Outcome = RoutingTable::Outcome;
  if (outcome == Outcome::kConflict) greet(now, node, out);
  if (outcome != Outcome::kAdded && outcome != Outcome::kMoved && outcome != Outcome::kCached) {
    return;
  }
  out.events.push_back(ContactSeen{node.id, node.endpoint, us});
  announcer_.on_contact(now, node.id);
  if (first) maintenance_.on_first_contact(now);
}

/// A node that we only heard of. If the table could use it, a ping shows whether it lives; if its
/// id is that of a contact elsewhere, the ping goes to the contact, which keeps the id while it
/// answers.
void Node::greet(TimePoint now, const krpc::Node& node, Outbox& out) {
  if (node.id == config_.self) return;
  krpc::Node whom = node;
  if (const Contact* known = table_.find(node.id)) {
    if (known->endpoint == node.endpoint) return;
    if (known->failures < limits::kFailuresToDisplace) {
      if (now - known->last_response < kSurelyAlive) return;
      whom = known->node();
    }
  } else if (!table_.has_room(node.id)) {
    return;
  }
  if (rpc_.is_waiting_for(whom.endpoint) || rpc_.full() || !greetings_.take(now)) return;
  ping(now, whom.endpoint, whom.id, out);
}

void Node::on_call_failed(TimePoint now, const Call& call, Outbox& out) {
  if (!call.node) return;
  const krpc::Node node{*call.node, call.to};
  table_.on_failure(node);
  if (call.purpose != Purpose::kLookup) return;
  const auto it = activities_.find(call.lookup);
  if (it == activities_.end()) return;
  it->second.lookup.on_failure(node);
  advance(now, call.lookup, out);
}

void Node::add_contact(TimePoint now, const Endpoint& endpoint, std::optional<NodeId> node,
                       Outbox& out) {
  if (!endpoint.is_usable() || node == config_.self) return;
  maintenance_.remember(now, endpoint, node);
  if (rpc_.full() || rpc_.is_waiting_for(endpoint)) return;
  ping(now, endpoint, node, out);
}

void Node::hear_of(TimePoint now, const krpc::Node& node, Outbox& out) {
  if (node.endpoint.is_usable()) greet(now, node, out);
}

// --- time ---

void Node::handle_timeout(TimePoint now, Outbox& out) {
  expire_calls(now, out);
  start_announcements(now, out);
  maintain(now, out);
}

void Node::expire_calls(TimePoint now, Outbox& out) {
  const RpcTable::Expired expired = rpc_.expire(now);
  for (const Call& call : expired.slow) {
    if (!call.krpc.empty()) out.datagrams.push_back({call.to, call.node, call.krpc});
    if (call.purpose != Purpose::kLookup) continue;
    const auto it = activities_.find(call.lookup);
    if (it == activities_.end()) continue;
    it->second.lookup.on_slow({*call.node, call.to});
    advance(now, call.lookup, out);
  }
  for (const Call& call : expired.failed) on_call_failed(now, call, out);
}

void Node::start_announcements(TimePoint now, Outbox& out) {
  if (config_.tcp_port == 0) return;
  while (activities_.size() < limits::kLookupsMax) {
    const auto info_hash = announcer_.take_due(now);
    if (!info_hash) return;
    start(now, Goal::kAnnounce, *info_hash, out);
  }
}

void Node::maintain(TimePoint now, Outbox& out) {
  const Maintenance::Work work = maintenance_.run(now, table_);
  for (const krpc::Node& node : work.pings) {
    if (!rpc_.full()) ping(now, node.endpoint, node.id, out);
  }
  for (const auto& known : work.bootstrap) {
    if (!rpc_.full()) ping(now, known.endpoint, known.node, out);
  }
  for (const NodeId& target : work.lookups) {
    if (activities_.size() < limits::kLookupsMax) start(now, Goal::kRefresh, target, out);
  }
  if (work.expire_records) records_.expire(now);
}

std::optional<TimePoint> Node::next_timeout() const {
  std::optional<TimePoint> next = rpc_.next_deadline();
  const auto consider = [&](std::optional<TimePoint> at) {
    if (at && (!next || *at < *next)) next = at;
  };
  consider(maintenance_.next());
  const bool may_announce = config_.tcp_port != 0 && activities_.size() < limits::kLookupsMax;
  if (may_announce) consider(announcer_.next());
  return next;
}

void Node::set_tcp_port(std::uint16_t port) {
  if (port == config_.tcp_port) return;
  config_.tcp_port = port;
  announcer_.restart();
}

// --- sending ---

krpc::Query Node::make_query() const {
  krpc::Query query;
  query.id = config_.self;
  return query;
}

/// In a swarm a query is sent once more when it is slow: with few members every one counts. The
/// public network has others to ask.
void Node::send(TimePoint now, Call call, const krpc::Query& query, Outbox& out) {
  call.transaction = rpc_.new_transaction();
  Buffer krpc = krpc::encode(transaction_bytes(call.transaction), query);
  if (config_.swarm_mode) call.krpc = krpc;
  out.datagrams.push_back({call.to, call.node, std::move(krpc)});
  rpc_.start(now, std::move(call));
}

void Node::ping(TimePoint now, const Endpoint& endpoint, std::optional<NodeId> node, Outbox& out) {
  krpc::Query query = make_query();
  query.call = krpc::Ping{};
  Call call;
  call.to = endpoint;
  call.node = node;
  call.purpose = Purpose::kPing;
  send(now, std::move(call), query, out);
}

void Node::check_invariants() const {
  table_.check_invariants();
  rpc_.check_invariants();
  records_.check_invariants();
  announcer_.check_invariants();
  KITH_ASSERT(activities_.size() <= limits::kLookupsMax);
  for (const auto& [id, activity] : activities_) {
    activity.lookup.check_invariants();
    KITH_ASSERT(!activity.lookup.done());
    KITH_ASSERT(rpc_.waiting_of(id) > 0);
    KITH_ASSERT(activity.told.size() <= limits::kPeersPerRecord);
  }
}

}  // namespace kith::dht
