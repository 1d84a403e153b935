// What a crash leaves of a MemoryFileIo.
#include <algorithm>
#include <set>

#include "proto/assert.hpp"
#include "storage/memory_file_io.hpp"

namespace kith::storage {
namespace {

constexpr std::size_t kDiskBlock = 4096;

// splitmix64 (Steele, Lea, Flood 2014): enough to choose what survives, and free of libraries.
class Choice {
 public:
  explicit Choice(std::uint64_t seed) : state_(seed), nothing_(seed == 0) {}
  // Uniform in [0, n]; 0 for seed 0.
  std::size_t up_to(std::size_t n) {
    return nothing_ ? 0 : static_cast<std::size_t>(next() % (n + 1));
  }
  bool kept() { return up_to(1) == 1; }

 private:
  std::uint64_t next() {
    state_ += 0x9e3779b97f4a7c15;
    std::uint64_t z = state_;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return z ^ (z >> 31);
  }
  std::uint64_t state_;
  bool nothing_;
};

Buffer torn(const Buffer& old_data, const Buffer& new_data, Choice& choice) {
  Buffer out(choice.kept() ? new_data.size() : old_data.size());
  for (std::size_t at = 0; at < out.size(); at += kDiskBlock) {
    const Buffer& from = choice.kept() ? new_data : old_data;
    const std::size_t end = std::min({at + kDiskBlock, out.size(), from.size()});
    if (at < end) {
      std::copy(from.begin() + static_cast<std::ptrdiff_t>(at),
                from.begin() + static_cast<std::ptrdiff_t>(end),
                out.begin() + static_cast<std::ptrdiff_t>(at));
    }
  }
  return out;
}

/// Nothing is promised of the order in which changes of a directory reach the disk, but for those
/// of one name.
template <class Changes>
Changes surviving(const Changes& changes, Choice& choice) {
  Changes out;
  std::set<std::string> lost;
  for (const auto& change : changes) {
    const bool hangs =
        std::ranges::any_of(change, [&](const auto& entry) { return lost.contains(entry.first); });
    if (!hangs && choice.kept()) {
      out.push_back(change);
    } else {
      for (const auto& [name, inode] : change) lost.insert(name);
    }
  }
  return out;
}

}  // namespace

void MemoryFileIo::restart(std::uint64_t seed) {
  const bool system = crashed_ == Crash::kSystem;
  KITH_ASSERT(!system || options_.remembers);
  for (const auto& [fd, inode] : open_) {
    --nodes_.at(inode).handles;
    nodes_.at(inode).locked_by = -1;
  }
  open_.clear();
  script_.clear();
  crashed_.reset();
  if (system) {
    lose_unsynced(seed);
    ++boots_;
  }
  drop_unreachable();
}

void MemoryFileIo::lose_unsynced(std::uint64_t seed) {
  Choice choice(seed);
  for (auto& [inode, node] : nodes_) {
    const std::vector<Change> changes = std::exchange(node.changes, {});
    node.children = node.durable_children;
    for (const Change& change : surviving(changes, choice)) apply(node, change);
    if (!choice.kept()) node.meta = node.durable_meta;
    if (node.data != node.durable_data && node.data) {
      const Buffer nothing;
      const Buffer& old_data = node.durable_data ? *node.durable_data : nothing;
      node.data = std::make_shared<Buffer>(torn(old_data, *node.data, choice));
    }
    // After the reboot what is there is on the disk.
    make_durable(node, true);
  }
}

// As long as the file is now, zeros where nothing was synced.
std::shared_ptr<Buffer> MemoryFileIo::synced_content(const Node& file) {
  Buffer content = file.durable_data ? *file.durable_data : Buffer();
  content.resize(file.data->size());
  return std::make_shared<Buffer>(std::move(content));
}

void MemoryFileIo::lose_content() {
  for (auto& [inode, node] : nodes_) {
    if (node.data && node.data != node.durable_data) node.data = synced_content(node);
  }
}

void MemoryFileIo::keep_names() {
  for (auto& [inode, node] : nodes_) {
    const auto content = node.data ? synced_content(node) : nullptr;
    const bool was_synced = node.data == node.durable_data;
    make_durable(node, true);
    if (!was_synced) node.durable_data = content;
  }
}

Result<void> MemoryFileIo::sync_outcome(std::string_view doing) {
  if (sync_error_ == 0) return {};
  lose_content();
  return io_error(std::exchange(sync_error_, 0), doing);
}

void MemoryFileIo::drop_unreachable() {
  std::map<Inode, std::uint32_t> links = {{kRootInode, 1}};
  std::vector<Inode> open_dirs = {kRootInode};
  while (!open_dirs.empty()) {
    const Inode at = open_dirs.back();
    open_dirs.pop_back();
    for (const auto& [name, inode] : nodes_.at(at).children) {
      if (++links[inode] == 1) open_dirs.push_back(inode);
    }
  }
  used_ = 0;
  std::erase_if(nodes_, [&](const auto& item) { return !links.contains(item.first); });
  for (auto& [inode, node] : nodes_) {
    node.links = links.at(inode);
    if (node.data) used_ += node.data->size();
  }
}

}  // namespace kith::storage
