// What copies do besides fetching from peers: checking and copying chunks, the have-set on its way
// to the catalog, syncing, time.
#include <algorithm>

#include "node/engine/copies.hpp"
#include "proto/limits.hpp"

namespace kith::node {
namespace {

Error why_bad(const ChunkVerified& result) {
  return result.error.value_or(local_error(Errc::kVerification, "its bytes changed"));
}

}  // namespace

// --- filling a copy from another copy of this device ---

void Copies::copy_more(Turn& turn, Copy& copy) {
  if (copy.part && !copy.part->is_complete()) return;  // on_selected() goes on
  const Copy* from = complete_copy(copy.share);
  if (from == nullptr) {
    // It was withdrawn meanwhile: the rest comes from peers.
    if (copy.jobs == 0) reopen(turn, copy);
    return;
  }
  will_read(turn, *find(from->id));
  const auto ask = [&] {
    while (copy.jobs < limits::kBackgroundJobs && copy.next_index < copy.shape.total()) {
      const ChunkIndex index = copy.next_index++;
      if (copy.have.has(index) || !takes(copy, index)) continue;
      ++copy.jobs;
      turn.out.jobs.push_back(
          CopyChunkJob{from->id, copy.share, index, copy.id, copy.share, index});
    }
  };
  ask();
  if (copy.jobs == 0 && !is_whole(copy)) {
    // What one source had wrong is asked of the next: it lost its place, and is not asked again.
    copy.next_index = copy.shape.index_of_chunk(0);
    ask();
  }
  maybe_finish(turn, copy);
}

// Goes on as after a restart: the pages in the catalog tell what may be asked of peers.
void Copies::reopen(Turn& turn, Copy& copy) {
  SavedCopy saved;
  saved.copy.state = CopyState::kFetching;
  copy.have.touch_all(true);
  for (PutHave& row : copy.have.take_changes(copy.id)) {
    turn.save(row);
    saved.rows.push_back({std::move(row), true});
  }
  copy.unflushed = 0;
  copy.from_local = false;
  copy.saved = std::move(saved);
  copy.state = State::kOpening;
  turn.out.jobs.push_back(OpenCopyJob{copy.id, copy.share, true, {}, globs_of(copy)});
}

void Copies::on_copied(Turn& turn, const ChunkCopied& result) {
  Copy* copy = find(result.to);
  if (copy == nullptr || waited_for(turn, *copy, copy->jobs)) return;
  if (copy->state != State::kContent) return;
  if (result.error) return fail_write(turn, *copy, *result.error);
  if (result.good) copy->bytes_copied += result.bytes;
  if (!copy->from_local) return on_reused(turn, *copy, result);
  if (result.good) {
    mark_have(turn, *copy, result.index);
  } else if (const Copy* from = complete_copy(copy->share)) {
    // The other copy has a wrong chunk: it loses it, and peers are asked for it.
    withdraw(turn, from->id, copy->share, result.index,
             local_error(Errc::kVerification, "its bytes changed"), from->path);
  }
  copy_more(turn, *copy);
}

// --- checking what was had, but perhaps not synced, before the machine went down ---

void Copies::check_more(Turn& turn, Copy& copy) {
  while (copy.jobs < limits::kBackgroundJobs && !copy.to_check.empty()) {
    ++copy.jobs;
    verify_chunk(turn, copy, copy.to_check.back(), kForFetch);
    copy.to_check.pop_back();
  }
  if (copy.jobs == 0) {
    offer_all(turn, copy);
    maybe_finish(turn, copy);
  }
}

void Copies::on_checked(Turn& turn, Copy& copy, const ChunkVerified& result) {
  const bool is_under_way = copy.state == State::kContent;
  // What stands still looks at it again when it goes on.
  if (!is_under_way) copy.to_check.push_back(result.index);
  if (waited_for(turn, copy, copy.jobs) || !is_under_way) return;
  if (result.good) {
    mark_have(turn, copy, result.index);
    if (copy.on_network) tell_held(turn, copy, result.index);
  } else {
    const Error why = why_bad(result);
    withdraw(turn, copy.id, copy.share, result.index, why, result.path);
  }
  check_more(turn, copy);
}

// --- looking at held copies ---

// One page after the other: a look must not keep the pool from what peers wait for.
void Copies::look(Turn& turn) {
  for (auto& [id, copy] : copies_) {
    if (!is_held(copy.state) || copy.look || copy.shape.pages() == 0) continue;
    copy.look = Look{1, 0};
    will_read(turn, copy);
    turn.out.jobs.push_back(LookPageJob{id, copy.share, 0, globs_of(copy)});
  }
}

bool Copies::is_looking() const {
  return std::ranges::any_of(copies_,
                             [](const auto& item) { return item.second.look.has_value(); });
}

void Copies::on_looked(Turn& turn, const PageLooked& result) {
  Copy* copy = find(result.copy);
  if (copy == nullptr || copy->share != result.share || !copy->look) return;
  for (const ChunkIndex index : result.suspects) {
    if (copy->look->suspects == limits::kSuspects) break;
    if (!copy->have.has(index)) continue;
    ++copy->look->suspects;
    ++copy->look->jobs;
    verify_chunk(turn, *copy, index, kForLook);
  }
  const std::uint32_t next = result.page + 1;
  if (next < copy->shape.pages() && copy->look->suspects < limits::kSuspects) {
    turn.out.jobs.push_back(LookPageJob{copy->id, copy->share, next, globs_of(*copy)});
    return;
  }
  end_look(*copy);
}

void Copies::end_look(Copy& copy) {
  if (copy.look && --copy.look->jobs == 0) copy.look.reset();
}

void Copies::on_verified(Turn& turn, const ChunkVerified& result) {
  Copy* copy = find(result.copy);
  if (result.verify == kForFetch) {
    if (copy != nullptr) on_checked(turn, *copy, result);
  } else if (copy != nullptr && copy->share == result.share && is_held(copy->state)) {
    save_stats(turn, *copy, result.stats);
    judge(turn, *copy, result);
  }
  if (copy != nullptr && result.verify == kForLook) end_look(*copy);
  if (result.verify == kForScrub) on_scrubbed(turn, result);
  count_verified(result);
  end_verifies(turn);
}

// What a chunk of a held copy was found to be.
void Copies::judge(Turn& turn, Copy& copy, const ChunkVerified& result) {
  if (result.rotten) return damaged(turn, copy, result);
  if (!result.good) {
    const Error why = why_bad(result);
    // It could not be looked at: too many open files, no memory. That says nothing of it.
    if (why.code == Errc::kLimit) {
      return turn.log(LogLevel::kWarning, "not checked: " + to_string(why));
    }
    no_rot(turn, copy, result.index, why, result.path);
    return withdraw(turn, copy.id, copy.share, result.index, why, result.path);
  }
  if (copy.have.has(result.index)) return;
  no_damage(turn, copy, result.index);
  take_back(turn, copy, result.index);
  // `verify` saves its row when it is done with the copy: many chunks share one.
  if (std::ranges::find(verifies_, result.verify, &Verify::number) != verifies_.end()) return;
  for (PutHave& row : copy.have.take_changes(copy.id)) turn.save(std::move(row));
}

void Copies::count_verified(const ChunkVerified& result) {
  for (Verify& verify : verifies_) {
    if (verify.number != result.verify) continue;
    --verify.in_flight;
    ++verify.report.chunks;
    verify.report.bytes += result.bytes;
    const Copy* copy = find(result.copy);
    if (copy == nullptr) continue;  // removed meanwhile: nothing is wrong with it
    if (result.rotten) {
      note_damage(verify, *copy, result.index);
    } else if (!result.good) {
      verify.bad.insert(result.path);
    }
  }
}

void Copies::verify(Turn& turn, RequestId request, std::vector<CopyId> copies) {
  std::erase_if(copies, [&](CopyId id) { return !is_held(find(id)->state); });
  if (copies.empty()) {
    return turn.fail(request, local_error(Errc::kNotFound, "there is no whole copy to verify"));
  }
  Verify verify;
  verify.number = next_verify_++;
  verify.request = request;
  for (const CopyId id : copies) verify.bytes_total += bytes_taken(*find(id));
  verify.copies = std::move(copies);
  verifies_.push_back(std::move(verify));
  end_verifies(turn);
}

void Copies::verify_more(Turn& turn, Verify& verify) {
  while (verify.at < verify.copies.size()) {
    Copy* copy = find(verify.copies[verify.at]);
    if (copy != nullptr && verify.next == 0) verify.next = copy->shape.index_of_chunk(0);
    if (copy != nullptr) will_read(turn, *copy);
    const ChunkIndex total = copy == nullptr ? 0 : copy->shape.total();
    while (verify.in_flight < limits::kBackgroundJobs && verify.next < total) {
      const ChunkIndex index = verify.next++;
      if (!takes(*copy, index)) continue;
      ++verify.in_flight;
      verify_chunk(turn, *copy, index, verify.number);
    }
    if (verify.in_flight > 0) return;
    if (copy != nullptr && is_held(copy->state)) {
      for (PutHave& row : copy->have.take_changes(copy->id)) turn.save(std::move(row));
      mark_read(turn, *copy);
    }
    ++verify.at;
    verify.next = 0;
    verify.give_up = turn.now.mono + kLookFor;
  }
}

// Goes on with each, and answers those that are over.
void Copies::end_verifies(Turn& turn) {
  std::erase_if(verifies_, [&](Verify& verify) {
    verify_more(turn, verify);
    const bool waits = verify.unsettled > 0 && turn.now.mono < verify.give_up;
    if (verify.at < verify.copies.size() || waits) return false;
    end_verify(turn, verify);
    return true;
  });
}

// --- have-set and syncing ---

void Copies::flush(Turn& turn, Copy& copy) {
  copy.unflushed = 0;
  if (!is_fetch(copy.state) || copy.is_stream) return;
  for (PutHave& row : copy.have.take_changes(copy.id)) turn.save(std::move(row));
}

void Copies::flush_all(Turn& turn) {
  for (auto& [id, copy] : copies_) flush(turn, copy);
}

void Copies::sync(Turn& turn, Copy& copy) {
  if (copy.syncing) return;
  copy.sync_at = turn.now.mono + kSyncEvery;
  if (copy.unsynced == 0) return;
  copy.syncing = true;
  copy.unsynced = 0;
  turn.out.jobs.push_back(SyncJob{copy.id, copy.have.begin_sync()});
}

// So that little is left to write when a sync waits for it.
void Copies::start_writeback(Turn& turn, Copy& copy) {
  if (copy.syncing || copy.state != State::kContent) return;
  copy.syncing = true;
  turn.out.jobs.push_back(SyncJob{copy.id, 0});
}

void Copies::on_synced(Turn& turn, const CopySynced& result) {
  Copy* copy = find(result.copy);
  if (copy == nullptr) return;
  copy->syncing = false;
  if (result.error) {
    // It may stand still already: then nothing else saves what it has now.
    if (result.is_lost && copy->state == State::kOpening) copy->lost_unsynced = true;
    if (result.is_lost) distrust(*copy);
    for (PutHave& row : copy->have.take_changes(copy->id)) turn.save(std::move(row));
  }
  if (copy->state == State::kWaiting && is_idle(*copy)) return begin(turn, *copy);
  if (!is_fetch(copy->state)) return;
  if (result.error) return fail(turn, *copy, *result.error);
  if (result.mark != 0) {
    for (PutHave& row : copy->have.commit_durable(copy->id, result.mark)) turn.save(std::move(row));
  }
  maybe_finish(turn, *copy);
}

// The disk did not take what it was given, or has lost something of it. A sync that fails tells so
// once, and the next one succeeds: what was not durable is written again, the rest is hashed before
// it counts.
void Copies::distrust(Copy& copy) {
  copy.to_check.clear();
  for (ChunkIndex i = copy.shape.index_of_chunk(0); i < copy.have.total(); ++i) {
    if (!copy.have.has(i)) continue;
    if (copy.have.is_durable(i) && !cuts(copy, i)) copy.to_check.push_back(i);
    copy.have.drop(i);
  }
  copy.bytes_have = 0;
}

// --- time ---

bool Copies::is_stuck(Turn& turn, Copy& copy) const {
  if (!copy.on_network) return false;
  // What is being checked may turn out to be missing: then it is looked for from there on.
  if (copy.jobs > 0) copy.looking_since = turn.now.mono;
  const transfer::ShareProgress progress = transfer_.progress(copy.share);
  const bool moving = progress.in_flight > 0 || progress.limited || copy.state == State::kRoot;
  if (progress.sources > 0) {
    copy.looking_since = moving ? turn.now.mono : std::max(copy.looking_since, copy.last_stored);
  }
  return turn.now.mono - copy.looking_since >= kLookFor;
}

std::optional<ChunkIndex> Copies::first_missing(const Copy& copy) {
  if (copy.state != State::kContent) return std::nullopt;
  for (std::uint32_t chunk = 0; chunk < copy.shape.chunks(); ++chunk) {
    const ChunkIndex index = copy.shape.index_of_chunk(chunk);
    const bool is_wanted = !copy.have.has(index) && takes(copy, index);
    if (is_wanted && is_placed(copy, chunk)) return index;
  }
  return std::nullopt;
}

// False: it is being found out which file lacks something, so that it can be named.
bool Copies::knows_missing(Turn& turn, Copy& copy) {
  const auto index = first_missing(copy);
  if (!index || (copy.missing && copy.missing->index == *index)) return true;
  if (!std::exchange(copy.locating, true)) {
    turn.out.jobs.push_back(LocateChunkJob{copy.id, copy.share, *index});
  }
  return false;
}

void Copies::on_located(Turn& turn, const ChunkLocated& result) {
  Copy* copy = find(result.copy);
  if (copy == nullptr || !std::exchange(copy->locating, false)) return;
  copy->missing = Missing{result.index, result.path};
  watch_over(turn, *copy);
}

// Ends a fetch that nobody can serve, unless it was told to wait, and those that wait for it.
void Copies::watch_over(Turn& turn, Copy& copy) {
  const bool looking =
      copy.state == State::kRoot || copy.state == State::kManifest || copy.state == State::kContent;
  if (!looking || !is_stuck(turn, copy)) return;
  give_up_readings(turn, copy);
  if (copy.is_stream) return;
  std::vector<CopyId> hopeless;
  for (const auto& [id, other] : copies_) {
    const bool same =
        id == copy.id || (other.share == copy.share && other.state == State::kWaiting);
    if (same && is_told(turn, other)) hopeless.push_back(id);
  }
  if (hopeless.empty() || !knows_missing(turn, copy)) return;
  const Error why = why_stuck(copy);
  // Those that wait for this one before it, for they would take its place.
  std::ranges::partition(hopeless, [&](CopyId id) { return id != copy.id; });
  for (const CopyId id : hopeless) give_up(turn, *find(id), why);
}

bool Copies::waits(const Turn& turn, const Listener& listener) {
  return listener.wait || turn.now.mono - listener.since < kLookFor;
}

// Somebody waited long enough, or nobody waits at all.
bool Copies::is_told(const Turn& turn, const Copy& copy) {
  if (copy.listeners.empty()) return !copy.detached;
  return std::ranges::any_of(copy.listeners,
                             [&](const Listener& listener) { return !waits(turn, listener); });
}

// Whoever has waited long enough is told; the fetch goes on for the others.
void Copies::give_up(Turn& turn, Copy& copy, const Error& why) {
  const auto is_over = [&](const Listener& listener) { return !waits(turn, listener); };
  if (!copy.detached && std::ranges::all_of(copy.listeners, is_over)) return fail(turn, copy, why);
  for (const Listener& listener : copy.listeners) {
    if (is_over(listener)) turn.fail(listener.request, why);
  }
  std::erase_if(copy.listeners, is_over);
}

Error Copies::why_stuck(const Copy& copy) {
  if (!copy.unavailable.empty()) {
    const std::string path = copy.bad_paths.at(*copy.unavailable.begin());
    return local_error(Errc::kVerification,
                       "every source has it wrong; the rest is fetched and kept", path,
                       "the same command goes on when another source is there");
  }
  if (copy.missing && !copy.missing->path.empty()) {
    const std::uint64_t missing = bytes_to_store(copy) - copy.bytes_have;
    return local_error(Errc::kNotFound,
                       "nobody who is reachable provides it as it was shared; " +
                           std::to_string(missing) + " bytes are missing in all, what came is kept",
                       copy.missing->path,
                       "--wait keeps trying; 'kith peers' shows who is reachable");
  }
  const bool nothing = copy.state == State::kRoot;
  return local_error(Errc::kNotFound,
                     nothing ? "nobody who is reachable provides this share"
                             : "nobody who is reachable provides the rest; what came is kept",
                     nothing ? copy.share.hex() : copy.name,
                     "--wait keeps trying; 'kith peers' shows who is reachable");
}

void Copies::slept(Duration time) {
  for (auto& [id, copy] : copies_) {
    copy.looking_since += time;
    copy.last_stored += time;
    copy.rate_since += time;
    for (Listener& listener : copy.listeners) listener.since += time;
  }
  for (Reading& reading : readings_) reading.since += time;
}

void Copies::on_timeout(Turn& turn) {
  std::vector<CopyId> ids;
  for (auto& [id, copy] : copies_) {
    if (is_fetch(copy.state)) ids.push_back(id);
    if (!copy.close_at || turn.now.mono < *copy.close_at) continue;
    copy.close_at.reset();
    turn.out.jobs.push_back(CloseFilesJob{id});
  }
  const bool progress_due = turn.now.mono >= next_progress_;
  if (progress_due) next_progress_ = turn.now.mono + kProgressEvery;
  for (const CopyId id : ids) {
    Copy* copy = find(id);
    if (copy == nullptr) continue;
    const bool sync_due = copy->unsynced >= limits::kSyncBytes || turn.now.mono >= copy->sync_at;
    if (copy->state == State::kContent && sync_due) sync(turn, *copy);
    if (copy->unflushed > 0 && turn.now.mono >= copy->flush_at) {
      flush(turn, *copy);
      start_writeback(turn, *copy);
    }
    if (progress_due) report_progress(turn, *copy);
    watch_over(turn, *copy);
  }
  tend_streams(turn);
  scrub_more(turn);
  end_verifies(turn);
  if (!progress_due) return;
  for (const Verify& verify : verifies_) {
    FetchProgress progress;
    progress.phase = verify.at < verify.copies.size() ? "verifying" : "repairing";
    progress.bytes_done = verify.report.bytes;
    progress.bytes_total = verify.bytes_total;
    turn.progress(verify.request, progress);
  }
}

std::optional<TimePoint> Copies::next_timeout() const {
  std::optional<TimePoint> at;
  const auto earliest = [&at](TimePoint t) { at = at ? std::min(*at, t) : t; };
  if (!verifies_.empty()) earliest(next_progress_);
  if (!streams_.empty()) earliest(next_tending_);
  if (scrub_.rate > 0 && !scrub_out_ && shares() > 0) earliest(scrub_at_);
  for (const auto& [id, copy] : copies_) {
    if (!is_fetch(copy.state)) continue;
    earliest(next_progress_);
    if (copy.unflushed > 0) earliest(copy.flush_at);
  }
  return at;
}

}  // namespace kith::node
