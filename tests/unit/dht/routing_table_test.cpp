#include "dht/routing_table.hpp"

#include <algorithm>
#include <gtest/gtest.h>
#include <map>

#include "proto/crypto/random.hpp"

namespace kith::dht {
namespace {

using namespace std::chrono_literals;
using Outcome = RoutingTable::Outcome;

const TimePoint kStart{1h};

class RoutingTableTest : public ::testing::Test {
 protected:
  /// A node in this bucket, at an address of its own /24.
  krpc::Node make(std::size_t bucket = 0) {
    ++count_;
    const auto high = static_cast<std::uint8_t>(count_ >> 8);
    return {random_with_prefix(self_, bucket, rng_),
            Endpoint::v4({10, high, static_cast<std::uint8_t>(count_), 1}, 5484)};
  }
  Outcome respond(RoutingTable& table, const krpc::Node& node, TimePoint now = kStart) {
    const Outcome outcome = table.on_response(now, node, 50ms);
    table.check_invariants();
    return outcome;
  }
  Outcome respond(const krpc::Node& node, TimePoint now = kStart) {
    return respond(table_, node, now);
  }
  bool fail(RoutingTable& table, const krpc::Node& node, unsigned times = 1) {
    bool removed = false;
    for (unsigned i = 0; i < times; ++i) removed = table.on_failure(node);
    table.check_invariants();
    return removed;
  }
  bool fail(const krpc::Node& node, unsigned times = 1) { return fail(table_, node, times); }
  std::vector<krpc::Node> fill(std::size_t bucket) {
    std::vector<krpc::Node> out;
    for (std::size_t i = 0; i < RoutingTable::capacity(bucket); ++i) {
      out.push_back(make(bucket));
      EXPECT_EQ(respond(out.back()), Outcome::kAdded);
    }
    return out;
  }
  SeededRng rng_{9};
  NodeId self_ = rng_.random<NodeId>();
  RoutingTable table_{self_, false};
  RoutingTable diverse_{self_, true};
  std::size_t count_ = 0;
};

TEST_F(RoutingTableTest, FarBucketsHoldMore) {
  const std::size_t expected[] = {128, 64, 32, 16, 8, 8, 8};
  for (std::size_t i = 0; i < std::size(expected); ++i) {
    EXPECT_EQ(RoutingTable::capacity(i), expected[i]) << i;
    const auto nodes = fill(i);
    EXPECT_FALSE(table_.has_room(make(i).id));
    EXPECT_EQ(respond(make(i)), Outcome::kCached);
  }
  EXPECT_EQ(table_.size(), 264U);
}

TEST_F(RoutingTableTest, TheDeepestShareABucket) {
  for (std::size_t bits = 49; bits < 57; ++bits) EXPECT_EQ(respond(make(bits)), Outcome::kAdded);
  EXPECT_EQ(respond(make(60)), Outcome::kCached);
}

TEST_F(RoutingTableTest, TheOwnIdStaysOut) {
  EXPECT_EQ(respond({self_, make().endpoint}), Outcome::kRefused);
  EXPECT_FALSE(table_.has_room(self_));
}

TEST_F(RoutingTableTest, RemembersWhenItAnswered) {
  const auto node = make();
  respond(node);
  EXPECT_EQ(respond(node, kStart + 5s), Outcome::kRefreshed);
  const Contact* contact = table_.find(node.id);
  ASSERT_NE(contact, nullptr);
  EXPECT_EQ(contact->since, kStart);
  EXPECT_EQ(contact->last_response, kStart + 5s);
  EXPECT_EQ(contact->rtt, 50ms);
}

TEST_F(RoutingTableTest, ThreeFailuresRemove) {
  const auto node = make();
  respond(node);
  EXPECT_FALSE(fail(node, 2));
  respond(node);
  EXPECT_FALSE(fail(node, 2)) << "an answer wipes failures out";
  EXPECT_TRUE(fail(node));
  EXPECT_EQ(table_.find(node.id), nullptr);
  EXPECT_FALSE(fail(node));
}

TEST_F(RoutingTableTest, FailuresOfAnotherEndpointDoNotCount) {
  const auto node = make();
  respond(node);
  EXPECT_FALSE(fail({node.id, node.endpoint.with_port(1)}, 5));
  EXPECT_NE(table_.find(node.id), nullptr);
}

TEST_F(RoutingTableTest, TheCacheFillsGaps) {
  const auto nodes = fill(4);
  std::vector<krpc::Node> spare;
  for (std::size_t i = 0; i < limits::kBucketSize + 1; ++i) {
    spare.push_back(make(4));
    EXPECT_EQ(respond(spare.back()), Outcome::kCached);
  }
  EXPECT_EQ(respond(spare.back()), Outcome::kRefreshed);
  fail(nodes[0], 3);
  EXPECT_NE(table_.find(spare.back().id), nullptr) << "the newest moves up";
  EXPECT_EQ(table_.find(spare.front().id), nullptr);
  fail(spare[7]);
  fail(nodes[1], 3);
  EXPECT_EQ(table_.find(spare[7].id), nullptr) << "a failure takes out of the cache";
  EXPECT_NE(table_.find(spare[6].id), nullptr);
}

TEST_F(RoutingTableTest, ANewcomerTakesThePlaceOfWhoFails) {
  const auto nodes = fill(4);
  fail(nodes[3]);
  fail(nodes[5], 2);
  const auto newcomer = make(4);
  EXPECT_TRUE(table_.has_room(newcomer.id));
  EXPECT_EQ(respond(newcomer), Outcome::kAdded);
  EXPECT_EQ(table_.find(nodes[5].id), nullptr);
  EXPECT_NE(table_.find(nodes[3].id), nullptr);
}

TEST_F(RoutingTableTest, AnIdStaysWithTheEndpointThatAnswers) {
  const auto node = make();
  const krpc::Node claim{node.id, make().endpoint};
  respond(node);
  EXPECT_EQ(respond(claim), Outcome::kConflict);
  fail(node);
  EXPECT_EQ(respond(claim), Outcome::kConflict) << "one lost packet is nothing";
  EXPECT_EQ(table_.find(node.id)->endpoint, node.endpoint);
  fail(node);
  EXPECT_EQ(respond(claim, kStart + 1h), Outcome::kMoved);
  EXPECT_EQ(table_.find(node.id)->endpoint, claim.endpoint);
  EXPECT_EQ(table_.find(node.id)->failures, 0U);
  EXPECT_EQ(table_.find(node.id)->since, kStart + 1h);
}

TEST_F(RoutingTableTest, AnIdInTheCacheStaysToo) {
  fill(4);
  const auto spare = make(4);
  respond(spare);
  EXPECT_EQ(respond({spare.id, make().endpoint}), Outcome::kConflict);
}

TEST_F(RoutingTableTest, InASwarmAddressesMayRepeat) {
  const auto node = make();
  respond(node);
  EXPECT_EQ(respond({make().id, node.endpoint}), Outcome::kAdded);
  EXPECT_EQ(respond({make().id, node.endpoint.with_port(1)}), Outcome::kAdded);
}

TEST_F(RoutingTableTest, OnThePublicNetworkOnePerAddressAndSubnet) {
  const auto node = make();
  respond(diverse_, node);
  EXPECT_EQ(respond(diverse_, {make().id, node.endpoint.with_port(1)}), Outcome::kRefused);
  EXPECT_EQ(respond(diverse_, {make(3).id, node.endpoint.with_port(1)}), Outcome::kRefused)
      << "in no bucket";
  const Endpoint neighbour = Endpoint::v4({10, 0, 1, 99}, 5484);
  EXPECT_EQ(respond(diverse_, {make(0).id, neighbour}), Outcome::kRefused);
  EXPECT_EQ(respond(diverse_, {make(3).id, neighbour}), Outcome::kAdded) << "in another bucket";
}

TEST_F(RoutingTableTest, OnThePublicNetworkANewIdTakesTheEndpoint) {
  const auto node = make(1);
  respond(diverse_, node);
  const krpc::Node renamed{make(3).id, node.endpoint};
  EXPECT_EQ(respond(diverse_, renamed), Outcome::kAdded);
  EXPECT_EQ(diverse_.find(node.id), nullptr);
  EXPECT_EQ(diverse_.size(), 1U);
}

TEST_F(RoutingTableTest, ClosestAgreesWithSorting) {
  std::vector<NodeId> ids;
  for (int i = 0; i < 100; ++i) {
    const krpc::Node node{rng_.random<NodeId>(), make().endpoint};
    if (respond(node) == Outcome::kAdded) ids.push_back(node.id);
  }
  for (int round = 0; round < 50; ++round) {
    const auto target = rng_.random<NodeId>();
    std::sort(ids.begin(), ids.end(),
              [&](const NodeId& a, const NodeId& b) { return closer(a, b, target); });
    const auto found = table_.closest(target, 8, 0);
    ASSERT_EQ(found.size(), 8U);
    for (std::size_t i = 0; i < 8; ++i) ASSERT_EQ(found[i].id, ids[i]);
  }
  EXPECT_EQ(table_.closest(self_, 1'000, 0).size(), ids.size());
}

TEST_F(RoutingTableTest, ClosestLeavesOutWhoFails) {
  const auto node = make();
  respond(node);
  fail(node);
  EXPECT_TRUE(table_.closest(node.id, 8, 0).empty());
  EXPECT_EQ(table_.closest(node.id, 8, 1).size(), 1U);
}

TEST_F(RoutingTableTest, QuestionableAreTheSilentAndTheFailing) {
  const auto fine = make();
  const auto silent = make();
  const auto failing = make();
  respond(silent);
  respond(fine, kStart + 10min);
  respond(failing, kStart + 10min);
  fail(failing);
  const TimePoint now = kStart + limits::kGoodFor;
  EXPECT_TRUE(table_.take_questionable(kStart, 8).empty());
  const auto due = table_.take_questionable(now, 8);
  ASSERT_EQ(due.size(), 2U);
  EXPECT_EQ(due[0].id, silent.id) << "longest silent first";
  EXPECT_EQ(due[1].id, failing.id);
  EXPECT_TRUE(table_.take_questionable(now + limits::kPingAgain - 1ns, 8).empty());
  EXPECT_EQ(table_.take_questionable(now + limits::kPingAgain, 1).size(), 1U);
}

TEST_F(RoutingTableTest, StaleBucketsAreThoseNotVisited) {
  EXPECT_FALSE(table_.stale_bucket(kStart));
  respond(make(2));
  std::vector<std::size_t> visited;
  for (int i = 0; i < 3; ++i) {
    const auto bucket = table_.stale_bucket(kStart);
    ASSERT_TRUE(bucket);
    visited.push_back(*bucket);
    table_.touch(kStart + Duration(i), random_with_prefix(self_, *bucket, rng_));
  }
  EXPECT_EQ(visited, (std::vector<std::size_t>{0, 1, 2}));
  EXPECT_FALSE(table_.stale_bucket(kStart + limits::kGoodFor - 1ns)) << "none deeper";
  EXPECT_EQ(table_.stale_bucket(kStart + limits::kGoodFor), 0U);
}

TEST_F(RoutingTableTest, GrowingBucketsHaveRoomAndSomebodyNew) {
  EXPECT_FALSE(table_.growing_bucket());
  const auto node = make(2);
  respond(node);
  EXPECT_EQ(table_.growing_bucket(), 2U);
  table_.touch(kStart, node.id);
  EXPECT_FALSE(table_.growing_bucket());
  fill(4);
  EXPECT_FALSE(table_.growing_bucket()) << "a full bucket does not grow";
}

/// Against a flat list with the rules written down once more, in a space so small that ids,
/// endpoints and full buckets collide all the time.
class NaiveTable {
 public:
  explicit NaiveTable(const NodeId& self) : self_(self) {}
  struct Entry {
    krpc::Node node;
    unsigned failures = 0;
  };
  bool respond(const krpc::Node& node) {
    if (node.id == self_) return false;
    for (std::size_t i = 0; i < live.size(); ++i) {
      if (live[i].node.id != node.id) continue;
      if (live[i].node.endpoint != node.endpoint) {
        if (live[i].failures < 2) return false;
        live.erase(live.begin() + static_cast<std::ptrdiff_t>(i));
        break;
      }
      live[i].failures = 0;
      return true;
    }
    if (in_bucket(node.id) >= RoutingTable::capacity(bucket(node.id))) {
      Entry* worst = nullptr;
      for (Entry& entry : live) {
        const bool here = bucket(entry.node.id) == bucket(node.id) && entry.failures > 0;
        if (here && (worst == nullptr || entry.failures > worst->failures)) worst = &entry;
      }
      if (worst == nullptr) return false;
      live.erase(live.begin() + (worst - live.data()));
    }
    live.push_back({node, 0});
    return true;
  }
  /// True if that removed it: then the cache of the real table may fill the gap.
  bool fail(const krpc::Node& node) {
    for (std::size_t i = 0; i < live.size(); ++i) {
      if (live[i].node != node) continue;
      if (++live[i].failures < 3) return false;
      live.erase(live.begin() + static_cast<std::ptrdiff_t>(i));
      return true;
    }
    return false;
  }
  [[nodiscard]] std::size_t bucket(const NodeId& id) const {
    return std::min(shared_prefix(self_, id), RoutingTable::kBuckets - 1);
  }
  [[nodiscard]] std::size_t in_bucket(const NodeId& id) const {
    return static_cast<std::size_t>(std::count_if(
        live.begin(), live.end(), [&](const Entry& e) { return bucket(e.node.id) == bucket(id); }));
  }
  std::vector<Entry> live;

 private:
  NodeId self_;
};

TEST_F(RoutingTableTest, AgreesWithANaiveModel) {
  constexpr std::uint64_t kSeed = 4242;
  SeededRng rng(kSeed);
  NaiveTable model(self_);
  std::vector<krpc::Node> pool;
  for (std::size_t i = 0; i < 60; ++i) {
    pool.push_back(make(3 + rng.uniform(4)));
    pool.push_back({pool.back().id, make().endpoint});
  }
  for (int step = 0; step < 20'000; ++step) {
    const auto& node = pool[rng.uniform(pool.size())];
    if (rng.chance(2, 3)) {
      model.respond(node);
      (void)respond(node);
    } else {
      const bool removed = fail(node);
      ASSERT_EQ(model.fail(node), removed) << "seed " << kSeed << " step " << step;
      if (removed && table_.size() > model.live.size()) {
        // The cache filled the gap: whom it chose is tested elsewhere.
        for (const Contact& contact : table_.contacts()) {
          const bool known = std::any_of(
              model.live.begin(), model.live.end(),
              [&](const NaiveTable::Entry& entry) { return entry.node.id == contact.id; });
          if (!known) model.live.push_back({contact.node(), contact.failures});
        }
      }
    }
    ASSERT_EQ(table_.size(), model.live.size()) << "seed " << kSeed << " step " << step;
    for (const NaiveTable::Entry& entry : model.live) {
      const Contact* contact = table_.find(entry.node.id);
      ASSERT_NE(contact, nullptr) << "seed " << kSeed << " step " << step;
      ASSERT_EQ(contact->endpoint, entry.node.endpoint) << "seed " << kSeed << " step " << step;
      ASSERT_EQ(contact->failures, entry.failures) << "seed " << kSeed << " step " << step;
    }
  }
}

}  // namespace
}  // namespace kith::dht
