// Sharing: conducts imports, one after the other, on a thread of its own. The scan reads and cuts
// on that thread, chunks are hashed by the pool, rows go to the catalog, and then the engine takes
// the share up.
#pragma once

#include <atomic>
#include <condition_variable>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "node/api/share_request.hpp"
#include "node/jobs/manifests.hpp"
#include "node/runtime/catalog_thread.hpp"
#include "node/runtime/pool.hpp"
#include "node/runtime/worker.hpp"
#include "proto/slab.hpp"
#include "storage/import_spool.hpp"
#include "storage/importer.hpp"

namespace kith::node {

class ImportDriver {
 public:
  struct Links {
    std::string home;  // it holds keys: nothing of it is shared
    storage::FileIo& io;
    SlabPool& slabs;
    Pool& pool;
    CatalogThread& catalog;
    Manifests& manifests;
    /// Finds known content and earlier imports: a reading connection of its own, used on the import
    /// thread and on pool threads, one at a time.
    storage::Catalog& index;
    std::function<UnixMillis()> wall;
    /// Commands of this driver to the engine; replies come back through deliver().
    std::function<void(Command)> submit;
    std::function<void(RequestId, ShareUpdate)> update;
  };

  explicit ImportDriver(Links links) : links_(std::move(links)) {}
  ~ImportDriver() { stop(); }
  /// Cancels what runs, then joins. What is called later finds nothing to do.
  void stop();

  /// Any thread.
  void start(RequestId request, ShareRequest share);
  /// The client of an import went away: it ends. Any thread.
  void cancel(RequestId request);
  /// T0. True if the reply was to a command of this driver.
  bool deliver(const Reply& reply);

 private:
  void run(RequestId request, const ShareRequest& share);
  [[nodiscard]] Result<ShareDone> share(RequestId request, const ShareRequest& share);
  struct Earlier {
    ShareId share;
    UnixMillis recorded_at{};
    storage::EarlierTree tree;
  };
  /// What is large of it comes first, in the spool; what was made last, or all of something small,
  /// is in the result.
  struct Imported {
    storage::ImportSpool spool;
    storage::ImportResult result;
  };
  [[nodiscard]] Result<Imported> import(RequestId request, const ShareRequest& share,
                                        const SwarmTarget& target,
                                        const std::optional<Earlier>& earlier);
  // import_save.cpp
  [[nodiscard]] Result<CopyId> save(RequestId request, const std::string& path,
                                    const SwarmTarget& target, const Imported& imported,
                                    const std::optional<Earlier>& earlier);
  [[nodiscard]] Result<void> save_groups(RequestId request, const storage::ShareRecord& share,
                                         const storage::CopyRecord& copy, const Imported& imported,
                                         const std::optional<Earlier>& earlier);
  using Put = std::function<Result<void>(const std::function<Result<void>(storage::Catalog&)>&)>;
  [[nodiscard]] static Result<void> save_pages(const Put& put, const ShareId& share, CopyId copy,
                                               const storage::ImportMade& made);
  [[nodiscard]] static Result<void> save_hashes(const Put& put, const ShareId& share,
                                                const storage::ImportMade& made,
                                                std::span<const storage::ReusedRun> reused,
                                                const std::optional<Earlier>& earlier);
  /// Executes `write` on the catalog thread as one group, and waits.
  [[nodiscard]] Result<void> in_catalog(
      bool full, const std::function<Result<void>(storage::Catalog&)>& write);
  [[nodiscard]] static Error cancelled() {
    return local_error(Errc::kCancelled, "the import was cancelled");
  }
  /// What was recorded when the same place was shared, or fetched, last.
  [[nodiscard]] std::optional<Earlier> earlier(const SwarmId& swarm, const std::string& path);
  [[nodiscard]] Result<std::optional<Earlier>> earlier_copy(const storage::CopyRecord& copy,
                                                            const SwarmId& swarm);
  /// Asks the engine and waits for its final answer.
  [[nodiscard]] Result<Done> ask(CommandBody body);
  [[nodiscard]] bool is_cancelled(RequestId request);
  [[nodiscard]] std::optional<storage::KnownChunk> known(const SwarmId& swarm,
                                                         const PlainHash& plain);

  Links links_;
  std::mutex mutex_;
  std::condition_variable answered_;
  std::map<RequestId, std::optional<Result<Done>>> asked_;
  std::map<RequestId, bool> active_;         // begun, not yet answered; true: cancelled
  std::uint64_t next_request_ = 1ULL << 63;  // the API counts from 1
  bool stopping_ = false;
  std::mutex index_mutex_;
  std::optional<Worker> worker_{std::in_place};
};

}  // namespace kith::node
