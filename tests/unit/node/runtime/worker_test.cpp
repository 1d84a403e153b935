#include "node/runtime/worker.hpp"

#include <gtest/gtest.h>
#include <vector>

namespace kith::node {
namespace {

TEST(Worker, DoesItsWorkInOrderAndAllOfIt) {
  std::vector<int> done;
  {
    Worker worker;
    for (int i = 0; i < 1'000; ++i) worker.post([&done, i] { done.push_back(i); });
  }
  ASSERT_EQ(done.size(), 1'000U);
  EXPECT_TRUE(std::is_sorted(done.begin(), done.end()));
}

TEST(Worker, WorkMayPostMore) {
  int done = 0;
  {
    Worker worker;
    worker.post([&] {
      ++done;
      worker.post([&] { ++done; });
    });
  }
  EXPECT_EQ(done, 2);
}

}  // namespace
}  // namespace kith::node
