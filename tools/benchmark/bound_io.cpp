#include "tools/benchmark/bound_io.hpp"

#include <arpa/inet.h>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>
#include <vector>

namespace kith::bound {
namespace {

using Parts = std::vector<iovec>;

Parts parts_of(SlabChain& chunk, std::size_t behind_each) {
  Parts parts;
  parts.reserve(chunk.slab_count());
  for (std::size_t i = 0; i < chunk.slab_count(); ++i) {
    parts.push_back({chunk.raw(i).data(), chunk.slab_size(i) + behind_each});
  }
  return parts;
}

// Calls once(parts, count, bytes done before) until all parts are done.
template <class Once>
void all(Parts parts, const char* what, Once&& once) {
  std::size_t first = 0;
  std::uint64_t done = 0;
  while (first < parts.size()) {
    const ssize_t n = once(&parts[first], static_cast<int>(parts.size() - first), done);
    if (n < 0 && errno == EINTR) continue;
    if (n == 0) errno = EPIPE;
    if (n <= 0) fail(what);
    done += static_cast<std::uint64_t>(n);
    auto left = static_cast<std::size_t>(n);
    while (first < parts.size() && left >= parts[first].iov_len) left -= parts[first++].iov_len;
    if (left == 0) continue;
    parts[first].iov_base = static_cast<std::uint8_t*>(parts[first].iov_base) + left;
    parts[first].iov_len -= left;
  }
}

sockaddr_in loopback(std::uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

int tcp_socket() {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) fail("socket");
  return fd;
}

void no_delay(int fd) {
  const int on = 1;
  if (setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) != 0) fail("TCP_NODELAY");
}

}  // namespace

void fail(const char* what) {
  std::fprintf(stderr, "kith_bound: %s: %s\n", what, std::strerror(errno));
  std::exit(1);
}

void read_file(int fd, SlabChain& chunk, std::uint64_t offset) {
  all(parts_of(chunk, 0), "read", [=](const iovec* parts, int count, std::uint64_t done) {
    return preadv(fd, parts, count, static_cast<off_t>(offset + done));
  });
}

void write_file(int fd, SlabChain& chunk, std::uint64_t offset) {
  all(parts_of(chunk, 0), "write", [=](const iovec* parts, int count, std::uint64_t done) {
    return pwritev(fd, parts, count, static_cast<off_t>(offset + done));
  });
}

void send_records(int fd, SlabChain& chunk) {
  all(parts_of(chunk, kTagBytes), "send",
      [=](const iovec* parts, int count, std::uint64_t) { return writev(fd, parts, count); });
}

void receive_records(int fd, SlabChain& chunk) {
  all(parts_of(chunk, kTagBytes), "receive",
      [=](const iovec* parts, int count, std::uint64_t) { return readv(fd, parts, count); });
}

int listen_on_loopback(std::uint16_t& port) {
  const int fd = tcp_socket();
  sockaddr_in address = loopback(0);
  socklen_t size = sizeof address;
  auto* const generic = reinterpret_cast<sockaddr*>(&address);
  if (bind(fd, generic, size) != 0 || listen(fd, 1) != 0) fail("listen");
  if (getsockname(fd, generic, &size) != 0) fail("getsockname");
  port = ntohs(address.sin_port);
  return fd;
}

int accept_one(int listener) {
  const int fd = accept4(listener, nullptr, nullptr, SOCK_CLOEXEC);
  if (fd < 0) fail("accept");
  no_delay(fd);
  return fd;
}

int connect_to_loopback(std::uint16_t port) {
  const int fd = tcp_socket();
  const sockaddr_in address = loopback(port);
  if (connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    fail("connect");
  }
  no_delay(fd);
  return fd;
}

}  // namespace kith::bound
