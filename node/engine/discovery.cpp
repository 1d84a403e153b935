#include "node/engine/discovery.hpp"

#include <algorithm>

#include "proto/crypto/beacon.hpp"
#include "proto/crypto/datagram.hpp"
#include "proto/limits.hpp"
#include "proto/wire/krpc.hpp"

namespace kith::node {
namespace {

using namespace std::chrono_literals;

// Beacons: often at first and while nobody is there, then now and then.
constexpr Duration kBeaconFast = 2s;
constexpr Duration kBeaconSlow = 30s;
constexpr std::size_t kFastBeacons = 10;
// Who finds nobody for this long may have slept through an epoch.
constexpr Duration kAlone = 60s;
constexpr Duration kSearchEvery = 10s;
constexpr Duration kJoinerAnswerEvery = 500ms;
constexpr std::size_t kSeenAsMax = 16;
constexpr std::size_t kBeaconInvites = 16;
// Addresses that one device may tell: those of a whole mesh twice, then as many as it may meet.
constexpr Duration kTellEvery = 1s;
constexpr std::size_t kTellBurst = 128;
constexpr std::size_t kTellersMax = 1'024;
// How long a provider that was found counts as one: some searches long.
constexpr Duration kProvides = 60s;

}  // namespace

void Discovery::configure(std::uint16_t port, bool lan, std::vector<Endpoint> bootstrap) {
  port_ = port;
  lan_ = lan;
  bootstrap_ = std::move(bootstrap);
}

void Discovery::add_swarm(Turn& turn, Swarm& swarm) {
  auto local = std::make_unique<Local>(rng_);
  local->self = swarm_node_id(swarm.id, swarms_.self());
  local->dht = std::make_unique<dht::Node>(
      dht::Config{.self = local->self, .swarm_mode = true, .tcp_port = port_}, rng_);
  local->alone_since = turn.now.mono;
  local->next_beacon = turn.now.mono;
  locals_[swarm.id] = std::move(local);
  roster_changed(turn, swarm);
  for (const Endpoint& endpoint : bootstrap_) {
    add_address(turn, swarm.id, endpoint, std::nullopt, FoundBy::kBootstrap);
  }
}

void Discovery::remove_swarm(const SwarmId& swarm) { locals_.erase(swarm); }

void Discovery::add_bootstrap(Turn& turn, const Endpoint& endpoint) {
  bootstrap_.push_back(endpoint);
  for (const auto& [id, local] : locals_) {
    add_address(turn, id, endpoint, std::nullopt, FoundBy::kBootstrap);
  }
}

AddressBook* Discovery::book(const SwarmId& swarm) {
  const auto it = locals_.find(swarm);
  return it == locals_.end() ? nullptr : &it->second->book;
}

// --- addresses ---

void Discovery::add_address(Turn& turn, const SwarmId& id, const Endpoint& endpoint,
                            std::optional<DeviceId> device, FoundBy found_by,
                            std::optional<DeviceId> told_by) {
  const auto it = locals_.find(id);
  Swarm* swarm = swarms_.find(id);
  if (it == locals_.end() || swarm == nullptr || device == swarms_.self()) return;
  Local& local = *it->second;
  if (told_by && !may_tell(turn.now.mono, local, *told_by)) return;
  local.book.add(turn.now.mono, endpoint, device, found_by, told_by);
  // Whoever listens there speaks DHT on the same port.
  std::optional<NodeId> node;
  if (device) node = swarm_node_id(id, *device);
  dht::Outbox out;
  if (told_by && node) {
    local.dht->hear_of(turn.now.mono, {*node, endpoint}, out);
  } else {
    local.dht->add_contact(turn.now.mono, endpoint, node, out);
  }
  apply(turn, *swarm, local, out);
}

bool Discovery::may_tell(TimePoint now, Local& local, const DeviceId& teller) {
  auto& tellers = local.tellers;
  if (tellers.size() >= kTellersMax) {
    std::erase_if(tellers, [now](const auto& item) { return item.second.is_full(now); });
  }
  if (tellers.size() >= kTellersMax && !tellers.contains(teller)) return false;
  return tellers.try_emplace(teller, kTellEvery, kTellBurst).first->second.take(now);
}

void Discovery::succeeded(Turn& turn, const SwarmId& id, const Endpoint& endpoint,
                          const DeviceId& device) {
  const auto it = locals_.find(id);
  if (it == locals_.end()) return;
  it->second->book.succeeded(turn.now.mono, endpoint, device);
  turn.save(PutPeer{id, device, it->second->book.addresses_of(device), turn.now.wall});
}

void Discovery::failed(Turn& turn, const SwarmId& id, const Endpoint& endpoint, std::string why,
                       bool silent) {
  const auto it = locals_.find(id);
  if (it != locals_.end()) it->second->book.failed(turn.now.mono, endpoint, std::move(why), silent);
}

void Discovery::forget(const Endpoint& endpoint) {
  for (auto& [id, local] : locals_) local->book.forget(endpoint);
}

void Discovery::hurry(Turn& turn) {
  for (auto& [id, local] : locals_) {
    local->book.hurry(turn.now.mono);
    local->next_beacon = turn.now.mono;
    local->next_search = turn.now.mono;
    local->beacons = 0;
  }
}

// --- who is connected ---

void Discovery::connected(Turn& turn, const SwarmId& id, const DeviceId& device,
                          const Endpoint& remote, bool dialled) {
  const auto it = locals_.find(id);
  if (it == locals_.end()) return;
  it->second->connected.insert(device);
  // Proven by the handshake: the DHT remembers it for when it is alone.
  if (dialled) add_address(turn, id, remote, device, FoundBy::kRemembered);
}

void Discovery::disconnected(Turn& turn, const SwarmId& id, const DeviceId& device) {
  const auto it = locals_.find(id);
  if (it == locals_.end()) return;
  Local& local = *it->second;
  local.connected.erase(device);
  if (!local.connected.empty()) return;
  local.alone_since = turn.now.mono;
  local.beacons = 0;
  local.next_beacon = turn.now.mono;
}

void Discovery::roster_changed(Turn& turn, Swarm& swarm) {
  static_cast<void>(turn);
  const auto it = locals_.find(swarm.id);
  if (it == locals_.end()) return;
  it->second->devices.clear();
  for (const auto& [device, member] : swarm.roster.state().members) {
    it->second->devices[swarm_node_id(swarm.id, device)] = device;
  }
}

// --- datagrams ---

void Discovery::handle_datagram(Turn& turn, const Endpoint& from, Bytes bytes) {
  if (!may_be_sealed(bytes)) return;
  for (auto& [id, swarm] : swarms_.all()) {
    if (swarm->network && open_for(turn, *swarm, from, bytes)) return;
  }
}

bool Discovery::open_for(Turn& turn, Swarm& swarm, const Endpoint& from, Bytes bytes) {
  const auto it = locals_.find(swarm.id);
  if (it == locals_.end()) return false;
  Local& local = *it->second;
  const auto opened = open_datagram(swarm.network->datagram, datagram_id(local.self), bytes,
                                    turn.now.wall, scratch_);
  if (!opened) {
    if (opened.error().code == Errc::kTimeout) swarms_.clock_missed(turn.now.mono);
    return opened.error().code != Errc::kVerification;
  }
  if (!swarm.nonces.insert(opened->nonce)) return true;
  // To nobody in particular only a ping may come: everything else would be an answer for any
  // device.
  if (opened->to.is_zero()) {
    const auto message = krpc::decode(opened->krpc);
    const auto* query = message ? std::get_if<krpc::Query>(&message->body) : nullptr;
    if (query == nullptr || !std::holds_alternative<krpc::Ping>(query->call)) return true;
  }
  ++datagrams_opened_;
  dht::Outbox out;
  local.dht->handle_datagram(turn.now.mono, from, opened->krpc,
                             dht::NodePrefix::from(opened->from.view()), out);
  apply(turn, swarm, local, out);
  return true;
}

void Discovery::apply(Turn& turn, Swarm& swarm, Local& local, dht::Outbox& out) {
  for (const dht::Datagram& datagram : out.datagrams) {
    if (!swarm.network) continue;
    DatagramAddress address{datagram_id(local.self), {}};
    if (datagram.node) address.to = datagram_id(*datagram.node);
    OutDatagram sealed{datagram.to, {}};
    seal_datagram(swarm.network->datagram, address, turn.now.wall, datagram.krpc, rng_,
                  sealed.bytes);
    turn.out.datagrams.push_back(std::move(sealed));
  }
  for (const dht::Event& event : out.events) {
    std::visit([&](const auto& e) { on_event(turn, swarm, local, e); }, event);
  }
}

void Discovery::on_event(Turn& turn, Swarm& swarm, Local& local, const dht::ProvidersFound& event) {
  static_cast<void>(swarm);
  for (const Endpoint& endpoint : event.peers) {
    local.book.add(turn.now.mono, endpoint, std::nullopt, FoundBy::kDht);
    local.book.provides(endpoint, turn.now.mono + kProvides);
  }
}

void Discovery::on_event(Turn& turn, Swarm& swarm, Local& local, const dht::LookupDone& event) {
  turn.log(LogLevel::kDebug, "a lookup in " + swarm.name + " asked " +
                                 std::to_string(event.responders) + " of " +
                                 std::to_string(local.dht->contact_count()) + " nodes");
}

void Discovery::on_event(Turn& turn, Swarm& swarm, Local& local, const dht::ContactSeen& event) {
  static_cast<void>(swarm);
  const auto device = local.devices.find(event.node);
  std::optional<DeviceId> known;
  if (device != local.devices.end()) known = device->second;
  local.book.add(turn.now.mono, event.endpoint, known, FoundBy::kDht);
  if (event.us && seen_as_.size() < kSeenAsMax) seen_as_.insert(*event.us);
}

// --- beacons ---

void Discovery::handle_beacon(Turn& turn, const Endpoint& from, Bytes bytes) {
  for (auto& [id, swarm] : swarms_.all()) {
    std::vector<std::pair<Secret, std::optional<SignPublic>>> keys;  // key, of which invite
    if (swarm->network) keys.emplace_back(swarm->network->beacon, std::nullopt);
    keys.emplace_back(catch_up_beacon(swarm->secrets.group()), std::nullopt);
    // Those that can still be used first: they are who waits for an answer.
    for (const bool usable : {true, false}) {
      for (const auto& [key, invite] : swarm->roster.state().invites) {
        if (keys.size() >= kBeaconInvites) break;
        if (!answers(invite, turn.now.wall)) continue;
        if (is_usable(invite, turn.now.wall) != usable) continue;
        keys.emplace_back(invite_beacon(invite.body.j), key);
      }
    }
    for (const auto& [key, of_invite] : keys) {
      const auto beacon = open_beacon(key, bytes, turn.now.wall);
      if (!beacon) continue;
      if (beacon->device == swarms_.self()) return;
      if (!of_invite) {
        return add_address(turn, id, from.with_port(beacon->port), beacon->device, FoundBy::kLan,
                           beacon->device);
      }
      // A joiner looks for us: it hears where we are, under the key that it has. Other members
      // answer it too, and are not to be answered.
      if (is_answer(*swarm, *of_invite, beacon->device) || turn.now.mono < joiner_answered_) return;
      joiner_answered_ = turn.now.mono + kJoinerAnswerEvery;
      turn.out.beacons.push_back(
          {seal_beacon(key, swarms_.keys().sign, port_, turn.now.wall, rng_)});
      return;
    }
  }
}

// Whether a beacon under an invite's key is what a member answered a joiner. A joiner whose add
// stands may still be looking: it went down before it was told. It came by this very invite, and
// nobody heard of it since; members are heard of by their own beacons.
bool Discovery::is_answer(const Swarm& swarm, const SignPublic& invite, const DeviceId& device) {
  const Member* member = swarm.roster.state().find(device);
  if (member == nullptr) return false;
  const AddressBook* known = book(swarm.id);
  return member->invite != invite || known == nullptr || known->knows(device);
}

void Discovery::send_beacons(Turn& turn, Swarm& swarm, Local& local) {
  const bool alone = local.connected.empty();
  const bool fast = local.beacons++ < kFastBeacons;
  local.next_beacon = turn.now.mono + (fast ? kBeaconFast : kBeaconSlow);
  if (!lan_ || port_ == 0) return;
  const auto send = [&](const Secret& key) {
    turn.out.beacons.push_back({seal_beacon(key, swarms_.keys().sign, port_, turn.now.wall, rng_)});
  };
  if (swarm.network) send(swarm.network->beacon);
  const bool lost = alone && turn.now.mono - local.alone_since >= kAlone;
  if (lost || !swarm.network) send(catch_up_beacon(swarm.secrets.group()));
}

// --- shares ---

InfoHash Discovery::provider_hash(const Swarm& swarm, const ShareId& share) {
  InfoHash out;
  blake2b(out.mutable_view(), share.view(), swarm.network->provider.view());
  return out;
}

void Discovery::set_shares(Turn& turn, Swarm& swarm, const std::vector<ShareId>& provided,
                           const std::vector<ShareId>& looked_for) {
  const auto it = locals_.find(swarm.id);
  if (it == locals_.end() || !swarm.network) return;
  Local& local = *it->second;
  dht::Outbox out;
  const std::set<ShareId> now_provided(provided.begin(), provided.end());
  for (const ShareId& share : local.provided) {
    if (!now_provided.contains(share)) local.dht->withdraw(provider_hash(swarm, share));
  }
  for (const ShareId& share : now_provided) {
    if (local.provided.contains(share)) continue;
    local.dht->announce(turn.now.mono, provider_hash(swarm, share), out);
  }
  local.provided = now_provided;
  const std::set<ShareId> now_looked_for(looked_for.begin(), looked_for.end());
  const bool fresh = !std::includes(local.looked_for.begin(), local.looked_for.end(),
                                    now_looked_for.begin(), now_looked_for.end());
  local.looked_for = now_looked_for;
  if (fresh) local.next_search = turn.now.mono;
  apply(turn, swarm, local, out);
}

void Discovery::search(Turn& turn, Swarm& swarm, Local& local) {
  local.next_search = turn.now.mono + kSearchEvery;
  if (!swarm.network) return;
  dht::Outbox out;
  for (const ShareId& share : local.looked_for) {
    local.dht->find_providers(turn.now.mono, provider_hash(swarm, share), out);
  }
  apply(turn, swarm, local, out);
}

// --- time ---

void Discovery::on_timeout(Turn& turn) {
  for (auto& [id, local] : locals_) {
    Swarm* swarm = swarms_.find(id);
    if (swarm == nullptr) continue;
    const auto due = local->dht->next_timeout();
    if (due && *due <= turn.now.mono) {
      dht::Outbox out;
      local->dht->handle_timeout(turn.now.mono, out);
      apply(turn, *swarm, *local, out);
    }
    if (turn.now.mono >= local->next_beacon) send_beacons(turn, *swarm, *local);
    if (!local->looked_for.empty() && turn.now.mono >= local->next_search) {
      search(turn, *swarm, *local);
    }
  }
}

std::optional<TimePoint> Discovery::next_timeout() const {
  std::optional<TimePoint> at;
  const auto earliest = [&at](TimePoint t) { at = at ? std::min(*at, t) : t; };
  for (const auto& [id, local] : locals_) {
    if (const auto due = local->dht->next_timeout()) earliest(*due);
    earliest(local->next_beacon);
    if (!local->looked_for.empty()) earliest(local->next_search);
  }
  return at;
}

std::size_t Discovery::dht_contacts(const SwarmId& swarm) const {
  const auto it = locals_.find(swarm);
  return it == locals_.end() ? 0 : it->second->dht->contact_count();
}

}  // namespace kith::node
