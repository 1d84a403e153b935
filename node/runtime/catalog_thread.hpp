// The only thread that writes to the catalog. Writes come in order and are committed in batches:
// all that are queued go into one transaction, so that a busy node commits rarely and an idle one
// at once. A batch with a `full` write is committed with synchronous=FULL. When nothing is queued,
// what removed shares left behind is swept up, a step at a time, and the file shrinks.
#pragma once

#include <condition_variable>
#include <functional>
#include <mutex>
#include <span>
#include <string>
#include <thread>
#include <vector>

#include "node/jobs/catalog_rows.hpp"
#include "storage/catalog.hpp"

namespace kith::node {

class CatalogThread {
 public:
  using Answer = std::function<void(CatalogDone)>;            // called on the catalog thread
  using Committed = std::function<void(const CatalogBody&)>;  // the same
  CatalogThread(storage::Catalog catalog, std::string boot, Answer answer, Committed committed);
  /// Commits what is queued, then joins.
  ~CatalogThread();
  CatalogThread(const CatalogThread&) = delete;
  CatalogThread& operator=(const CatalogThread&) = delete;

  /// Any thread.
  void write(CatalogWrite write);
  /// Runs `work` between two batches, on the catalog thread: for imports, which write many rows.
  void run(std::function<void(storage::Catalog&)> work);
  /// `told` hears on the catalog thread how many bytes the file gave back, after all that is queued
  /// was committed and nothing is left to sweep; with `dry_run` how many are free in it now. Never,
  /// if the node ends before.
  void give_back(bool dry_run, std::function<void(std::uint64_t)> told);

 private:
  struct Waiting {
    std::uint64_t bytes_before = 0;
    std::function<void(std::uint64_t)> told;
  };
  struct Item {
    CatalogWrite write;
    std::function<void(storage::Catalog&)> work;
  };
  void loop();
  void sweep();
  void swept();
  void commit_batch(std::vector<Item>& batch);
  using Items = std::span<Item>;
  [[nodiscard]] std::optional<Error> commit(Items writes);
  void tell(Items writes, const std::optional<Error>& error);

  storage::Catalog catalog_;
  std::string boot_;
  Answer answer_;
  Committed committed_;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::vector<Item> queue_;
  bool stopping_ = false;
  std::vector<Waiting> waiting_;  // for the end of sweeping; on the thread alone
  bool unswept_ = true;           // an earlier run may have ended before it was through
  std::thread thread_;
};

}  // namespace kith::node
