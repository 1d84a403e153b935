#include "node/runtime/pool.hpp"

#include <atomic>
#include <gtest/gtest.h>
#include <latch>

namespace kith::node {
namespace {

TEST(Pool, DoesEverythingOnceBeforeItEnds) {
  std::vector<std::atomic<int>> done(2'000);
  {
    Pool pool(3);
    std::vector<std::thread> posters;
    for (std::size_t part = 0; part < 4; ++part) {
      posters.emplace_back([&, part] {
        for (std::size_t i = part; i < done.size(); i += 4) {
          const auto kind = i % 3 == 0 ? Pool::Kind::kBackground : Pool::Kind::kNetwork;
          pool.post(kind, [&done, i] { ++done[i]; });
        }
      });
    }
    for (std::thread& poster : posters) poster.join();
  }
  for (const auto& times : done) EXPECT_EQ(times, 1);
}

TEST(Pool, BackgroundWorkLeavesThreadsToTheNetwork) {
  std::latch release(1), networked(2);
  std::atomic<int> running = 0, most = 0;
  {
    Pool pool(3);  // of which background work may have one
    for (int i = 0; i < 8; ++i) {
      pool.post(Pool::Kind::kBackground, [&] {
        most = std::max(most.load(), ++running);
        release.wait();
        --running;
      });
    }
    // Both run though background work waits: they end only together.
    for (int i = 0; i < 2; ++i) {
      pool.post(Pool::Kind::kNetwork, [&] { networked.arrive_and_wait(); });
    }
    networked.wait();
    release.count_down();
  }
  EXPECT_EQ(most, 1);
}

TEST(Pool, NetworkJobsGoFirst) {
  std::latch blocked(2), release(1);
  std::mutex mutex;
  std::vector<int> order;
  const auto note = [&](int what) {
    const std::lock_guard lock(mutex);
    order.push_back(what);
  };
  {
    Pool pool(2);
    for (int i = 0; i < 2; ++i) {
      pool.post(Pool::Kind::kNetwork, [&] {
        blocked.count_down();
        release.wait();
      });
    }
    blocked.wait();  // both threads are busy; what is queued now is chosen from at once
    for (int i = 0; i < 3; ++i) pool.post(Pool::Kind::kBackground, [&] { note(2); });
    for (int i = 0; i < 3; ++i) pool.post(Pool::Kind::kNetwork, [&] { note(1); });
    release.count_down();
  }
  ASSERT_EQ(order.size(), 6U);
  // The other thread may take up background work beside the last job of the network.
  EXPECT_EQ(std::vector<int>(order.begin(), order.begin() + 2), (std::vector<int>{1, 1}));
}

}  // namespace
}  // namespace kith::node
