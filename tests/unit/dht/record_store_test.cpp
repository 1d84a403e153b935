#include "dht/record_store.hpp"

#include <algorithm>
#include <gtest/gtest.h>
#include <map>

#include "dht/metric.hpp"
#include "proto/crypto/random.hpp"
#include "proto/limits.hpp"

namespace kith::dht {
namespace {

using namespace std::chrono_literals;

Endpoint provider(std::size_t i) {
  return Endpoint::v4({10, static_cast<std::uint8_t>(i >> 16), static_cast<std::uint8_t>(i >> 8),
                       static_cast<std::uint8_t>(i)},
                      5484);
}

std::vector<Endpoint> sorted(std::vector<Endpoint> list) {
  std::sort(list.begin(), list.end());
  return list;
}

class RecordStoreTest : public ::testing::Test {
 protected:
  std::vector<Endpoint> all(const InfoHash& hash, TimePoint now) {
    return sorted(store_.pick(now, hash, 1'000, rng_));
  }
  SeededRng rng_{6};
  NodeId self_ = rng_.random<NodeId>();
  RecordStore store_{self_, limits::kPeersPerRecord};
  InfoHash hash_ = rng_.random<InfoHash>();
  TimePoint start_{1h};
};

TEST_F(RecordStoreTest, KeepsProvidersForHalfAnHour) {
  EXPECT_TRUE(all(hash_, start_).empty());
  EXPECT_TRUE(store_.add(start_, hash_, provider(1)));
  EXPECT_EQ(all(hash_, start_ + limits::kRecordLife - 1ns), std::vector{provider(1)});
  EXPECT_TRUE(all(hash_, start_ + limits::kRecordLife).empty());
  store_.expire(start_ + limits::kRecordLife - 1ns);
  EXPECT_EQ(store_.providers(), 1U);
  store_.expire(start_ + limits::kRecordLife);
  EXPECT_EQ(store_.providers(), 0U);
  EXPECT_EQ(store_.records(), 0U);
}

TEST_F(RecordStoreTest, AnnouncingAgainProlongs) {
  (void)store_.add(start_, hash_, provider(1));
  (void)store_.add(start_ + 20min, hash_, provider(1));
  EXPECT_EQ(store_.providers(), 1U);
  EXPECT_EQ(all(hash_, start_ + 40min), std::vector{provider(1)});
}

TEST_F(RecordStoreTest, PicksAtRandom) {
  for (std::size_t i = 0; i < 20; ++i) (void)store_.add(start_, hash_, provider(i));
  const auto first = store_.pick(start_, hash_, 5, rng_);
  EXPECT_EQ(first.size(), 5U);
  std::map<Endpoint, int> seen;
  for (int round = 0; round < 200; ++round) {
    for (const Endpoint& endpoint : store_.pick(start_, hash_, 5, rng_)) ++seen[endpoint];
  }
  EXPECT_EQ(seen.size(), 20U) << "everybody gets a turn";
  EXPECT_EQ(all(hash_, start_).size(), 20U);
}

TEST_F(RecordStoreTest, AFullRecordForgetsWhoAnnouncedLongestAgo) {
  for (std::size_t i = 0; i < limits::kPeersPerRecord; ++i) {
    (void)store_.add(start_ + std::chrono::milliseconds(i), hash_, provider(i));
  }
  (void)store_.add(start_ + 1min, hash_, provider(0));
  EXPECT_EQ(store_.providers(), limits::kPeersPerRecord);
  (void)store_.add(start_ + 2min, hash_, provider(70'000));
  const auto now = all(hash_, start_ + 2min);
  EXPECT_EQ(now.size(), limits::kPeersPerRecord);
  EXPECT_TRUE(std::binary_search(now.begin(), now.end(), provider(0)));
  EXPECT_FALSE(std::binary_search(now.begin(), now.end(), provider(1)));
}

TEST_F(RecordStoreTest, AFullStoreKeepsWhatIsNear) {
  std::vector<InfoHash> hashes;
  for (std::size_t i = 0; i < limits::kRecords; ++i) {
    hashes.push_back(rng_.random<InfoHash>());
    EXPECT_TRUE(store_.add(start_, hashes.back(), provider(1)));
  }
  std::sort(hashes.begin(), hashes.end(),
            [&](const InfoHash& a, const InfoHash& b) { return closer(a, b, self_); });
  InfoHash farther = self_;
  for (auto& byte : farther.bytes) byte = static_cast<std::uint8_t>(~byte);
  EXPECT_FALSE(store_.add(start_, farther, provider(1)));
  EXPECT_TRUE(store_.add(start_, self_, provider(1)));
  EXPECT_EQ(store_.records(), limits::kRecords);
  EXPECT_TRUE(all(hashes.back(), start_).empty()) << "the farthest made room";
  EXPECT_FALSE(all(hashes[hashes.size() - 2], start_).empty());
  EXPECT_TRUE(store_.add(start_, hashes.front(), provider(2))) << "known records need no room";
  store_.check_invariants();
}

TEST_F(RecordStoreTest, AFullStoreFirstForgetsWhatHasExpired) {
  for (std::size_t i = 0; i < limits::kRecords; ++i) {
    (void)store_.add(start_, rng_.random<InfoHash>(), provider(1));
  }
  InfoHash farthest = self_;
  for (auto& byte : farthest.bytes) byte = static_cast<std::uint8_t>(~byte);
  EXPECT_TRUE(store_.add(start_ + limits::kRecordLife, farthest, provider(1)));
  EXPECT_EQ(store_.records(), 1U);
}

TEST_F(RecordStoreTest, HoldsSoManyProvidersInAll) {
  std::vector<InfoHash> hashes(limits::kProvidersTotal / limits::kPeersPerRecord);
  for (auto& hash : hashes) hash = rng_.random<InfoHash>();
  for (const InfoHash& hash : hashes) {
    for (std::size_t i = 0; i < limits::kPeersPerRecord - 1; ++i) {
      EXPECT_TRUE(store_.add(start_, hash, provider(i)));
    }
  }
  const InfoHash small = rng_.random<InfoHash>();
  std::size_t held = 0;
  while (store_.providers() < limits::kProvidersTotal) {
    ASSERT_TRUE(store_.add(start_, small, provider(held++)));
  }
  EXPECT_TRUE(store_.add(start_ + 1s, small, provider(1'000)));
  EXPECT_TRUE(store_.add(start_ + 1s, hashes[0], provider(1'000)));
  EXPECT_EQ(store_.providers(), limits::kProvidersTotal);
  const auto kept = all(small, start_ + 1s);
  EXPECT_EQ(kept.size(), held) << "its oldest made room";
  EXPECT_TRUE(std::binary_search(kept.begin(), kept.end(), provider(1'000)));
  EXPECT_FALSE(std::binary_search(kept.begin(), kept.end(), provider(0)));
  store_.check_invariants();
}

TEST_F(RecordStoreTest, AnAddressHasFewPlacesOnThePublicNetwork) {
  RecordStore store(self_, limits::kPublicPerAddress);
  for (std::uint16_t port = 1; port <= 10; ++port) {
    EXPECT_TRUE(store.add(start_, hash_, provider(1).with_port(port)));
  }
  (void)store.add(start_, hash_, provider(2));
  const auto found = sorted(store.pick(start_, hash_, 100, rng_));
  EXPECT_EQ(found.size(), limits::kPublicPerAddress + 1);
  EXPECT_TRUE(std::binary_search(found.begin(), found.end(), provider(1).with_port(10)));
  EXPECT_FALSE(std::binary_search(found.begin(), found.end(), provider(1).with_port(6)));
}

/// Against a map without any bounds, on a scale on which no bound is met.
TEST_F(RecordStoreTest, AgreesWithANaiveModel) {
  constexpr std::uint64_t kSeed = 77;
  SeededRng rng(kSeed);
  std::map<std::pair<InfoHash, Endpoint>, TimePoint> model;
  std::vector<InfoHash> hashes(10);
  for (auto& hash : hashes) hash = rng.random<InfoHash>();
  TimePoint now = start_;
  for (int step = 0; step < 5'000; ++step) {
    now += Duration(rng.uniform(60'000'000'000));
    const InfoHash& hash = hashes[rng.uniform(hashes.size())];
    const std::uint64_t what = rng.uniform(10);
    if (what < 6) {
      const Endpoint endpoint = provider(rng.uniform(30));
      ASSERT_TRUE(store_.add(now, hash, endpoint));
      model[{hash, endpoint}] = now + limits::kRecordLife;
    } else if (what < 7) {
      store_.expire(now);
      std::erase_if(model, [&](const auto& item) { return item.second <= now; });
      ASSERT_EQ(store_.providers(), model.size()) << "seed " << kSeed << " step " << step;
    } else {
      std::vector<Endpoint> expected;
      for (const auto& [key, expires] : model) {
        if (key.first == hash && expires > now) expected.push_back(key.second);
      }
      ASSERT_EQ(all(hash, now), expected) << "seed " << kSeed << " step " << step;
    }
    store_.check_invariants();
  }
}

}  // namespace
}  // namespace kith::dht
