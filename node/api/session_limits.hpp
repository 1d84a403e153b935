// What one API connection may cost. Variable so that tests need not wait.
#pragma once

#include <chrono>
#include <cstddef>

#include "proto/limits.hpp"

namespace kith::node {

struct SessionLimits {
  std::chrono::milliseconds request_time = limits::kApiRequestTime;      // for a whole request
  std::chrono::milliseconds progress_every = limits::kApiProgressEvery;  // lines of one command
  std::size_t backlog = limits::kApiBacklog;  // bytes that wait for a client that does not read
};

}  // namespace kith::node
