// A bounded set of open files or directories by path, least recently used out first. Any thread.
// What it hands out stays open as long as somebody holds it, even if it fell out meanwhile.
#pragma once

#include <algorithm>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>

namespace kith::storage {

template <class T>
class OpenCache {
 public:
  explicit OpenCache(std::size_t bound) : bound_(bound) {}

  /// Null if it is not here.
  [[nodiscard]] std::shared_ptr<T> find(std::string_view path) {
    const std::lock_guard lock(mutex_);
    const auto found = items_.find(path);
    if (found == items_.end()) return nullptr;
    found->second.used = ++clock_;
    return found->second.value;
  }

  /// Keeps `value`, unless another thread was faster: then that one's is returned.
  std::shared_ptr<T> put(std::string_view path, T value) {
    auto shared = std::make_shared<T>(std::move(value));
    const std::lock_guard lock(mutex_);
    const auto [item, is_new] = items_.try_emplace(std::string(path), Item{shared, ++clock_});
    if (!is_new) return item->second.value;
    if (items_.size() > bound_) {
      const auto age = [](const auto& entry) { return entry.second.used; };
      items_.erase(std::ranges::min_element(items_, {}, age));
    }
    return shared;
  }

  void drop(std::string_view path) {
    const std::lock_guard lock(mutex_);
    if (const auto found = items_.find(path); found != items_.end()) items_.erase(found);
  }

  void clear() {
    const std::lock_guard lock(mutex_);
    items_.clear();
  }

 private:
  struct Item {
    std::shared_ptr<T> value;
    std::uint64_t used;
  };
  std::size_t bound_;
  std::mutex mutex_;
  std::map<std::string, Item, std::less<>> items_;
  std::uint64_t clock_ = 0;
};

}  // namespace kith::storage
