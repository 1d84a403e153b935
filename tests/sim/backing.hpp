// What stands behind an engine in tests: a disk and a catalog in memory, and the jobs that ship.
// They outlive the engine: a crash ends the jobs, and takes from disk and catalog what was not
// durable.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "node/jobs/catalog_rows.hpp"
#include "node/jobs/jobs.hpp"
#include "proto/rng.hpp"
#include "storage/catalog.hpp"
#include "storage/importer.hpp"
#include "storage/memory_file_io.hpp"

namespace kith::sim {

class Backing {
 public:
  using Crash = storage::MemoryFileIo::Crash;

  Backing();

  /// The beginning of a life of the node. Before that, and after a crash, there are no jobs.
  [[nodiscard]] node::SavedState start();
  /// The process ends; kSystem: the machine too. Then the disk keeps what was synced and a part of
  /// the rest, the catalog every group up to the last full one and some of those behind it.
  void crash(Crash kind, Rng& rng);

  [[nodiscard]] node::JobResult run(node::Job job, UnixMillis wall);
  /// From now on every chunk that is verified is found good, whatever stands on the disk.
  void see_no_damage() { sees_damage_ = false; }
  /// Commits the writes as one group.
  [[nodiscard]] Result<void> save(std::vector<node::CatalogWrite> writes);
  /// Imports a path of the disk and commits it, as the import driver does. `fresh`: the id of the
  /// copy, unless the same tree was shared from there before.
  [[nodiscard]] Result<node::AddShare> import(const std::string& path,
                                              storage::ImportOptions options, const SwarmId& swarm,
                                              CopyId fresh);

  [[nodiscard]] storage::MemoryFileIo& disk() { return disk_; }
  [[nodiscard]] SlabPool& slabs() { return *slabs_; }

 private:
  using Group = std::function<Result<void>(storage::Catalog&)>;
  [[nodiscard]] Result<void> commit(Group group, bool full);
  void lose_groups(Rng& rng);

  storage::MemoryFileIo disk_;
  bool sees_damage_ = true;
  std::unique_ptr<storage::Catalog> catalog_;
  // Everything that was ever committed, so that a system crash can take back the end of it.
  std::vector<Group> log_;
  std::size_t durable_ = 0;
  std::unique_ptr<SlabPool> slabs_;
  std::unique_ptr<node::Jobs> jobs_;
};

}  // namespace kith::sim
