// The thread-local mark of threads that must never block. The network thread sets it once; every
// blocking seam (PosixFileIo, Db) asserts that it is not set, in release too, so that a file or
// database access on that thread is found by the first test that makes it.
#pragma once

#include "proto/assert.hpp"

namespace kith::storage {

inline thread_local bool this_thread_must_not_block = false;

inline void assert_may_block() { KITH_ASSERT(!this_thread_must_not_block); }

}  // namespace kith::storage
