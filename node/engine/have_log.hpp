// The have-set of one copy with its two marks (docs/architecture.md, "Two kinds of crash"). A chunk
// is *had* as soon as its bytes are in the page cache, *durable* once they were synced. Changes are
// written to the catalog row by row: 4 KiB of bits, only those that were touched.
#pragma once

#include <set>
#include <vector>

#include "node/engine/catalog_write.hpp"
#include "proto/ids.hpp"

namespace kith::node {

class HaveLog {
 public:
  static constexpr ChunkIndex kBitsPerRow = 4096 * 8;

  /// All `total` bits clear or set; nothing is durable, which only a fetch asks for.
  void reset(ChunkIndex total, bool all);
  [[nodiscard]] ChunkIndex total() const { return total_; }
  [[nodiscard]] bool has(ChunkIndex index) const;
  /// Indices that are had.
  [[nodiscard]] ChunkIndex count() const { return count_; }
  /// Had from now on, not durable.
  void add(ChunkIndex index);
  /// As add(), and it is durable: an earlier run saved it as such.
  void add_durable(ChunkIndex index);
  /// Counts every row among the changes, though nothing changed. `durable`: those of what is
  /// durable as well; the ones that were saved may say more.
  void touch_all(bool durable);
  /// Takes it out of both sets. When it is had again it must not count as durable because a row
  /// says so that was saved before.
  void drop(ChunkIndex index);

  /// The had bits, most significant first, padded to whole bytes.
  [[nodiscard]] Bytes bits() const { return have_; }
  [[nodiscard]] bool is_durable(ChunkIndex index) const;

  /// Rows touched since the last call, as writes for `copy`.
  [[nodiscard]] std::vector<PutHave> take_changes(CopyId copy);
  /// take_changes() would give something.
  [[nodiscard]] bool changed() const { return !dirty_.empty() || !undurable_.empty(); }

  /// Remembers what is had now; a later commit_durable(mark) makes exactly that durable.
  [[nodiscard]] std::uint64_t begin_sync();
  /// The sync of this mark is done: the rows that changed by it. Nothing for a mark of an earlier
  /// sync.
  [[nodiscard]] std::vector<PutHave> commit_durable(CopyId copy, std::uint64_t mark);
  /// Something is had that is not durable.
  [[nodiscard]] bool needs_sync() const { return have_ != durable_; }

  /// Loads a row as it was saved. Bits outside [0, total) are ignored.
  void load(const PutHave& row);

 private:
  [[nodiscard]] PutHave row(CopyId copy, const Buffer& bits, std::uint32_t number,
                            bool durable) const;
  ChunkIndex total_ = 0;
  ChunkIndex count_ = 0;
  Buffer have_;
  Buffer durable_;
  Buffer syncing_;  // what was had when the last sync began
  std::uint64_t mark_ = 0;
  std::set<std::uint32_t> dirty_;
  std::set<std::uint32_t> undurable_;  // rows of durable_ that lost something
};

}  // namespace kith::node
