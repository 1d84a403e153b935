#include "tools/kith/resolve.hpp"

#include <charconv>
#include <cstring>
#include <memory>
#include <netdb.h>
#include <netinet/in.h>
#include <optional>
#include <string>
#include <sys/socket.h>

#include "proto/text.hpp"

namespace kith::cli {
namespace {

constexpr std::size_t kHostMax = 253;

struct HostPort {
  std::string host;
  std::uint16_t port = 0;
};

std::optional<std::uint16_t> port_of(std::string_view text) {
  std::uint16_t port = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
  if (text.empty() || error != std::errc() || end != text.data() + text.size()) return {};
  return port;
}

bool is_name_character(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
         c == '-' || c == '_';
}

std::optional<HostPort> split(std::string_view text) {
  if (const auto numeric = Endpoint::parse(text)) {
    return HostPort{numeric->address_string(), numeric->port()};
  }
  const std::size_t colon = text.rfind(':');
  if (colon == std::string_view::npos || colon > kHostMax) return {};
  const std::string_view host = text.substr(0, colon);
  const auto port = port_of(text.substr(colon + 1));
  for (const char c : host) {
    if (!is_name_character(c)) return {};
  }
  if (!port) return {};
  return HostPort{host.empty() ? "0.0.0.0" : std::string(host), *port};
}

Error bad_address(std::string_view text) {
  return local_error(Errc::kUsage, "not an address", escape(text),
                     "for example 192.0.2.7:5484, [2001:db8::7]:5484 or nas.example.org:5484");
}

std::optional<Endpoint> from_sockaddr(const sockaddr* address, std::uint16_t port) {
  if (address->sa_family == AF_INET) {
    sockaddr_in in{};
    std::memcpy(&in, address, sizeof in);
    std::array<std::uint8_t, 4> bytes;
    std::memcpy(bytes.data(), &in.sin_addr, bytes.size());
    return Endpoint::v4(bytes, port);
  }
  if (address->sa_family == AF_INET6) {
    sockaddr_in6 in{};
    std::memcpy(&in, address, sizeof in);
    std::array<std::uint8_t, 16> bytes;
    std::memcpy(bytes.data(), &in.sin6_addr, bytes.size());
    return Endpoint::v6(bytes, port);
  }
  return {};
}

}  // namespace

Result<void> check_address(std::string_view text) {
  if (!split(text)) return bad_address(text);
  return {};
}

Result<void> check_peer_address(std::string_view text) {
  const auto parts = split(text);
  if (!parts) return bad_address(text);
  const auto numeric = Endpoint::parse(text);
  const bool nowhere =
      parts->port == 0 || text.front() == ':' || (numeric && numeric->is_unspecified());
  if (!nowhere) return {};
  return local_error(Errc::kUsage, "not an address that others can reach", escape(text),
                     "it needs a host and a port");
}

Result<std::vector<Endpoint>> resolve(std::string_view text) {
  if (const auto numeric = Endpoint::parse(text)) return std::vector{*numeric};
  const auto parts = split(text);
  if (!parts) return bad_address(text);
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  const int error = ::getaddrinfo(parts->host.c_str(), nullptr, &hints, &found);
  const std::unique_ptr<addrinfo, void (*)(addrinfo*)> list(found, ::freeaddrinfo);
  std::vector<Endpoint> out;
  for (const addrinfo* at = error == 0 ? found : nullptr; at != nullptr; at = at->ai_next) {
    if (const auto endpoint = from_sockaddr(at->ai_addr, parts->port)) out.push_back(*endpoint);
  }
  if (!out.empty()) return out;
  return network_error(Errc::kUnreachable, "no address is known for " + parts->host);
}

}  // namespace kith::cli
