#include "storage/exporter.hpp"

#include <algorithm>

namespace kith::storage {
namespace {

// From here on space is reserved when the file is made.
constexpr std::uint64_t kAllocateFrom = 1024 * 1024;
// After so many bytes that nothing was reserved for, the file system is asked whether there is room
// for as many again.
constexpr std::uint64_t kCheckEvery = 8 * 1024 * 1024;

// The bytes [from, from + length) of a chunk.
void slices(const SlabChain& chunk, std::size_t from, std::size_t length, std::vector<iovec>& out) {
  out.clear();
  while (length > 0) {
    const std::size_t offset = from % kRecordBytes;
    const std::size_t n = std::min(length, kRecordBytes - offset);
    const Bytes slab = chunk.slab(from / kRecordBytes).subspan(offset, n);
    // An iovec of a write is never written to.
    out.push_back({const_cast<std::uint8_t*>(slab.data()), slab.size()});
    from += n;
    length -= n;
  }
}

Error named(Error error, const std::string& path) {
  error.subject = path;
  return error;
}

}  // namespace

Exporter::Exporter(FileIo& io, const Root& root, ExportTarget target, std::string staging_name,
                   Dir parent, Dir top, StagedRoot staged)
    : io_(&io),
      target_(std::move(target)),
      staging_name_(std::move(staging_name)),
      path_(join_native(target_.directory, target_.name)),
      root_(root),
      bytes_(target_.part.empty() ? root.totals.bytes : 0),
      parent_(std::move(parent)),
      staged_(staged),
      files_(io, std::move(top), root.single_file ? staging_name_ : std::string()) {}

bool Exporter::is_in_place() const {
  const auto info = io_->stat_at(parent_, staging_name_);
  return info && StagedRoot{info->dev, info->inode} == staged_;
}

void Exporter::set_options(bool replace, bool safe_links) {
  target_.replace = replace;
  target_.safe_links = safe_links;
}

Result<void> Exporter::check_room(std::uint64_t more) const {
  return storage::check_room(*io_, parent_, target_.min_free, more, target_.directory);
}

// Bytes that are still to come, without those that its files have room for.
Result<std::uint64_t> Exporter::rest() const {
  KITH_TRY(const TreeBytes there, tree_bytes(*io_, parent_, staging_name_));
  const std::uint64_t all = bytes_;
  return all - std::min(all, there.allocated);
}

// Before the bytes are written, and for all that is written until the next time: what is to stay
// free is not touched. What is reserved for its file is not asked for again. Only where so much is
// not free it is found out what is needed: that looks at every file.
Result<void> Exporter::take_room(const Entry& entry, std::uint64_t bytes) {
  if (reserves_ && entry.size >= kAllocateFrom) return {};
  const std::uint64_t before = written_.fetch_add(bytes);
  if (before / kCheckEvery == (before + bytes) / kCheckEvery) return {};
  auto room = check_room(kCheckEvery);
  if (room || room.error().code != Errc::kNoSpace) return room;
  const auto needed = rest();
  if (needed && *needed < kCheckEvery) room = check_room(*needed);
  if (!room) written_ -= bytes;  // whoever tries again is told again
  return room;
}

Result<void> Exporter::write_chunk(const Page& page, const PageLayout& layout, std::uint32_t row,
                                   const SlabChain& chunk) {
  if (row >= page.rows.size() || chunk.size() != page.rows[row].length) {
    return local_error(Errc::kInternal, "a chunk has not the length that its page says");
  }
  std::vector<iovec> content;
  std::string_view last_parent;
  std::shared_ptr<Dir> dir;
  for (const Extent& extent : layout.extents(page, row)) {
    const Entry& entry = page.entries[extent.entry];
    if (!target_.part.takes(entry.path, false)) continue;
    const SplitPath place = files_.place(entry.path);
    if (!dir || place.parent != last_parent) {
      auto opened = parent_of(place.parent);
      if (!opened) return named(std::move(opened).error(), join_native(path_, place.parent));
      dir = std::move(*opened);
      last_parent = place.parent;
    }
    slices(chunk, extent.chunk_offset, extent.length, content);
    const bool whole = is_whole(extent, entry);
    auto written = whole ? write_whole(*dir, place.name, entry, content)
                         : write_part(*dir, place.name, entry, extent, content);
    if (!written) {
      return named(std::move(written).error(),
                   files_.is_single() ? path_ : join_native(path_, entry.path));
    }
    dirty_.add_directory(place.parent);
    dirty_.add_file(entry.path);
  }
  return {};
}

bool Exporter::is_whole(const Extent& extent, const Entry& entry) const {
  return extent.length == entry.size && !files_.is_single();
}

Result<void> Exporter::confirm_chunk(const Page& page, const PageLayout& layout,
                                     std::uint32_t row) {
  for (const Extent& extent : layout.extents(page, row)) {
    const Entry& entry = page.entries[extent.entry];
    if (!is_whole(extent, entry) || !target_.part.takes(entry.path, false)) continue;
    const SplitPath place = files_.place(entry.path);
    KITH_TRY(const auto dir, files_.dir(place.parent));
    KITH_TRY(const FileInfo info, io_->stat_at(*dir, place.name));
    if (info.mtime_ns == entry.mtime_ns) continue;
    KITH_CHECK(io_->set_mtime_at(*dir, place.name, entry.mtime_ns));
    dirty_.add_file(entry.path);
  }
  return {};
}

Result<std::shared_ptr<Dir>> Exporter::parent_of(std::string_view directory) {
  return files_.make_dirs(directory,
                          [this](std::string_view made_in) { dirty_.add_directory(made_in); });
}

// One file of a pack costs four calls: open, write, set the time, close.
Result<void> Exporter::write_whole(const Dir& dir, std::string_view name, const Entry& entry,
                                   std::span<const iovec> content) {
  KITH_CHECK(take_room(entry, entry.size));
  auto file = io_->open_file(dir, name, OpenMode::kCreate, entry.mode);
  if (!file && file.error().code == Errc::kExists) {
    // It was written before: by a run that ended before the chunk was marked.
    KITH_CHECK(check_exact_name(dir, name));
    KITH_CHECK(io_->remove_file(dir, name));
    file = io_->open_file(dir, name, OpenMode::kCreate, entry.mode);
  }
  if (!file) return std::move(file).error();
  KITH_CHECK(io_->write(*file, 0, content));
  if ((entry.mode & io_->creation_mask()) != 0) KITH_CHECK(io_->set_mode(*file, entry.mode));
  return io_->set_mtime(*file, entry.mtime_ns);
}

Result<void> Exporter::write_part(const Dir& dir, std::string_view name, const Entry& entry,
                                  const Extent& extent, std::span<const iovec> content) {
  // First, since it tells whether an earlier run reserved what is to be written now.
  KITH_TRY(const auto file, open_part(dir, name, entry));
  KITH_CHECK(take_room(entry, extent.length));
  // The kernel lets one writer at a time into a file, and has the others spin for it.
  const std::lock_guard lock(writing_[std::hash<std::string_view>()(entry.path) % kWriteLocks]);
  return io_->write(*file, extent.file_offset, content);
}

Result<std::shared_ptr<File>> Exporter::open_part(const Dir& dir, std::string_view name,
                                                  const Entry& entry) {
  if (auto open = files_.writers().find(entry.path)) return open;
  auto file = io_->open_file(dir, name, OpenMode::kCreate, 0600);
  if (!file && file.error().code == Errc::kExists) file = open_existing(dir, name);
  if (!file) return std::move(file).error();
  KITH_CHECK(give_size(*file, entry));
  return files_.writers().put(entry.path, std::move(*file));
}

// Room was found for the share's total. Pages that come one by one may say more in sum, and nobody
// knows before all of them are here.
Result<void> Exporter::give_size(const File& file, const Entry& entry) {
  const std::lock_guard lock(reserving_);
  KITH_TRY(const FileInfo info, io_->stat(file));
  if (info.size > entry.size) KITH_CHECK(io_->truncate(file, entry.size));
  if (entry.size < kAllocateFrom) return {};
  if (info.size >= entry.size) {
    // It was reserved before, perhaps by an earlier run; then this takes nothing and tells so.
    if (info.allocated < entry.size) return {};
    KITH_TRY(reserves_, io_->allocate(file, entry.size));
    return {};
  }
  if (entry.size > root_.totals.bytes - std::min(reserved_, root_.totals.bytes)) {
    return local_error(Errc::kVerification,
                       "the share is malformed: its files are larger than its total");
  }
  KITH_CHECK(check_room(entry.size));
  KITH_TRY(reserves_, io_->allocate(file, entry.size));
  reserved_ += entry.size;
  return {};
}

// Another chunk of it came before. What is there must be the plain file that we made.
Result<File> Exporter::open_existing(const Dir& dir, std::string_view name) {
  KITH_TRY(const FileInfo info, io_->stat_at(dir, name));
  if (info.kind != NodeKind::kFile || info.links != 1) {
    return local_error(Errc::kRefused, "something is in the way of a file");
  }
  KITH_CHECK(check_exact_name(dir, name));
  if ((info.mode & 0600) != 0600) KITH_CHECK(io_->set_mode_at(dir, name, 0600));
  return io_->open_file(dir, name, OpenMode::kReadWrite);
}

// Where names that differ only in case are one, the file that is there may be another of the share.
Result<void> Exporter::check_exact_name(const Dir& dir, std::string_view name) {
  if (!folds_case_) return {};
  KITH_TRY(const auto items, io_->list(dir));
  if (std::ranges::find(items, name, &DirItem::name) != items.end()) return {};
  return local_error(
      Errc::kUnsupported,
      "two names of the share differ only in case, and the file system cannot hold both");
}

Result<void> Exporter::sync() {
  const DirtySet::Taken dirty = dirty_.take();
  if (dirty.empty()) return {};
  auto synced = dirty.all ? io_->sync_all(files_.top()) : sync_some(dirty);
  // What cannot be opened any more, for its final mode, is reached by syncing everything.
  if (!synced && !dirty.all && synced.error().code == Errc::kRefused) {
    synced = io_->sync_all(files_.top());
  }
  if (synced) return synced;
  dirty_.add_all();
  return named(std::move(synced).error(), path_);
}

Result<void> Exporter::sync_some(const DirtySet::Taken& dirty) {
  for (const std::string& path : dirty.files) {
    const SplitPath place = files_.place(path);
    KITH_TRY(const auto dir, files_.dir(place.parent));
    KITH_TRY(const File file, io_->open_file(*dir, place.name, OpenMode::kRead));
    KITH_CHECK(io_->sync(file));
  }
  for (const std::string& path : dirty.directories) {
    KITH_TRY(const auto dir, files_.dir(path));
    KITH_CHECK(io_->sync(*dir));
  }
  // The entry of the staging itself.
  if (dirty.directories.contains("")) KITH_CHECK(io_->sync(parent_));
  return {};
}

void Exporter::start_writeback() {
  for (const std::string& path : dirty_.copy().files) {
    if (const auto file = files_.writers().find(path)) io_->start_writeback(*file);
  }
}

Result<Exporter::Published> Exporter::publish() {
  files_.forget_open();
  auto renamed = check_directory();
  if (renamed) renamed = rename_to_final();
  if (!renamed) return named(std::move(renamed).error(), path_);
  if (auto synced = io_->sync(parent_); !synced) return named(std::move(synced).error(), path_);
  if (!root_.single_file) return Published{};
  KITH_TRY(const FileInfo info, io_->stat_at(parent_, target_.name));
  return Published{FileStat::of(info)};
}

// The path that is told must lead to what was fetched.
Result<void> Exporter::check_directory() {
  KITH_TRY(const FileInfo mine, io_->stat(parent_));
  const auto there = io_->open_root(target_.directory);
  if (!there && there.error().code != Errc::kNotFound) return there.error();
  if (there) {
    KITH_TRY(const FileInfo info, io_->stat(*there));
    if (info.dev == mine.dev && info.inode == mine.inode) return {};
  }
  return local_error(
      Errc::kConflict, "the directory was moved away while it was fetched into", {},
      "what was fetched is kept in it: move it back, and give the same command again");
}

Result<void> Exporter::rename_to_final() {
  auto renamed = io_->rename(parent_, staging_name_, parent_, target_.name, RenameMode::kNoReplace);
  if (renamed) return renamed;
  const Errc why = renamed.error().code;
  if (why == Errc::kExists && target_.replace) return replace_final();
  if (why == Errc::kExists) {
    return local_error(Errc::kExists, "something else came to stand at the destination", {},
                       "nothing was touched, and what was fetched is kept; use --replace, or "
                       "remove it, then fetch again");
  }
  if (why != Errc::kUnsupported) return renamed;
  // Without renameat2 there is a moment between looking and renaming; only an empty directory or a
  // file that appears in it would be lost.
  const auto existing = io_->stat_at(parent_, target_.name);
  if (existing) {
    return local_error(Errc::kExists,
                       "something has the final name, and this file system cannot "
                       "exchange it",
                       {}, "remove it, then fetch again");
  }
  return io_->rename(parent_, staging_name_, parent_, target_.name, RenameMode::kPlain);
}

Result<void> Exporter::replace_final() {
  KITH_CHECK(io_->rename(parent_, staging_name_, parent_, target_.name, RenameMode::kExchange));
  KITH_CHECK(io_->sync(parent_));
  // What was replaced has the staging's name now.
  return remove_tree(*io_, parent_, staging_name_);
}

Result<void> Exporter::discard() {
  files_.forget_open();
  // Somebody may have put something else in its place.
  const auto there = io_->stat_at(parent_, staging_name_);
  if (!there) return there.error().code == Errc::kNotFound ? Result<void>() : there.error();
  if (StagedRoot{there->dev, there->inode} != staged_) return {};
  KITH_CHECK(remove_tree(*io_, parent_, staging_name_));
  return io_->sync(parent_);
}

}  // namespace kith::storage
