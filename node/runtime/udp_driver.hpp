// The UDP sockets: one for datagrams, one that hears LAN beacons. Readiness, then a batch of at
// most 64 datagrams with one recvmmsg, then the engine. No coroutine and no allocation per
// datagram.
#pragma once

#include <array>
#include <boost/asio/ip/udp.hpp>
#include <functional>
#include <memory>
#include <vector>

#include "node/runtime/net.hpp"
#include "proto/bytes.hpp"
#include "proto/limits.hpp"

namespace kith::node {

struct ReceivedDatagram {
  Endpoint from;
  MutableBytes bytes;
};

class UdpDriver {
 public:
  using Handler = std::function<void(std::span<const ReceivedDatagram>)>;

  UdpDriver(asio::io_context& context, Handler handler);
  ~UdpDriver();
  /// Binds; an endpoint with port 0 gets one.
  [[nodiscard]] Result<void> open(const Endpoint& listen);
  [[nodiscard]] std::uint16_t port() const { return port_; }
  /// Begins to hear; close() ends it, and no datagram is handed over after it.
  void start();
  void close();
  /// Dropped if the socket cannot take it now: every use has a retry of its own.
  void send(const Endpoint& to, Bytes bytes);

 private:
  void wait();
  void drain();

  asio::ip::udp::socket socket_;
  Handler handler_;
  std::uint16_t port_ = 0;
  bool v6_ = false;
  struct Batch;
  std::unique_ptr<Batch> batch_;
};

/// LAN beacons over IPv4 multicast: joined and sent on every interface that is up, loopback
/// included, so that several nodes of one host hear each other.
class BeaconDriver {
 public:
  using Handler = std::function<void(const Endpoint& from, Bytes bytes)>;
  BeaconDriver(asio::io_context& context, Handler handler);
  /// A host without multicast is no error: beacons are one of many ways.
  [[nodiscard]] Result<void> open();
  /// As those of UdpDriver.
  void start();
  void close();
  /// One beacon on every interface; what cannot be sent is dropped.
  void send(Bytes bytes);

 private:
  void wait();
  void drain();
  void join_interfaces();

  asio::ip::udp::socket socket_;
  Handler handler_;
  std::vector<unsigned> interfaces_;
  std::size_t sends_ = 0;
};

}  // namespace kith::node
