// Jobs that free space: stagings of fetches that have ended are removed, and what their owner
// removed is noticed.
#include "node/jobs/jobs.hpp"
#include "storage/path_policy.hpp"

namespace kith::node {
namespace {

constexpr int kDiscardTries = 3;

using storage::Dir;
using storage::FileInfo;

bool is_not_found(const Error& error) { return error.code == Errc::kNotFound; }

}  // namespace

JobResult Jobs::perform(const DiscardFetchJob& job) {
  const auto exporter = job.staging ? copies_.exporter(job.copy) : nullptr;
  copies_.forget(job.copy);
  manifests_.forget_stream(job.share, job.copy);
  // What cannot be removed stays as a hidden directory beside the place; the engine has noted it.
  Result<void> discarded;
  if (exporter) {
    discarded = exporter->discard();
    // Chunks that were being written when it was cancelled may have come in between.
    for (int i = 1; i < kDiscardTries && !discarded; ++i) discarded = exporter->discard();
  } else if (job.staging && job.inode != 0) {
    discarded =
        remove_staging({job.copy, job.share, job.directory, job.name, job.device, job.inode});
  }
  const bool had_staging = job.staging && (exporter || job.inode != 0);
  return FetchDiscarded{job.copy, had_staging && bool(discarded)};
}

// What is not there may be on a disk that is not: then the nearest directory that is there is of
// another device. 0: nothing is known of it.
bool Jobs::is_mounted(const std::string& path, std::uint64_t device) {
  for (std::string up = path; device != 0; up = storage::split_native(up).parent) {
    if (const auto dir = io_.open_root(up.empty() ? "/" : up)) {
      const auto info = io_.stat(*dir);
      return info && info->dev == device;
    }
    if (up.empty() || up == "/") return false;
  }
  return true;
}

// Of a copy that was there already nothing was staged: its files tell. 0: they do not.
std::uint64_t Jobs::device_of(const CollectGarbageJob::Fetched& copy) {
  if (copy.device != 0) return copy.device;
  const auto stats = manifests_.file_stats(copy.copy, 0);
  const bool known = stats && *stats != nullptr && !(*stats)->files.empty();
  return known ? (*stats)->files.front().dev : 0;
}

// Of an earlier run, if what stands there is still that.
Result<void> Jobs::remove_staging(const Leftover& staging) {
  const std::string name = storage::staging_name(staging.name, staging.share, options_.owner);
  const auto parent = io_.open_root(staging.directory);
  const auto info = parent ? io_.stat_at(*parent, name) : Result<FileInfo>(parent.error());
  if (!info && !is_not_found(info.error())) return info.error();
  if (!info && !is_mounted(staging.directory, staging.device)) {
    return local_error(Errc::kConflict, "its file system is not mounted", staging.directory);
  }
  if (!info) return {};
  if (info->dev != staging.device || info->inode != staging.inode) return {};
  // Held as long as it is being removed: a fetch that begins there meanwhile is told to wait.
  KITH_TRY(const auto lock, storage::lock_staging(io_, *parent, name));
  if (!lock) return local_error(Errc::kConflict, "a fetch is using it");
  KITH_TRY(const FileInfo locked, io_.stat(*lock));
  if (locked.inode != staging.inode) return {};
  KITH_CHECK(storage::remove_tree(io_, *parent, name));
  return io_.sync(*parent);
}

// kNotFound: it is not there any more.
Result<std::uint64_t> Jobs::bytes_of(const Leftover& staging) {
  const std::string name = storage::staging_name(staging.name, staging.share, options_.owner);
  KITH_TRY(const Dir parent, io_.open_root(staging.directory));
  KITH_TRY(const FileInfo info, io_.stat_at(parent, name));
  if (info.dev != staging.device || info.inode != staging.inode) {
    return local_error(Errc::kNotFound, "something else stands there");
  }
  KITH_TRY(const storage::TreeBytes bytes, storage::tree_bytes(io_, parent, name));
  return bytes.size;
}

// Only what is certainly so: a path that cannot be looked at may be there.
bool Jobs::is_gone(const std::string& path) {
  const storage::SplitPath place = storage::split_native(path);
  const auto parent = io_.open_root(std::string(place.parent.empty() ? "/" : place.parent));
  if (!parent) return is_not_found(parent.error());
  const auto info = io_.stat_at(*parent, place.name);
  return !info && is_not_found(info.error());
}

JobResult Jobs::perform(const CollectGarbageJob& job) {
  GarbageCollected out{job.request, job.dry_run, {}, {}};
  for (const Leftover& leftover : job.stagings) {
    GarbageCollected::Staging staging{leftover, 0, true, {}};
    const auto bytes = bytes_of(leftover);
    if (bytes) staging.bytes = *bytes;
    staging.is_there = bytes || !is_not_found(bytes.error());
    Result<void> removed;
    if (!bytes && staging.is_there) removed = bytes.error();
    if (bytes && !job.dry_run) removed = remove_staging(leftover);
    if (!removed) staging.error = removed.error();
    out.stagings.push_back(std::move(staging));
  }
  for (const CollectGarbageJob::Fetched& fetched : job.fetched) {
    const bool gone = is_gone(fetched.path) && is_mounted(fetched.path, device_of(fetched));
    if (gone) out.gone.push_back(fetched);
  }
  return out;
}

}  // namespace kith::node
