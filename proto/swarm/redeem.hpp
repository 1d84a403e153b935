// What a device answers to a joiner. Pure: the engine looks here, appends the add in the same turn,
// and so redeems in one transaction.
//
// An invite is answered while it lives; when it is used up or expired, for 30 days more, so that
// the joiner can be told; when it is revoked or voided, not at all.
#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "proto/swarm/state.hpp"
#include "proto/wire/frames.hpp"

namespace kith {

/// True if a first message under this invite's psk is answered.
[[nodiscard]] bool answers(const InviteState& invite, UnixMillis now);

struct RedeemAnswer {
  enum class Kind : std::uint8_t {
    kAdd,      // append an add for `binding` with the invite's role and `by`; then the joiner is in
    kIn,       // the device is in the swarm: an admin tells it (again); nothing to append
    kWaiting,  // `waiting_for` redeems this invite
    kRefused,  // `reason`, for people
  };
  Kind kind = Kind::kRefused;
  DeviceBinding binding;      // kAdd, kIn: to whose W the secrets go
  Role role = Role::kMember;  // kAdd: that of the invite; kIn: that of the member
  AddBody::ByInvite by;       // kAdd
  DeviceId waiting_for;       // kWaiting
  std::string reason;         // kRefused
};

/// `self` answers `join`. A request whose form or signature is wrong is refused as well. Two
/// signature checks: 120 µs.
[[nodiscard]] RedeemAnswer redeem(const RosterState& state, const SwarmId& swarm,
                                  const DeviceId& self, const JoinFrame& join, UnixMillis now);

}  // namespace kith
