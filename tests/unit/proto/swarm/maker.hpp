// Devices and operations for tests of the roster. Seals and wraps are patterns here: the reducer
// looks into none of them.
#pragma once

#include <algorithm>
#include <string>
#include <vector>

#include "proto/crypto/random.hpp"
#include "proto/swarm/invite.hpp"
#include "proto/swarm/op.hpp"

namespace kith::test {

template <class Fixed>
Fixed pattern(std::uint8_t first) {
  Fixed out;
  for (auto& byte : out.bytes) byte = first++;
  return out;
}

inline Secret seed_secret(std::uint8_t n) {
  Secret out;
  for (auto& byte : out.mutable_view()) byte = n;
  return out;
}

/// From fixed secrets, so that golden ids depend on no generator.
inline DeviceKeys device_keys(std::size_t number) {
  init_crypto();
  const auto n = static_cast<std::uint8_t>(number);
  DeviceKeys keys;
  keys.sign = SignKeys::from_seed(seed_secret(static_cast<std::uint8_t>(n + 100)));
  keys.noise = DhKeys::from_secret(seed_secret(static_cast<std::uint8_t>(n + 150)));
  keys.wrap = DhKeys::from_secret(seed_secret(static_cast<std::uint8_t>(n + 200)));
  return keys;
}

inline EpochInfo epoch_info(std::uint32_t number, std::vector<OpId> parents) {
  EpochInfo out;
  out.number = number;
  out.network_hash = pattern<SecretHash>(static_cast<std::uint8_t>(number));
  out.content_hash = pattern<SecretHash>(static_cast<std::uint8_t>(number + 50));
  out.wraps_hash = pattern<SecretHash>(static_cast<std::uint8_t>(number + 100));
  out.parent_secrets.resize(parents.size(), pattern<ParentBox>(7));
  std::sort(parents.begin(), parents.end());
  out.parents = std::move(parents);
  return out;
}

/// Signs operations with whatever parents a test wants. Device 0 is the founder.
class Maker {
 public:
  explicit Maker(std::size_t devices) {
    for (std::size_t i = 0; i < devices; ++i) {
      keys_.push_back(device_keys(i));
      bindings_.push_back(keys_.back().binding());
    }
    GenesisBody body;
    body.founder = bindings_[0];
    body.swarm_name = pattern<NameBox>(1);
    body.device_name = pattern<NameBox>(2);
    body.wrap = pattern<Wrap>(3);
    body.epoch = epoch_info(1, {});
    genesis_ = sign_op(keys_[0].sign, {}, body).value();
  }

  const Op& genesis() const { return genesis_; }
  SwarmId swarm() const { return *SwarmId::from(genesis_.id.view()); }
  const DeviceKeys& keys(std::size_t device) const { return keys_[device]; }
  const DeviceBinding& binding(std::size_t device) const { return bindings_[device]; }
  DeviceId id(std::size_t device) const { return bindings_[device].device; }
  std::size_t devices() const { return keys_.size(); }

  Op make(std::size_t author, std::vector<OpId> parents, OpBody body) const {
    return sign_op(keys_[author].sign, std::move(parents), std::move(body)).value();
  }

  AddBody add(std::size_t device, Role role, OpId epoch) const {
    AddBody out;
    out.device = bindings_[device];
    out.role = role;
    out.epoch = epoch;
    out.name = pattern<NameBox>(static_cast<std::uint8_t>(10 + device));
    out.wrap = pattern<Wrap>(static_cast<std::uint8_t>(20 + device));
    return out;
  }
  AddBody add(std::size_t device, Role role) const { return add(device, role, genesis_.id); }
  AddBody add_by(std::size_t device, Role role, std::uint8_t invite) const {
    AddBody out = add(device, role);
    out.invite = AddBody::ByInvite{invite_key(invite), pattern<Signature>(5)};
    return out;
  }
  RemoveBody remove(std::size_t device, std::uint32_t epoch, std::vector<OpId> parents) const {
    return {id(device), epoch_info(epoch, std::move(parents))};
  }
  /// With epoch 2, whose parent is the genesis'.
  RemoveBody remove(std::size_t device) const { return remove(device, 2, {genesis_.id}); }
  RemoveBody leave(std::size_t device) const { return {id(device), std::nullopt}; }
  SetRoleBody set_role(std::size_t device, Role role) const {
    return {id(device), role, std::nullopt, std::nullopt};
  }
  SetRoleBody make_mirror(std::size_t device) const {
    return {id(device), Role::kMirror, std::nullopt, epoch_info(2, {genesis_.id})};
  }
  InviteBody invite(std::uint8_t number, Role role, std::uint32_t uses) const {
    return {invite_key(number), invite_j(seed_secret(number)), role, uses, UnixMillis{1'000'000}};
  }
  static SignPublic invite_key(std::uint8_t number) { return invite_keys(seed_secret(number)).pub; }

 private:
  std::vector<DeviceKeys> keys_;
  std::vector<DeviceBinding> bindings_;
  Op genesis_;
};

}  // namespace kith::test
