// Conversions between Endpoint and Asio, and socket options that only Linux has.
#pragma once

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ip/udp.hpp>
#include <boost/asio/ip/v6_only.hpp>

#include "proto/endpoint.hpp"
#include "proto/result.hpp"

namespace kith::node {

namespace asio = boost::asio;
using boost::system::error_code;

template <class AsioEndpoint>
[[nodiscard]] Endpoint from_asio(const AsioEndpoint& endpoint) {
  const asio::ip::address address = endpoint.address();
  if (address.is_v4()) return Endpoint::v4(address.to_v4().to_bytes(), endpoint.port());
  return Endpoint::v6(address.to_v6().to_bytes(), endpoint.port());
}

template <class AsioEndpoint>
[[nodiscard]] AsioEndpoint to_asio(const Endpoint& endpoint) {
  if (endpoint.is_v6()) {
    asio::ip::address_v6::bytes_type bytes;
    std::copy_n(endpoint.address().begin(), 16, bytes.begin());
    return {asio::ip::address_v6(bytes), endpoint.port()};
  }
  asio::ip::address_v4::bytes_type bytes;
  std::copy_n(endpoint.address().begin(), 4, bytes.begin());
  return {asio::ip::address_v4(bytes), endpoint.port()};
}

/// What an operation on a socket reported, with blame network.
[[nodiscard]] inline Error net_error(const error_code& ec, const std::string& doing,
                                     const std::string& subject) {
  Error error = os_error(ec.value(), doing, subject);
  error.blame = Blame::kNetwork;
  return error;
}

}  // namespace kith::node
