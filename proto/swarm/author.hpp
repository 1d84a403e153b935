// Makes roster operations on behalf of this device. Each maker takes what the author knows and
// gives a signed operation that this device's roster would accept; the caller adds it to the
// roster, stores it and tells its peers. Errors are local: kRefused (the author has no right, with
// the reason), kNotFound (a device, invite or secret that is not known), kUsage (a bad name),
// kLimit.
#pragma once

#include <optional>
#include <string_view>

#include "proto/swarm/invite.hpp"
#include "proto/swarm/roster.hpp"
#include "proto/swarm/secrets.hpp"

namespace kith {

/// Who makes an operation, and what it knows. References are used during the call only.
struct Author {
  const DeviceKeys& keys;
  const Roster& roster;
  const SwarmKeys& secrets;
  Rng& rng;
};

/// An operation that may hold an epoch: then its secrets, and the wraps that everybody keeps with
/// it.
struct OpWithEpoch {
  Op op;
  std::optional<EpochSecrets> secrets;
  Buffer wraps;
};

struct NewSwarm {
  SwarmId id;
  Op genesis;
  SwarmKeys keys;  // G, and the first epoch
};
/// No roster yet. Errors: kUsage.
[[nodiscard]] Result<NewSwarm> create_swarm(const DeviceKeys& founder, std::string_view swarm_name,
                                            std::string_view device_name, Rng& rng);

struct NewInvite {
  Op op;
  Invite invite;  // without hints
};
/// `uses`: 1 to limits::kInviteUsesMax. Only this device can redeem one with uses = 1; one with
/// more uses, any admin.
[[nodiscard]] Result<NewInvite> make_invite(const Author& author, Role role, std::uint32_t uses,
                                            UnixMillis expiry);
/// Ends an invite, by its public key.
[[nodiscard]] Result<Op> make_revoke_invite(const Author& author, const SignPublic& key);

/// Adds a device with its wrap of the current epoch.
[[nodiscard]] Result<Op> make_add(const Author& author, const DeviceBinding& device, Role role,
                                  std::string_view name,
                                  std::optional<AddBody::ByInvite> invite = std::nullopt);
/// Removes another device and changes the epoch; or the author itself, without an epoch.
[[nodiscard]] Result<OpWithEpoch> make_remove(const Author& author, const DeviceId& device);
/// Changes the epoch where the change takes the content secret away.
[[nodiscard]] Result<OpWithEpoch> make_set_role(const Author& author, const DeviceId& device,
                                                Role role);
/// A new epoch on demand.
[[nodiscard]] Result<OpWithEpoch> make_epoch(const Author& author);
/// The current epoch for a device that was left out of its wraps.
[[nodiscard]] Result<Op> make_wrap(const Author& author, const DeviceId& device);
/// Renames a device, or the swarm.
[[nodiscard]] Result<Op> make_rename(const Author& author, std::optional<DeviceId> device,
                                     std::string_view name);

}  // namespace kith
