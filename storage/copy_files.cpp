#include "storage/copy_files.hpp"

#include <vector>

namespace kith::storage {
namespace {

// Per copy. Small, since many copies may be served at once under one limit of descriptors.
constexpr std::size_t kOpenDirs = 32;
constexpr std::size_t kOpenFiles = 32;

// Removes the files of a directory, and appends the paths of the directories in it.
Result<void> empty_directory(FileIo& io, const Dir& top, const std::string& path,
                             std::vector<std::string>& directories) {
  KITH_TRY(const Dir dir, io.open_dir(top, path));
  KITH_TRY(const auto items, io.list(dir));
  for (const DirItem& item : items) {
    if (item.kind != NodeKind::kDirectory) {
      KITH_CHECK(io.remove_file(dir, item.name));
      continue;
    }
    KITH_CHECK(io.set_mode_at(dir, item.name, 0700));
    directories.push_back(path.empty() ? item.name : path + "/" + item.name);
  }
  return {};
}

}  // namespace

CopyFiles::CopyFiles(FileIo& io, Dir top, std::string single)
    : io_(&io),
      top_(std::move(top)),
      single_(std::move(single)),
      dirs_(kOpenDirs),
      writers_(kOpenFiles),
      readers_(kOpenFiles) {}

Result<std::unique_ptr<CopyFiles>> CopyFiles::open(FileIo& io, const std::string& path,
                                                   bool single_file) {
  const SplitPath native = split_native(path);
  KITH_TRY(Dir top, io.open_root(single_file ? std::string(native.parent) : path));
  return std::make_unique<CopyFiles>(io, std::move(top),
                                     single_file ? std::string(native.name) : std::string());
}

SplitPath CopyFiles::place(std::string_view entry_path) const {
  if (is_single()) return {"", single_};
  return split(entry_path);
}

Result<std::shared_ptr<Dir>> CopyFiles::dir(std::string_view path) {
  if (auto open = dirs_.find(path)) return open;
  KITH_TRY(Dir opened, io_->open_dir(top_, path));
  return dirs_.put(path, std::move(opened));
}

Result<void> CopyFiles::make_writable(const Dir& dir) {
  KITH_TRY(const FileInfo info, io_->stat(dir));
  if ((info.mode & 0700) == 0700 || is_single()) return {};
  return io_->set_mode(dir, 0700);
}

void CopyFiles::forget_open() {
  dirs_.clear();
  writers_.clear();
  readers_.clear();
}

Result<bool> ensure_dir(FileIo& io, const Dir& at, std::string_view name) {
  auto made = io.make_dir(at, name, 0700);
  if (made) return true;
  if (made.error().code != Errc::kExists) return std::move(made).error();
  KITH_TRY(const FileInfo info, io.stat_at(at, name));
  if (info.kind != NodeKind::kDirectory) {
    return local_error(Errc::kRefused, "something that is no directory is in the way",
                       std::string(name));
  }
  if ((info.mode & 0700) != 0700) KITH_CHECK(io.set_mode_at(at, name, 0700));
  return false;
}

Result<void> remove_tree(FileIo& io, const Dir& at, std::string_view name) {
  const auto info = io.stat_at(at, name);
  if (!info && info.error().code == Errc::kNotFound) return {};
  if (!info) return info.error();
  if (info->kind != NodeKind::kDirectory) return io.remove_file(at, name);
  if ((info->mode & 0700) != 0700) KITH_CHECK(io.set_mode_at(at, name, 0700));
  KITH_TRY(const Dir top, io.open_dir(at, name));
  // Without recursion: a directory is emptied of its files, and comes up again, empty, behind the
  // directories that it holds.
  std::vector<std::string> paths = {""};
  while (!paths.empty()) {
    const std::string path = paths.back();
    const std::size_t count = paths.size();
    KITH_CHECK(empty_directory(io, top, path, paths));
    if (paths.size() > count) continue;
    paths.pop_back();
    if (path.empty()) break;
    KITH_TRY(const Dir parent, io.open_dir(top, split(path).parent));
    KITH_CHECK(io.remove_dir(parent, split(path).name));
  }
  return io.remove_dir(at, name);
}

namespace {

// One in the other, the last of `names` in `at`.
Result<Dir> make_dirs(FileIo& io, Dir at, const std::vector<std::string>& names) {
  for (auto name = names.rbegin(); name != names.rend(); ++name) {
    const auto made = io.make_dir(at, *name, 0777);
    if (!made && made.error().code != Errc::kExists) return made.error();
    KITH_CHECK(io.sync(at));
    KITH_TRY(at, io.open_dir(at, *name));
  }
  return at;
}

}  // namespace

Result<Dir> open_or_make_root(FileIo& io, const std::string& path) {
  auto existing = io.open_root(path);
  if (existing || existing.error().code != Errc::kNotFound) return existing;
  // The longest prefix that is there, then one component after the other.
  std::vector<std::string> missing;
  std::string prefix = path;
  while (existing.has_error() && existing.error().code == Errc::kNotFound) {
    const SplitPath place = split_native(prefix);
    if (place.name.empty() || place.name == ".") return existing;
    missing.emplace_back(place.name);
    prefix = std::string(place.parent);
    existing = io.open_root(prefix);
  }
  if (!existing) return existing;
  auto made = make_dirs(io, std::move(*existing), missing);
  if (made) return made;
  Error error = std::move(made).error();
  error.subject = path;
  return error;
}

}  // namespace kith::storage
