#include "storage/compare.hpp"

#include "proto/crypto/content_cipher.hpp"
#include "storage/chunk_reader.hpp"

namespace kith::storage {
namespace {

class CompareVisitor final : public ManifestVisitor {
 public:
  CompareVisitor(CopyFiles& files, SlabPool& pool, const Root& root, bool safe_links)
      : files_(files), io_(files.io()), pool_(pool), root_(root), safe_links_(safe_links) {}

  [[nodiscard]] bool differs() const { return differs_; }

  Result<void> enter_directory(const Entry&) override { return {}; }

  Result<void> leave_directory(const Entry& directory, std::uint64_t children) override {
    const auto dir = files_.dir(directory.path);
    if (!dir) return different();
    const auto info = io_.stat(**dir);
    const auto items = io_.list(**dir);
    if (!info || !items || items->size() != children) return different();
    return expect(info->mode == directory.mode && info->mtime_ns == directory.mtime_ns);
  }

  Result<void> file(const Entry& file) override {
    const SplitPath place = files_.place(file.path);
    const auto dir = files_.dir(place.parent);
    if (!dir) return different();
    const auto info = io_.stat_at(**dir, place.name);
    return expect(info && info->kind == NodeKind::kFile && info->size == file.size &&
                  info->mode == file.mode && info->mtime_ns == file.mtime_ns);
  }

  Result<bool> symlink(const Entry& link) override {
    const SplitPath place = files_.place(link.path);
    const auto dir = files_.dir(place.parent);
    if (!dir) return different();
    const auto target = io_.read_link(**dir, place.name);
    const bool absent = !target && target.error().code == Errc::kNotFound;
    if (absent && safe_links_ && !symlink_stays_inside(link.path, link.target)) return false;
    KITH_CHECK(expect(target && *target == link.target));
    return true;
  }

  Result<void> end_page(std::uint32_t number, const Page& page) override {
    const PageLayout layout(page);
    for (std::uint32_t row = 0; row < page.rows.size(); ++row) {
      const bool goes_on = row == 0 && root_.pages[number].shares_first;
      if (!goes_on) KITH_CHECK(check_open_chunk());
      open_row_ = page.rows[row];
      append_stretches(page, layout, row, nullptr, open_);
    }
    return {};
  }

  // The last row that was met may go on in the next page.
  Result<void> check_open_chunk() {
    if (open_row_.length == 0) return {};
    auto chunk = read_chunk(files_, pool_, open_, 0, open_row_.length);
    if (!chunk) return different();
    chunk_cipher(open_row_.key, 0, chunk->data);
    const bool same = chunk_id(chunk->data) == open_row_.id;
    open_.clear();
    open_row_ = {};
    return expect(same);
  }

 private:
  // Ends the walk; equals_share() knows that this is no error.
  Error different() {
    differs_ = true;
    return local_error(Errc::kChanged, "differs from the share");
  }
  Result<void> expect(bool same) {
    if (same) return {};
    return different();
  }

  CopyFiles& files_;
  FileIo& io_;
  SlabPool& pool_;
  const Root& root_;
  bool safe_links_;
  bool differs_ = false;
  std::vector<Stretch> open_;
  ChunkRow open_row_;
};

}  // namespace

Result<bool> equals_share(CopyFiles& files, SlabPool& pool, const Root& root,
                          const PageSource& pages, bool safe_links) {
  CompareVisitor visitor(files, pool, root, safe_links);
  auto walked = walk_manifest(root, pages, visitor);
  if (walked) walked = visitor.check_open_chunk();
  if (visitor.differs()) return false;
  if (!walked) return std::move(walked).error();
  return true;
}

}  // namespace kith::storage
