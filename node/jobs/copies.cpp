#include "node/jobs/copies.hpp"

namespace kith::node {
namespace {

bool is_same_directory(storage::FileIo& io, const storage::Dir& a, const storage::Dir& b) {
  const auto one = io.stat(a);
  const auto other = io.stat(b);
  return one && other && one->dev == other->dev && one->inode == other->inode;
}

}  // namespace

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

void CopyTable::close_files(CopyId copy) {
  const std::lock_guard lock(mutex_);
  if (const auto it = items_.find(copy); it != items_.end()) it->second.files.reset();
}

bool CopyTable::is_fetching(CopyId copy) {
  const std::lock_guard lock(mutex_);
  const auto it = items_.find(copy);
  return it != items_.end() && it->second.exporter != nullptr;
}

Result<std::shared_ptr<storage::CopyFiles>> CopyTable::files(CopyId copy, bool single_file) {
  std::string path;
  std::shared_ptr<storage::CopyFiles> open;
  {
    const std::lock_guard lock(mutex_);
    Item& item = items_[copy];
    if (item.exporter) {
      // The exporter lives as long as anybody reads through it.
      return std::shared_ptr<storage::CopyFiles>(item.exporter, &item.exporter->files());
    }
    open = item.files;
    path = item.path;
  }
  if (path.empty()) {
    KITH_TRY(const std::optional<Place> place, lookup_(copy));
    if (!place) return local_error(Errc::kNotFound, "the copy is gone");
    path = place->path;
  }
  // By its path each time: what was opened before may have been moved away.
  auto found = storage::CopyFiles::open(io_, path, single_file);
  if (found && open && is_same_directory(io_, open->top(), (*found)->top())) return open;
  const std::lock_guard lock(mutex_);
  Item& item = items_[copy];
  item.files.reset();
  if (!found) {
    const bool gone = found.error().code == Errc::kRefused;
    return gone ? local_error(Errc::kNotFound, "nothing of the share stands there", path)
                : std::move(found).error();
  }
  const std::shared_ptr<storage::CopyFiles> files = std::move(*found);
  if (!item.exporter) item.files = files;
  if (item.path.empty()) item.path = path;
  return files;
}

}  // namespace kith::node
