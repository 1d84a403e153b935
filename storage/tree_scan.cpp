#include "storage/tree_scan.hpp"

#include <algorithm>

#include "storage/path_policy.hpp"

namespace kith::storage {

std::optional<std::uint64_t> content_bytes(FileIo& io, const std::string& source, PathGlobs exclude,
                                           const std::function<bool()>& stopped) {
  auto top = io.open_root(source);
  if (!top) {
    const SplitPath place = split_native(source);
    const auto parent = io.open_root(std::string(place.parent));
    const auto info = parent ? io.stat_at(*parent, place.name) : Result<FileInfo>(parent.error());
    return info && info->kind == NodeKind::kFile ? info->size : 0;
  }
  TreeScan scan(io, std::move(*top), std::move(exclude));
  if (!scan.enter_top()) return 0;
  std::uint64_t bytes = 0;
  for (auto item = scan.next(); item && *item; item = scan.next()) {
    if (stopped()) return std::nullopt;
    if ((*item)->kind == NodeKind::kDirectory) static_cast<void>(scan.enter(**item).has_value());
    if ((*item)->kind != NodeKind::kFile) continue;
    if (const auto info = io.stat_at(scan.dir(), (*item)->name())) bytes += info->size;
  }
  return bytes;
}

std::string_view ScanItem::name() const { return split(path).name; }

Result<FileInfo> TreeScan::push(Dir dir, std::string path) {
  KITH_TRY(const FileInfo info, io_->stat(dir));
  KITH_TRY(auto names, io_->list(dir));
  std::ranges::sort(names, std::ranges::greater(), &DirItem::name);
  levels_.push_back({std::move(path), std::move(names)});
  dir_ = std::move(dir);
  return info;
}

Result<FileInfo> TreeScan::enter_top() {
  KITH_TRY(Dir dir, io_->open_dir(top_, ""));
  return push(std::move(dir), "");
}

Result<FileInfo> TreeScan::enter(const ScanItem& item) {
  KITH_TRY(Dir dir, io_->open_dir(dir_, item.name()));
  return push(std::move(dir), item.path);
}

Result<std::optional<ScanItem>> TreeScan::next() {
  while (!levels_.empty()) {
    Level& level = levels_.back();
    if (level.names.empty()) {
      levels_.pop_back();
      dir_ = Dir();
      continue;
    }
    if (!dir_) {
      auto dir = io_->open_dir(top_, level.path);
      if (!dir) {
        const std::string path = std::move(level.path);
        levels_.pop_back();
        return local_error(Errc::kChanged, "changed while it was read", path);
      }
      dir_ = std::move(*dir);
    }
    ScanItem item{
        level.path.empty() ? level.names.back().name : level.path + "/" + level.names.back().name,
        level.names.back().kind};
    level.names.pop_back();
    if (!exclude_.matches(item.path, item.kind == NodeKind::kDirectory))
      return std::optional(std::move(item));
  }
  return std::optional<ScanItem>();
}

}  // namespace kith::storage
