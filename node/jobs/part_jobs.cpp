// Jobs of a copy that takes only a part of its share: which chunks hold something of it, and
// whether what cannot be hashed is as it was recorded.
#include "node/jobs/jobs.hpp"

namespace kith::node {

PageSelection Jobs::selection_of(const DecodedPage& page, const storage::PathGlobs& part) {
  PageSelection out;
  std::vector<bool> taken(page.page.entries.size());
  for (std::size_t i = 0; i < taken.size(); ++i) {
    const Entry& entry = page.page.entries[i];
    taken[i] = part.takes(entry.path, entry.kind == EntryKind::kDirectory);
    // The top is there in any case: that it fits tells nothing.
    if (!taken[i] || entry.offset != 0 || entry.path.empty()) continue;
    ++out.entries;
    if (entry.kind == EntryKind::kFile) ++out.files;
  }
  for (std::uint32_t row = 0; row < page.page.rows.size(); ++row) {
    bool takes = false, leaves = false;
    for (const Extent& extent : page.layout.extents(page.page, row)) {
      const bool is_taken = taken[extent.entry];
      (is_taken ? takes : leaves) = true;
      if (is_taken) out.bytes += extent.length;
    }
    out.takes.push_back(takes);
    out.leaves.push_back(leaves);
  }
  return out;
}

JobResult Jobs::perform(SelectPageJob& job) {
  PageSelected out;
  out.copy = job.copy;
  out.share = job.share;
  out.page = job.page;
  const auto select = [&]() -> Result<void> {
    KITH_TRY(const SharePtr share, manifests_.share(job.share));
    KITH_TRY(const PagePtr page, manifests_.page(*share, job.page));
    out.selection = selection_of(*page, storage::PathGlobs(std::move(job.part)));
    return {};
  };
  if (auto done = select(); !done) out.error = std::move(done).error();
  return out;
}

JobResult Jobs::perform(const CheckRoomJob& job) {
  RoomChecked out{job.copy, {}};
  const auto exporter = copies_.exporter(job.copy);
  if (!exporter) return out;  // it was cancelled
  exporter->set_bytes(job.bytes);
  if (auto room = exporter->check_rest(); !room) out.error = std::move(room).error();
  return out;
}

// A chunk of which only a part is here. What is being fetched has no recorded state.
Result<std::uint32_t> Jobs::check_part(CopyId copy, const ShareInfo& share, const Place& place,
                                       const storage::PathGlobs& part) {
  // As in is_rotten().
  const std::lock_guard lock(mending_);
  KITH_TRY(const auto parts, stretches(copy, place, part));
  KITH_TRY(const auto files, copies_.files(copy, share.root.single_file));
  if (auto changed = storage::first_changed(*files, parts)) {
    return local_error(Errc::kChanged, "it is not as it was written, or that is not known",
                       std::move(*changed));
  }
  std::uint32_t bytes = 0;
  for (const storage::Stretch& stretch : parts) bytes += stretch.length;
  return bytes;
}

}  // namespace kith::node
