// The pool: threads for chunk-sized jobs. Two queues: network jobs first, then background work
// (import, verification), which never occupies more than max(1, threads − 2) threads, so that a
// transfer is not starved by a share that is being hashed. Jobs run in no particular order.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace kith::node {

class Pool {
 public:
  using Work = std::function<void()>;
  enum class Kind { kNetwork, kBackground };

  explicit Pool(std::size_t threads);
  /// Runs what is queued, then joins.
  ~Pool();
  Pool(const Pool&) = delete;
  Pool& operator=(const Pool&) = delete;

  /// Any thread. Bounded by the budgets of those who post (receive and send memory, imports).
  void post(Kind kind, Work work);

 private:
  void run();
  [[nodiscard]] bool may_take_background() const {
    return !background_.empty() && background_running_ < background_max_;
  }

  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<Work> network_;
  std::deque<Work> background_;
  std::size_t background_running_ = 0;
  std::size_t background_max_;
  bool stopping_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace kith::node
