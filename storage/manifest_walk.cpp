#include "storage/manifest_walk.hpp"

#include <utility>
#include <vector>

namespace kith::storage {
namespace {

struct OpenDirectory {
  Entry entry;
  std::uint64_t children = 0;
  bool met = false;  // the visitor knows it
};

bool holds(std::string_view directory, std::string_view path) {
  return directory.empty() || (path.size() > directory.size() && path.starts_with(directory) &&
                               path[directory.size()] == '/');
}

class Walk {
 public:
  Walk(const PathGlobs& part, ManifestVisitor& visitor) : part_(part), visitor_(visitor) {}

  Result<void> page(const Page& page) {
    for (const Entry& entry : page.entries) {
      KITH_CHECK(leave_until_parent_of(entry.path));
      KITH_CHECK(visit(entry));
    }
    return {};
  }

  Result<void> end() {
    while (!open_.empty()) KITH_CHECK(leave());
    return {};
  }

 private:
  Result<void> visit(const Entry& entry) {
    const bool is_directory = entry.kind == EntryKind::kDirectory;
    const bool taken =
        (is_directory && entry.path.empty()) || part_.takes(entry.path, is_directory);
    if (is_directory) {
      open_.push_back({entry});
      return taken ? meet_directories() : Result<void>();
    }
    if (!taken) return entry.kind == EntryKind::kFile ? visitor_.left_out(entry) : Result<void>();
    KITH_CHECK(meet_directories());
    bool counts = entry.offset == 0;
    if (entry.kind == EntryKind::kFile) {
      KITH_CHECK(visitor_.file(entry));
    } else {
      KITH_TRY(counts, visitor_.symlink(entry));
    }
    if (counts && !open_.empty()) ++open_.back().children;
    return {};
  }

  // Those on the way to what is taken, from the top down.
  Result<void> meet_directories() {
    for (std::size_t i = 0; i < open_.size(); ++i) {
      if (std::exchange(open_[i].met, true)) continue;
      KITH_CHECK(visitor_.enter_directory(open_[i].entry));
      if (i > 0) ++open_[i - 1].children;
    }
    return {};
  }

  Result<void> leave_until_parent_of(std::string_view path) {
    while (!open_.empty() && !holds(open_.back().entry.path, path)) KITH_CHECK(leave());
    return {};
  }

  Result<void> leave() {
    const OpenDirectory directory = std::move(open_.back());
    open_.pop_back();
    if (!directory.met) return {};
    return visitor_.leave_directory(directory.entry, directory.children);
  }

  const PathGlobs& part_;
  ManifestVisitor& visitor_;
  std::vector<OpenDirectory> open_;
};

}  // namespace

Result<void> walk_manifest(const Root& root, const PageSource& pages, const PathGlobs& part,
                           ManifestVisitor& visitor) {
  ManifestChecker checker(root);
  Walk walk(part, visitor);
  for (std::uint32_t number = 0; number < root.pages.size(); ++number) {
    KITH_TRY(const Page page, pages(number));
    KITH_CHECK(checker.add(page));
    visitor.begin_page(page);
    KITH_CHECK(walk.page(page));
    KITH_CHECK(visitor.end_page(number, page));
  }
  KITH_CHECK(checker.finish());
  return walk.end();
}

}  // namespace kith::storage
