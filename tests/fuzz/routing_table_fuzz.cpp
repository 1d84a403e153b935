// The routing table against its invariants, with operations taken from the input: answers and
// failures of nodes from a small space in which ids and endpoints collide. Whoever is found is at
// the endpoint that answered for it, and closest() agrees with contacts().
#include <algorithm>
#include <cstdint>

#include "dht/routing_table.hpp"
#include "proto/assert.hpp"

namespace {

using namespace kith;
using namespace kith::dht;

krpc::Node node_of(std::uint8_t id, std::uint8_t endpoint) {
  krpc::Node node;
  node.id.bytes.fill(0);
  // Few bits in front so that buckets fill, the rest behind so that ids differ.
  node.id.bytes[0] = static_cast<std::uint8_t>(id & 0xe0);
  node.id.bytes[19] = static_cast<std::uint8_t>(id & 0x1f);
  node.endpoint = Endpoint::v4({10, 0, static_cast<std::uint8_t>(endpoint >> 4), 1},
                               static_cast<std::uint16_t>(1 + (endpoint & 15)));
  return node;
}

void check_closest(const RoutingTable& table, const NodeId& target) {
  auto all = table.contacts();
  std::sort(all.begin(), all.end(),
            [&](const Contact& a, const Contact& b) { return closer(a.id, b.id, target); });
  std::erase_if(all, [](const Contact& contact) { return contact.failures > 1; });
  all.resize(std::min<std::size_t>(all.size(), 8));
  KITH_ASSERT(table.closest(target, 8, 1) == all);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  RoutingTable table(NodeId{}, (data[0] & 1) != 0);
  TimePoint now{};
  for (std::size_t i = 1; i + 3 <= size; i += 3) {
    const krpc::Node node = node_of(data[i + 1], data[i + 2]);
    now += std::chrono::seconds(data[i] >> 2);
    switch (data[i] & 3) {
      case 0:
      case 1: {
        using Outcome = RoutingTable::Outcome;
        const Outcome outcome = table.on_response(now, node, std::chrono::milliseconds(20));
        const bool in = outcome == Outcome::kAdded || outcome == Outcome::kMoved;
        if (in) KITH_ASSERT(table.find(node.id)->endpoint == node.endpoint);
        if (outcome == Outcome::kRefused) KITH_ASSERT(table.find(node.id) == nullptr);
        break;
      }
      case 2:
        if (table.on_failure(node)) KITH_ASSERT(table.find(node.id) == nullptr);
        break;
      default:
        for (const Contact& contact : table.take_questionable(now, 3)) {
          KITH_ASSERT(contact.last_check == now);
        }
        table.touch(now, node.id);
        check_closest(table, node.id);
    }
    if (i % 16 == 1) table.check_invariants();
  }
  table.check_invariants();
  return 0;
}
