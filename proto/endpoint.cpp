#include "proto/endpoint.hpp"

#include <algorithm>
#include <arpa/inet.h>  // only inet_pton and inet_ntop: text forms, no sockets
#include <charconv>

namespace kith {
namespace {

std::optional<std::uint16_t> parse_port(std::string_view text) {
  std::uint16_t port = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return port;
}

}  // namespace

Endpoint Endpoint::v4(std::array<std::uint8_t, 4> address, std::uint16_t port) {
  Endpoint out;
  std::copy(address.begin(), address.end(), out.address_.begin());
  out.port_ = port;
  return out;
}

Endpoint Endpoint::v6(std::array<std::uint8_t, 16> address, std::uint16_t port) {
  static constexpr std::array<std::uint8_t, 12> kMapped{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
  if (std::equal(kMapped.begin(), kMapped.end(), address.begin())) {
    return v4({address[12], address[13], address[14], address[15]}, port);
  }
  Endpoint out;
  out.v6_ = true;
  out.address_ = address;
  out.port_ = port;
  return out;
}

std::optional<Endpoint> Endpoint::from_compact(Bytes compact) {
  if (compact.size() == 6) {
    return v4({compact[0], compact[1], compact[2], compact[3]},
              load_be<std::uint16_t>(compact.subspan(4)));
  }
  if (compact.size() == 18) {
    std::array<std::uint8_t, 16> address;
    std::copy_n(compact.begin(), 16, address.begin());
    return v6(address, load_be<std::uint16_t>(compact.subspan(16)));
  }
  return std::nullopt;
}

std::optional<Endpoint> Endpoint::parse(std::string_view text) {
  const std::size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) return std::nullopt;
  const auto port = parse_port(text.substr(colon + 1));
  if (!port) return std::nullopt;
  std::string host(text.substr(0, colon));
  if (host.size() >= 2 && host.front() == '[' && host.back() == ']') {
    std::array<std::uint8_t, 16> address;
    host = host.substr(1, host.size() - 2);
    if (inet_pton(AF_INET6, host.c_str(), address.data()) != 1) return std::nullopt;
    return v6(address, *port);
  }
  std::array<std::uint8_t, 4> address;
  if (inet_pton(AF_INET, host.c_str(), address.data()) != 1) return std::nullopt;
  return v4(address, *port);
}

Endpoint Endpoint::with_port(std::uint16_t port) const {
  Endpoint out = *this;
  out.port_ = port;
  return out;
}

Endpoint Endpoint::subnet_key() const {
  Endpoint out = with_port(0);
  std::fill(out.address_.begin() + static_cast<std::ptrdiff_t>(subnet().size()), out.address_.end(),
            std::uint8_t{0});
  return out;
}

Buffer Endpoint::compact() const {
  Buffer out = to_buffer(address());
  append_be<std::uint16_t>(out, port_);
  return out;
}

std::string Endpoint::address_string() const {
  char text[INET6_ADDRSTRLEN];
  inet_ntop(v6_ ? AF_INET6 : AF_INET, address_.data(), text, sizeof text);
  return text;
}

std::string Endpoint::to_string() const {
  const std::string host = address_string();
  return (v6_ ? "[" + host + "]" : host) + ":" + std::to_string(port_);
}

bool Endpoint::is_unspecified() const {
  return std::all_of(address_.begin(), address_.end(), [](std::uint8_t b) { return b == 0; });
}

bool Endpoint::is_loopback() const {
  if (!v6_) return address_[0] == 127;
  return address_[15] == 1 &&
         std::all_of(address_.begin(), address_.end() - 1, [](std::uint8_t b) { return b == 0; });
}

bool Endpoint::is_multicast() const {
  return v6_ ? address_[0] == 0xff : address_[0] >= 224 && address_[0] < 240;
}

bool Endpoint::is_link_local() const {
  return v6_ ? address_[0] == 0xfe && (address_[1] & 0xc0) == 0x80
             : address_[0] == 169 && address_[1] == 254;
}

bool Endpoint::is_private() const {
  if (is_loopback() || is_link_local()) return true;
  if (v6_) return (address_[0] & 0xfe) == 0xfc;
  return address_[0] == 10 || (address_[0] == 172 && (address_[1] & 0xf0) == 16) ||
         (address_[0] == 192 && address_[1] == 168) ||
         (address_[0] == 100 && (address_[1] & 0xc0) == 64);
}

bool Endpoint::is_usable() const {
  if (port_ == 0 || is_unspecified() || is_multicast()) return false;
  return v6_ || address_[0] < 240;
}

}  // namespace kith
