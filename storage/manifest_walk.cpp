#include "storage/manifest_walk.hpp"

#include <vector>

namespace kith::storage {
namespace {

struct OpenDirectory {
  Entry entry;
  std::uint64_t children = 0;
};

bool holds(std::string_view directory, std::string_view path) {
  return directory.empty() || (path.size() > directory.size() && path.starts_with(directory) &&
                               path[directory.size()] == '/');
}

class Walk {
 public:
  explicit Walk(ManifestVisitor& visitor) : visitor_(visitor) {}

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
    bool counts = entry.offset == 0;
    if (entry.kind == EntryKind::kDirectory) {
      KITH_CHECK(visitor_.enter_directory(entry));
    } else if (entry.kind == EntryKind::kFile) {
      KITH_CHECK(visitor_.file(entry));
    } else {
      KITH_TRY(counts, visitor_.symlink(entry));
    }
    if (counts && !open_.empty()) ++open_.back().children;
    if (entry.kind == EntryKind::kDirectory) open_.push_back({entry, 0});
    return {};
  }

  Result<void> leave_until_parent_of(std::string_view path) {
    while (!open_.empty() && !holds(open_.back().entry.path, path)) KITH_CHECK(leave());
    return {};
  }

  Result<void> leave() {
    const OpenDirectory directory = std::move(open_.back());
    open_.pop_back();
    return visitor_.leave_directory(directory.entry, directory.children);
  }

  ManifestVisitor& visitor_;
  std::vector<OpenDirectory> open_;
};

}  // namespace

Result<void> walk_manifest(const Root& root, const PageSource& pages, ManifestVisitor& visitor) {
  ManifestChecker checker(root);
  Walk walk(visitor);
  for (std::uint32_t number = 0; number < root.pages.size(); ++number) {
    KITH_TRY(const Page page, pages(number));
    KITH_CHECK(checker.add(page));
    KITH_CHECK(walk.page(page));
    KITH_CHECK(visitor.end_page(number, page));
  }
  KITH_CHECK(checker.finish());
  return walk.end();
}

}  // namespace kith::storage
