#include <arpa/inet.h>
#include <boost/asio/ip/multicast.hpp>
#include <ifaddrs.h>
#include <net/if.h>
#include <set>
#include <sys/socket.h>

#include "node/runtime/udp_driver.hpp"

namespace kith::node {
namespace {

// Of the range for use within one organisation (RFC 2365); the port is kith's default one.
constexpr const char* kGroup = "239.192.84.84";
constexpr std::uint16_t kPort = 5485;
constexpr std::size_t kJoinEvery = 16;  // sends: interfaces come and go

std::set<unsigned> usable_interfaces() {
  std::set<unsigned> out;
  ifaddrs* list = nullptr;
  if (getifaddrs(&list) != 0) return out;
  for (const ifaddrs* i = list; i != nullptr; i = i->ifa_next) {
    if (i->ifa_addr == nullptr || i->ifa_addr->sa_family != AF_INET) continue;
    const bool up = (i->ifa_flags & IFF_UP) != 0;
    const bool can = (i->ifa_flags & (IFF_MULTICAST | IFF_LOOPBACK)) != 0;
    if (up && can) out.insert(if_nametoindex(i->ifa_name));
  }
  freeifaddrs(list);
  return out;
}

ip_mreqn request(unsigned interface) {
  ip_mreqn out{};
  out.imr_multiaddr.s_addr = inet_addr(kGroup);
  out.imr_ifindex = static_cast<int>(interface);
  return out;
}

}  // namespace

BeaconDriver::BeaconDriver(asio::io_context& context, Handler handler)
    : socket_(context), handler_(std::move(handler)) {}

Result<void> BeaconDriver::open() {
  error_code ec;
  const asio::ip::udp::endpoint endpoint(asio::ip::make_address_v4(kGroup), kPort);
  socket_.open(asio::ip::udp::v4(), ec);
  if (ec) return net_error(ec, "cannot open a multicast socket", kGroup);
  socket_.set_option(asio::ip::udp::socket::reuse_address(true), ec);
  socket_.set_option(asio::ip::multicast::enable_loopback(true), ec);
  socket_.set_option(asio::ip::multicast::hops(1), ec);
  socket_.bind(endpoint, ec);
  if (ec) {
    const Error error = net_error(ec, "cannot listen for LAN beacons", kGroup);
    socket_.close(ec);
    return error;
  }
  socket_.non_blocking(true, ec);
  join_interfaces();
  return {};
}

void BeaconDriver::join_interfaces() {
  interfaces_.clear();
  for (const unsigned interface : usable_interfaces()) {
    const ip_mreqn join = request(interface);
    // Already joined is as good as joined.
    const bool joined = setsockopt(socket_.native_handle(), IPPROTO_IP, IP_ADD_MEMBERSHIP, &join,
                                   sizeof join) == 0 ||
                        errno == EADDRINUSE;
    if (joined) interfaces_.push_back(interface);
  }
}

void BeaconDriver::start() {
  if (socket_.is_open()) wait();
}

void BeaconDriver::close() {
  error_code ec;
  socket_.close(ec);
}

void BeaconDriver::wait() {
  socket_.async_wait(asio::ip::udp::socket::wait_read, [this](const error_code& ec) {
    if (ec) return;
    drain();
    if (socket_.is_open()) wait();
  });
}

void BeaconDriver::drain() {
  std::array<std::uint8_t, limits::kDatagramMax + 1> buffer;
  for (std::size_t i = 0; i < limits::kDatagramBatch && socket_.is_open(); ++i) {
    asio::ip::udp::endpoint from;
    error_code ec;
    const std::size_t size = socket_.receive_from(asio::buffer(buffer), from, 0, ec);
    if (ec) return;
    if (size <= limits::kDatagramMax) handler_(from_asio(from), Bytes(buffer).first(size));
  }
}

void BeaconDriver::send(Bytes bytes) {
  if (!socket_.is_open()) return;
  if (sends_++ % kJoinEvery == 0) join_interfaces();
  const asio::ip::udp::endpoint group(asio::ip::make_address_v4(kGroup), kPort);
  for (const unsigned interface : interfaces_) {
    const ip_mreqn out = request(interface);
    setsockopt(socket_.native_handle(), IPPROTO_IP, IP_MULTICAST_IF, &out, sizeof out);
    error_code ec;
    socket_.send_to(asio::buffer(bytes.data(), bytes.size()), group, 0, ec);
  }
}

}  // namespace kith::node
