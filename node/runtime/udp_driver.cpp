#include "node/runtime/udp_driver.hpp"

#include <sys/socket.h>

namespace kith::node {

struct UdpDriver::Batch {
  std::array<std::array<std::uint8_t, limits::kDatagramMax + 1>, limits::kDatagramBatch> buffers;
  std::array<mmsghdr, limits::kDatagramBatch> headers{};
  std::array<iovec, limits::kDatagramBatch> runs{};
  std::array<sockaddr_storage, limits::kDatagramBatch> from{};
  std::vector<ReceivedDatagram> received;
};

namespace {

Endpoint from_sockaddr(const sockaddr_storage& address, std::size_t size) {
  asio::ip::udp::endpoint endpoint;
  endpoint.resize(size);
  std::memcpy(endpoint.data(), &address, size);
  return from_asio(endpoint);
}

}  // namespace

UdpDriver::UdpDriver(asio::io_context& context, Handler handler)
    : socket_(context), handler_(std::move(handler)), batch_(std::make_unique<Batch>()) {}

UdpDriver::~UdpDriver() = default;

Result<void> UdpDriver::open(const Endpoint& listen) {
  error_code ec;
  const auto endpoint = to_asio<asio::ip::udp::endpoint>(listen);
  v6_ = listen.is_v6();
  socket_.open(endpoint.protocol(), ec);
  if (ec) return net_error(ec, "cannot open a UDP socket", listen.to_string());
  // An unspecified IPv6 address serves both families.
  if (v6_) socket_.set_option(asio::ip::v6_only(false), ec);
  socket_.set_option(asio::socket_base::receive_buffer_size(4 * 1024 * 1024), ec);
  socket_.bind(endpoint, ec);
  if (ec) {
    const Error error = net_error(ec, "cannot listen on this UDP address", listen.to_string());
    socket_.close(ec);
    return error;
  }
  socket_.non_blocking(true, ec);
  port_ = socket_.local_endpoint(ec).port();
  return {};
}

void UdpDriver::start() { wait(); }

void UdpDriver::close() {
  error_code ec;
  socket_.close(ec);
}

void UdpDriver::wait() {
  socket_.async_wait(asio::ip::udp::socket::wait_read, [this](const error_code& ec) {
    if (ec) return;
    drain();
    if (socket_.is_open()) wait();
  });
}

void UdpDriver::drain() {
  Batch& batch = *batch_;
  for (std::size_t i = 0; i < limits::kDatagramBatch; ++i) {
    batch.runs[i] = {batch.buffers[i].data(), batch.buffers[i].size()};
    batch.headers[i].msg_hdr = {};
    batch.headers[i].msg_hdr.msg_iov = &batch.runs[i];
    batch.headers[i].msg_hdr.msg_iovlen = 1;
    batch.headers[i].msg_hdr.msg_name = &batch.from[i];
    batch.headers[i].msg_hdr.msg_namelen = sizeof batch.from[i];
  }
  const int count = recvmmsg(socket_.native_handle(), batch.headers.data(), limits::kDatagramBatch,
                             MSG_DONTWAIT, nullptr);
  batch.received.clear();
  for (std::size_t i = 0; i < static_cast<std::size_t>(std::max(count, 0)); ++i) {
    const std::size_t size = batch.headers[i].msg_len;
    if (size > limits::kDatagramMax) continue;
    batch.received.push_back({from_sockaddr(batch.from[i], batch.headers[i].msg_hdr.msg_namelen),
                              MutableBytes(batch.buffers[i]).first(size)});
  }
  if (!batch.received.empty()) handler_(batch.received);
}

void UdpDriver::send(const Endpoint& to, Bytes bytes) {
  if (to.is_v6() && !v6_) return;
  auto endpoint = to_asio<asio::ip::udp::endpoint>(to);
  if (v6_ && !to.is_v6()) {
    const auto mapped = asio::ip::make_address_v6(asio::ip::v4_mapped, endpoint.address().to_v4());
    endpoint.address(mapped);
  }
  error_code ec;
  socket_.send_to(asio::buffer(bytes.data(), bytes.size()), endpoint, 0, ec);
}

}  // namespace kith::node
