// Where the entries of one copy lie: beneath an open directory, the top of a tree, or, for the
// share of a single file, as one name in it. Opens what lies beneath without following symlinks,
// and keeps the last directories and large files open. Any thread.
#pragma once

#include <algorithm>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>

#include "proto/result.hpp"
#include "storage/file_io.hpp"
#include "storage/open_cache.hpp"
#include "storage/path_policy.hpp"

namespace kith::storage {

class CopyFiles {
 public:
  /// `single`: the name of the one file in `top`; empty for a tree, whose top directory `top` is.
  CopyFiles(FileIo& io, Dir top, std::string single);
  /// Of a complete copy at `path`.
  [[nodiscard]] static Result<std::unique_ptr<CopyFiles>> open(FileIo& io, const std::string& path,
                                                               bool single_file);

  [[nodiscard]] FileIo& io() const { return *io_; }
  [[nodiscard]] const Dir& top() const { return top_; }
  [[nodiscard]] bool is_single() const { return !single_.empty(); }
  /// Directory and name of an entry of the share.
  [[nodiscard]] SplitPath place(std::string_view entry_path) const;

  /// An existing directory, by its path from the top.
  [[nodiscard]] Result<std::shared_ptr<Dir>> dir(std::string_view path);
  /// The same, made with all its parents where missing (0700). `made(path)` is called with the path
  /// of each directory that got a new entry so.
  template <class F>
  [[nodiscard]] Result<std::shared_ptr<Dir>> make_dirs(std::string_view path, F&& made);

  /// Large files that are open to be written, and to be read. Not one set: what was opened to be
  /// read cannot be written.
  [[nodiscard]] OpenCache<File>& writers() { return writers_; }
  [[nodiscard]] OpenCache<File>& readers() { return readers_; }
  void forget_open();

 private:
  // An interrupted finish may have given a directory its final mode already.
  [[nodiscard]] Result<void> make_writable(const Dir& dir);

  FileIo* io_;
  Dir top_;
  std::string single_;
  std::mutex making_;
  OpenCache<Dir> dirs_;
  OpenCache<File> writers_;
  OpenCache<File> readers_;
};

/// Makes `name` as a directory (0700) that we can enter; true if it is new. An existing one is made
/// enterable: an interrupted finish may have given it its final mode already. kRefused if something
/// else is in the way.
[[nodiscard]] Result<bool> ensure_dir(FileIo& io, const Dir& at, std::string_view name);

/// Removes a file, a symlink, or a directory with all that it holds; nothing there is no error.
[[nodiscard]] Result<void> remove_tree(FileIo& io, const Dir& at, std::string_view name);

/// The directory that the user named, made with its parents where missing, and synced.
[[nodiscard]] Result<Dir> open_or_make_root(FileIo& io, const std::string& path);

template <class F>
Result<std::shared_ptr<Dir>> CopyFiles::make_dirs(std::string_view path, F&& made) {
  if (auto open = dirs_.find(path)) return open;
  // Whoever finds a directory also finds that its maker has reported it.
  const std::lock_guard lock(making_);
  if (auto existing = dir(path)) {
    KITH_CHECK(make_writable(**existing));
    return existing;
  }
  KITH_TRY(Dir at, io_->open_dir(top_, ""));
  std::size_t begin = 0;
  while (begin < path.size()) {
    const std::size_t slash = std::min(path.find('/', begin), path.size());
    const std::string_view name = path.substr(begin, slash - begin);
    KITH_TRY(const bool is_new, ensure_dir(*io_, at, name));
    if (is_new) made(path.substr(0, begin == 0 ? 0 : begin - 1));
    KITH_TRY(at, io_->open_dir(at, name));
    begin = slash + 1;
  }
  return dirs_.put(path, std::move(at));
}

}  // namespace kith::storage
