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
      wake_.wait(lock, [this] { return !queue_.empty() || stopping_ || unswept_; });
      if (queue_.empty() && stopping_) return;
      batch.swap(queue_);
    }
    if (batch.empty()) {
      sweep();
    } else {
      commit_batch(batch);
    }
  }
}

// One step. What fails is tried again after the next removal.
void CatalogThread::sweep() {
  const auto step = [this]() -> Result<bool> {
    KITH_CHECK(catalog_.begin());
    KITH_TRY(const bool more, catalog_.sweep());
    KITH_CHECK(catalog_.commit());
    return more;
  };
  const auto more = step();
  if (!more) catalog_.roll_back();
  unswept_ = more && *more;
  if (!unswept_) swept();
}

// How much is told is what left the catalog; that the file could not be cut yet is no failure.
void CatalogThread::swept() {
  static_cast<void>(catalog_.checkpoint().has_value());
  for (const Waiting& waiting : std::exchange(waiting_, {})) {
    const auto now = catalog_.size();
    const std::uint64_t bytes = now ? now->bytes : waiting.bytes_before;
    waiting.told(waiting.bytes_before - std::min(waiting.bytes_before, bytes));
  }
}

void CatalogThread::give_back(bool dry_run, std::function<void(std::uint64_t)> told) {
  run([this, dry_run, told = std::move(told)](storage::Catalog& catalog) {
    const auto size = catalog.size();
    if (dry_run || !size) return told(size ? size->free_bytes : 0);
    waiting_.push_back({size->bytes, told});
    unswept_ = true;
  });
}

void CatalogThread::commit_batch(std::vector<Item>& batch) {
  auto item = batch.begin();
  while (item != batch.end()) {
    if (item->work) {
      (item++)->work(catalog_);
      continue;
    }
    const auto end = std::find_if(item, batch.end(), [](const Item& i) { return bool(i.work); });
    const Items writes(item, end);
    const auto error = commit(writes);
    const bool disk = error && (error->code == Errc::kNoSpace || error->code == Errc::kIo);
    if (!error || disk || writes.size() == 1) {
      tell(writes, error);
    } else {
      // One of them cannot be executed: that is no reason to lose the others.
      for (std::size_t i = 0; i < writes.size(); ++i) {
        tell(writes.subspan(i, 1), commit(writes.subspan(i, 1)));
      }
    }
    item = end;
  }
}

std::optional<Error> CatalogThread::commit(Items writes) {
  const auto run = [&]() -> Result<void> {
    KITH_CHECK(catalog_.begin());
    bool full = false;
    for (const Item& item : writes) {
      full = full || item.write.full;
      KITH_CHECK(execute(catalog_, item.write.body, boot_));
    }
    return full ? catalog_.commit_full() : catalog_.commit();
  };
  auto done = run();
  if (done) return std::nullopt;
  catalog_.roll_back();
  return std::move(done).error();
}

void CatalogThread::tell(Items writes, const std::optional<Error>& error) {
  for (const Item& item : writes) {
    if (!error) committed_(item.write.body);
    unswept_ = unswept_ || std::holds_alternative<DeleteCopy>(item.write.body);
    // A write that nobody awaits must not fail in silence either: number 0 is nobody's.
    if (item.write.ack || error) answer_({item.write.ack.value_or(0), error});
  }
}

}  // namespace kith::node
