#include "proto/swarm/author.hpp"

#include <algorithm>
#include <set>

namespace kith {
namespace {

Result<Op> finish(const Author& author, OpBody body) {
  KITH_TRY(Op op, sign_op(author.keys.sign, author.roster.parents_for_new(), std::move(body)));
  if (auto allowed = author.roster.check(op); !allowed) {
    Error error = std::move(allowed).error();
    error.blame = Blame::kLocal;
    return error;
  }
  return op;
}

Result<Member> member(const Author& author, const DeviceId& device) {
  const Member* found = author.roster.state().find(device);
  if (found == nullptr) return local_error(Errc::kNotFound, "no such device in the swarm");
  return *found;
}

struct KnownEpoch {
  OpId id;
  EpochSecrets secrets;
};

// The current epoch, whose secrets every admin is meant to hold.
Result<KnownEpoch> current_epoch(const Author& author) {
  const OpId& id = author.roster.state().current_epoch;
  const EpochSecrets* secrets = author.secrets.find(id);
  if (secrets == nullptr || !secrets->network || !secrets->content) {
    return local_error(Errc::kNotFound, "this device does not hold the current epoch's secrets", {},
                       "let another admin do it, or wait until this one has caught up");
  }
  return KnownEpoch{id, *secrets};
}

// Counting epochs that are no parent of a counting one, as far as their C is known here.
std::vector<OpId> epochs_to_follow(const Author& author) {
  const auto& epochs = author.roster.state().epochs;
  std::set<OpId> followed;
  for (const EpochState& epoch : epochs) {
    followed.insert(epoch.info.parents.begin(), epoch.info.parents.end());
  }
  std::vector<OpId> out;
  for (const EpochState& epoch : epochs) {
    const auto* secrets = author.secrets.find(epoch.id);
    const bool usable = secrets != nullptr && secrets->content && !followed.contains(epoch.id);
    if (usable && out.size() < limits::kOpParentsMax) out.push_back(epoch.id);
  }
  std::sort(out.begin(), out.end());
  return out;
}

struct FreshEpoch {
  EpochInfo info;
  EpochSecrets secrets;
  Buffer wraps;
};

// Wraps for all members but `without`; `mirror` is treated as one already.
Buffer make_wraps(const Author& author, const EpochSecrets& secrets,
                  const std::optional<DeviceId>& without, const std::optional<DeviceId>& mirror) {
  std::vector<NamedWrap> wraps;
  for (const auto& [id, member] : author.roster.state().members) {
    if (id == without) continue;
    const Role role = id == mirror ? Role::kMirror : member.role;
    wraps.push_back({id, seal_wrap(member.binding, role, secrets, author.rng)});
  }
  return encode_wraps(wraps);
}

Result<FreshEpoch> fresh_epoch(const Author& author, std::optional<DeviceId> without,
                               std::optional<DeviceId> mirror) {
  FreshEpoch out;
  out.secrets = EpochSecrets::generate(author.rng);
  out.info.parents = epochs_to_follow(author);
  if (out.info.parents.empty()) {
    return local_error(Errc::kNotFound, "this device holds no content secret of the swarm");
  }
  out.info.number = 0;
  for (const OpId& parent : out.info.parents) {
    const auto& content = *author.secrets.find(parent)->content;
    out.info.parent_secrets.push_back(
        seal_parent(*out.secrets.content, parent, content, author.rng));
    out.info.number =
        std::max(out.info.number, author.roster.state().epoch(parent)->info.number + 1);
  }
  out.wraps = make_wraps(author, out.secrets, without, mirror);
  out.info.network_hash = hash_secret(*out.secrets.network);
  out.info.content_hash = hash_secret(*out.secrets.content);
  out.info.wraps_hash = SecretHash{blake2b_256(out.wraps)};
  return out;
}

}  // namespace

Result<NewSwarm> create_swarm(const DeviceKeys& founder, std::string_view swarm_name,
                              std::string_view device_name, Rng& rng) {
  KITH_CHECK(check_roster_name(swarm_name));
  KITH_CHECK(check_roster_name(device_name));
  Secret group;
  rng.fill(group.mutable_view());
  const auto secrets = EpochSecrets::generate(rng);
  GenesisBody body;
  body.founder = founder.binding();
  body.swarm_name = seal_name(*secrets.content, std::nullopt, swarm_name, rng);
  body.device_name = seal_name(*secrets.content, founder.id(), device_name, rng);
  body.wrap = seal_wrap(body.founder, Role::kAdmin, secrets, rng);
  const NamedWrap own{founder.id(), body.wrap};
  body.epoch.network_hash = hash_secret(*secrets.network);
  body.epoch.content_hash = hash_secret(*secrets.content);
  body.epoch.wraps_hash = SecretHash{blake2b_256(encode_wraps({&own, 1}))};
  KITH_TRY(Op genesis, sign_op(founder.sign, {}, std::move(body)));
  SwarmKeys keys(group);
  keys.learn(genesis.id, secrets);
  return NewSwarm{*SwarmId::from(genesis.id.view()), std::move(genesis), std::move(keys)};
}

Result<NewInvite> make_invite(const Author& author, Role role, std::uint32_t uses,
                              UnixMillis expiry) {
  if (uses == 0 || uses > limits::kInviteUsesMax) {
    return local_error(Errc::kUsage, "an invite has 1 to 100,000 uses");
  }
  if (count(expiry) < 0) return local_error(Errc::kUsage, "an invite expires after 1970");
  Invite invite;
  invite.swarm = author.roster.swarm();
  author.rng.fill(invite.seed.mutable_view());
  invite.issuer = author.keys.id();
  invite.expiry = expiry;
  const InviteBody body{invite_keys(invite.seed).pub, invite_j(invite.seed), role, uses, expiry};
  KITH_TRY(Op op, finish(author, body));
  return NewInvite{std::move(op), std::move(invite)};
}

Result<Op> make_revoke_invite(const Author& author, const SignPublic& key) {
  return finish(author, RevokeInviteBody{key});
}

Result<Op> make_add(const Author& author, const DeviceBinding& device, Role role,
                    std::string_view name, std::optional<AddBody::ByInvite> invite) {
  KITH_CHECK(check_roster_name(name));
  KITH_TRY(const KnownEpoch epoch, current_epoch(author));
  AddBody body;
  body.device = device;
  body.role = role;
  body.epoch = epoch.id;
  body.name = seal_name(*epoch.secrets.content, device.device, name, author.rng);
  body.wrap = seal_wrap(device, role, epoch.secrets, author.rng);
  body.invite = invite;
  return finish(author, std::move(body));
}

Result<OpWithEpoch> make_remove(const Author& author, const DeviceId& device) {
  if (device == author.keys.id()) {
    KITH_TRY(Op op, finish(author, RemoveBody{device, std::nullopt}));
    return OpWithEpoch{std::move(op), std::nullopt, {}};
  }
  KITH_TRY(FreshEpoch epoch, fresh_epoch(author, device, std::nullopt));
  KITH_TRY(Op op, finish(author, RemoveBody{device, std::move(epoch.info)}));
  return OpWithEpoch{std::move(op), epoch.secrets, std::move(epoch.wraps)};
}

Result<OpWithEpoch> make_set_role(const Author& author, const DeviceId& device, Role role) {
  KITH_TRY(const Member target, member(author, device));
  SetRoleBody body;
  body.device = device;
  body.role = role;
  OpWithEpoch out;
  if (holds_content(target.role) && !holds_content(role)) {
    KITH_TRY(FreshEpoch epoch, fresh_epoch(author, std::nullopt, device));
    body.epoch = std::move(epoch.info);
    out.secrets = epoch.secrets;
    out.wraps = std::move(epoch.wraps);
  } else if (!holds_content(target.role) && holds_content(role)) {
    KITH_TRY(const KnownEpoch epoch, current_epoch(author));
    body.given =
        SetRoleBody::Given{epoch.id, seal_wrap(target.binding, role, epoch.secrets, author.rng)};
  }
  KITH_TRY(out.op, finish(author, std::move(body)));
  return out;
}

Result<OpWithEpoch> make_epoch(const Author& author) {
  KITH_TRY(FreshEpoch epoch, fresh_epoch(author, std::nullopt, std::nullopt));
  KITH_TRY(Op op, finish(author, EpochBody{std::move(epoch.info)}));
  return OpWithEpoch{std::move(op), epoch.secrets, std::move(epoch.wraps)};
}

Result<Op> make_wrap(const Author& author, const DeviceId& device) {
  KITH_TRY(const Member target, member(author, device));
  KITH_TRY(const KnownEpoch epoch, current_epoch(author));
  const Wrap wrap = seal_wrap(target.binding, target.role, epoch.secrets, author.rng);
  return finish(author, WrapBody{device, epoch.id, wrap});
}

Result<Op> make_rename(const Author& author, std::optional<DeviceId> device,
                       std::string_view name) {
  KITH_CHECK(check_roster_name(name));
  KITH_TRY(const KnownEpoch epoch, current_epoch(author));
  return finish(author, RenameBody{device, epoch.id,
                                   seal_name(*epoch.secrets.content, device, name, author.rng)});
}

}  // namespace kith
