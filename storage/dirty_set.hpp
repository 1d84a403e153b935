// What was written since the last sync: the paths of some files and directories, or, when there are
// too many to sync one by one, only that it is everything. Any thread.
#pragma once

#include <mutex>
#include <set>
#include <string>
#include <string_view>
#include <utility>

namespace kith::storage {

/// Up to here files and directories are synced one by one; beyond, the whole file system is.
inline constexpr std::size_t kSyncOneByOne = 64;

class DirtySet {
 public:
  struct Taken {
    std::set<std::string, std::less<>> files;
    std::set<std::string, std::less<>> directories;
    bool all = false;
    [[nodiscard]] bool empty() const { return !all && files.empty() && directories.empty(); }
  };

  void add_file(std::string_view path) { add(dirty_.files, path); }
  void add_directory(std::string_view path) { add(dirty_.directories, path); }
  void add_all() {
    const std::lock_guard lock(mutex_);
    dirty_.all = true;
  }
  /// Empties the set. What a sync that failed had taken comes back with add_all().
  [[nodiscard]] Taken take() {
    const std::lock_guard lock(mutex_);
    return std::exchange(dirty_, Taken());
  }
  [[nodiscard]] Taken copy() {
    const std::lock_guard lock(mutex_);
    return dirty_;
  }

 private:
  void add(std::set<std::string, std::less<>>& to, std::string_view path) {
    const std::lock_guard lock(mutex_);
    if (dirty_.all || to.contains(path)) return;
    to.emplace(path);
    if (dirty_.files.size() + dirty_.directories.size() <= kSyncOneByOne) return;
    dirty_ = Taken();
    dirty_.all = true;
  }

  std::mutex mutex_;
  Taken dirty_;
};

}  // namespace kith::storage
