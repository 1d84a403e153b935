#include "node/runtime/in_parallel.hpp"

#include <atomic>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <unistd.h>
#include <vector>

namespace kith::node {
namespace {

void expect_each_once(std::size_t count) {
  std::vector<std::atomic<int>> calls(count);
  in_parallel(count, [&](std::size_t i) { ++calls[i]; });
  for (std::size_t i = 0; i < count; ++i) EXPECT_EQ(calls[i], 1) << i;
}

TEST(InParallel, EachIsCalledOnce) {
  for (const std::size_t count : {0U, 1U, 2U, 3U, 1'000U}) expect_each_once(count);
}

// In a process of its own, and not as root, whom no such limit holds.
TEST(InParallelDeathTest, WithoutMoreThreadsOneDoesAll) {
  const auto alone = [] {
    rlimit none{0, 0};
    const bool limited =
        (::getuid() != 0 || ::setuid(65'534) == 0) && ::setrlimit(RLIMIT_NPROC, &none) == 0;
    std::size_t calls = 0;  // not atomic: there is one thread
    in_parallel(100, [&](std::size_t) { ++calls; });
    ::_exit(limited && calls == 100 ? 0 : 1);
  };
  EXPECT_EXIT(alone(), testing::ExitedWithCode(0), "");
}

}  // namespace
}  // namespace kith::node
