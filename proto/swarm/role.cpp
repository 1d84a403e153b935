#include "proto/swarm/role.hpp"

#include <array>
#include <cstddef>

namespace kith {
namespace {

constexpr std::array<std::string_view, 4> kNames = {"mirror", "reader", "member", "admin"};

}  // namespace

std::string_view to_string(Role role) { return kNames[static_cast<std::size_t>(role)]; }

std::optional<Role> parse_role(std::string_view text) {
  for (std::size_t i = 0; i < kNames.size(); ++i) {
    if (kNames[i] == text) return static_cast<Role>(i);
  }
  return std::nullopt;
}

}  // namespace kith
