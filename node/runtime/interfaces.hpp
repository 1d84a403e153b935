// Addresses of this machine that others may reach it by.
#pragma once

#include <cstdint>
#include <vector>

#include "proto/endpoint.hpp"

namespace kith::node {

/// The address that the default route uses, then global IPv6, then other addresses that are not
/// link-local and not of virtual bridges, then, if there is nothing else, loopback; all with
/// `port`. No packet is sent.
[[nodiscard]] std::vector<Endpoint> own_endpoints(std::uint16_t port);

}  // namespace kith::node
