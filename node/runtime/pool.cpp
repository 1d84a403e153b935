#include "node/runtime/pool.hpp"

#include <algorithm>
#include <utility>

namespace kith::node {

Pool::Pool(std::size_t threads) : background_max_(threads > 3 ? threads - 2 : 1) {
  for (std::size_t i = 0; i < std::max<std::size_t>(threads, 2); ++i) {
    threads_.emplace_back([this] { run(); });
  }
}

Pool::~Pool() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  for (std::thread& thread : threads_) thread.join();
}

void Pool::post(Kind kind, Work work) {
  {
    const std::lock_guard lock(mutex_);
    (kind == Kind::kNetwork ? network_ : background_).push_back(std::move(work));
  }
  wake_.notify_one();
}

void Pool::run() {
  std::unique_lock lock(mutex_);
  for (;;) {
    wake_.wait(lock, [this] {
      return !network_.empty() || may_take_background() || (stopping_ && background_.empty());
    });
    const bool network = !network_.empty();
    if (!network && !may_take_background()) return;
    auto& queue = network ? network_ : background_;
    const Work work = std::move(queue.front());
    queue.pop_front();
    if (!network) ++background_running_;
    lock.unlock();
    work();
    lock.lock();
    if (network) continue;
    --background_running_;
    // A thread may be waiting for this slot.
    wake_.notify_one();
  }
}

}  // namespace kith::node
