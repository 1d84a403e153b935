#include "node/runtime/listen.hpp"

namespace kith::node {
namespace {

// A port that is free for UDP may be taken for TCP: some more are tried.
constexpr int kAttempts = 16;

Result<Endpoint> listen_both(UdpDriver& udp, TcpDriver& tcp, const Endpoint& at) {
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    KITH_CHECK(udp.open(at));
    const Endpoint bound = at.with_port(udp.port());
    const auto listening = tcp.listen(bound);
    if (listening) return bound;
    udp.close();
    if (at.port() != 0) return listening.error();
  }
  return local_error(Errc::kIo, "no port is free for both UDP and TCP", at.address_string());
}

}  // namespace

Result<Endpoint> listen_on(UdpDriver& udp, TcpDriver& tcp, const std::optional<Endpoint>& given,
                           std::uint16_t preferred) {
  if (given) {
    auto bound = listen_both(udp, tcp, *given);
    if (bound) return bound;
    Error error = bound.error();
    error.hint =
        "the address must be one of this machine's, and the port free: see --listen HOST:PORT";
    return error;
  }
  const Endpoint any_v6 = Endpoint::v6({}, preferred);
  const Endpoint any_v4 = Endpoint::v4({}, preferred);
  for (const Endpoint& at : {any_v6, any_v4, any_v6.with_port(0)}) {
    if (auto bound = listen_both(udp, tcp, at)) return bound;
  }
  return listen_both(udp, tcp, any_v4.with_port(0));
}

}  // namespace kith::node
