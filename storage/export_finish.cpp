// The end of a fetch: the staging is brought to exactly what the manifest says, or refused.
#include <algorithm>

#include "storage/exporter.hpp"

namespace kith::storage {

class FinishVisitor final : public ManifestVisitor {
 public:
  FinishVisitor(Exporter& exporter, UnixMillis recorded_at, const Exporter::StatsSink& sink)
      : exporter_(exporter), io_(*exporter.io_), sink_(sink), stats_{recorded_at, {}} {}

  Result<void> enter_directory(const Entry& directory) override {
    if (directory.path.empty()) return {};
    return named(enter(directory), directory);
  }
  Result<void> leave_directory(const Entry& directory, std::uint64_t children) override {
    return named(leave(directory, children), directory);
  }
  Result<void> file(const Entry& file) override { return named(settle(file), file); }
  Result<bool> symlink(const Entry& link) override {
    const bool outside = !symlink_stays_inside(link.path, link.target);
    if (outside) ++report_.links_outside;
    if (outside && exporter_.target_.safe_links) return false;
    KITH_CHECK(named(make_link(link), link));
    return true;
  }
  Result<void> end_page(std::uint32_t number, const Page&) override {
    KITH_CHECK(sink_(number, stats_.encode()));
    stats_.files.clear();
    return {};
  }
  [[nodiscard]] const Exporter::Finished& report() const { return report_; }

 private:
  Result<void> named(Result<void> result, const Entry& entry) const {
    if (result) return result;
    Error error = std::move(result).error();
    const std::string staging = join_native(exporter_.target_.directory, exporter_.staging_name_);
    const bool is_top = entry.path.empty() || exporter_.files_.is_single();
    error.subject = is_top ? staging : join_native(staging, entry.path);
    return error;
  }

  static Error not_as_written() {
    return local_error(Errc::kChanged, "is not there as it was written", {},
                       "the next fetch repairs it");
  }

  Result<void> enter(const Entry& directory) {
    const SplitPath place = exporter_.files_.place(directory.path);
    KITH_TRY(const auto parent, exporter_.parent_of(place.parent));
    KITH_TRY(const bool is_new, ensure_dir(io_, *parent, place.name));
    if (is_new) exporter_.dirty_.add_directory(place.parent);
    return {};
  }

  // Its time goes last: everything before would change it.
  Result<void> leave(const Entry& directory, std::uint64_t children) {
    KITH_TRY(const auto dir, exporter_.files_.dir(directory.path));
    KITH_TRY(const auto items, io_.list(*dir));
    if (items.size() != children) {
      return local_error(Errc::kUnsupported,
                         "the staging holds other entries than the share: names that the file "
                         "system takes for one, or something that was put there",
                         {}, "remove what does not belong there, or choose another directory");
    }
    KITH_TRY(const FileInfo info, io_.stat(*dir));
    if (info.mode != directory.mode) KITH_CHECK(io_.set_mode(*dir, directory.mode));
    if (info.mtime_ns != directory.mtime_ns) KITH_CHECK(io_.set_mtime(*dir, directory.mtime_ns));
    exporter_.dirty_.add_directory(directory.path);
    return {};
  }

  Result<void> settle(const Entry& entry) {
    const SplitPath place = exporter_.files_.place(entry.path);
    if (place.parent != parent_path_ || !parent_) {
      KITH_TRY(parent_, exporter_.files_.dir(place.parent));
      parent_path_ = place.parent;
    }
    auto info = io_.stat_at(*parent_, place.name);
    if (!info && info.error().code == Errc::kNotFound && entry.size == 0) {
      KITH_TRY(const File made, io_.open_file(*parent_, place.name, OpenMode::kCreate, 0600));
      exporter_.dirty_.add_directory(place.parent);
      info = io_.stat(made);
    }
    if (!info) return std::move(info).error();
    const bool ours = info->kind == NodeKind::kFile && info->links == 1;
    if (!ours || info->size != entry.size) return not_as_written();
    if (info->mtime_ns != entry.mtime_ns || info->mode != entry.mode) {
      if (info->mtime_ns != entry.mtime_ns) {
        KITH_CHECK(io_.set_mtime_at(*parent_, place.name, entry.mtime_ns));
      }
      if (info->mode != entry.mode) {
        KITH_CHECK(io_.set_mode_at(*parent_, place.name, entry.mode));
      }
      exporter_.dirty_.add_file(entry.path);
      info = io_.stat_at(*parent_, place.name);
      if (!info) return std::move(info).error();
    }
    stats_.files.push_back(FileStat::of(*info));
    return {};
  }

  Result<void> make_link(const Entry& link) {
    const SplitPath place = exporter_.files_.place(link.path);
    KITH_TRY(const auto parent, exporter_.files_.dir(place.parent));
    auto made = io_.make_symlink(*parent, place.name, link.target);
    if (!made && made.error().code == Errc::kExists) {
      const auto target = io_.read_link(*parent, place.name);
      if (!target || *target != link.target) return not_as_written();
    } else if (!made) {
      return made;
    }
    exporter_.dirty_.add_directory(place.parent);
    return io_.set_mtime_at(*parent, place.name, link.mtime_ns);
  }

  Exporter& exporter_;
  FileIo& io_;
  const Exporter::StatsSink& sink_;
  PageStats stats_;
  Exporter::Finished report_;
  std::shared_ptr<Dir> parent_;
  std::string parent_path_;
};

Result<Exporter::Finished> Exporter::finish(const PageSource& pages, UnixMillis recorded_at,
                                            const StatsSink& sink) {
  files_.forget_open();
  FinishVisitor visitor(*this, recorded_at, sink);
  KITH_CHECK(walk_manifest(root_, pages, visitor));
  return visitor.report();
}

}  // namespace kith::storage
