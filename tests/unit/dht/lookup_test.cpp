#include "dht/lookup.hpp"

#include <algorithm>
#include <gtest/gtest.h>
#include <set>

#include "proto/crypto/random.hpp"

namespace kith::dht {
namespace {

/// A node at this distance from the target, which is zero.
krpc::Node at(std::uint8_t distance) {
  krpc::Node node;
  node.id.bytes.fill(0);
  node.id.bytes.back() = distance;
  node.endpoint = Endpoint::v4({10, 0, distance, 1}, 5484);
  return node;
}
std::vector<krpc::Node> range(std::uint8_t from, std::uint8_t to) {
  std::vector<krpc::Node> out;
  for (unsigned i = from; i <= to; ++i) out.push_back(at(static_cast<std::uint8_t>(i)));
  return out;
}

class LookupTest : public ::testing::Test {
 protected:
  void add(std::uint8_t from, std::uint8_t to) {
    for (const auto& node : range(from, to)) lookup_.add(node);
  }
  void reply(std::uint8_t from, std::uint8_t to) {
    for (const auto& node : range(from, to)) lookup_.on_reply(node, {}, as_bytes("token"));
  }
  NodeId self_ = at(255).id;
  Lookup lookup_{NodeId{}, self_, false};
};

TEST_F(LookupTest, WithNobodyToAskIsDone) {
  EXPECT_TRUE(lookup_.done());
  EXPECT_TRUE(lookup_.next_requests().empty());
}

TEST_F(LookupTest, AsksTheNearestFirstAndNotTooMany) {
  for (unsigned i = 20; i >= 1; --i) lookup_.add(at(static_cast<std::uint8_t>(i)));
  EXPECT_EQ(lookup_.next_requests(), range(1, 5));
  EXPECT_TRUE(lookup_.next_requests().empty());
  EXPECT_FALSE(lookup_.done());
  reply(2, 3);
  EXPECT_EQ(lookup_.next_requests(), range(6, 7));
  EXPECT_EQ(lookup_.waiting(), 5U);
}

TEST_F(LookupTest, EndsWhenTheKNearestHaveAnswered) {
  add(1, 20);
  (void)lookup_.next_requests();
  reply(1, 5);
  EXPECT_EQ(lookup_.next_requests(), range(6, 8)) << "nobody beyond the k nearest is asked";
  reply(6, 7);
  EXPECT_FALSE(lookup_.done());
  reply(8, 8);
  EXPECT_TRUE(lookup_.done());
  EXPECT_EQ(lookup_.responders(), 8U);
}

TEST_F(LookupTest, ANearerNodeIsAskedAtOnce) {
  add(10, 30);
  EXPECT_EQ(lookup_.next_requests(), range(10, 14));
  lookup_.on_reply(at(14), range(1, 3), {});
  EXPECT_EQ(lookup_.next_requests(), range(1, 3)) << "though others are still waited for";
}

TEST_F(LookupTest, FailuresAreReplaced) {
  add(1, 9);
  (void)lookup_.next_requests();
  lookup_.on_failure(at(1));
  EXPECT_EQ(lookup_.next_requests(), range(6, 6));
  reply(2, 6);
  EXPECT_EQ(lookup_.next_requests(), range(7, 9));
  reply(7, 9);
  EXPECT_TRUE(lookup_.done());
}

TEST_F(LookupTest, SlowOnesGiveTheirPlaceButStillCount) {
  add(1, 9);
  (void)lookup_.next_requests();
  lookup_.on_slow(at(1));
  EXPECT_EQ(lookup_.next_requests(), range(6, 6));
  reply(2, 6);
  (void)lookup_.next_requests();
  reply(7, 8);
  EXPECT_FALSE(lookup_.done()) << "seven have answered, the ninth is waited for";
  lookup_.on_reply(at(1), {}, {});
  EXPECT_TRUE(lookup_.done());
  EXPECT_EQ(lookup_.closest_responders().front().node, at(1));
}

TEST_F(LookupTest, SlowOnesAreWaitedForIfThereIsNobodyElse) {
  add(1, 2);
  (void)lookup_.next_requests();
  reply(1, 1);
  lookup_.on_slow(at(2));
  EXPECT_FALSE(lookup_.done());
  lookup_.on_failure(at(2));
  EXPECT_TRUE(lookup_.done());
}

TEST_F(LookupTest, KeepsTheTokensOfTheNearest) {
  add(1, 20);
  std::size_t asked = 0;
  for (auto next = lookup_.next_requests(); !next.empty(); next = lookup_.next_requests()) {
    for (const auto& node : next) {
      const Buffer token{node.id.bytes.back()};
      lookup_.on_reply(node, {}, token);
      ++asked;
    }
  }
  EXPECT_EQ(asked, 8U);
  const auto responders = lookup_.closest_responders();
  ASSERT_EQ(responders.size(), 8U);
  for (std::size_t i = 0; i < 8; ++i) {
    EXPECT_EQ(responders[i].node, at(static_cast<std::uint8_t>(i + 1)));
    EXPECT_EQ(responders[i].token, Buffer{static_cast<std::uint8_t>(i + 1)});
  }
}

TEST_F(LookupTest, LeavesOutWhatMakesNoSense) {
  lookup_.add(at(255));                 // self
  lookup_.add(at(0));                   // the zero id
  lookup_.add({at(5).id, Endpoint{}});  // nowhere
  lookup_.add(at(7));
  lookup_.add(at(7));
  EXPECT_EQ(lookup_.next_requests(), range(7, 7));
}

TEST_F(LookupTest, AnIdHasAtMostTwoEndpoints) {
  for (std::uint16_t port = 1; port <= 5; ++port) {
    lookup_.add({at(7).id, at(7).endpoint.with_port(port)});
  }
  EXPECT_EQ(lookup_.next_requests().size(), 2U);
}

TEST_F(LookupTest, OneEndpointOfAnIdThatAnswersIsEnough) {
  add(1, 5);
  (void)lookup_.next_requests();
  const krpc::Node twice{at(1).id, at(1).endpoint.with_port(1)};
  lookup_.add(twice);
  reply(1, 5);
  EXPECT_TRUE(lookup_.next_requests().empty());
  EXPECT_TRUE(lookup_.done());
}

TEST_F(LookupTest, OnThePublicNetworkASubnetHasOneCandidate) {
  Lookup diverse(NodeId{}, self_, true);
  diverse.add(at(7));
  diverse.add({at(8).id, Endpoint::v4({10, 0, 7, 99}, 1)});
  EXPECT_EQ(diverse.next_requests(), range(7, 7));
}

TEST_F(LookupTest, RepliesOfStrangersChangeNothing) {
  add(1, 2);
  lookup_.on_reply(at(9), range(10, 20), {});
  lookup_.on_failure(at(9));
  lookup_.on_slow(at(9));
  EXPECT_EQ(lookup_.next_requests(), range(1, 2));
}

TEST_F(LookupTest, AFloodOfNodesIsBounded) {
  SeededRng rng(10);
  add(1, 1);
  (void)lookup_.next_requests();
  std::vector<krpc::Node> flood;
  for (int i = 0; i < 1'000; ++i) {
    const auto address = rng.random<FixedBytes<4, struct AddressTag>>();
    krpc::Node node{rng.random<NodeId>(), Endpoint::v4(address.bytes, 1)};
    if (node.endpoint.is_usable()) flood.push_back(node);
  }
  lookup_.on_reply(at(1), flood, {});
  lookup_.check_invariants();
  for (const auto& node : flood) lookup_.add(node);
  lookup_.check_invariants();
  EXPECT_FALSE(lookup_.next_requests().empty());
}

/// In a network where everybody knows only some others, the lookup finds exactly the k nearest that
/// live, whatever fails and in whatever order answers come.
TEST_F(LookupTest, FindsTheNearestThatLive) {
  for (std::uint64_t seed = 0; seed < 50; ++seed) {
    SeededRng rng(seed);
    std::vector<krpc::Node> nodes;
    std::set<NodeId> dead;
    for (std::uint8_t i = 1; i <= 80; ++i) {
      nodes.push_back(at(i));
      if (rng.chance(1, 4)) dead.insert(nodes.back().id);
    }
    Lookup lookup(NodeId{}, self_, false);
    for (int i = 0; i < 5; ++i) lookup.add(nodes[rng.uniform(nodes.size())]);
    std::vector<krpc::Node> asked;
    std::set<NodeId> replied;
    for (int step = 0; step < 10'000 && !lookup.done(); ++step) {
      const auto next = lookup.next_requests();
      asked.insert(asked.end(), next.begin(), next.end());
      ASSERT_FALSE(asked.empty()) << "seed " << seed;
      const std::size_t i = rng.uniform(asked.size());
      const auto node = asked[i];
      asked.erase(asked.begin() + static_cast<std::ptrdiff_t>(i));
      if (dead.contains(node.id)) {
        lookup.on_failure(node);
        continue;
      }
      replied.insert(node.id);
      std::vector<krpc::Node> known;  // its eight nearest, as all know their neighbours
      for (std::size_t d = 0; d < 8; ++d) {
        const std::size_t position = node.id.bytes.back() - 1U;
        known.push_back(nodes[position > 4 * d ? position - 4 * d : d]);
        known.push_back(nodes[d + rng.uniform(8)]);
      }
      lookup.on_reply(node, known, {});
      lookup.check_invariants();
    }
    ASSERT_TRUE(lookup.done()) << "seed " << seed;
    const auto found = lookup.closest_responders();
    ASSERT_FALSE(found.empty());
    for (std::size_t i = 0; i + 1 < found.size(); ++i) {
      ASSERT_TRUE(closer(found[i].node.id, found[i + 1].node.id, NodeId{}));
    }
    for (const auto& responder : found) ASSERT_TRUE(replied.contains(responder.node.id));
    // Nobody nearer than the farthest found is unasked: all such have answered or are dead.
    ASSERT_EQ(found.size(), std::min<std::size_t>(8, replied.size())) << "seed " << seed;
  }
}

}  // namespace
}  // namespace kith::dht
