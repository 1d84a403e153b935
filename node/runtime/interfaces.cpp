#include "node/runtime/interfaces.hpp"

#include <algorithm>
#include <array>
#include <cstring>
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <string_view>
#include <sys/socket.h>
#include <unistd.h>

namespace kith::node {
namespace {

Endpoint from_sockaddr(const sockaddr* address, std::uint16_t port) {
  if (address->sa_family == AF_INET) {
    sockaddr_in v4;
    std::memcpy(&v4, address, sizeof v4);
    std::array<std::uint8_t, 4> bytes;
    std::memcpy(bytes.data(), &v4.sin_addr, bytes.size());
    return Endpoint::v4(bytes, port);
  }
  sockaddr_in6 v6;
  std::memcpy(&v6, address, sizeof v6);
  std::array<std::uint8_t, 16> bytes;
  std::memcpy(bytes.data(), &v6.sin6_addr, bytes.size());
  return Endpoint::v6(bytes, port);
}

// Connecting a UDP socket sends nothing; it only asks the routing table.
Endpoint route_source(std::uint16_t port) {
  const int fd = ::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return {};
  sockaddr_in somewhere{};
  somewhere.sin_family = AF_INET;
  somewhere.sin_port = htons(9);
  somewhere.sin_addr.s_addr = htonl(0xc0000201);  // 192.0.2.1, of the documentation range
  sockaddr_storage own{};
  socklen_t size = sizeof own;
  const bool found =
      ::connect(fd, reinterpret_cast<const sockaddr*>(&somewhere), sizeof somewhere) == 0 &&
      ::getsockname(fd, reinterpret_cast<sockaddr*>(&own), &size) == 0;
  ::close(fd);
  return found ? from_sockaddr(reinterpret_cast<const sockaddr*>(&own), port) : Endpoint();
}

bool is_virtual_bridge(std::string_view name) {
  constexpr std::array<std::string_view, 6> kPrefixes = {"docker", "br-",   "virbr",
                                                         "veth",   "lxcbr", "cni"};
  return std::any_of(kPrefixes.begin(), kPrefixes.end(),
                     [&](std::string_view prefix) { return name.starts_with(prefix); });
}

}  // namespace

std::vector<Endpoint> own_endpoints(std::uint16_t port) {
  std::vector<Endpoint> out;
  const auto add = [&out](const Endpoint& endpoint) {
    const bool known = std::find(out.begin(), out.end(), endpoint) != out.end();
    if (!endpoint.is_unspecified() && !endpoint.is_link_local() && !known) out.push_back(endpoint);
  };
  const Endpoint route = route_source(port);
  if (!route.is_loopback()) add(route);
  std::vector<Endpoint> global_v6, others;
  ifaddrs* list = nullptr;
  if (getifaddrs(&list) == 0) {
    for (const ifaddrs* i = list; i != nullptr; i = i->ifa_next) {
      const bool inet = i->ifa_addr != nullptr &&
                        (i->ifa_addr->sa_family == AF_INET || i->ifa_addr->sa_family == AF_INET6);
      if (!inet || (i->ifa_flags & IFF_UP) == 0 || is_virtual_bridge(i->ifa_name)) continue;
      const Endpoint endpoint = from_sockaddr(i->ifa_addr, port);
      if (endpoint.is_loopback()) continue;
      (endpoint.is_v6() && !endpoint.is_private() ? global_v6 : others).push_back(endpoint);
    }
    freeifaddrs(list);
  }
  for (const Endpoint& endpoint : global_v6) add(endpoint);
  for (const Endpoint& endpoint : others) add(endpoint);
  if (out.empty()) add(Endpoint::v4({127, 0, 0, 1}, port));
  return out;
}

}  // namespace kith::node
