#include "proto/swarm/redeem.hpp"

#include <cstdio>

#include "proto/swarm/invite.hpp"
#include "proto/swarm/secrets.hpp"

namespace kith {
namespace {

using Kind = RedeemAnswer::Kind;

constexpr std::chrono::milliseconds kRemembered = std::chrono::days(30);

bool is_expired(const InviteState& invite, UnixMillis now) {
  return count(now) > count(invite.body.expiry);
}

// Both are not negative, so the difference does not overflow.
bool is_forgotten(const InviteState& invite, UnixMillis now) {
  return is_expired(invite, now) && count(now) - count(invite.body.expiry) > kRemembered.count();
}

RedeemAnswer refused(std::string reason) {
  RedeemAnswer out;
  out.reason = std::move(reason);
  return out;
}

std::string date(UnixMillis at) {
  const std::chrono::sys_time<std::chrono::milliseconds> time{std::chrono::milliseconds(count(at))};
  const auto day = std::chrono::floor<std::chrono::days>(time);
  const std::chrono::year_month_day ymd{day};
  const auto minutes = std::chrono::floor<std::chrono::minutes>(time - day).count();
  char text[64];
  std::snprintf(text, sizeof text, "%04d-%02u-%02u %02d:%02d UTC", static_cast<int>(ymd.year()),
                static_cast<unsigned>(ymd.month()), static_cast<unsigned>(ymd.day()),
                static_cast<int>(minutes / 60), static_cast<int>(minutes % 60));
  return text;
}

// Empty: the invite can be redeemed now, by somebody.
std::string why_not(const RosterState& state, const InviteState& invite, UnixMillis now) {
  if (is_forgotten(invite, now)) return "the invite is unknown";
  switch (invite.status) {
    case InviteStatus::kRevoked:
      return "the invite was revoked";
    case InviteStatus::kVoided:
      return "the invite is void since a device was removed";
    case InviteStatus::kUsedUp:
      return "the invite is used up";
    case InviteStatus::kLive:
      break;
  }
  if (is_expired(invite, now)) return "the invite expired on " + date(invite.body.expiry);
  const bool issuer_is_admin = state.role(invite.issuer) == Role::kAdmin;
  if (invite.body.uses == 1 && !issuer_is_admin) {
    return "the device that made the invite is not an admin any more";
  }
  return {};
}

std::optional<DeviceId> who_redeems(const RosterState& state, const InviteState& invite,
                                    const DeviceId& self) {
  if (invite.body.uses > 1 && state.role(self) == Role::kAdmin) return self;
  if (state.role(invite.issuer) == Role::kAdmin) return invite.issuer;
  return state.admins.empty() ? std::nullopt : std::optional(state.admins.front());
}

bool is_genuine(const SwarmId& swarm, const JoinFrame& join) {
  const auto key = *SignPublic::from(join.invite.view());
  const auto signature = *Signature::from(join.signature.view());
  return verify_join(key, swarm, join.binding, join.name, signature);
}

}  // namespace

bool answers(const InviteState& invite, UnixMillis now) {
  if (count(now) < 0 || is_forgotten(invite, now)) return false;
  return invite.status == InviteStatus::kLive || invite.status == InviteStatus::kUsedUp;
}

RedeemAnswer redeem(const RosterState& state, const SwarmId& swarm, const DeviceId& self,
                    const JoinFrame& join, UnixMillis now) {
  if (!is_genuine(swarm, join)) return refused("the request is not signed by the invite's key");
  const auto binding = DeviceBinding::decode(join.binding);
  if (!binding) return refused("the request holds no valid device binding");
  if (!check_roster_name(join.name)) {
    return refused("the device's name is not 1 to 64 bytes of UTF-8 without control characters");
  }
  const auto it = state.invites.find(*SignPublic::from(join.invite.view()));
  if (it == state.invites.end()) return refused("the invite is unknown");
  const InviteState& invite = it->second;

  RedeemAnswer out;
  const Member* member = state.find(binding->device);
  const bool may_let_in = state.role(self) == Role::kAdmin || state.admins.empty();
  if (member != nullptr && !may_let_in) {
    // It takes its secrets from an admin only.
    out.kind = Kind::kWaiting;
    out.waiting_for = *who_redeems(state, invite, self);
    return out;
  }
  if (member != nullptr) {
    out.kind = Kind::kIn;
    out.binding = member->binding;
    out.role = member->role;
    return out;
  }
  if (std::string reason = why_not(state, invite, now); !reason.empty()) {
    return refused(std::move(reason));
  }
  const auto redeemer = who_redeems(state, invite, self);
  if (!redeemer) return refused("the swarm has no admin left");
  out.kind = *redeemer == self ? Kind::kAdd : Kind::kWaiting;
  out.binding = *binding;
  out.role = invite.body.role;
  out.by = {*SignPublic::from(join.invite.view()), *Signature::from(join.signature.view())};
  out.waiting_for = *redeemer;
  return out;
}

}  // namespace kith
