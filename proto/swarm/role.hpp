// What a device may do in a swarm.
//
//   admin   changes the roster, and everything below
//   member  shares, publishes names, fetches
//   reader  fetches and serves
//   mirror  stores and serves ciphertext; never holds a content secret
//
// The numbers stand in operations and are ordered by rights: a lower one is a demotion.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace kith {

enum class Role : std::uint8_t { kMirror = 0, kReader = 1, kMember = 2, kAdmin = 3 };

/// True for every role that is given the content secret C_e of an epoch.
[[nodiscard]] constexpr bool holds_content(Role role) { return role != Role::kMirror; }

/// "mirror", "reader", "member", "admin".
[[nodiscard]] std::string_view to_string(Role role);
/// The reverse; nothing for any other text.
[[nodiscard]] std::optional<Role> parse_role(std::string_view text);

}  // namespace kith
