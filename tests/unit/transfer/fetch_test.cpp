// Whole fetches over a virtual network.
#include <gtest/gtest.h>

#include "tests/unit/transfer/virtual_net.hpp"

namespace kith::transfer::test {
namespace {

constexpr std::uint32_t kChunk = 200'000;

/// Everything that was in use is given back, and what was stored is the share, to the byte.
void expect_clean(VirtualNet& net, std::size_t node, const ModelShare& share) {
  EXPECT_EQ(net.manager(node).reserved(), 0U);
  EXPECT_EQ(net.manager(node).progress(share.id).stored, share.total());
  EXPECT_EQ(net.manager(node).progress(share.id).bytes_stored, share.bytes());
}

TEST(Fetch, OneSource) {
  VirtualNet net(1);
  SeededRng rng(1);
  const ModelShare share = ModelShare::make(rng, 3, 60, kChunk);
  const auto a = net.add_node();
  const auto b = net.add_node();
  net.seed_share(a, share);
  net.connect(a, b);
  net.fetch(b, share);
  ASSERT_TRUE(net.run_fetches(60s));
  net.run(60s);
  expect_clean(net, b, share);
  EXPECT_EQ(net.manager(b).progress(share.id).bytes_received, share.bytes());
  EXPECT_EQ(net.manager(a).send_reserved(), 0U);
  EXPECT_EQ(net.slabs_in_use(), 0U);
}

}  // namespace
}  // namespace kith::transfer::test
