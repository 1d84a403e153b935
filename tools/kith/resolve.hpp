// Addresses as people write them: HOST:PORT, HOST a name or an address, IPv6 in brackets.
#pragma once

#include <string_view>
#include <vector>

#include "proto/endpoint.hpp"
#include "proto/result.hpp"

namespace kith::cli {

/// The form only. kUsage.
[[nodiscard]] Result<void> check_address(std::string_view text);
/// The same for one that others are to be reached at: not port 0, not the unspecified address.
[[nodiscard]] Result<void> check_peer_address(std::string_view text);
/// Looks the name up, which may take seconds. An empty host stands for all IPv4 addresses, as
/// 0.0.0.0 does. kUsage for a wrong form, kUnreachable where the name is not known. At least one
/// endpoint.
[[nodiscard]] Result<std::vector<Endpoint>> resolve(std::string_view text);

}  // namespace kith::cli
