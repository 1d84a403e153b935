// Goes through a whole manifest once, page by page in order, with ManifestChecker, and tells a
// visitor what it meets: each directory before and after what it holds. Memory: one page and the
// open directories.
#pragma once

#include <functional>
#include <string>

#include "proto/content/manifest.hpp"
#include "proto/result.hpp"
#include "storage/path_globs.hpp"

namespace kith::storage {

/// Page number i of a share, decoded. Comes from the catalog; an error ends the walk.
using PageSource = std::function<Result<Page>(std::uint32_t)>;

class ManifestVisitor {
 public:
  virtual ~ManifestVisitor() = default;
  /// Before the entries of a page.
  virtual void begin_page(const Page&) {}
  /// The path of the top of a tree is "". Of a part: also a directory that only holds something of
  /// it, when the first such thing is met.
  [[nodiscard]] virtual Result<void> enter_directory(const Entry& directory) = 0;
  /// After everything in it; `children` is the number of its own entries that were counted.
  [[nodiscard]] virtual Result<void> leave_directory(const Entry& directory,
                                                     std::uint64_t children) = 0;
  /// A file that crosses pages comes once per page, with its offset there.
  [[nodiscard]] virtual Result<void> file(const Entry& file) = 0;
  /// A file that the part does not take; as file().
  [[nodiscard]] virtual Result<void> left_out(const Entry&) { return {}; }
  /// False: left out, and not counted.
  [[nodiscard]] virtual Result<bool> symlink(const Entry& link) = 0;
  /// After the entries of a page, before anything of the next one.
  [[nodiscard]] virtual Result<void> end_page(std::uint32_t number, const Page& page) = 0;
};

/// With `part` only what it takes is met, and the directories on the way there; the top of a tree
/// is always met. Blame peer where the manifest contradicts itself; else the visitor's error.
[[nodiscard]] Result<void> walk_manifest(const Root& root, const PageSource& pages,
                                         const PathGlobs& part, ManifestVisitor& visitor);

}  // namespace kith::storage
