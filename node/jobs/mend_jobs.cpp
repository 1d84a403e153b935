// Jobs that write a chunk of a held copy again, in place, where the disk has it wrong.
#include <algorithm>
#include <map>

#include "node/jobs/jobs.hpp"
#include "proto/crypto/content_cipher.hpp"

namespace kith::node {
namespace {

using transfer::StoreOutcome;

}  // namespace

// Hashed wrong, or not read at all: is it the disk's fault?
bool Jobs::is_rotten(CopyId copy, const ShareInfo& share, ChunkIndex index, const Place& place) {
  if (copies_.is_fetching(copy)) return false;
  // Between the write of a repair and its recording the file looks as if somebody had changed it.
  const std::lock_guard lock(mending_);
  const auto parts = stretches(copy, place);
  const auto files = copies_.files(copy, share.root.single_file);
  return parts && files && storage::is_rot(**files, *parts, manifests_.is_sound(copy, index));
}

// The file's place among the states that are recorded for a page; nothing if the page does not name
// it.
std::optional<std::uint32_t> Jobs::stat_position(const Page& page, const std::string& path) {
  const auto entry = std::ranges::find_if(
      page.entries, [&](const Entry& e) { return e.kind == EntryKind::kFile && e.path == path; });
  if (entry == page.entries.end()) return std::nullopt;
  return storage::stat_positions(page)[static_cast<std::size_t>(entry - page.entries.begin())];
}

void Jobs::record_stats(std::uint32_t number, const storage::PageStats& stats, ChunkMended& out) {
  Buffer blob = stats.encode();
  manifests_.put_file_stats(out.copy, number, blob);
  out.stats[number] = std::move(blob);
}

// False: the page does not name the file.
Result<bool> Jobs::record_in_page(const ShareInfo& share, std::uint32_t number,
                                  const std::string& path, const storage::FileStat& stat,
                                  ChunkMended& out) {
  KITH_TRY(const PagePtr page, manifests_.page(share, number));
  const auto position = stat_position(page->page, path);
  if (!position) return false;
  KITH_TRY(const auto recorded, manifests_.file_stats(out.copy, number));
  if (recorded == nullptr || *position >= recorded->files.size()) return true;
  storage::PageStats stats = *recorded;
  stats.files[*position] = stat;
  record_stats(number, stats, out);
  return true;
}

// Hard links: whatever was recorded with the state that a file had is that file, in any page. All
// pages are looked at, once for all files of a chunk.
Result<void> Jobs::record_links(const ShareInfo& share,
                                std::span<const storage::TouchedFile> touched, ChunkMended& out) {
  std::map<std::uint64_t, const storage::TouchedFile*> linked;  // by inode
  for (const storage::TouchedFile& file : touched) {
    if (file.has_links) linked[file.before.inode] = &file;
  }
  const auto is_touched = [&](const storage::FileStat& stat) {
    const auto file = linked.find(stat.inode);
    return file != linked.end() && stat == file->second->before;
  };
  for (std::uint32_t number = 0; !linked.empty() && number < share.shape.pages(); ++number) {
    KITH_TRY(const auto recorded, manifests_.file_stats(out.copy, number));
    if (recorded == nullptr || std::ranges::none_of(recorded->files, is_touched)) continue;
    storage::PageStats stats = *recorded;
    for (storage::FileStat& stat : stats.files) {
      if (is_touched(stat)) stat = linked.at(stat.inode)->stat;
    }
    record_stats(number, stats, out);
  }
  return {};
}

// Pages that hold parts of one file follow each other.
Result<void> Jobs::record_state(const ShareInfo& share, const Place& place, const std::string& path,
                                const storage::FileStat& stat, ChunkMended& out) {
  for (std::uint32_t number = place.parts.front().number; number < share.shape.pages(); ++number) {
    KITH_TRY(const bool is_named, record_in_page(share, number, path, stat, out));
    if (!is_named && number >= place.parts.back().number) break;
  }
  for (std::uint32_t number = place.parts.front().number; number > 0; --number) {
    KITH_TRY(const bool is_named, record_in_page(share, number - 1, path, stat, out));
    if (!is_named) break;
  }
  return {};
}

// `chunk`: the verified plaintext.
Result<void> Jobs::mend(const ShareInfo& share, const Place& place, SlabChain& chunk,
                        ChunkMended& out) {
  // Of two at a time that write files of one page, one would record the other's as they were.
  const std::lock_guard lock(mending_);
  KITH_TRY(const auto parts, stretches(out.copy, place));
  KITH_TRY(const auto files, copies_.files(out.copy, share.root.single_file));
  storage::ChunkRepair repair = storage::repair_chunk(*files, parts, chunk);
  for (const storage::TouchedFile& touched : repair.touched) {
    const std::string& path = parts[touched.stretch].path;
    if (out.path.empty()) out.path = path;
    KITH_CHECK(record_state(share, place, path, touched.stat, out));
  }
  KITH_CHECK(record_links(share, repair.touched, out));
  if (!repair.error) return {};
  out.path = repair.error->subject;
  return *std::move(repair.error);
}

// Once all that a page describes was found sound, a later run may believe its record as this one
// does.
Result<void> Jobs::renew_stats(const ShareInfo& share, const Place& place, ChunkVerified& out) {
  if (copies_.is_fetching(out.copy)) return {};
  for (const Place::Part& part : place.parts) {
    const ChunkIndex first = share.shape.index_of_chunk(share.shape.first_chunk(part.number));
    // A repair makes them unsound, and records another state.
    const std::lock_guard lock(mending_);
    if (!manifests_.are_sound(out.copy, first, part.page->page.rows.size())) continue;
    KITH_TRY(const auto recorded, manifests_.file_stats(out.copy, part.number));
    if (recorded == nullptr || storage::is_written_back(*recorded)) continue;
    Buffer blob = storage::as_written_back(*recorded).encode();
    manifests_.renew_file_stats(out.copy, part.number, blob);
    out.stats[part.number] = std::move(blob);
  }
  return {};
}

JobResult Jobs::perform(MendChunkJob& job) {
  ChunkMended out;
  out.copy = job.copy;
  out.share = job.store.share;
  out.index = job.store.index;
  out.from = job.store.from;
  out.device = job.device;
  const auto store = [&]() -> Result<void> {
    KITH_TRY(const SharePtr share, manifests_.share(out.share));
    KITH_TRY(const Place place, place_of(*share, out.index));
    KITH_CHECK(open_chunk(job.key, place.row, job.store));
    return mend(*share, place, job.store.sealed, out);
  };
  auto done = store();
  out.outcome = done ? StoreOutcome::kStored : outcome_of(done.error());
  if (!done) out.error = std::move(done).error();
  return out;
}

JobResult Jobs::perform(const MendFromCopyJob& job) {
  ChunkMended out;
  out.copy = job.copy;
  out.share = job.share;
  out.index = job.index;
  out.local = job.from;
  const auto copy = [&]() -> Result<void> {
    KITH_TRY(const SharePtr share, manifests_.share(job.share));
    KITH_TRY(const Place place, place_of(*share, job.index));
    auto read =
        read_source({job.from, job.share, job.index, job.copy, job.share, job.index}, place.row);
    if (!read) return peer_error(Errc::kVerification, "the other copy has it wrong, too");
    return mend(*share, place, *read, out);
  };
  auto done = copy();
  out.outcome = done ? StoreOutcome::kStored : outcome_of(done.error());
  if (!done) out.error = std::move(done).error();
  return out;
}

}  // namespace kith::node
