#include "node/runtime/inbox.hpp"

#include <boost/asio/executor_work_guard.hpp>
#include <gtest/gtest.h>
#include <map>
#include <thread>

namespace kith::node {
namespace {

using Value = std::pair<int, int>;  // who put it, its number

TEST(Inbox, EveryValueComesOnceAndInTheOrderOfItsThread) {
  constexpr int kThreads = 4, kValues = 5'000;
  boost::asio::io_context context{1};
  auto work = boost::asio::make_work_guard(context);
  std::map<int, int> next;
  int batches = 0;
  int left = kThreads * kValues;
  Inbox<Value> inbox(context, [&](std::vector<Value> batch) {
    ++batches;
    for (const auto& [thread, number] : batch) {
      EXPECT_EQ(number, next[thread]++);
      if (--left == 0) work.reset();
    }
  });
  std::vector<std::thread> threads;
  for (int thread = 0; thread < kThreads; ++thread) {
    threads.emplace_back([&, thread] {
      for (int i = 0; i < kValues; ++i) inbox.put({thread, i});
    });
  }
  context.run();
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(left, 0);
}

TEST(Inbox, ABurstIsOneBatch) {
  boost::asio::io_context context{1};
  std::vector<std::size_t> batches;
  Inbox<int> inbox(context, [&](std::vector<int> batch) { batches.push_back(batch.size()); });
  for (int i = 0; i < 10; ++i) inbox.put(i);
  EXPECT_TRUE(batches.empty());  // nothing is handled by whoever puts
  context.run();
  EXPECT_EQ(batches, std::vector<std::size_t>{10});
}

}  // namespace
}  // namespace kith::node
