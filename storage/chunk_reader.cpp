#include "storage/chunk_reader.hpp"

#include <algorithm>
#include <cstring>

namespace kith::storage {
namespace {

Error missing(const std::string& path) {
  return local_error(Errc::kNotFound, "a file of the share is missing or cannot be opened", path);
}

Error named(Error error, const std::string& path) {
  error.subject = path;
  const bool gone = error.code == Errc::kNotFound || error.code == Errc::kRefused;
  return gone ? missing(path) : error;
}

// The directory of the file before: files of a pack are often of one. Others do not outlive a
// chunk, so that a directory that was moved away or replaced is noticed with the next.
struct Parent {
  std::string path;
  Dir dir;
};

Result<void> enter(CopyFiles& files, std::string_view path, Parent& parent) {
  if (parent.dir && parent.path == path) return {};
  KITH_TRY(parent.dir, files.io().open_dir(files.top(), path));
  parent.path = path;
  return {};
}

// One that was opened before, if its path leads to it still.
std::shared_ptr<File> find_open(CopyFiles& files, const Stretch& stretch, const Dir& dir,
                                std::string_view name) {
  auto open = files.readers().find(stretch.path);
  if (!open) return nullptr;
  const auto held = files.io().stat(*open);
  const auto there = files.io().stat_at(dir, name);
  if (held && there && held->dev == there->dev && held->inode == there->inode) return open;
  files.readers().drop(stretch.path);
  return nullptr;
}

// Whole small files are read once and closed; large ones come again for their next chunk.
Result<std::shared_ptr<File>> open_source(CopyFiles& files, const Stretch& stretch,
                                          Parent& parent) {
  const SplitPath place = files.place(stretch.path);
  KITH_CHECK(enter(files, place.parent, parent));
  const bool large = stretch.length < stretch.file_size;
  if (large) {
    if (auto open = find_open(files, stretch, parent.dir, place.name)) return open;
  }
  KITH_TRY(File file, files.io().open_file(parent.dir, place.name, OpenMode::kRead));
  if (large) return files.readers().put(stretch.path, std::move(file));
  return std::make_shared<File>(std::move(file));
}

FileTrust trust_in(const Stretch& stretch, const FileInfo& info) {
  if (!stretch.recorded) return FileTrust::kChanged;
  return trust(*stretch.recorded, stretch.recorded_at, FileStat::of(info));
}

// Reads the part of `stretch` in [from, to) of the chunk to its place in `out`.
Result<void> read_stretch(CopyFiles& files, const Stretch& stretch, Parent& parent,
                          std::uint32_t from, std::uint32_t to, std::uint32_t origin,
                          ReadChunk& out) {
  KITH_TRY(const auto file, open_source(files, stretch, parent));
  std::vector<iovec> parts;
  out.data.for_each_run(from - origin, to - from, [&](MutableBytes run) {
    parts.push_back({run.data(), run.size()});
  });
  const std::uint64_t at = stretch.file_offset + (from - stretch.chunk_offset);
  const auto got = files.io().read(*file, at, parts);
  // A change before the read, or during it, shows in the state after it: change times do not go
  // back.
  KITH_TRY(const FileInfo after, files.io().stat(*file));
  if (after.kind != NodeKind::kFile) return missing(stretch.path);
  if (!got) return got.error();
  if (*got != to - from) {
    return local_error(Errc::kChanged, "a file of the share became shorter", stretch.path);
  }
  out.trust = std::max(out.trust, trust_in(stretch, after));
  out.changed_ns = std::max(out.changed_ns, after.ctime_ns);
  const bool to_the_end = at + (to - from) == stretch.file_size;
  out.goes_on = out.goes_on || (to_the_end && after.size > stretch.file_size);
  return {};
}

}  // namespace

void append_stretches(const Page& page, const PageLayout& layout, std::uint32_t row,
                      const PageStats* stats, std::vector<Stretch>& out) {
  // Counts files only as far as the chunk's last entry.
  std::uint32_t entry = 0;
  std::size_t files = 0;
  for (const Extent& extent : layout.extents(page, row)) {
    for (; entry < extent.entry; ++entry) {
      if (page.entries[entry].kind == EntryKind::kFile) ++files;
    }
    const Entry& file = page.entries[extent.entry];
    Stretch stretch{file.path,     extent.file_offset, file.size,   extent.chunk_offset,
                    extent.length, std::nullopt,       UnixMillis{}};
    if (stats != nullptr && files < stats->files.size()) {
      stretch.recorded = stats->files[files];
      stretch.recorded_at = stats->known_at();
    }
    out.push_back(std::move(stretch));
  }
}

std::optional<std::string> first_changed(CopyFiles& files, std::span<const Stretch> stretches) {
  Parent parent;
  for (const Stretch& stretch : stretches) {
    const SplitPath place = files.place(stretch.path);
    if (!enter(files, place.parent, parent)) return stretch.path;
    const auto info = files.io().stat_at(parent.dir, place.name);
    if (!info || trust_in(stretch, *info) == FileTrust::kChanged) return stretch.path;
  }
  return std::nullopt;
}

std::string changed_file(CopyFiles& files, std::span<const Stretch> stretches) {
  if (auto changed = first_changed(files, stretches)) return std::move(*changed);
  return stretches.empty() ? std::string() : stretches.front().path;
}

Result<ReadChunk> read_chunk(CopyFiles& files, SlabPool& pool, std::span<const Stretch> stretches,
                             std::uint32_t offset, std::uint32_t length) {
  ReadChunk out;
  out.data = SlabChain(pool, length);
  const std::uint32_t end = offset + length;
  std::uint32_t covered = 0;
  Parent parent;
  for (const Stretch& stretch : stretches) {
    if (stretch.chunk_offset != covered) {  // pages that contradict each other
      return local_error(Errc::kMalformed, "the parts of a chunk do not follow each other",
                         stretch.path);
    }
    covered += stretch.length;
    const std::uint32_t from = std::max(offset, stretch.chunk_offset);
    const std::uint32_t to = std::min(end, covered);
    if (from >= to) continue;
    auto done = read_stretch(files, stretch, parent, from, to, offset, out);
    if (!done) return named(std::move(done).error(), stretch.path);
  }
  const std::uint32_t padding = std::max(offset, covered);
  if (padding < end) {
    out.data.for_each_run(padding - offset, end - padding,
                          [](MutableBytes run) { std::memset(run.data(), 0, run.size()); });
  }
  return out;
}

}  // namespace kith::storage
