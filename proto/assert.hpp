// KITH_ASSERT guards against our own bugs. It stays on in release, prints what failed and aborts.
// It is never used on anything that a peer, a file or a user can influence: those fail as Result.
#pragma once

#include <cstdio>
#include <cstdlib>

namespace kith {

[[noreturn]] inline void assert_failed(const char* expression, const char* file, int line) {
  std::fprintf(stderr, "kith: internal error: %s (%s:%d)\n", expression, file, line);
  std::abort();
}

}  // namespace kith

#define KITH_ASSERT(condition) \
  (static_cast<bool>(condition) ? void(0) : ::kith::assert_failed(#condition, __FILE__, __LINE__))
