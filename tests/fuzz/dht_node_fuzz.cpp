// A live DHT node, fed with what the input says: raw datagrams, well-formed queries and answers to
// its own queries with parts from the input, commands, time. It must keep its invariants, stay
// within its limits, and be silent to what is not a query.
#include <algorithm>
#include <cstdint>

#include "dht/node.hpp"
#include "proto/assert.hpp"
#include "proto/crypto/random.hpp"
#include "tests/fuzz/script.hpp"

namespace {

using namespace kith;
using namespace kith::dht;

class Harness {
 public:
  Harness(Bytes input, bool swarm_mode)
      : input_(input), node_(Config{rng_.random<NodeId>(), swarm_mode, 5484}, rng_) {}

  void run() {
    for (unsigned count = 1; !input_.empty(); ++count) {
      now_ += std::chrono::milliseconds(std::int64_t{byte()} * byte());
      step(byte());
      if (count % 8 == 0) node_.check_invariants();
    }
    node_.check_invariants();
  }

 private:
  std::uint8_t byte() { return input_.byte(); }
  Bytes take(std::size_t count) { return input_.take(count); }
  Endpoint endpoint() {
    return Endpoint::v4({10, 0, byte(), 1}, static_cast<std::uint16_t>(byte() + 1));
  }
  NodeId id() {
    NodeId out;
    out.bytes[0] = byte();
    out.bytes[19] = 1;
    return out;
  }

  void step(std::uint8_t what) {
    Outbox out;
    switch (what % 9) {
      case 0:
        raw(out);
        break;
      case 1:
        query(out);
        break;
      case 2:
      case 3:
        answer(out);
        break;
      case 4:
        node_.add_contact(now_, endpoint(), std::nullopt, out);
        break;
      case 5:
        (void)node_.find_providers(now_, id(), out);
        break;
      case 6:
        node_.announce(now_, id(), out);
        break;
      case 7:
        node_.withdraw(id());
        break;
      default:
        node_.handle_timeout(now_, out);
    }
    collect(out);
  }

  void raw(Outbox& out) {
    const Bytes datagram = take(byte());
    const auto message = krpc::decode(datagram);
    node_.handle_datagram(now_, endpoint(), datagram, {}, out);
    if (!message) KITH_ASSERT(out.datagrams.empty() && out.events.empty());
  }

  void query(Outbox& out) {
    krpc::Query query;
    query.id = id();
    const Bytes token = take(8);
    switch (byte() % 4) {
      case 0:
        query.call = krpc::Ping{};
        break;
      case 1:
        query.call = krpc::FindNode{id()};
        break;
      case 2:
        query.call = krpc::GetPeers{id()};
        break;
      default:
        query.call = krpc::AnnouncePeer{id(), 7, true, token};
    }
    node_.handle_datagram(now_, endpoint(), krpc::encode(token, query), {}, out);
  }

  /// Answers one of the queries that it sent.
  void answer(Outbox& out) {
    if (sent_.empty()) return;
    const std::size_t at = byte() % sent_.size();
    const Datagram datagram = sent_[at];
    sent_.erase(sent_.begin() + static_cast<std::ptrdiff_t>(at));
    krpc::Response response;
    response.id = datagram.node && byte() % 8 != 0 ? *datagram.node : id();
    for (std::uint8_t n = byte() % 20; n > 0; --n) response.nodes.push_back({id(), endpoint()});
    for (std::uint8_t n = byte() % 8; n > 0; --n) response.values.push_back(endpoint());
    response.token = take(byte() % 12);
    const auto message = krpc::decode(datagram.krpc);
    node_.handle_datagram(now_, datagram.to, krpc::encode(message->transaction, response), {}, out);
  }

  void collect(Outbox& out) {
    for (Datagram& datagram : out.datagrams) {
      KITH_ASSERT(datagram.krpc.size() <= limits::kKrpcMax);
      KITH_ASSERT(datagram.to.is_usable());
      const auto message = krpc::decode(datagram.krpc);
      KITH_ASSERT(message.has_value());
      const auto* query = std::get_if<krpc::Query>(&message->body);
      if (query == nullptr) continue;
      KITH_ASSERT(datagram.node || std::holds_alternative<krpc::Ping>(query->call));
      if (sent_.size() < 256) sent_.push_back(std::move(datagram));
    }
  }

  SeededRng rng_{1};
  Script input_;
  TimePoint now_{std::chrono::hours(1)};
  Node node_;
  std::vector<Datagram> sent_;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  Harness(Bytes(data + 1, size - 1), (data[0] & 1) == 0).run();
  return 0;
}
