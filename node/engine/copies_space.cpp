// The room that copies take: the quota, what ended fetches left behind, and what is gone.
#include <algorithm>

#include "node/engine/copies.hpp"

namespace kith::node {

// --- the quota ---

// Shares are their owner's files. Of a fetch all of it counts as soon as it is known where it goes:
// two that begin together must not both take what is left.
std::uint64_t Copies::fetched_bytes(const Copy& copy) {
  if (copy.state == State::kComplete) return copy.bytes_have;
  if (is_held(copy.state) || !copy.root) return 0;
  const bool staged = copy.device != 0 || copy.inode != 0;
  return staged || copy.state == State::kPreparing ? bytes_taken(copy) : 0;
}

std::uint64_t Copies::fetched_bytes() const {
  std::uint64_t sum = 0;
  for (const auto& [id, copy] : copies_) sum += fetched_bytes(copy);
  return sum;
}

std::uint64_t Copies::room_for(const Copy& copy) const {
  if (quota_ == 0) return UINT64_MAX;
  const std::uint64_t others = fetched_bytes() - fetched_bytes(copy);
  return quota_ - std::min(quota_, others);
}

// --- stagings of fetches that have ended ---

void Copies::save_leftovers(Turn& turn) {
  turn.save_full(PutSetting{kLeftoversSetting, encode_leftovers(leftovers_)});
}

// Before its copy goes from the catalog: then nothing else knows of it.
void Copies::note_leftover(Turn& turn, const DiscardFetchJob& job) {
  if (job.device == 0 && job.inode == 0) return;
  if (leftovers_.size() >= kLeftoversMax) leftovers_.erase(leftovers_.begin());
  leftovers_.push_back({job.copy, job.share, job.directory, job.name, job.device, job.inode});
  save_leftovers(turn);
}

// A fetch made its staging where one was left: that is gone, and its inode may be used again.
void Copies::forget_leftover(Turn& turn, const Copy& copy) {
  const std::string name = shown_name(copy);
  const auto gone = std::erase_if(leftovers_, [&](const Leftover& leftover) {
    return leftover.is_at(copy.share, copy.directory, name);
  });
  if (gone > 0) save_leftovers(turn);
}

void Copies::drop_leftover(Turn& turn, CopyId of) {
  const auto gone = std::erase_if(leftovers_, [&](const Leftover& l) { return l.copy == of; });
  if (gone > 0) save_leftovers(turn);
}

void Copies::restore_leftovers(Turn& turn, std::vector<Leftover> saved) {
  for (Leftover& leftover : saved) {
    // The node ended before the copy had left the catalog, or it is fetched there once more.
    const bool in_use = std::ranges::any_of(copies_, [&](const auto& item) {
      const Copy& copy = item.second;
      return copy.id == leftover.copy ||
             (copy.device == leftover.device && copy.inode == leftover.inode);
    });
    if (in_use) continue;
    turn.out.jobs.push_back(DiscardFetchJob{leftover.copy, leftover.share, leftover.directory,
                                            leftover.name, leftover.device, leftover.inode, true});
    leftovers_.push_back(std::move(leftover));
  }
}

void Copies::on_discarded(Turn& turn, const FetchDiscarded& result) {
  if (result.removed) drop_leftover(turn, result.copy);
}

// --- what is gone ---

// Fetched copies of other shares that stood where this one stands now.
void Copies::remove_replaced(Turn& turn, const Copy& by) {
  std::vector<CopyId> gone;
  for (const auto& [id, copy] : copies_) {
    const bool here = copy.state == State::kComplete && copy.path == by.path;
    if (here && copy.share != by.share) gone.push_back(id);
  }
  for (const CopyId id : gone) remove(turn, *find(id), false);
}

void Copies::collect_garbage(Turn& turn, RequestId request, bool dry_run) {
  CollectGarbageJob job{request, dry_run, leftovers_, {}};
  for (const auto& [id, copy] : copies_) {
    if (copy.state == State::kComplete) job.fetched.push_back({id, copy.path, copy.device});
  }
  turn.out.jobs.push_back(std::move(job));
}

void Copies::on_collected(Turn& turn, const GarbageCollected& result) {
  GarbageReport report{result.dry_run, {}, 0};
  for (const GarbageCollected::Staging& staging : result.stagings) {
    const Leftover& leftover = staging.leftover;
    if (!result.dry_run && !staging.error) drop_leftover(turn, leftover.copy);
    if (!staging.is_there) continue;
    report.items.push_back({"staging", leftover.directory + "/" + leftover.name, staging.bytes,
                            staging.error ? to_string(*staging.error) : std::string()});
  }
  report_gone(turn, result, report);
  turn.done(result.request, std::move(report));
}

void Copies::report_gone(Turn& turn, const GarbageCollected& result, GarbageReport& report) {
  for (const CollectGarbageJob::Fetched& gone : result.gone) {
    Copy* copy = find(gone.copy);
    const bool here = copy != nullptr && copy->state == State::kComplete;
    if (!here || copy->path != gone.path) continue;  // `kith moved` was faster
    report.items.push_back({"copy", copy->path, 0, {}});
    if (!result.dry_run) remove(turn, *copy, false);
  }
}

}  // namespace kith::node
