#include "storage/compare.hpp"

#include "proto/crypto/content_cipher.hpp"
#include "storage/chunk_reader.hpp"

namespace kith::storage {
namespace {

class CompareVisitor final : public ManifestVisitor {
 public:
  CompareVisitor(CopyFiles& files, SlabPool& pool, const Root& root, const Comparison& how)
      : files_(files), io_(files.io()), pool_(pool), root_(root), how_(how) {}

  [[nodiscard]] std::optional<Difference>& difference() { return difference_; }

  Result<void> enter_directory(const Entry&) override { return {}; }

  Result<void> leave_directory(const Entry& directory, std::uint64_t children) override {
    const auto dir = files_.dir(directory.path);
    if (!dir) return different(directory, "is no directory that can be opened");
    const auto info = io_.stat(**dir);
    const auto items = io_.list(**dir);
    if (!info || !items) return different(directory, "cannot be read");
    if (items->size() != children) return different(directory, "holds other names");
    return expect_meta(directory, *info);
  }

  Result<void> file(const Entry& file) override {
    const SplitPath place = files_.place(file.path);
    const auto dir = files_.dir(place.parent);
    if (!dir) return different(file, "is missing");
    const auto info = io_.stat_at(**dir, place.name);
    if (!info) return different(file, "is missing");
    if (info->kind != NodeKind::kFile) return different(file, "is no file");
    if (info->size != file.size) return different(file, "has another size");
    return expect_meta(file, *info);
  }

  Result<bool> symlink(const Entry& link) override {
    const SplitPath place = files_.place(link.path);
    const auto dir = files_.dir(place.parent);
    if (!dir) return different(link, "is missing");
    const auto target = io_.read_link(**dir, place.name);
    const bool absent = !target && target.error().code == Errc::kNotFound;
    if (absent && how_.safe_links && !symlink_stays_inside(link.path, link.target)) return false;
    if (!target || *target != link.target) return different(link, "is no link to the same target");
    return true;
  }

  Result<void> end_page(std::uint32_t number, const Page& page) override {
    const PageLayout layout(page);
    std::shared_ptr<const PageStats> stats;
    if (!how_.part.empty() && how_.recorded) {
      KITH_TRY(stats, how_.recorded(number));
    }
    for (std::uint32_t row = 0; row < page.rows.size(); ++row) {
      const bool goes_on = row == 0 && root_.pages[number].shares_first;
      if (!goes_on) KITH_CHECK(check_open_chunk());
      open_row_ = page.rows[row];
      append_stretches(page, layout, row, stats.get(), open_);
    }
    return {};
  }

  // The last row that was met may go on in the next page.
  Result<void> check_open_chunk() {
    if (open_row_.length == 0) return {};
    const std::size_t all = open_.size();
    std::erase_if(open_, [&](const Stretch& s) { return !how_.part.takes(s.path, false); });
    if (open_.size() < all) return check_part();
    auto chunk = read_chunk(files_, pool_, open_, 0, open_row_.length);
    if (chunk) chunk_cipher(open_row_.key, 0, chunk->data);
    const bool same = chunk && chunk_id(chunk->data) == open_row_.id;
    if (!same) {
      const bool one = open_.size() == 1;
      return different(open_.front().path,
                       one ? "has other bytes" : "or a file behind it has other bytes");
    }
    return close_chunk();
  }

 private:
  Result<void> close_chunk() {
    open_.clear();
    open_row_ = {};
    return {};
  }

  Result<void> check_part() {
    if (const auto changed = first_changed(files_, open_)) {
      return different(*changed, "is not known to have the share's bytes");
    }
    return close_chunk();
  }

  // Ends the walk; differs_from_share() knows that this is no error.
  Error different(const std::string& path, std::string what) {
    difference_ = Difference{path, std::move(what)};
    return local_error(Errc::kChanged, "differs from the share");
  }
  Error different(const Entry& entry, std::string what) {
    return different(entry.path, std::move(what));
  }
  Result<void> expect_meta(const Entry& entry, const FileInfo& info) {
    if (info.mode != entry.mode) return different(entry, "has another mode");
    if (info.mtime_ns != entry.mtime_ns) return different(entry, "has another modification time");
    return {};
  }

  CopyFiles& files_;
  FileIo& io_;
  SlabPool& pool_;
  const Root& root_;
  const Comparison& how_;
  std::optional<Difference> difference_;
  std::vector<Stretch> open_;
  ChunkRow open_row_;
};

}  // namespace

Result<std::optional<Difference>> differs_from_share(CopyFiles& files, SlabPool& pool,
                                                     const Root& root, const PageSource& pages,
                                                     const Comparison& how) {
  CompareVisitor visitor(files, pool, root, how);
  auto walked = walk_manifest(root, pages, how.part, visitor);
  if (walked) walked = visitor.check_open_chunk();
  if (visitor.difference()) return std::move(visitor.difference());
  if (!walked) return std::move(walked).error();
  return std::optional<Difference>();
}

}  // namespace kith::storage
