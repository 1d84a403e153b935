// An address and a port, as a value, without Asio. IPv4 is kept as such, never as a mapped IPv6
// address.
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "proto/bytes.hpp"

namespace kith {

class Endpoint {
 public:
  Endpoint() = default;
  [[nodiscard]] static Endpoint v4(std::array<std::uint8_t, 4> address, std::uint16_t port);
  /// A v4-mapped address becomes the IPv4 endpoint that it stands for.
  [[nodiscard]] static Endpoint v6(std::array<std::uint8_t, 16> address, std::uint16_t port);
  /// The compact form of BEP 5 and BEP 32: 6 or 18 bytes, address and big-endian port.
  [[nodiscard]] static std::optional<Endpoint> from_compact(Bytes compact);
  /// "192.0.2.1:5484" or "[2001:db8::1]:5484". No names: whoever takes names resolves them first.
  [[nodiscard]] static std::optional<Endpoint> parse(std::string_view text);

  [[nodiscard]] bool is_v6() const { return v6_; }
  [[nodiscard]] std::uint16_t port() const { return port_; }
  /// 4 or 16 bytes.
  [[nodiscard]] Bytes address() const { return Bytes(address_).first(v6_ ? 16 : 4); }
  /// The same address with another port.
  [[nodiscard]] Endpoint with_port(std::uint16_t port) const;
  /// As from_compact() takes it.
  [[nodiscard]] Buffer compact() const;
  /// As parse() takes it.
  [[nodiscard]] std::string to_string() const;
  /// Without the port, and without brackets.
  [[nodiscard]] std::string address_string() const;

  /// 0.0.0.0 or ::.
  [[nodiscard]] bool is_unspecified() const;
  /// 127/8 or ::1.
  [[nodiscard]] bool is_loopback() const;
  [[nodiscard]] bool is_multicast() const;
  /// 169.254/16 or fe80::/10.
  [[nodiscard]] bool is_link_local() const;
  /// 10/8, 172.16/12, 192.168/16, 100.64/10, fc00::/7, loopback and link-local.
  [[nodiscard]] bool is_private() const;
  /// Something that one may send to: port not 0, not unspecified, multicast or broadcast.
  [[nodiscard]] bool is_usable() const;
  /// The /24 (IPv4) or /64 (IPv6) that it lies in: its first 3 or 8 bytes. Equal prefixes count
  /// against the same limits.
  [[nodiscard]] Bytes subnet() const { return Bytes(address_).first(v6_ ? 8 : 3); }
  /// The same for all endpoints of one subnet, to key what counts against it.
  [[nodiscard]] Endpoint subnet_key() const;

  auto operator<=>(const Endpoint&) const = default;

 private:
  bool v6_ = false;
  std::array<std::uint8_t, 16> address_{};
  std::uint16_t port_ = 0;
};

}  // namespace kith
