// Walks a directory tree of this machine in the order of a manifest (compare_paths: a directory,
// then what it holds, names bytewise), without recursion. Memory: the names of one directory per
// level. One directory is open at a time, however deep the tree.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "proto/result.hpp"
#include "storage/file_io.hpp"
#include "storage/path_globs.hpp"

namespace kith::storage {

struct ScanItem {
  std::string path;  // from the top, any bytes
  NodeKind kind = NodeKind::kOther;
  [[nodiscard]] std::string_view name() const;
};

class TreeScan {
 public:
  TreeScan(FileIo& io, Dir top, PathGlobs exclude)
      : io_(&io), top_(std::move(top)), exclude_(std::move(exclude)) {}

  /// Goes into the top. Returns its attributes.
  [[nodiscard]] Result<FileInfo> enter_top();
  /// The next item, or nothing at the end. kChanged if a directory on the way vanished, which is
  /// then left.
  [[nodiscard]] Result<std::optional<ScanItem>> next();
  /// Goes into the directory that next() returned last, and returns its attributes. Where it is not
  /// called, what that directory holds is left out.
  [[nodiscard]] Result<FileInfo> enter(const ScanItem& item);
  /// The directory in which the item lies that next() returned last.
  [[nodiscard]] const Dir& dir() const { return dir_; }
  [[nodiscard]] const Dir& top() const { return top_; }

 private:
  struct Level {
    std::string path;
    std::vector<DirItem> names;  // still to come, the next one last
  };
  [[nodiscard]] Result<FileInfo> push(Dir dir, std::string path);

  FileIo* io_;
  Dir top_;
  PathGlobs exclude_;
  std::vector<Level> levels_;
  Dir dir_;  // of levels_.back(), or closed
};

/// What an import of `source` would read, for its progress: the sizes of all files, by a walk of
/// its own. What cannot be looked at counts as nothing. `stopped` is asked again and again; once it
/// is true, the answer is nothing.
[[nodiscard]] std::optional<std::uint64_t> content_bytes(FileIo& io, const std::string& source,
                                                         PathGlobs exclude,
                                                         const std::function<bool()>& stopped);

}  // namespace kith::storage
