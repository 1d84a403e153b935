// Several threads for parts of one job, while one thread of ours waits for them.
#pragma once

#include <cstddef>
#include <functional>

namespace kith::node {

/// Calls f(i) once for every i < count, at the same time on as many threads as there are cores, the
/// caller's among them; on fewer where the system gives no more. Returns when all calls have. `f`
/// must not throw. Any thread that may block.
void in_parallel(std::size_t count, const std::function<void(std::size_t)>& f);

}  // namespace kith::node
