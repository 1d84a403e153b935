// Where a node listens: one port, UDP and TCP.
#pragma once

#include <optional>

#include "node/runtime/tcp_driver.hpp"
#include "node/runtime/udp_driver.hpp"

namespace kith::node {

inline constexpr std::uint16_t kDefaultPort = 5484;

/// Binds both. With an address given: there, or an error (port 0: any that is free). Otherwise all
/// addresses, on `preferred`, or on another port if that is taken.
[[nodiscard]] Result<Endpoint> listen_on(UdpDriver& udp, TcpDriver& tcp,
                                         const std::optional<Endpoint>& given,
                                         std::uint16_t preferred);

}  // namespace kith::node
