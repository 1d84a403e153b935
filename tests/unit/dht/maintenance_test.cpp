#include "dht/maintenance.hpp"

#include <gtest/gtest.h>

#include "proto/crypto/random.hpp"

namespace kith::dht {
namespace {

using namespace std::chrono_literals;

const TimePoint kStart{1h};
const Endpoint kDoor = *Endpoint::parse("192.0.2.1:5484");

class MaintenanceTest : public ::testing::Test {
 protected:
  krpc::Node contact(std::size_t bucket, TimePoint now) {
    const auto port = static_cast<std::uint16_t>(1'000 + table_.size());
    const krpc::Node node{random_with_prefix(self_, bucket, rng_), kDoor.with_port(port)};
    (void)table_.on_response(now, node, 50ms);
    return node;
  }
  /// Runs every tick until `end` and gathers all work.
  Maintenance::Work run_until(TimePoint end) {
    Maintenance::Work all;
    while (maintenance_.next() && *maintenance_.next() <= end) {
      const TimePoint now = *maintenance_.next();
      const auto work = maintenance_.run(now, table_);
      EXPECT_GT(*maintenance_.next(), now);
      all.pings.insert(all.pings.end(), work.pings.begin(), work.pings.end());
      all.bootstrap.insert(all.bootstrap.end(), work.bootstrap.begin(), work.bootstrap.end());
      all.lookups.insert(all.lookups.end(), work.lookups.begin(), work.lookups.end());
      all.expire_records |= work.expire_records;
    }
    return all;
  }
  SeededRng rng_{12};
  NodeId self_ = rng_.random<NodeId>();
  RoutingTable table_{self_, false};
  Maintenance maintenance_{rng_};
};

TEST_F(MaintenanceTest, SleepsWhileItKnowsNobody) {
  EXPECT_FALSE(maintenance_.next());
  EXPECT_TRUE(maintenance_.run(kStart, table_).bootstrap.empty());
  maintenance_.remember(kStart, kDoor, std::nullopt);
  ASSERT_TRUE(maintenance_.next());
  EXPECT_GT(*maintenance_.next(), kStart);
  EXPECT_LE(*maintenance_.next(), kStart + 8s);
}

TEST_F(MaintenanceTest, KnocksEverMoreSeldomWhileAlone) {
  maintenance_.remember(kStart, kDoor, std::nullopt);
  EXPECT_EQ(run_until(kStart + 1min).bootstrap.size(), 3U);
  EXPECT_EQ(run_until(kStart + 1h).bootstrap.size() / 3, 4U) << "every 5 minutes in the end";
}

TEST_F(MaintenanceTest, KnocksOnlyWhereTheTableHoldsNobody) {
  maintenance_.remember(kStart, kDoor, std::nullopt);
  maintenance_.remember(kStart, kDoor.with_port(1'000), std::nullopt);
  contact(0, kStart);  // at port 1000
  const auto work = run_until(kStart + 20min);
  EXPECT_FALSE(work.bootstrap.empty());
  for (const auto& known : work.bootstrap) EXPECT_EQ(known.endpoint, kDoor);
}

TEST_F(MaintenanceTest, KnocksAgainWhenEverybodyIsLost) {
  maintenance_.remember(kStart, kDoor, std::nullopt);
  const auto node = contact(0, kStart);
  (void)run_until(kStart + 6min);
  for (unsigned i = 0; i < limits::kFailuresToRemove; ++i) table_.on_failure(node);
  EXPECT_EQ(run_until(kStart + 6min + 6s).bootstrap.size(), 1U);
}

TEST_F(MaintenanceTest, RemembersTheLatestDoors) {
  for (std::size_t i = 0; i < limits::kBootstrapContacts + 10; ++i) {
    maintenance_.remember(kStart, kDoor.with_port(static_cast<std::uint16_t>(i + 1)), {});
  }
  maintenance_.remember(kStart, kDoor.with_port(20), self_);
  const auto work = run_until(kStart + 12s).bootstrap;
  EXPECT_EQ(work.size(), limits::kBootstrapContacts);
  EXPECT_EQ(work.front().endpoint.port(), 11);
  EXPECT_EQ(work.back(), (Maintenance::Bootstrap{kDoor.with_port(20), self_}));
}

TEST_F(MaintenanceTest, TheFirstContactStartsALookForTheNeighbourhood) {
  contact(2, kStart);
  maintenance_.on_first_contact(kStart);
  EXPECT_EQ(maintenance_.next(), kStart);
  const auto work = maintenance_.run(kStart, table_);
  EXPECT_EQ(work.lookups, std::vector<NodeId>{self_});
  const auto next = run_until(kStart + 5s);
  EXPECT_EQ(next.lookups.size(), 3U) << "then once to every bucket down to the deepest";
  for (std::size_t i = 0; i < 3; ++i) EXPECT_EQ(shared_prefix(next.lookups[i], self_), i);
  contact(1, kStart + 5s);
  EXPECT_EQ(run_until(kStart + 10s).lookups.size(), 1U) << "and where somebody new turned up";
}

TEST_F(MaintenanceTest, RefreshesEveryQuarterOfAnHour) {
  contact(1, kStart);
  maintenance_.on_first_contact(kStart);
  (void)run_until(kStart + 1min);
  EXPECT_EQ(run_until(kStart + 14min).lookups.size(), 0U);
  EXPECT_EQ(run_until(kStart + 17min).lookups.size(), 3U) << "self and two buckets";
}

TEST_F(MaintenanceTest, PingsTheQuestionableFewAtATime) {
  for (int i = 0; i < 20; ++i) contact(0, kStart);
  maintenance_.on_first_contact(kStart);
  EXPECT_TRUE(run_until(kStart + 14min).pings.empty());
  const TimePoint due = *maintenance_.next() + limits::kGoodFor;
  EXPECT_EQ(maintenance_.run(due, table_).pings.size(), 8U);
}

TEST_F(MaintenanceTest, ExpiresRecordsNowAndThen) {
  maintenance_.remember(kStart, kDoor, std::nullopt);
  EXPECT_TRUE(run_until(kStart + 10s).expire_records);
  EXPECT_FALSE(run_until(kStart + 60s).expire_records);
  EXPECT_TRUE(run_until(kStart + 80s).expire_records);
}

}  // namespace
}  // namespace kith::dht
