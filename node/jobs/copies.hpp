// What jobs know of copies: open exporters of fetches, open directories of held ones. Any thread.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "proto/ids.hpp"
#include "proto/result.hpp"
#include "storage/copy_files.hpp"
#include "storage/exporter.hpp"

namespace kith::node {

class CopyTable {
 public:
  /// Where a held copy stands, and whether it is a single file: from the catalog.
  struct Place {
    ShareId share;
    std::string path;
    bool fetching = false;
  };
  using Lookup = std::function<Result<std::optional<Place>>(CopyId)>;

  CopyTable(storage::FileIo& io, Lookup lookup) : io_(io), lookup_(std::move(lookup)) {}

  /// A fetch that was prepared; the table owns its exporter until forget().
  void put_exporter(CopyId copy, const ShareId& share, std::unique_ptr<storage::Exporter> exporter);
  /// Nothing: no fetch of that id is in progress.
  [[nodiscard]] std::shared_ptr<storage::Exporter> exporter(CopyId copy);
  /// The fetch ended: what it wrote is a held copy at `path` from now on, or gone.
  void published(CopyId copy, const std::string& path);
  /// Of a copy that is gone: closes everything of it.
  void forget(CopyId copy);
  /// Closes what was opened to read a held copy.
  void close_files(CopyId copy);

  /// Files of a copy for reading: of the staging while it is fetched, of what stands at its place
  /// afterwards. kNotFound: nothing does, or nothing that may be entered. Holding the pointer keeps
  /// them open.
  [[nodiscard]] Result<std::shared_ptr<storage::CopyFiles>> files(CopyId copy, bool single_file);
  /// True while a copy is being fetched: its files have no recorded state yet.
  [[nodiscard]] bool is_fetching(CopyId copy);

 private:
  struct Item {
    std::shared_ptr<storage::Exporter> exporter;
    std::shared_ptr<storage::CopyFiles> files;
    std::string path;
  };
  storage::FileIo& io_;
  Lookup lookup_;
  std::mutex mutex_;
  std::map<CopyId, Item> items_;
};

}  // namespace kith::node
