#include "node/runtime/catalog_thread.hpp"

#include <algorithm>

namespace kith::node {

CatalogThread::CatalogThread(storage::Catalog catalog, std::string boot, Answer answer,
                             Committed committed)
    : catalog_(std::move(catalog)),
      boot_(std::move(boot)),
      answer_(std::move(answer)),
      committed_(std::move(committed)),
      thread_([this] { loop(); }) {}

CatalogThread::~CatalogThread() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_one();
  thread_.join();
}

void CatalogThread::write(CatalogWrite write) {
  {
    const std::lock_guard lock(mutex_);
    queue_.push_back({std::move(write), {}});
  }
  wake_.notify_one();
}

void CatalogThread::run(std::function<void(storage::Catalog&)> work) {
  {
    const std::lock_guard lock(mutex_);
    queue_.push_back({{}, std::move(work)});
  }
  wake_.notify_one();
}

void CatalogThread::loop() {
  for (;;) {
    std::vector<Item> batch;
    {
      std::unique_lock lock(mutex_);
      wake_.wait(lock, [this] { return !queue_.empty() || stopping_; });
      if (queue_.empty()) return;
      batch.swap(queue_);
    }
    commit_batch(batch);
  }
}

void CatalogThread::commit_batch(std::vector<Item>& batch) {
  auto item = batch.begin();
  while (item != batch.end()) {
    if (item->work) {
      (item++)->work(catalog_);
      continue;
    }
    const auto end = std::find_if(item, batch.end(), [](const Item& i) { return bool(i.work); });
    std::optional<Error> error;
    bool full = false;
    if (auto begun = catalog_.begin(); !begun) error = begun.error();
    for (auto write = item; write != end && !error; ++write) {
      full = full || write->write.full;
      if (auto done = execute(catalog_, write->write.body, boot_); !done) error = done.error();
    }
    if (!error) {
      const auto committed = full ? catalog_.commit_full() : catalog_.commit();
      if (!committed) error = committed.error();
    }
    if (error) catalog_.roll_back();
    for (auto write = item; write != end; ++write) {
      if (!error) committed_(write->write.body);
      // A write that nobody awaits must not fail in silence either: number 0 is nobody's.
      if (write->write.ack || error) answer_({write->write.ack.value_or(0), error});
    }
    item = end;
  }
}

}  // namespace kith::node
