#include "node/engine/copies.hpp"

#include <algorithm>

#include "proto/assert.hpp"
#include "proto/limits.hpp"

namespace kith::node {
namespace {

Error being_renamed(const std::string& name) {
  return local_error(Errc::kConflict, "it gets its final name at this very moment", name,
                     "try again");
}

}  // namespace

CopyId random_copy_id(Rng& rng) {
  return CopyId(static_cast<std::int64_t>(rng.next_u64() >> 2) + 1);
}

Copies::Copy& Copies::insert(CopyId id, const ShareId& share) {
  const auto [it, fresh] = copies_.try_emplace(id);
  Copy& copy = it->second;
  if (!fresh && copy.share == share) return copy;
  if (!fresh) unlist(copy);
  copy.id = id;
  copy.share = share;
  by_share_[share].push_back(&copy);
  return copy;
}

void Copies::erase(CopyId id) {
  unlist(*find(id));
  copies_.erase(id);
}

void Copies::unlist(const Copy& copy) {
  const auto of_share = by_share_.find(copy.share);
  std::erase(of_share->second, &copy);
  if (of_share->second.empty()) by_share_.erase(of_share);
}

Copies::Copy* Copies::find(CopyId id) {
  const auto it = copies_.find(id);
  return it == copies_.end() ? nullptr : &it->second;
}

const Copies::Copy* Copies::find(CopyId id) const {
  const auto it = copies_.find(id);
  return it == copies_.end() ? nullptr : &it->second;
}

bool Copies::is_fetch(State state) { return state >= State::kRoot && state <= State::kRenaming; }

bool Copies::will_be_held(const Copy& copy) {
  if (copy.state == State::kUnreadable) return true;
  if (copy.state != State::kOpening || !copy.saved) return is_held(copy.state);
  const CopyState saved = copy.saved->copy.state;
  return saved == CopyState::kComplete || saved == CopyState::kShared;
}

const std::vector<Copies::Copy*>& Copies::copies_of(const ShareId& share) const {
  static const std::vector<Copy*> kNone;
  const auto of_share = by_share_.find(share);
  return of_share == by_share_.end() ? kNone : of_share->second;
}

Copies::Copy* Copies::fetching(const ShareId& share) {
  for (Copy* copy : copies_of(share)) {
    if (is_fetch(copy->state)) return copy;
  }
  return nullptr;
}

bool Copies::is_fetched(const ShareId& share) const {
  return std::ranges::any_of(
      copies_of(share), [](const Copy* copy) { return is_fetch(copy->state) && !copy->is_stream; });
}

const Copies::Copy* Copies::complete_copy(const ShareId& share) const {
  for (const Copy* copy : copies_of(share)) {
    if (is_held(copy->state) && copy->root && !copy->part && is_whole(*copy)) return copy;
  }
  return nullptr;
}

void Copies::set_root(Copy& copy, Root root) {
  copy.root = std::make_shared<const Root>(std::move(root));
  copy.shape = ShareShape(*copy.root);
  copy.pages_left = copy.shape.pages();
  if (copy.part) copy.part->reset(copy.shape);
}

void Copies::save(Turn& turn, const Copy& copy, CopyState state, bool full) {
  PutCopy row{copy.id,    copy.share,     state,        copy.directory,  copy.name,
              copy.path,  copy.detached,  copy.replace, copy.safe_links, copy.device,
              copy.inode, globs_of(copy), copy.swarm};
  turn.out.catalog.push_back({std::move(row), {}, full});
}

// --- sharing ---

void Copies::add_share(Turn& turn, RequestId request, AddShare command) {
  // The same tree at the same place, shared again, is the copy that it was.
  const bool again = copies_.contains(command.copy);
  Copy& copy = insert(command.copy, command.share);
  copy.problem.clear();
  copy.problem_paths.clear();
  copy.look.reset();
  copy.mends.clear();
  copy.recheck.clear();
  copy.swarm = command.swarm;
  copy.key = command.key;
  copy.part.reset();
  copy.state = State::kShared;
  copy.path = command.path;
  copy.name = command.root.name;
  set_root(copy, std::move(command.root));
  copy.pages_left = 0;
  copy.have.reset(copy.shape.total(), true);
  copy.bytes_have = copy.root->totals.bytes;
  if (again) save_held(turn, copy);
  if (!again) mark_read(turn, copy);
  serve(turn, copy);
  wake_waiting(turn, copy.share);
  turn.done(request, ShareAdded{view(copy.id)});
}

// Offers what a held copy has. A fetch of the same share that asks peers goes on from this copy.
void Copies::serve(Turn& turn, const Copy& copy) {
  if (Copy* stream = stream_of(copy.share); stream != nullptr && stream->on_network) {
    return end_stream(turn, *stream);  // which serves what is held
  }
  if (Copy* other = fetching(copy.share); other != nullptr && other->on_network) {
    const bool may = other->state == State::kRoot || other->state == State::kManifest ||
                     other->state == State::kContent;
    // Otherwise it offers its own chunks, and must not be told of others that it lacks.
    if (!may || complete_copy(copy.share) == nullptr) return;
    pause(turn, *other);
    begin(turn, *other);
  }
  transfer_.add_share(turn.now.mono, copy.share, copy.swarm, false, turn.transfer);
  show_shape(turn, copy);
}

// Rows of a held copy are read at the next start: they say what an earlier state left out.
void Copies::save_held(Turn& turn, Copy& copy) {
  copy.have.touch_all(false);
  for (PutHave& row : copy.have.take_changes(copy.id)) turn.save(std::move(row));
}

// --- withdrawing ---

bool Copies::is_withdrawn(const Copy& copy) { return is_held(copy.state) && !is_whole(copy); }

void Copies::lose(Copy& copy, ChunkIndex index) {
  copy.have.drop(index);
  discount(copy, index);
}

// It is not had any more.
void Copies::discount(Copy& copy, ChunkIndex index) const {
  copy.bytes_have -= std::min<std::uint64_t>(copy.bytes_have, length_of(copy, index));
  // Of a held copy the lengths are near enough only while something is left.
  if (copy.have.count() <= copy.shape.index_of_chunk(0)) copy.bytes_have = 0;
}

// A withdrawn chunk that `verify` found to be good again. Its row is saved when that is done with
// the copy: many chunks share one.
void Copies::take_back(Turn& turn, Copy& copy, ChunkIndex index) {
  copy.have.add(index);
  copy.bytes_have += length_of(copy, index);
  if (!is_withdrawn(copy)) {
    copy.bytes_have = bytes_taken(copy);
    copy.problem.clear();
    copy.problem_paths.clear();
    return serve(turn, copy);
  }
  if (fetching(copy.share) == nullptr) tell_held(turn, copy, index);
}

// True if it is new.
bool Copies::add_problem(Copy& copy, const std::string& path) {
  if (copy.problem_paths.size() >= kNamed || !copy.problem_paths.insert(path).second) return false;
  const std::size_t count = copy.problem_paths.size();
  copy.problem = std::to_string(count) + (count == 1 ? " file" : " files") +
                 " changed or missing, first " + *copy.problem_paths.begin();
  return true;
}

void Copies::withdraw(Turn& turn, CopyId id, const ShareId& share, ChunkIndex index,
                      const Error& why, const std::string& path) {
  Copy* copy = find(id);
  if (copy == nullptr || copy->share != share || !copy->have.has(index)) return;
  // It gets its name at this moment: what was not found under the old one is under the new one.
  if (copy->state == State::kRenaming && why.code == Errc::kNotFound) return;
  // A fetch stands on its root and pages; the next start finds out which of them are there.
  if (!is_held(copy->state) && !copy->shape.is_content(index)) {
    return turn.log(LogLevel::kError, "a manifest page cannot be read back: " + why.what);
  }
  take_away(turn, *copy, index);
  // The disk may have it wrong: then it can be repaired.
  const bool may_be_rot = is_held(copy->state) && why.code == Errc::kVerification;
  if (may_be_rot && copy->shape.is_content(index)) verify_chunk(turn, *copy, index, 0);
  if (!add_problem(*copy, path)) return;
  turn.log(LogLevel::kWarning, "withdrawn: " + path + ": " + why.what);
  turn.event("share-withdrawn", why.what, path);
}

void Copies::on_event(Turn& turn, const transfer::CheckChunk& event) {
  for (auto& [id, copy] : copies_) {
    if (copy.share != event.share || !serves(copy, event.index)) continue;
    const bool fetched =
        copy.state == State::kContent && !copy.from_local && copy.shape.is_content(event.index);
    if (!fetched && !is_held(copy.state)) continue;
    if (fetched) {
      ++copy.jobs;
    } else {
      will_read(turn, copy);
    }
    verify_chunk(turn, copy, event.index, fetched ? kForFetch : 0);
  }
}

// --- unshare, cancel, leave ---

// A fetch that stands still is no reason to serve it there.
bool Copies::is_in(const ShareId& share, const SwarmId& swarm) const {
  return std::ranges::any_of(copies_of(share), [&](const Copy* copy) {
    return copy->swarm == swarm && (is_held(copy->state) || copy->on_network);
  });
}

// A moment that must not be cut in two: its rename may have happened already.
bool Copies::is_being_renamed(State state) {
  return state == State::kCommitting || state == State::kRenaming;
}

void Copies::remove(Turn& turn, Copy& copy, bool discard) {
  // It may have told peers of what this copy holds; what is read goes on in another one.
  if (Copy* stream = stream_of(copy.share)) end_stream(turn, *stream);
  const ShareId share = copy.share;
  const CopyId id = copy.id;
  turn.out.jobs.push_back(DiscardFetchJob{id, share, copy.directory, copy.name,
                                          discard ? copy.device : 0, discard ? copy.inode : 0,
                                          discard});
  if (copy.name.empty() && copy.root) {
    std::get<DiscardFetchJob>(turn.out.jobs.back()).name = copy.root->name;
  }
  const std::string name = std::get<DiscardFetchJob>(turn.out.jobs.back()).name;
  if (discard) note_leftover(turn, std::get<DiscardFetchJob>(turn.out.jobs.back()));
  for (const Listener& listener : copy.listeners) {
    turn.fail(listener.request,
              local_error(Errc::kCancelled, "the fetch was cancelled",
                          name.empty() ? share.hex() : name, "kith fetch begins it anew"));
  }
  const bool last = std::none_of(copies_.begin(), copies_.end(), [&](const auto& item) {
    return item.first != id && item.second.share == share;
  });
  const bool on_network = copy.on_network;
  const SwarmId swarm = copy.swarm;
  erase(id);
  turn.save_full(DeleteCopy{id, share, last});
  const Copy* other = fetching(share);
  const bool goes_on = other != nullptr && other->on_network;
  // Copies in other swarms are no reason to serve it in this one.
  const bool was_last_here = transfer_.is_in(share, swarm) && !is_in(share, swarm);
  if (on_network || was_last_here || (!goes_on && complete_copy(share) == nullptr)) {
    transfer_.remove_share(turn.now.mono, share, turn.transfer);
    for (const auto& [held_id, held] : copies_) {
      if (held.share == share && is_held(held.state)) serve(turn, held);
    }
  }
  wake_waiting(turn, share);
}

Result<void> Copies::unshare(Turn& turn, CopyId id) {
  Copy& copy = *find(id);
  if (is_being_renamed(copy.state)) return being_renamed(copy.name);
  // Nobody who says `unshare` means to lose what was fetched so far.
  if (!will_be_held(copy)) {
    return local_error(Errc::kConflict, "it is not shared here yet: it is being fetched",
                       shown_name(copy),
                       "'kith cancel' ends the fetch and removes what came so far");
  }
  remove(turn, copy, false);
  return {};
}

void Copies::cancel(Turn& turn, RequestId request, CopyId id) {
  Copy* copy = find(id);
  if (copy != nullptr && is_being_renamed(copy->state)) {
    return turn.fail(request, being_renamed(copy->name));
  }
  if (copy == nullptr || will_be_held(*copy)) {
    return turn.fail(request,
                     local_error(Errc::kNotFound, "it is not being fetched", {},
                                 "'kith list' shows what is; 'kith unshare' stops sharing"));
  }
  remove(turn, *copy, true);
  turn.done(request, Ok{});
}

void Copies::leave(Turn& turn, const SwarmId& swarm) {
  std::vector<CopyId> gone;
  for (const auto& [id, copy] : copies_) {
    if (copy.swarm == swarm) gone.push_back(id);
  }
  end_streams(turn, swarm);
  for (const CopyId id : gone) {
    Copy* copy = find(id);
    if (copy == nullptr) continue;
    // Its rename may happen, or not: then the staging is removed later.
    if (is_being_renamed(copy->state)) {
      note_leftover(turn, DiscardFetchJob{id, copy->share, copy->directory, shown_name(*copy),
                                          copy->device, copy->inode, true});
    }
    remove(turn, *copy, !will_be_held(*copy) && !is_being_renamed(copy->state));
  }
}

void Copies::moved(Turn& turn, RequestId request, CopyId id, std::string path) {
  const Copy* copy = find(id);
  if (copy == nullptr || !is_held(copy->state)) {
    return turn.fail(request, local_error(Errc::kConflict, "it is not shared here yet",
                                          copy == nullptr ? "" : shown_name(*copy),
                                          "'kith list' says what it is doing"));
  }
  moves_[id].push_back(request);
  turn.out.jobs.push_back(MoveCopyJob{id, copy->share, std::move(path), globs_of(*copy)});
}

void Copies::on_moved(Turn& turn, const CopyMoved& result) {
  const auto requests = std::exchange(moves_[result.copy], {});
  moves_.erase(result.copy);
  Copy* copy = find(result.copy);
  for (const RequestId request : requests) {
    if (result.error || copy == nullptr) {
      turn.fail(request, result.error.value_or(local_error(Errc::kNotFound, "the share is gone")));
    } else {
      turn.done(request, Ok{});
    }
  }
  if (result.error || copy == nullptr) return;
  copy->path = result.path;
  copy->problem.clear();
  copy->problem_paths.clear();
  copy->mends.clear();
  // All of it was compared: what had been withdrawn is there again.
  copy->bytes_have = bytes_taken(*copy);
  hold_all(*copy);
  save_held(turn, *copy);
  serve(turn, *copy);
  const CopyState state = copy->state == State::kShared ? CopyState::kShared : CopyState::kComplete;
  turn.save(SetCopyState{copy->id, state, copy->path});
  turn.save(PutFileStats{copy->id, result.file_stats});
  wake_waiting(turn, copy->share);
}

// --- for jobs ---

std::optional<CopyId> Copies::source(const Turn& turn, const ShareId& share, ChunkIndex index) {
  for (Copy* copy : copies_of(share)) {
    if (!serves(*copy, index)) continue;
    will_read(turn, *copy);
    moved_at_ = turn.now.mono;
    return copy->id;
  }
  return std::nullopt;
}

void Copies::will_read(const Turn& turn, Copy& copy) {
  if (!copy.close_at) copy.close_at = turn.now.mono + kCloseAfter;
}

std::optional<Job> Copies::store_job(transfer::StoreRequest store, const BulkKey& key,
                                     const DeviceId& device) {
  Copy* copy = fetching(store.share);
  // What is read besides finds it in the copy that it mends.
  Copy* damaged = is_fetched(store.share) ? nullptr : mending(store.share, store.index);
  if (damaged != nullptr) {
    damaged->mends.at(store.index).at_job = true;
    return MendChunkJob{damaged->id, device, std::move(store), key};
  }
  if (copy == nullptr) return std::nullopt;
  const CopyId stream = copy->is_stream ? copy->id : CopyId{};
  if (store.index == 0) return OpenRootJob{std::move(store), key, copy->key, stream};
  if (copy->shape.is_page(store.index)) return OpenPageJob{std::move(store), key, stream};
  const bool write = !passes(*copy, store.index);
  const bool hand_over =
      !write || (cuts(*copy, store.index) && is_needed(store.share, store.index));
  ++copy->steps;
  return StoreChunkJob{copy->id, std::move(store), key, write, hand_over};
}

std::uint32_t Copies::length_of(const Copy& copy, ChunkIndex index) const {
  if (!copy.root || !copy.shape.is_content(index)) return 0;
  const std::uint32_t chunk = index - copy.shape.index_of_chunk(0);
  if (chunk < copy.lengths.size()) return copy.lengths[chunk];
  // Held copies keep no lengths; the mean is near enough for what is shown.
  const Totals& totals = copy.root->totals;
  return static_cast<std::uint32_t>(totals.bytes / std::max<std::uint64_t>(totals.chunks, 1));
}

}  // namespace kith::node
