#include "node/jobs/copies.hpp"

namespace kith::node {

void CopyTable::put_exporter(CopyId copy, const ShareId&,
                             std::unique_ptr<storage::Exporter> exporter) {
  const std::lock_guard lock(mutex_);
  items_[copy] = {std::move(exporter), nullptr, {}};
}

std::shared_ptr<storage::Exporter> CopyTable::exporter(CopyId copy) {
  const std::lock_guard lock(mutex_);
  const auto it = items_.find(copy);
  return it == items_.end() ? nullptr : it->second.exporter;
}

void CopyTable::published(CopyId copy, const std::string& path) {
  const std::lock_guard lock(mutex_);
  items_[copy] = {nullptr, nullptr, path};
}

void CopyTable::forget(CopyId copy) {
  const std::lock_guard lock(mutex_);
  items_.erase(copy);
}

bool CopyTable::is_fetching(CopyId copy) {
  const std::lock_guard lock(mutex_);
  const auto it = items_.find(copy);
  return it != items_.end() && it->second.exporter != nullptr;
}

Result<std::shared_ptr<storage::CopyFiles>> CopyTable::files(CopyId copy, bool single_file) {
  std::string path;
  {
    const std::lock_guard lock(mutex_);
    Item& item = items_[copy];
    if (item.exporter) {
      // The exporter lives as long as anybody reads through it.
      return std::shared_ptr<storage::CopyFiles>(item.exporter, &item.exporter->files());
    }
    if (item.files) return item.files;
    path = item.path;
  }
  if (path.empty()) {
    KITH_TRY(const std::optional<Place> place, lookup_(copy));
    if (!place) return local_error(Errc::kNotFound, "the copy is gone");
    path = place->path;
  }
  KITH_TRY(auto opened, storage::CopyFiles::open(io_, path, single_file));
  std::shared_ptr<storage::CopyFiles> files = std::move(opened);
  const std::lock_guard lock(mutex_);
  Item& item = items_[copy];
  if (!item.exporter) item.files = files;
  return files;
}

}  // namespace kith::node
