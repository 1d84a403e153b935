#include "node/engine/swarms.hpp"

#include <algorithm>

#include "proto/limits.hpp"

namespace kith::node {
namespace {

constexpr std::size_t kPrefixMin = 8;
constexpr std::size_t kQueuedOpsMax = 4'096;

// Of a later version, or one more than a roster holds.
bool is_nobodys_fault(const Error& error) {
  return error.code == Errc::kUnsupported || error.code == Errc::kLimit;
}

}  // namespace

bool is_usable(const InviteState& invite, UnixMillis now) {
  return invite.status == InviteStatus::kLive && count(now) <= count(invite.body.expiry);
}

namespace {

enum class InviteOrder : std::uint8_t { kOurs, kOthers, kOver };

InviteOrder order_of(const InviteState& invite, const DeviceId& self, UnixMillis now) {
  if (!is_usable(invite, now)) return InviteOrder::kOver;
  return invite.issuer == self ? InviteOrder::kOurs : InviteOrder::kOthers;
}

}  // namespace

NetworkKeys::NetworkKeys(const Secret& network)
    : psk(epoch_psk(network)),
      datagram(datagram_key(network)),
      beacon(beacon_key(network)),
      provider(provider_key(network)) {}

NodeId swarm_node_id(const SwarmId& swarm, const DeviceId& device) {
  Buffer text = to_buffer(as_bytes("kith/1 node"));
  append(text, swarm.view());
  append(text, device.view());
  NodeId out;
  blake2b(out.mutable_view(), text);
  return out;
}

std::string Swarm::name_of(const DeviceId& device) const {
  if (roster.empty()) return {};
  const Member* member = roster.state().find(device);
  if (member == nullptr) return {};
  auto opened = secrets.name(member->name, device);
  return opened ? std::move(*opened) : std::string();
}

std::array<std::uint8_t, 8> Swarm::link_prefix() const {
  std::array<std::uint8_t, 8> out;
  std::copy_n(id.bytes.begin(), out.size(), out.begin());
  return out;
}

Swarms::Swarms(const DeviceKeys& keys, Rng& rng)
    : keys_(keys), self_(keys.id()), rng_(rng), ephemerals_(rng) {}

void Swarms::restore(Turn& turn, const SavedSwarm& saved) {
  auto swarm = std::make_unique<Swarm>(saved.swarm, rng_);
  swarm->secrets = SwarmKeys(saved.group);
  for (const Buffer& op : saved.ops) {
    if (const auto added = swarm->roster.add(op, Roster::Trust::kVerified); !added) {
      turn.log(LogLevel::kError,
               "a saved roster operation is not taken: " + to_string(added.error()));
    }
  }
  if (swarm->roster.empty()) return;
  refresh(turn, *swarm);
  swarms_[saved.swarm] = std::move(swarm);
}

// Everything that is derived from the roster, once per change.
void Swarms::refresh(Turn& turn, Swarm& swarm) {
  swarm.secrets.learn_from(swarm.roster, keys_, swarm.learned);
  swarm.learned = swarm.roster.size();
  const RosterState& state = swarm.roster.state();
  swarm.role = state.role(self_);
  const auto name = swarm.secrets.name(state.swarm_name, std::nullopt);
  swarm.name = name ? *name : swarm.id.hex().substr(0, 8);
  if (state.current_epoch == swarm.epoch && swarm.network) return;
  swarm.epoch = state.current_epoch;
  swarm.network.reset();
  const EpochState* epoch = state.epoch(swarm.epoch);
  swarm.epoch_number = epoch == nullptr ? 0 : epoch->info.number;
  const EpochSecrets* secrets = swarm.secrets.find(swarm.epoch);
  if (secrets != nullptr && secrets->network) swarm.network.emplace(*secrets->network);
  if (!swarm.network) {
    turn.log(LogLevel::kWarning,
             "the secrets of the current epoch of " + swarm.name + " are missing");
  }
}

Result<Swarm*> Swarms::create(Turn& turn, const std::string& name, const std::string& device_name) {
  if (swarms_.size() >= limits::kSwarmsMax) {
    return local_error(Errc::kLimit, "this device is in as many swarms as it can be");
  }
  for (const auto& [id, other] : swarms_) {
    if (other->name == name) {
      return local_error(Errc::kExists, "there is a swarm of this name already", name);
    }
  }
  KITH_TRY(NewSwarm made, create_swarm(keys_, name, device_name, rng_));
  auto swarm = std::make_unique<Swarm>(made.id, rng_);
  swarm->secrets = std::move(made.keys);
  KITH_CHECK(swarm->roster.add(made.genesis.encoded));
  turn.save_full(PutSwarm{made.id, swarm->secrets.group()});
  turn.save_full(PutOps{made.id, {made.genesis.encoded}});
  refresh(turn, *swarm);
  Swarm* const out = swarm.get();
  swarms_[made.id] = std::move(swarm);
  return out;
}

Swarm* Swarms::adopt(Turn& turn, Roster roster, const JoinSecrets& secrets) {
  const SwarmId id = roster.swarm();
  auto swarm = std::make_unique<Swarm>(id, rng_);
  swarm->roster = std::move(roster);
  swarm->secrets = SwarmKeys(secrets.group);
  // What stands in the roster vouches for the secrets of an epoch, not who sent them.
  for (const EpochState& epoch : swarm->roster.state().epochs) {
    if (matches(secrets.epoch, epoch.info)) swarm->secrets.learn(epoch.id, secrets.epoch);
  }
  refresh(turn, *swarm);
  PutOps ops{id, {}};
  for (OpIndex i = 0; i < swarm->roster.size(); ++i) ops.ops.push_back(swarm->roster.op(i).encoded);
  turn.save_full(PutSwarm{id, secrets.group});
  turn.save_full(std::move(ops));
  Swarm* const out = swarm.get();
  swarms_[id] = std::move(swarm);
  return out;
}

void Swarms::leave(Turn& turn, Swarm& swarm) {
  turn.save_full(DeleteSwarm{swarm.id});
  swarms_.erase(swarm.id);
}

Swarm* Swarms::find(const SwarmId& id) {
  const auto it = swarms_.find(id);
  return it == swarms_.end() ? nullptr : it->second.get();
}

Result<Swarm*> Swarms::resolve(const SwarmSelector& selector) {
  if (swarms_.empty()) {
    return local_error(Errc::kNotFound, "this device is in no swarm", {},
                       "'kith swarm create NAME' makes one, 'kith join INVITE' joins one");
  }
  std::vector<Swarm*> fits;
  std::string names;
  for (const auto& [id, swarm] : swarms_) {
    const bool by_id = selector.size() >= kPrefixMin && id.hex().starts_with(selector);
    if (selector.empty() || swarm->name == selector || by_id) fits.push_back(swarm.get());
    names += (names.empty() ? "" : ", ") + swarm->name;
  }
  if (fits.size() == 1) return fits.front();
  if (fits.empty()) {
    return local_error(Errc::kNotFound, "there is no such swarm", selector, "there are: " + names);
  }
  return local_error(Errc::kUsage, "several swarms fit", selector,
                     "say --swarm with one of: " + names);
}

Result<Swarm*> Swarms::of_link(const Link& link) {
  for (const auto& [id, swarm] : swarms_) {
    if (swarm->link_prefix() == link.swarm_prefix) return swarm.get();
  }
  return local_error(Errc::kNotFound, "the link is of a swarm that this device is not in",
                     to_hex(link.swarm_prefix), "join it first: 'kith join INVITE'");
}

// --- who may connect ---

std::vector<PskCandidate> Swarms::candidates(Now now) {
  std::vector<PskCandidate> out;
  tags_.clear();
  const auto add = [&](const Secret& psk, Tag tag) {
    if (out.size() >= limits::kPsksTried) return;
    out.push_back({psk, static_cast<std::uint32_t>(tags_.size())});
    tags_.push_back(std::move(tag));
  };
  for (const auto& [id, swarm] : swarms_) {
    if (!swarm->role) continue;
    if (swarm->network) add(swarm->network->psk, {id, Admission::Kind::kMember, {}, swarm->epoch});
    add(catch_up_psk(swarm->secrets.group()), {id, Admission::Kind::kCatchUp, {}, {}});
  }
  // Members first, then invites that can be used, first our own, which nobody else may redeem; what
  // is left over is for those that are only told that they are too late. Otherwise used invites
  // would shut out whoever holds a new one.
  for (const InviteOrder order : {InviteOrder::kOurs, InviteOrder::kOthers, InviteOrder::kOver}) {
    for (const auto& [id, swarm] : swarms_) {
      if (!swarm->role) continue;
      for (const auto& [key, invite] : swarm->roster.state().invites) {
        if (out.size() >= limits::kPsksTried) return out;
        if (!answers(invite, now.wall) || order_of(invite, self_, now.wall) != order) continue;
        add(invite_psk(invite.body.j), {id, Admission::Kind::kInvite, key, {}});
      }
    }
  }
  return out;
}

Result<void> Swarms::can_invite(Now now) const {
  std::size_t psks = 0;
  for (const auto& [id, swarm] : swarms_) {
    if (!swarm->role) continue;
    psks += 2;
    for (const auto& [key, invite] : swarm->roster.state().invites) {
      if (order_of(invite, self_, now.wall) == InviteOrder::kOurs) ++psks;
    }
  }
  if (psks < limits::kPsksTried) return {};
  return local_error(Errc::kLimit, "this device has as many open invites as it can answer", {},
                     "invites end when they are used or expire; make one with a shorter life, or "
                     "one that can be used several times");
}

std::optional<Admission> Swarms::admit(Now now, const OpenedFirst& first) {
  const Tag& tag = tags_.at(first.tag);
  if (!is_fresh(first.message.time, now.wall)) {
    clock_missed(now.mono);
    return std::nullopt;
  }
  if (!ephemerals_.insert(first.ephemeral.view())) return std::nullopt;
  if (first.message.to && *first.message.to != self_) return std::nullopt;
  Swarm* swarm = find(tag.swarm);
  if (swarm == nullptr) return std::nullopt;
  const DeviceId device = DeviceId::from(first.message.key.view()).value();
  switch (tag.kind) {
    case Admission::Kind::kMember:
      if (device == self_ || swarm->roster.state().is_removed(device)) return std::nullopt;
      break;
    case Admission::Kind::kCatchUp:
      if (device == self_ || !swarm->is_member(device)) return std::nullopt;
      break;
    case Admission::Kind::kInvite:
      if (first.message.key != *tag.invite) return std::nullopt;
      break;
  }
  return Admission{tag.swarm, tag.kind, tag.invite};
}

// --- roster ---

bool Swarms::queue_ops(Swarm& swarm, ConnId from, std::vector<Buffer> ops) {
  if (swarm.incoming.size() + ops.size() > kQueuedOpsMax) return false;
  for (Buffer& op : ops) swarm.incoming.push_back({from, std::move(op)});
  return true;
}

bool Swarms::has_queued() const {
  return std::any_of(swarms_.begin(), swarms_.end(), [](const auto& item) {
    return !item.second->incoming.empty() || item.second->roster.ready() > 0;
  });
}

Swarms::OpsTaken Swarms::take_ops(Turn& turn, Swarm& swarm) {
  OpsTaken out;
  const OpIndex before = swarm.roster.size();
  if (swarm.roster.ready() > 0) {
    swarm.roster.settle(limits::kReducePerTurn);
  } else {
    for (std::size_t i = 0; i < limits::kReducePerTurn && !swarm.incoming.empty(); ++i) {
      const QueuedOp op = std::move(swarm.incoming.front());
      swarm.incoming.pop_front();
      const auto added = swarm.roster.add(op.encoded);
      if (added && *added == Roster::Added::kWaiting) out.early.push_back(op.from);
      if (added || is_nobodys_fault(added.error())) continue;
      turn.log(LogLevel::kWarning, "a roster operation was refused: " + to_string(added.error()));
      out.wrong.push_back(op.from);
      std::erase_if(swarm.incoming, [&](const QueuedOp& o) { return o.from == op.from; });
    }
  }
  out.changed = swarm.roster.size() != before;
  if (!out.changed) return out;
  PutOps ops{swarm.id, {}};
  for (OpIndex i = before; i < swarm.roster.size(); ++i)
    ops.ops.push_back(swarm.roster.op(i).encoded);
  turn.save_full(std::move(ops));
  refresh(turn, swarm);
  return out;
}

Result<void> Swarms::append(Turn& turn, Swarm& swarm, const Op& op) {
  KITH_CHECK(take_saved(turn, swarm, op));
  turn.save_full(PutOps{swarm.id, {op.encoded}});
  return {};
}

Result<void> Swarms::take_saved(Turn& turn, Swarm& swarm, const Op& op) {
  KITH_TRY(const Roster::Added added, swarm.roster.add(op.encoded));
  if (added != Roster::Added::kAdded) {
    return local_error(Errc::kConflict, "the roster did not take our own operation");
  }
  refresh(turn, swarm);
  return {};
}

// --- joiners ---

Swarms::JoinOutcome Swarms::answer_join(Now now, Swarm& swarm, const JoinFrame& join) {
  const RedeemAnswer redeemed = redeem(swarm.roster.state(), swarm.id, self_, join, now.wall);
  JoinOutcome out;
  const auto refuse = [&out](std::string reason) {
    out.add.reset();
    out.answer = {JoinAnswerFrame::State::kRefused, {}, std::move(reason), {}};
    return out;
  };
  if (redeemed.kind == RedeemAnswer::Kind::kRefused) return refuse(redeemed.reason);
  if (redeemed.kind == RedeemAnswer::Kind::kWaiting) {
    out.answer = {JoinAnswerFrame::State::kWaiting, redeemed.waiting_for, {}, {}};
    return out;
  }
  if (redeemed.kind == RedeemAnswer::Kind::kAdd) {
    auto made = make_add(author(swarm), redeemed.binding, redeemed.role, join.name, redeemed.by);
    if (!made) return refuse(to_string(made.error()));
    out.add = std::move(*made);
  }
  const EpochSecrets* secrets = swarm.secrets.find(swarm.epoch);
  if (secrets == nullptr || !secrets->network) {
    return refuse("the device that was asked does not hold the current secrets");
  }
  out.answer.state = JoinAnswerFrame::State::kIn;
  out.answer.secrets =
      seal_join_secrets(redeemed.binding, redeemed.role, swarm.secrets.group(), *secrets, rng_);
  return out;
}

SwarmView Swarms::view(const Swarm& swarm) const {
  SwarmView out;
  out.id = swarm.id;
  out.name = swarm.name;
  out.role = swarm.role ? std::string(to_string(*swarm.role)) : "removed";
  out.members = swarm.roster.state().members.size();
  out.epoch = swarm.epoch_number;
  return out;
}

}  // namespace kith::node
