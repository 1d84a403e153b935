// An import beside what was recorded of the same tree before: what is as it was is not read.
#include <algorithm>

#include "storage/importer.hpp"
#include "storage/path_policy.hpp"

namespace kith::storage {

void ImportScan::set_earlier(EarlierTree earlier) {
  const Root& root = earlier.root();
  const bool comparable = !is_fixed() && !options_.is_private && root.private_conv.empty() &&
                          root.single_file == single_ && root.chunking == options_.chunking;
  if (comparable) earlier_.emplace(std::move(earlier));
}

// Nothing: it is another file by now, and opening it tells whatever is to be told.
Result<std::optional<ImportScan::Chunk>> ImportScan::begin_known(const Dir& dir,
                                                                 std::string_view name,
                                                                 const std::string& path) {
  const auto info = io_->stat_at(dir, name);
  if (!info || info->kind != NodeKind::kFile) return std::optional<Chunk>();
  const auto place = earlier_->find(path, FileStat::of(*info));
  if (!place) return std::optional<Chunk>();
  const bool large = info->size >= options_.chunking.large_file;
  return large ? begin_known_large(path, *info, *place) : begin_known_small(path, *info, *place);
}

Result<std::optional<ImportScan::Chunk>> ImportScan::begin_known_large(const std::string& path,
                                                                       const FileInfo& info,
                                                                       EarlierTree::Place place) {
  if (place.offset != 0) return std::optional<Chunk>();
  auto known = earlier_->rows(place.chunk, info.size);
  // Each of its pages was recorded, and read, at another time.
  if (!known || !is_settled(info.ctime_ns, known->recorded_at)) return std::optional<Chunk>();
  KITH_CHECK(add_file(path, info, std::min(known->known_at, place.known_at)));
  known_ = {std::move(known->rows), place.chunk, 0};
  bytes_done_ += info.size;
  phase_ = Phase::kKnownFile;
  KITH_TRY(Chunk before, end_pack());
  return std::optional<Chunk>(std::move(before));
}

// It may be that its pack is as before, too: that is known when the pack is complete.
Result<std::optional<ImportScan::Chunk>> ImportScan::begin_known_small(const std::string& path,
                                                                       const FileInfo& info,
                                                                       EarlierTree::Place place) {
  const bool begins = unread_.files.empty() && buffer_.size() == 0 && place.offset == 0;
  const bool goes_on =
      !unread_.files.empty() && place.chunk == unread_.chunk && place.offset == unread_.bytes;
  if (!begins && !goes_on) return std::optional<Chunk>();
  unread_.chunk = place.chunk;
  unread_.files.push_back({path, FileStat::of(info)});
  unread_.bytes += info.size;
  KITH_TRY(const std::size_t entry_bytes, add_file(path, info, place.known_at));
  if (!packer_.add(path, info.size, entry_bytes)) return std::optional<Chunk>(Chunk());
  KITH_TRY(Chunk pack, end_pack());
  return std::optional<Chunk>(std::move(pack));
}

Result<ImportScan::Chunk> ImportScan::add_known_row() {
  const std::size_t next = known_.next++;
  KITH_CHECK(reuse(known_.rows[next], known_.chunk + static_cast<std::uint32_t>(next)));
  if (known_.next == known_.rows.size()) phase_ = single_ ? Phase::kTail : Phase::kItems;
  return Chunk();
}

// False: the files of the pack were not the whole of a chunk.
Result<bool> ImportScan::reuse_pack() {
  if (unread_.files.empty()) return false;
  const auto rows = earlier_->rows(unread_.chunk, unread_.bytes);
  if (!rows || rows->rows.size() != 1) return false;
  const UnreadPack pack = std::exchange(unread_, {});
  bytes_done_ += pack.bytes;
  KITH_CHECK(reuse(rows->rows.front(), pack.chunk));
  return true;
}

Result<void> ImportScan::reuse(const ChunkRow& row, std::uint32_t from) {
  const std::uint64_t ordinal = next_ordinal_++;
  const auto to = static_cast<std::uint32_t>(ordinal);
  auto& runs = result_.reused;
  const bool goes_on = !runs.empty() && runs.back().to + runs.back().count == to &&
                       runs.back().from + runs.back().count == from;
  if (goes_on) {
    ++runs.back().count;
  } else {
    runs.push_back({to, from, 1});
  }
  HashedChunk known;
  known.row = row;
  known.known = true;
  return add_result(ordinal, known);
}

Result<void> ImportScan::read_unread() {
  const UnreadPack pack = std::exchange(unread_, {});
  std::string_view last_parent;
  Dir parent;
  for (const UnreadPack::Item& item : pack.files) {
    if (single_) {
      KITH_CHECK(read_whole(single_parent_, split_native(source_).name, item));
      continue;
    }
    const std::string_view directory = parent_path(item.path);
    if (!parent || directory != last_parent) {
      auto opened = io_->open_dir(tree_->top(), directory);
      if (!opened) return changed(item.path);
      parent = std::move(*opened);
      last_parent = directory;
    }
    const std::size_t name = directory.empty() ? 0 : directory.size() + 1;
    KITH_CHECK(read_whole(parent, std::string_view(item.path).substr(name), item));
  }
  return {};
}

Result<void> ImportScan::read_whole(const Dir& dir, std::string_view name,
                                    const UnreadPack::Item& item) {
  auto file = io_->open_file(dir, name, OpenMode::kRead);
  if (!file && file.error().code == Errc::kNotFound) return changed(item.path);
  if (!file) {
    Error error = std::move(file).error();
    error.subject = full_path(item.path);
    return error;
  }
  KITH_CHECK(read(*file, item.path, 0, item.stat.size));
  KITH_TRY(const FileInfo after, io_->stat(*file));
  if (FileStat::of(after) != item.stat) return changed(item.path);
  return {};
}

}  // namespace kith::storage
