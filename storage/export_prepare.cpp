// Where a fetch goes: finding, probing and making the staging.
#include <algorithm>

#include "storage/exporter.hpp"

namespace kith::storage {
namespace {

// Left free, so that a fetch does not fill a file system to its last byte.
constexpr std::uint64_t kSpaceMargin = 1024 * 1024;
constexpr std::uint32_t kProbeMode = 0710;  // FAT and its like show something else

// `what` takes `needed` bytes: is there room for them?
Result<void> check_fits(const FileSystemInfo& system, const ExportTarget& target, const char* what,
                        std::uint64_t needed) {
  const std::uint64_t stays = std::max(kSpaceMargin, reserve_of(system, target.min_free));
  if (system.free_bytes >= stays && system.free_bytes - stays >= needed) return {};
  return local_error(Errc::kNoSpace,
                     std::string(what) + " has " + std::to_string(needed) + " bytes, and only " +
                         std::to_string(system.free_bytes) + " are free, of which " +
                         std::to_string(stays) + " are to stay so",
                     target.directory, "make room, or choose another directory with -o");
}

Error over_quota(const std::string& path, std::uint64_t needed, std::uint64_t room) {
  return local_error(Errc::kNoSpace,
                     "the share has " + std::to_string(needed) +
                         " bytes, and the quota has room for " + std::to_string(room) + ": " +
                         std::to_string(needed - room) + " are missing",
                     path,
                     "'kith unshare' and 'kith cancel' take copies and fetches out of the count; "
                     "'kith quota SIZE' raises it");
}

// Calls of the seam name entries of the directory; people are told the path.
Error located(Error error, const std::string& directory) {
  if (!error.subject.starts_with('/')) {
    error.subject =
        error.subject.empty() ? directory : join_native(directory, std::move(error.subject));
  }
  return error;
}

std::string swap_case(std::string_view name) {
  std::string out(name);
  for (char& c : out) {
    if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
  }
  return out;
}

}  // namespace

Result<std::optional<Handle>> lock_staging(FileIo& io, const Dir& parent, std::string_view name) {
  KITH_TRY(const FileInfo info, io.stat_at(parent, name));
  const bool is_dir = info.kind == NodeKind::kDirectory;
  if (!is_dir && info.kind != NodeKind::kFile) {
    return local_error(Errc::kRefused, "something is in the way of the staging", std::string(name),
                       "remove it");
  }
  const std::uint32_t mode = is_dir ? 0700 : 0600;
  if ((info.mode & mode) != mode) KITH_CHECK(io.set_mode_at(parent, name, mode));
  Handle handle;
  if (is_dir) {
    KITH_TRY(handle, io.open_dir(parent, name));
  } else {
    KITH_TRY(handle, io.open_file(parent, name, OpenMode::kReadWrite));
  }
  KITH_TRY(const bool locked, io.try_lock(handle));
  return locked ? std::optional(std::move(handle)) : std::nullopt;
}

class ExportPreparation {
 public:
  ExportPreparation(FileIo& io, const Root& root, const ShareId& share, ExportTarget target)
      : io_(io), root_(root), target_(std::move(target)) {
    if (target_.name.empty()) target_.name = root.name;
    staging_ = staging_name(target_.name, share, target_.owner);
    path_ = join_native(target_.directory, target_.name);
  }

  Result<PreparedExport> run(bool name_given, StagedRoot recorded) {
    if (!name_given && target_.name.starts_with('.')) {
      return local_error(Errc::kRefused, "the share's name begins with a dot", path_,
                         "choose a name with --as");
    }
    KITH_CHECK(open_parent(target_.unattended && recorded != StagedRoot{}));
    KITH_TRY(const FileSystemInfo system, io_.file_system(parent_));
    KITH_CHECK(check_final_name(target_.name, system.name_max));
    if (recorded != StagedRoot{}) {
      KITH_TRY(auto earlier, take_up(recorded));
      if (earlier) return std::move(*earlier);
    }
    KITH_TRY(const bool exists, is_there(target_.name));
    const bool replaces = target_.replace && !target_.compare_first;
    if (exists && !replaces) return result(PreparedExport::State::kExists);
    // How much a part takes nobody knows before its pages are here; then check_rest() is asked.
    const std::uint64_t needed = target_.part.empty() ? root_.totals.bytes : 0;
    if (needed > target_.room) return over_quota(path_, needed, target_.room);
    KITH_CHECK(check_fits(system, target_, "the share", needed));
    KITH_CHECK(remove_leftover());
    KITH_CHECK(make_staging());
    return fresh();
  }

 private:
  Result<void> open_parent(bool was_there) {
    auto opened =
        was_there ? io_.open_root(target_.directory) : open_or_make_root(io_, target_.directory);
    if (!opened && was_there && opened.error().code == Errc::kNotFound) {
      return local_error(Errc::kConflict, "the directory that was fetched into is not here",
                         target_.directory,
                         "move it back, or 'kith cancel' the fetch to begin anew");
    }
    if (!opened) {
      Error error = std::move(opened).error();
      if (error.hint.empty()) error.hint = "-o names the directory to fetch into";
      return error;
    }
    parent_ = std::move(*opened);
    return {};
  }

  PreparedExport result(PreparedExport::State state) { return {state, path_, nullptr}; }

  Result<bool> is_there(std::string_view name) {
    const auto info = io_.stat_at(parent_, name);
    if (info) return true;
    if (info.error().code == Errc::kNotFound) return false;
    return info.error();
  }

  // 0, 0: nothing is there.
  Result<StagedRoot> identity_of(std::string_view name) {
    KITH_TRY(const bool exists, is_there(name));
    if (!exists) return StagedRoot{};
    KITH_TRY(const FileInfo info, io_.stat_at(parent_, name));
    return StagedRoot{info.dev, info.inode};
  }

  Result<bool> is_at(std::string_view name, StagedRoot recorded) {
    KITH_TRY(const auto there, identity_of(name));
    return there == recorded;
  }

  // What became of the staging of an earlier run; nothing: it is lost.
  Result<std::optional<PreparedExport>> take_up(StagedRoot recorded) {
    // Disks get other numbers when they are attached anew. The name of a staging holds the share's
    // id, so its inode says enough.
    KITH_TRY(const auto there, identity_of(staging_));
    if (there.inode == recorded.inode) {
      KITH_TRY(auto exporter, open_staging());
      KITH_CHECK(exporter->check_rest());
      PreparedExport out = result(PreparedExport::State::kResumed);
      out.exporter = std::move(exporter);
      return std::optional(std::move(out));
    }
    KITH_TRY(const bool same, is_at(target_.name, recorded));
    const bool renamed = same && target_.finished;
    KITH_TRY(const FileInfo parent, io_.stat(parent_));
    if (!renamed && parent.dev != recorded.dev) {
      return local_error(Errc::kConflict, "what was fetched so far is on a disk that is not here",
                         path_, "mount it; or give it up with 'kith cancel'");
    }
    if (!renamed) return std::optional<PreparedExport>();
    // An exchange puts what was replaced under the name of the staging.
    if (target_.replace) KITH_CHECK(remove_tree(io_, parent_, staging_));
    KITH_CHECK(io_.sync(parent_));
    return std::optional(result(PreparedExport::State::kPublished));
  }

  // A staging of this owner that the catalog does not know: of a run that was killed before it was
  // recorded.
  Result<void> remove_leftover() {
    KITH_TRY(const bool exists, is_there(staging_));
    if (!exists) return {};
    KITH_TRY(const Handle lock, lock_staging());
    return remove_tree(io_, parent_, staging_);
  }

  Result<Handle> lock_staging() {
    KITH_TRY(auto locked, storage::lock_staging(io_, parent_, staging_));
    if (locked) return std::move(*locked);
    return local_error(Errc::kConflict, "another kith is fetching to the same place", path_,
                       "wait for it, or choose another directory with -o");
  }

  Result<void> make_staging() {
    if (!root_.single_file) return io_.make_dir(parent_, staging_, 0700);
    auto file = io_.open_file(parent_, staging_, OpenMode::kCreate, 0600);
    if (!file) return std::move(file).error();
    return {};
  }

  Result<std::unique_ptr<Exporter>> open_staging() {
    KITH_TRY(Handle lock, lock_staging());
    KITH_TRY(const FileInfo info, io_.stat(lock));
    const NodeKind expected = root_.single_file ? NodeKind::kFile : NodeKind::kDirectory;
    if (info.kind != expected || (root_.single_file && info.links != 1)) {
      return local_error(Errc::kRefused, "the staging is not what was put there",
                         join_native(target_.directory, staging_), "remove it");
    }
    KITH_TRY(Dir parent, io_.open_dir(parent_, ""));
    KITH_TRY(Dir top, io_.open_dir(parent_, root_.single_file ? "" : staging_));
    std::unique_ptr<Exporter> exporter(new Exporter(
        io_, root_, target_, staging_, std::move(parent), std::move(top), {info.dev, info.inode}));
    exporter->lock_ = std::move(lock);
    KITH_TRY(exporter->folds_case_, is_at(swap_case(staging_), exporter->staged_));
    return exporter;
  }

  Result<PreparedExport> fresh() {
    PreparedExport out = result(PreparedExport::State::kFresh);
    KITH_TRY(out.exporter, open_staging());
    out.exporter->dirty_.add_directory("");
    if (auto probed = probe(*out.exporter); !probed) {
      (void)out.exporter->discard();
      return std::move(probed).error();
    }
    return out;
  }

  Result<void> probe(Exporter& exporter) {
    KITH_CHECK(io_.set_mode(exporter.lock_, kProbeMode));
    KITH_TRY(const FileInfo info, io_.stat(exporter.lock_));
    KITH_CHECK(io_.set_mode(exporter.lock_, root_.single_file ? 0600 : 0700));
    if (info.mode != kProbeMode) {
      return local_error(Errc::kUnsupported, "the file system does not keep permissions",
                         target_.directory, "choose a directory on another one with -o");
    }
    if (root_.totals.symlinks == 0) return {};
    auto made = io_.make_symlink(exporter.files_.top(), "probe", "probe");
    if (made) {
      KITH_CHECK(io_.remove_file(exporter.files_.top(), "probe"));
      // Or a crash would bring it back, as something that does not belong there.
      return io_.sync(exporter.files_.top());
    }
    if (made.error().code != Errc::kUnsupported) return made;
    return local_error(Errc::kUnsupported,
                       "the share has symbolic links, and the file system does not",
                       target_.directory, "choose a directory on another one with -o");
  }

  FileIo& io_;
  const Root& root_;
  ExportTarget target_;
  std::string staging_;
  std::string path_;
  Dir parent_;
};

// Looking at what is there already takes long where that are many files.
Result<void> Exporter::check_rest() const {
  KITH_TRY(const FileSystemInfo system, io_->file_system(parent_));
  if (check_fits(system, target_, "", bytes_)) return {};
  KITH_TRY(const std::uint64_t needed, rest());
  return check_fits(system, target_, "what is still to come", needed);
}

Result<PreparedExport> prepare_export(FileIo& io, const Root& root, const ShareId& share,
                                      ExportTarget target, StagedRoot recorded) {
  const bool name_given = !target.name.empty();
  const std::string directory = target.directory;
  auto prepared = ExportPreparation(io, root, share, std::move(target)).run(name_given, recorded);
  if (!prepared) return located(std::move(prepared).error(), directory);
  return prepared;
}

}  // namespace kith::storage
