#include "tests/unit/dht/network.hpp"

namespace kith::dht {
namespace {

/// One /24 for every node, so that the rules of the public network find nothing to object to.
std::size_t index_of(const Endpoint& endpoint) {
  const Bytes address = endpoint.address();
  return static_cast<std::size_t>(address[1]) << 8 | address[2];
}

}  // namespace

Endpoint Network::endpoint(std::size_t i) {
  return Endpoint::v4({44, static_cast<std::uint8_t>(i >> 8), static_cast<std::uint8_t>(i), 1},
                      6881);
}

Network::Network(const Options& options) : options_(options), rng_(options.seed) {
  for (std::size_t i = 0; i < options.nodes; ++i) {
    Host host;
    host.id = rng_.random<NodeId>();
    host.rng = std::make_unique<SeededRng>(rng_.fork(i));
    const Config config{host.id, options.swarm_mode, 5484};
    host.node = std::make_unique<Node>(config, *host.rng);
    hosts_.push_back(std::move(host));
  }
}

void Network::join_all(Duration between) {
  for (std::size_t i = 1; i < hosts_.size(); ++i) {
    join(i, rng_.uniform(i));
    run_for(between);
  }
}

void Network::join(std::size_t newcomer, std::size_t known) {
  Outbox out;
  hosts_[newcomer].node->add_contact(now_, endpoint(known), std::nullopt, out);
  apply(newcomer, std::move(out));
}

void Network::announce(std::size_t i, const InfoHash& info_hash) {
  Outbox out;
  hosts_[i].node->announce(now_, info_hash, out);
  apply(i, std::move(out));
}

LookupId Network::find_providers(std::size_t i, const InfoHash& info_hash) {
  Outbox out;
  const LookupId id = hosts_[i].node->find_providers(now_, info_hash, out);
  apply(i, std::move(out));
  return id;
}

LookupId Network::find_node(std::size_t i, const NodeId& target) {
  Outbox out;
  const LookupId id = hosts_[i].node->find_node(now_, target, out);
  apply(i, std::move(out));
  return id;
}

void Network::run_for(Duration time) {
  const TimePoint end = now_ + time;
  while (!queue_.empty() && queue_.begin()->first.first <= end) {
    const auto item = queue_.extract(queue_.begin());
    now_ = item.key().first;
    deliver(item.mapped());
  }
  now_ = end;
}

void Network::deliver(const Packet& packet) {
  Host& host = hosts_[packet.to];
  Outbox out;
  if (packet.datagram.krpc.empty()) {
    if (host.timer != now_) return;  // it was set anew since
    host.timer = TimePoint::max();
    host.node->handle_timeout(now_, out);
  } else {
    const auto& node = packet.datagram.node;
    const bool for_another = node && prefix_of(*node) != prefix_of(host.id);
    if (host.down || (options_.swarm_mode && for_another)) return;
    std::optional<NodePrefix> sender;
    if (options_.swarm_mode) sender = prefix_of(hosts_[packet.from].id);
    host.node->handle_datagram(now_, endpoint(packet.from), packet.datagram.krpc, sender, out);
  }
  apply(packet.to, std::move(out));
}

void Network::apply(std::size_t i, Outbox&& out) {
  Host& host = hosts_[i];
  for (Datagram& datagram : out.datagrams) post(i, std::move(datagram));
  for (const Event& event : out.events) {
    if (const auto* found = std::get_if<ProvidersFound>(&event)) {
      Found& entry = host.found[found->lookup];
      if (!entry.first) entry.first = now_;
      entry.peers.insert(entry.peers.end(), found->peers.begin(), found->peers.end());
    } else if (const auto* done = std::get_if<LookupDone>(&event)) {
      host.found[done->lookup].done = now_;
      host.found[done->lookup].responders = done->responders;
    }
  }
  const auto next = host.node->next_timeout();
  if (!next) return;
  const TimePoint at = std::max(*next, now_);
  if (at == host.timer) return;
  host.timer = at;
  queue_.emplace(std::pair(at, ++sequence_), Packet{i, i, {}});
}

void Network::post(std::size_t from, Datagram&& datagram) {
  ++sent_;
  note(datagram);
  const std::size_t to = index_of(datagram.to);
  if (hosts_[from].down || to >= hosts_.size() || rng_.chance(options_.loss_percent, 100)) return;
  const auto spread = static_cast<std::uint64_t>((options_.delay_max - options_.delay_min).count());
  const TimePoint at = now_ + options_.delay_min + Duration(rng_.uniform(spread + 1));
  queue_.emplace(std::pair(at, ++sequence_), Packet{from, to, std::move(datagram)});
}

/// FNV-1a.
void Network::note(const Datagram& datagram) {
  const auto mix = [&](std::uint8_t byte) { trace_ = (trace_ ^ byte) * 1099511628211ULL; };
  for (const std::uint8_t byte : datagram.krpc) mix(byte);
  for (const std::uint8_t byte : datagram.to.compact()) mix(byte);
  auto time = static_cast<std::uint64_t>(now_.time_since_epoch().count());
  for (; time != 0; time >>= 8) mix(static_cast<std::uint8_t>(time));
}

void Network::check_invariants() const {
  for (const Host& host : hosts_) host.node->check_invariants();
}

}  // namespace kith::dht
