// The end of a fetch: the staging is brought to exactly what the manifest says. What somebody else
// changed in it is found as far as sizes and times tell, and named, to be written again.
#include <algorithm>
#include <optional>
#include <span>

#include "storage/exporter.hpp"

namespace kith::storage {

namespace {

// So many files are worth while to be looked at beside others.
constexpr std::size_t kFilesPerPart = 256;

// The directory of the file before: neighbours in a manifest are often of one.
struct Parent {
  std::string path;
  std::shared_ptr<Dir> dir;

  Result<void> enter(CopyFiles& files, std::string_view directory) {
    if (dir && directory == path) return {};
    KITH_TRY(dir, files.dir(directory));
    path = directory;
    return {};
  }
};

}  // namespace

class FinishVisitor final : public ManifestVisitor {
 public:
  FinishVisitor(Exporter& exporter, UnixMillis recorded_at, const Exporter::StatsSink& sink,
                const Exporter::InParallel& in_parallel)
      : exporter_(exporter),
        io_(*exporter.io_),
        shape_(exporter.root_),
        sink_(sink),
        in_parallel_(in_parallel),
        stats_{recorded_at, {}} {}

  void begin_page(const Page& page) override { look_ahead(page); }
  Result<void> enter_directory(const Entry& directory) override {
    if (directory.path.empty()) return {};
    return named(enter(directory), directory);
  }
  Result<void> leave_directory(const Entry& directory, std::uint64_t children) override {
    return named(leave(directory, children), directory);
  }
  Result<void> file(const Entry& file) override { return named(look_at(file), file); }
  Result<void> left_out(const Entry&) override {
    stats_.files.push_back(FileStat());
    return {};
  }
  Result<bool> symlink(const Entry& link) override {
    const bool outside = !symlink_stays_inside(link.path, link.target);
    if (outside) ++report_.links_outside;
    if (outside && exporter_.target_.safe_links) return false;
    KITH_CHECK(named(make_link(link), link));
    return true;
  }
  Result<void> end_page(std::uint32_t number, const Page& page) override {
    if (!late_.empty()) KITH_CHECK(settle_late(number, page));
    KITH_CHECK(close_directories());
    KITH_CHECK(sink_(number, stats_.encode()));
    stats_.files.clear();
    return {};
  }
  /// Gives those that were left their modes and times.
  Result<void> close_directories() {
    for (const Left& left : left_) {
      if (auto closed = close(left); !closed) {
        Error error = std::move(closed).error();
        error.subject = path_of(left.path);
        return error;
      }
    }
    left_.clear();
    return {};
  }
  Exporter::Finished take_report() { return std::move(report_); }

 private:
  // A file that is not yet, or no more, what the manifest says.
  struct Late {
    std::size_t file = 0;          // of the files of its page
    std::optional<FileInfo> info;  // none: it is not there
  };

  // A file of the page, as it was found before it was met; nothing: it was not.
  struct Ahead {
    const Entry* entry = nullptr;
    std::optional<FileInfo> info;
  };

  // A directory of which everything was met.
  struct Left {
    std::string path;
    std::uint32_t mode = 0;
    std::int64_t mtime_ns = 0;
  };

  [[nodiscard]] std::string path_of(const std::string& path) const {
    const std::string staging = join_native(exporter_.target_.directory, exporter_.staging_name_);
    const bool is_top = path.empty() || exporter_.files_.is_single();
    return is_top ? staging : join_native(staging, path);
  }

  Result<void> named(Result<void> result, const Entry& entry) const {
    if (result) return result;
    Error error = std::move(result).error();
    error.subject = path_of(entry.path);
    return error;
  }

  Result<void> enter(const Entry& directory) {
    const SplitPath place = exporter_.files_.place(directory.path);
    KITH_TRY(const auto parent, exporter_.parent_of(place.parent));
    KITH_TRY(const bool is_new, ensure_dir(io_, *parent, place.name));
    if (is_new) exporter_.dirty_.add_directory(place.parent);
    return {};
  }

  // Its files are settled with their page, and a closed directory would not let anybody at them.
  Result<void> leave(const Entry& directory, std::uint64_t children) {
    KITH_TRY(const auto dir, exporter_.files_.dir(directory.path));
    KITH_TRY(const auto items, io_.list(*dir));
    if (items.size() != children && !lacks_files_) {
      return local_error(Errc::kUnsupported,
                         "the staging holds other entries than the share: names that the file "
                         "system takes for one, or something that was put there",
                         {}, "remove what does not belong there, or choose another directory");
    }
    left_.push_back({directory.path, directory.mode, directory.mtime_ns});
    return {};
  }

  // Its time goes last: everything before would change it.
  Result<void> close(const Left& left) {
    KITH_TRY(const auto dir, exporter_.files_.dir(left.path));
    KITH_TRY(const FileInfo info, io_.stat(*dir));
    if (info.mode != left.mode) KITH_CHECK(io_.set_mode(*dir, left.mode));
    if (info.mtime_ns != left.mtime_ns) KITH_CHECK(io_.set_mtime(*dir, left.mtime_ns));
    exporter_.dirty_.add_directory(left.path);
    return {};
  }

  // The files of a page, several at a time: nothing else at the end of a fetch takes as long. What
  // cannot be looked at yet, in a closed directory, is looked at when it is met.
  void look_ahead(const Page& page) {
    ahead_.clear();
    next_ahead_ = 0;
    for (const Entry& entry : page.entries) {
      const bool met =
          entry.kind == EntryKind::kFile && exporter_.target_.part.takes(entry.path, false);
      if (met) ahead_.push_back({&entry, std::nullopt});
    }
    if (!in_parallel_ || ahead_.size() < 2 * kFilesPerPart) return ahead_.clear();
    in_parallel_((ahead_.size() + kFilesPerPart - 1) / kFilesPerPart, [this](std::size_t part) {
      const auto rest = std::span(ahead_).subspan(part * kFilesPerPart);
      look_at_some(rest.first(std::min(kFilesPerPart, rest.size())));
    });
  }

  void look_at_some(std::span<Ahead> some) const {
    Parent parent;
    for (Ahead& ahead : some) {
      const SplitPath place = exporter_.files_.place(ahead.entry->path);
      if (!parent.enter(exporter_.files_, place.parent)) continue;
      auto info = io_.stat_at(*parent.dir, place.name);
      if (info) ahead.info = *info;
    }
  }

  Result<FileInfo> seen(const SplitPath& place) {
    if (next_ahead_ < ahead_.size()) {
      const Ahead& ahead = ahead_[next_ahead_++];
      if (ahead.info) return *ahead.info;
    }
    KITH_CHECK(parent_.enter(exporter_.files_, place.parent));
    return io_.stat_at(*parent_.dir, place.name);
  }

  Result<void> look_at(const Entry& entry) {
    const SplitPath place = exporter_.files_.place(entry.path);
    auto info = seen(place);
    if (!info && info.error().code != Errc::kNotFound) return std::move(info).error();
    if (entry.size == 0 && !(info && is_plain(*info, 0))) {
      KITH_TRY(info, make_empty(place, info.has_value()));
    }
    stats_.files.push_back(info ? FileStat::of(*info) : FileStat());
    const bool is_settled = info && is_plain(*info, entry.size) &&
                            info->mtime_ns == entry.mtime_ns && info->mode == entry.mode;
    if (is_settled) return {};
    lacks_files_ = lacks_files_ || !info;
    late_.push_back({stats_.files.size() - 1, info ? std::optional(*info) : std::nullopt});
    return {};
  }

  static bool is_plain(const FileInfo& info, std::uint64_t size) {
    return info.kind == NodeKind::kFile && info.links == 1 && info.size == size;
  }

  Result<FileInfo> make_empty(const SplitPath& place, bool in_the_way) {
    KITH_CHECK(parent_.enter(exporter_.files_, place.parent));
    if (in_the_way) KITH_CHECK(io_.remove_file(*parent_.dir, place.name));
    KITH_TRY(const File made, io_.open_file(*parent_.dir, place.name, OpenMode::kCreate, 0600));
    exporter_.dirty_.add_directory(place.parent);
    return io_.stat(made);
  }

  // Only the page tells which files one chunk held whole; those had their times from the beginning.
  Result<void> settle_late(std::uint32_t number, const Page& page) {
    const PageLayout layout(page);
    std::size_t file = 0;
    auto late = late_.begin();
    for (std::uint32_t i = 0; i < page.entries.size() && late != late_.end(); ++i) {
      if (page.entries[i].kind != EntryKind::kFile || file++ != late->file) continue;
      const Entry& entry = page.entries[i];
      auto altered = is_altered(page, layout, i, late->info);
      if (!altered) return named(std::move(altered).error(), entry);
      if (*altered) {
        note_altered(entry, shape_.first_chunk(number), layout.rows_of(page, i));
      } else {
        KITH_CHECK(named(settle(entry, *late->info, stats_.files[late->file]), entry));
      }
      ++late;
    }
    late_.clear();
    return {};
  }

  Result<bool> is_altered(const Page& page, const PageLayout& layout, std::uint32_t index,
                          const std::optional<FileInfo>& info) {
    const Entry& entry = page.entries[index];
    if (info && (info->kind != NodeKind::kFile || info->links != 1)) {
      // It may lead elsewhere, or be read and written under another name: it is not ours.
      KITH_CHECK(parent_.enter(exporter_.files_, exporter_.files_.place(entry.path).parent));
      KITH_CHECK(io_.remove_file(*parent_.dir, exporter_.files_.place(entry.path).name));
      lacks_files_ = true;
      return true;
    }
    if (!info || info->size != entry.size) return true;
    if (info->mtime_ns == entry.mtime_ns || !was_whole(page, layout, index)) return false;
    KITH_TRY(const std::int64_t kept, kept_time(entry.mtime_ns));
    return info->mtime_ns != kept;
  }

  bool was_whole(const Page& page, const PageLayout& layout, std::uint32_t index) const {
    const auto extents = layout.extents(page, layout.rows_of(page, index).first);
    return std::ranges::any_of(extents, [&](const Extent& extent) {
      return extent.entry == index && exporter_.is_whole(extent, page.entries[index]);
    });
  }

  // What the file system makes of a time: some keep them to 2 s. Tried on the top, which gets its
  // own last of all.
  Result<std::int64_t> kept_time(std::int64_t mtime_ns) {
    KITH_CHECK(io_.set_mtime(exporter_.files_.top(), mtime_ns));
    KITH_TRY(const FileInfo info, io_.stat(exporter_.files_.top()));
    return info.mtime_ns;
  }

  void note_altered(const Entry& entry, std::uint32_t first_chunk,
                    std::pair<std::uint32_t, std::uint32_t> rows) {
    if (report_.altered.empty()) report_.altered_path = path_of(entry.path);
    for (std::uint32_t row = rows.first; row < rows.second; ++row) {
      report_.altered.push_back(shape_.index_of_chunk(first_chunk + row));
    }
  }

  Result<void> settle(const Entry& entry, const FileInfo& info, FileStat& stat) {
    const SplitPath place = exporter_.files_.place(entry.path);
    KITH_CHECK(parent_.enter(exporter_.files_, place.parent));
    if (info.mtime_ns != entry.mtime_ns) {
      KITH_CHECK(io_.set_mtime_at(*parent_.dir, place.name, entry.mtime_ns));
    }
    if (info.mode != entry.mode) KITH_CHECK(io_.set_mode_at(*parent_.dir, place.name, entry.mode));
    exporter_.dirty_.add_file(entry.path);
    KITH_TRY(const FileInfo now, io_.stat_at(*parent_.dir, place.name));
    stat = FileStat::of(now);
    return {};
  }

  Result<void> make_link(const Entry& link) {
    const SplitPath place = exporter_.files_.place(link.path);
    KITH_TRY(const auto parent, exporter_.files_.dir(place.parent));
    auto made = io_.make_symlink(*parent, place.name, link.target);
    if (!made && made.error().code == Errc::kExists) {
      const auto target = io_.read_link(*parent, place.name);
      if (!target || *target != link.target) {
        KITH_CHECK(io_.remove_file(*parent, place.name));
        KITH_CHECK(io_.make_symlink(*parent, place.name, link.target));
      }
    } else if (!made) {
      return made;
    }
    exporter_.dirty_.add_directory(place.parent);
    return io_.set_mtime_at(*parent, place.name, link.mtime_ns);
  }

  Exporter& exporter_;
  FileIo& io_;
  const ShareShape shape_;
  const Exporter::StatsSink& sink_;
  const Exporter::InParallel& in_parallel_;
  PageStats stats_;
  std::vector<Left> left_;    // and not closed; what lies in another comes before that
  std::vector<Late> late_;    // of the page, in order
  std::vector<Ahead> ahead_;  // of the page, in order; empty if none were looked at
  std::size_t next_ahead_ = 0;
  bool lacks_files_ = false;  // directories hold less than they should
  Exporter::Finished report_;
  Parent parent_;
};

Result<Exporter::Finished> Exporter::finish(const PageSource& pages, UnixMillis recorded_at,
                                            const StatsSink& sink, const InParallel& in_parallel) {
  files_.forget_open();
  FinishVisitor visitor(*this, recorded_at, sink, in_parallel);
  KITH_CHECK(walk_manifest(root_, pages, target_.part, visitor));
  KITH_CHECK(visitor.close_directories());
  return visitor.take_report();
}

}  // namespace kith::storage
