// A fetch, from its command to the tree at its place. The states stand at the head of copies.hpp.
#include <algorithm>

#include "node/engine/copies.hpp"
#include "proto/assert.hpp"
#include "proto/limits.hpp"

namespace kith::node {
namespace {

// What each has given since then.
std::vector<SourceView> sources_since(const std::vector<SourceView>& before,
                                      std::vector<SourceView> now) {
  for (SourceView& source : now) {
    const auto was = std::ranges::find(before, source.device, &SourceView::device);
    if (was != before.end()) source.bytes -= std::min(source.bytes, was->bytes);
  }
  std::erase_if(now, [](const SourceView& source) { return source.bytes == 0; });
  return now;
}

}  // namespace

void Copies::fetch(Turn& turn, RequestId request, const Fetch& command, const SwarmId& swarm,
                   std::vector<Secret> convs) {
  Copy* copy = nullptr;
  for (auto& [id, other] : copies_) {
    const bool same_place = other.directory == command.directory && other.name == command.name;
    if (other.share == command.link.share && same_place && !will_be_held(other)) copy = &other;
  }
  if (copy != nullptr && !is_same_part(*copy, command.part)) {
    return turn.fail(request, local_error(Errc::kConflict,
                                          "another part of it is being fetched to the same place",
                                          shown_name(*copy), "'kith cancel' ends that fetch"));
  }
  if (copy == nullptr) {
    copy = &insert(random_copy_id(rng_), command.link.share);
    copy->swarm = swarm;
    copy->key = command.link.key;
    copy->directory = command.directory;
    copy->name = command.name;
    if (!command.part.empty()) copy->part.emplace(command.part);
    copy->state = State::kPaused;
  }
  copy->replace = command.replace;
  copy->safe_links = command.safe_links;
  copy->asked = true;
  copy->abandoned = false;
  copy->detached = copy->detached || command.detached;
  if (copy->state == State::kPaused || copy->state == State::kFailed) {
    copy->reuse_tree = command.reuse;
    copy->convs = std::move(convs);
  }
  if (command.detached) {
    turn.done(request, ShareAnswer{view(copy->id), {}});
  } else {
    const std::uint64_t received =
        transfer_.has_share(copy->share) ? transfer_.progress(copy->share).bytes_received : 0;
    copy->listeners.push_back(
        {request, turn.now.mono, command.wait, received, sources_of(copy->share)});
  }
  if (copy->state == State::kPaused || copy->state == State::kFailed) begin(turn, *copy);
}

void Copies::begin(Turn& turn, Copy& copy) {
  copy.problem.clear();
  copy.bad_paths.clear();
  copy.unavailable.clear();
  copy.looking_since = turn.now.mono;
  copy.rate_since = turn.now.mono;
  copy.rate_bytes = 0;
  copy.from_local = false;
  copy.compared = false;
  copy.repaired = false;
  copy.missing.reset();
  copy.has_room = false;
  copy.bytes_copied = 0;
  if (Copy* stream = stream_of(copy.share)) end_stream(turn, *stream);
  if (fetching(copy.share) != nullptr || is_opening(copy) || !is_idle(copy)) {
    copy.state = State::kWaiting;
    return;
  }
  const Copy* local = complete_copy(copy.share);
  if (local != nullptr) {
    if (!copy.root) {
      set_root(copy, *local->root);
      copy.have.reset(copy.shape.total(), false);
    }
    // The catalog has every page of it.
    for (ChunkIndex i = 0; i < copy.shape.index_of_chunk(0); ++i) copy.have.add(i);
    copy.pages_left = 0;
    copy.lengths.clear();
  }
  select_pages(turn, copy);
  // What a copy was filled from is gone: the pages in the catalog tell what may be asked of peers.
  const bool lengths_known = copy.root && copy.lengths.size() == copy.shape.chunks();
  if (copy.root && local == nullptr && !lengths_known) return reopen(turn, copy);
  if (copy.root) return prepare(turn, copy);
  copy.state = State::kRoot;
  begin_network(turn, copy);
}

bool Copies::is_idle(const Copy& copy) {
  return copy.jobs == 0 && copy.steps == 0 && !copy.syncing;
}

// A job of a fetch is back; `jobs` counts it. True: it was of a run that failed or was left, and
// the next one, which may be in another staging, has waited for it.
bool Copies::waited_for(Turn& turn, Copy& copy, std::size_t& jobs) {
  if (jobs > 0) --jobs;
  if (copy.state != State::kWaiting) return false;
  if (is_idle(copy)) begin(turn, copy);
  return true;
}

// The fetch of which a step is back, if it is still at it.
Copies::Copy* Copies::after_step(Turn& turn, CopyId id, State state) {
  Copy* copy = find(id);
  const bool is_over = copy == nullptr || waited_for(turn, *copy, copy->steps);
  return is_over || copy->state != state ? nullptr : copy;
}

// Another copy of the share is being taken up: it may turn out to be whole.
bool Copies::is_opening(const Copy& but) const {
  return std::any_of(copies_.begin(), copies_.end(), [&](const auto& item) {
    const Copy& copy = item.second;
    return copy.id != but.id && copy.share == but.share && copy.state == State::kOpening;
  });
}

void Copies::wake_waiting(Turn& turn, const ShareId& share) {
  for (auto& [id, copy] : copies_) {
    if (copy.share != share || copy.state != State::kWaiting) continue;
    const Copy* other = fetching(share);
    if (other != nullptr && !other->is_stream) return;
    begin(turn, copy);
  }
  mend_more(turn, share);
}

void Copies::begin_network(Turn& turn, Copy& copy) {
  // A share that is served already must be told anew that it is fetched.
  if (transfer_.has_share(copy.share)) {
    transfer_.remove_share(turn.now.mono, copy.share, turn.transfer);
  }
  transfer_.add_share(turn.now.mono, copy.share, copy.swarm, true, turn.transfer);
  if (copy.is_stream) transfer_.fetch_in_order(copy.share);
  for (Listener& listener : copy.listeners) {
    // It counts from nothing again.
    listener.received_before = 0;
    listener.sources_before.clear();
  }
  copy.on_network = true;
  if (copy.root) show_shape(turn, copy);
}

void Copies::show_shape(Turn& turn, const Copy& copy) {
  std::vector<std::uint32_t> page_lengths;
  for (const PageRef& page : copy.root->pages) {
    page_lengths.push_back(copy.is_stream ? 0 : page.length);
  }
  if (copy.on_network && !copy.is_stream) reuse_pages(turn, copy, page_lengths);
  transfer_.set_shape(turn.now.mono, copy.share, copy.shape.total(), page_lengths, servable(copy),
                      turn.transfer);
}

void Copies::on_root(Turn& turn, RootOpened result) {
  Copy* copy = fetching(result.share);
  const bool lost = forget_late(turn, copy, result.share, result.stream);
  const bool wanted = copy != nullptr && copy->state == State::kRoot && !lost;
  if (wanted && result.outcome == transfer::StoreOutcome::kBadChunk) {
    copy->bad_paths[0] = "the manifest";
  }
  // Whatever became of the share: the answer gives the reserved memory back.
  transfer_.on_stored(turn.now.mono, result.share, 0, result.from,
                      lost ? transfer::StoreOutcome::kLost : result.outcome, result.error,
                      turn.transfer);
  if (!wanted || result.outcome != transfer::StoreOutcome::kStored) return;
  if (copy->is_stream) {
    take_root(*copy, std::move(result.root));
    show_shape(turn, *copy);
    return read_on(turn, ShareId(result.share));
  }
  set_root(*copy, std::move(result.root));
  copy->have.reset(copy->shape.total(), false);
  copy->have.add(0);
  copy->lengths.assign(copy->shape.chunks(), 0);
  turn.save(PutShare{copy->share, copy->swarm, copy->key, copy->root->name,
                     std::move(result.ciphertext)});
  show_shape(turn, *copy);
  prepare(turn, *copy);
}

void Copies::prepare(Turn& turn, Copy& copy) {
  copy.state = State::kPreparing;
  ++copy.steps;
  turn.out.jobs.push_back(PrepareFetchJob{
      copy.id, copy.share, copy.directory, copy.name, copy.replace, copy.safe_links, globs_of(copy),
      copy.compared, copy.finished, !copy.asked, room_for(copy), copy.device, copy.inode});
}

void Copies::on_prepared(Turn& turn, const FetchPrepared& result) {
  Copy* copy = find(result.copy);
  if (copy == nullptr) {
    // Cancelled meanwhile: the staging that was made goes too.
    turn.out.jobs.push_back(DiscardFetchJob{result.copy, {}, {}, {}, 0, 0, true});
    return;
  }
  if (waited_for(turn, *copy, copy->steps) || copy->state != State::kPreparing) return;
  if (result.error) return fail(turn, *copy, *result.error);
  copy->path = result.path;
  if (result.fresh) forget_leftover(turn, *copy);
  if (result.renamed) return finish(turn, *copy, false);
  // What it was to be filled from may be gone: begin_content() finds out.
  const bool lengths_known = copy->lengths.size() == copy->shape.chunks();
  const bool may = lengths_known && complete_copy(copy->share) == nullptr;
  if (!copy->on_network && may) begin_network(turn, *copy);
  if (result.exists) {
    copy->state = State::kManifest;
    if (fits_nothing(*copy)) return end_empty(turn, *copy);
    return copy->abandoned ? abandon(turn, *copy) : maybe_finish(turn, *copy);
  }
  const bool lost = result.fresh && (copy->device != 0 || copy->inode != 0);
  copy->device = result.device;
  copy->inode = result.inode;
  if (result.fresh) {
    // What an earlier run wrote is gone with its staging: pages stay, content begins anew.
    for (ChunkIndex i = copy->shape.index_of_chunk(0); i < copy->shape.total(); ++i) {
      if (!copy->have.has(i)) continue;
      copy->have.drop(i);
      if (copy->on_network) transfer_.drop_have(turn.now.mono, copy->share, i, turn.transfer);
    }
    copy->bytes_have = 0;
    copy->to_check.clear();
  }
  if (lost) turn.log(LogLevel::kWarning, "the staged files of a fetch are gone: " + copy->path);
  if (lost) forget_rows(turn, *copy);
  copy->finished = false;
  save(turn, *copy, CopyState::kFetching, false);
  if (copy->abandoned) return abandon(turn, *copy);
  if (fits_nothing(*copy)) return end_empty(turn, *copy);
  begin_content(turn, *copy);
}

// What the catalog says of a staging that is gone: also of chunks that nobody looked at in this
// run.
void Copies::forget_rows(Turn& turn, Copy& copy) {
  copy.have.touch_all(true);
  flush(turn, copy);
}

void Copies::begin_content(Turn& turn, Copy& copy) {
  copy.state = State::kContent;
  copy.from_local = complete_copy(copy.share) != nullptr;
  const bool lengths_known = copy.lengths.size() == copy.shape.chunks();
  if (!copy.from_local && !lengths_known) return reopen(turn, copy);
  copy.next_index = copy.shape.index_of_chunk(0);
  copy.sync_at = turn.now.mono + kSyncEvery;
  copy.last_stored = turn.now.mono;
  forget_reuse(copy);
  if (check_part(turn, copy)) fill(turn, copy);
}

// There is room for it: its chunks come from wherever they are.
void Copies::fill(Turn& turn, Copy& copy) {
  if (copy.from_local) return copy_more(turn, copy);
  if (!copy.to_check.empty()) return check_more(turn, copy);
  offer_all(turn, copy);
}

// Chunks may be asked of peers: nothing here has to be looked at before.
bool Copies::may_ask(const Copy& copy) {
  return copy.state == State::kContent && !copy.from_local && copy.to_check.empty() &&
         copy.reuse_tree.empty() && (!copy.part || copy.has_room);
}

// Every chunk of which the pages are here may be asked for.
void Copies::offer_all(Turn& turn, Copy& copy) {
  if (!copy.reuse_tree.empty()) return scan_tree(turn, copy, nullptr);
  for (std::uint32_t page = 0; page < copy.shape.pages(); ++page) {
    const bool is_here = copy.have.has(copy.shape.index_of_page(page));
    if (is_here && (!copy.part || copy.part->knows(page))) offer_page(turn, copy, page);
  }
  maybe_finish(turn, copy);
}

// From now on the chunks of this page may be asked for. The first and the last one other pages may
// describe, too: without them it could not be written.
void Copies::offer_lengths(Turn& turn, Copy& copy, std::uint32_t page) {
  std::uint32_t begin = copy.shape.first_chunk(page);
  std::uint32_t end = begin + copy.shape.chunk_count(page);
  if (begin < end && !is_placed(copy, begin)) ++begin;
  if (begin < end && !is_placed(copy, end - 1)) --end;
  // What is not wanted, or copied from elsewhere, is told no length.
  std::vector<std::uint32_t> lengths(copy.lengths.begin() + begin, copy.lengths.begin() + end);
  const ChunkIndex first = copy.shape.index_of_chunk(begin);
  for (ChunkIndex i = 0; i < lengths.size(); ++i) {
    const bool is_wanted = takes(copy, first + i) && !copy.have.has(first + i);
    if (!is_wanted || copy.reuse.contains(first + i)) lengths[i] = 0;
  }
  transfer_.set_lengths(turn.now.mono, copy.share, first, lengths, turn.transfer);
}

bool Copies::is_placed(const Copy& copy, std::uint32_t chunk) {
  const auto [first, last] = copy.shape.pages_of_chunk(chunk);
  for (std::uint32_t page = first; page <= last; ++page) {
    const bool is_known =
        copy.have.has(copy.shape.index_of_page(page)) && (!copy.part || copy.part->knows(page));
    if (copy.shape.describes(page, chunk) && !is_known) return false;
  }
  return true;
}

// True: it was opened for another copy than the one that asks now. What it made known would go with
// its stream, or stay for ever if that is gone.
bool Copies::forget_late(Turn& turn, const Copy* copy, const ShareId& share, CopyId stream) {
  const CopyId now = copy != nullptr && copy->is_stream ? copy->id : CopyId{};
  if (stream != CopyId{} && stream != now) {
    turn.out.jobs.push_back(DiscardFetchJob{stream, share, {}, {}, 0, 0, false});
  }
  return stream != now;
}

void Copies::on_page(Turn& turn, PageOpened result) {
  Copy* copy = fetching(result.share);
  if (result.reused)
    return copy == nullptr ? void() : on_page_reused(turn, *copy, std::move(result));
  // The page may be of an earlier fetch of the share, and this one may not know the root yet.
  const bool stale =
      forget_late(turn, copy, result.share, result.stream) || (copy != nullptr && !copy->root);
  if (copy != nullptr && !stale && result.outcome == transfer::StoreOutcome::kBadChunk) {
    copy->bad_paths[result.index] = "the manifest";
  }
  transfer_.on_stored(turn.now.mono, result.share, result.index, result.from,
                      stale ? transfer::StoreOutcome::kLost : result.outcome, result.error,
                      turn.transfer);
  if (copy == nullptr || stale || result.outcome != transfer::StoreOutcome::kStored) return;
  take_page(turn, *copy, std::move(result));
}

// False: this fetch did not ask for it, or has it.
bool Copies::is_expected(const Copy& copy, const PageOpened& page) {
  return copy.root && copy.shape.is_page(page.index) &&
         copy.lengths.size() == copy.shape.chunks() && !copy.have.has(page.index);
}

void Copies::take_page(Turn& turn, Copy& copy, PageOpened result) {
  if (!is_expected(copy, result)) return;
  const std::uint32_t page = result.index - 1;
  std::copy(result.lengths.begin(), result.lengths.end(),
            copy.lengths.begin() + copy.shape.first_chunk(page));
  --copy.pages_left;
  mark_have(turn, copy, result.index);
  if (copy.is_stream) return read_pages(turn, ShareId(copy.share));
  turn.save(PutPage{copy.share, page, std::move(result.ciphertext), copy.shape.first_chunk(page),
                    std::move(result.chunks)});
  if (copy.part) {
    select_page(turn, copy, page);
  } else if (may_ask(copy)) {
    offer_page(turn, copy, page);
  }
  if (copy.pages_left == 0 && !copy.reuse_tree.empty()) scan_tree(turn, copy, nullptr);
  maybe_finish(turn, copy);
}

void Copies::on_chunk(Turn& turn, const ChunkWritten& result) {
  Copy* copy = find(result.copy);
  if (copy == nullptr || !copy->on_network || fetching(result.share) != copy) {
    // It was of a fetch, or a stream, that is gone or stands still. Nothing is held by it, and
    // nothing fails with it: for others the chunk was lost on its way.
    transfer_.on_stored(turn.now.mono, result.share, result.index, result.from,
                        transfer::StoreOutcome::kLost, result.error, turn.transfer);
    if (copy != nullptr) waited_for(turn, *copy, copy->steps);
    return;
  }
  waited_for(turn, *copy, copy->steps);
  const bool is_passed = result.outcome == transfer::StoreOutcome::kKept;
  if (copy->is_stream || is_passed) return on_streamed(turn, *copy, result);
  // First what is held, then the event that says so: a `have` is sent only for what is on disk.
  const bool stored = result.outcome == transfer::StoreOutcome::kStored;
  const bool is_new = copy->state == State::kContent && stored;
  if (is_new) mark_have(turn, *copy, result.index);
  if (is_new && result.data) keep_chunk(result.share, result.index, result.data);
  const bool is_cut = is_new && cuts(*copy, result.index);
  if (result.outcome == transfer::StoreOutcome::kBadChunk) {
    copy->bad_paths[result.index] = result.path;
  }
  const auto outcome = is_cut ? transfer::StoreOutcome::kKept : result.outcome;
  transfer_.on_stored(turn.now.mono, result.share, result.index, result.from, outcome, result.error,
                      turn.transfer);
  // The transfer core knows when all of a share is here, not when all of a part is.
  if (is_new && copy->part) maybe_finish(turn, *copy);
}

void Copies::mark_have(Turn& turn, Copy& copy, ChunkIndex index) {
  if (copy.have.has(index) || !takes(copy, index)) return;
  copy.have.add(index);
  copy.bad_paths.erase(index);
  copy.unavailable.erase(index);
  if (copy.missing && copy.missing->index == index) copy.missing.reset();
  const std::uint32_t length = length_of(copy, index);
  copy.bytes_have += length;
  copy.unsynced += length;
  copy.last_stored = moved_at_ = turn.now.mono;
  copy.rate_bytes += length;
  if (copy.unflushed == 0) copy.flush_at = turn.now.mono + kFlushEvery;
  copy.unflushed += std::max(length, 1u);
  if (copy.unflushed < limits::kFlushBytes) return;
  flush(turn, copy);
  start_writeback(turn, copy);
}

void Copies::on_event(Turn& turn, const transfer::FetchComplete& event) {
  if (Copy* copy = fetching(event.share)) maybe_finish(turn, *copy);
}

void Copies::on_event(Turn& turn, const transfer::FetchFailed& event) {
  if (Copy* copy = fetching(event.share)) fail_write(turn, *copy, event.why);
}

void Copies::on_event(Turn& turn, const transfer::ChunkUnavailable& event) {
  Copy* copy = fetching(event.share);
  if (!is_fetched(event.share)) mend_unavailable(event);
  if (copy == nullptr) return;
  // Nobody has it, or nobody has it good: that is known only of one that came and was wrong.
  if (!copy->bad_paths.contains(event.index)) return;
  copy->unavailable.insert(event.index);
  copy->last_stored = turn.now.mono;
  turn.log(LogLevel::kWarning,
           "no source has a good chunk " + std::to_string(event.index) + " of " + copy->name);
}

void Copies::maybe_finish(Turn& turn, Copy& copy) {
  if (copy.is_stream || fits_nothing(copy)) return;  // of the latter: end_empty() follows
  const bool is_known = copy.pages_left == 0 && (!copy.part || copy.part->is_complete());
  if (copy.state == State::kManifest && is_known) {
    const Copy* held = held_at(copy);
    const bool is_same = held != nullptr && is_same_part(*held, globs_of(copy));
    copy.state = State::kComparing;
    ++copy.steps;
    turn.out.jobs.push_back(CompareDestinationJob{copy.id, copy.share, copy.path, copy.safe_links,
                                                  globs_of(copy), is_same ? held->id : CopyId{}});
    return;
  }
  const bool whole = copy.state == State::kContent && is_whole(copy);
  // A sync under way has taken on what it was begun for: the last one must not pass it by.
  if (!whole || copy.jobs > 0 || copy.syncing) return;
  copy.state = State::kFinishing;
  ++copy.steps;
  flush(turn, copy);
  turn.out.jobs.push_back(FinishFetchJob{copy.id, copy.share});
}

// A peer read of the staging what it does not hold any more, or not as it was.
void Copies::fetch_again(Turn& turn, Copy& copy) {
  if (std::exchange(copy.finished, false)) save(turn, copy, CopyState::kFetching, false);
  const bool has_source = copy.on_network || complete_copy(copy.share) != nullptr;
  if (!has_source) return reopen(turn, copy);
  begin_content(turn, copy);
}

// Somebody changed files of the staging: what they hold is hashed, and fetched again if it is not
// the share's. Once: whoever does so again and again must be told.
void Copies::repair(Turn& turn, Copy& copy, const FetchFinished& found) {
  for (const ChunkIndex index : found.altered) {
    if (!copy.have.has(index)) continue;
    lose(copy, index);
    if (!cuts(copy, index)) copy.to_check.push_back(index);
    if (copy.on_network) transfer_.drop_have(turn.now.mono, copy.share, index, turn.transfer);
  }
  // A power cut while they are written again must not find them durable: the full write that the
  // catalog makes of these takes the rows with it.
  flush(turn, copy);
  save(turn, copy, CopyState::kFetching, true);
  const Error why =
      local_error(Errc::kChanged, "was changed or removed while it was being fetched",
                  found.altered_path, "leave it alone, and give the same command again");
  if (std::exchange(copy.repaired, true)) return fail(turn, copy, why);
  turn.log(LogLevel::kWarning, "checked again: " + to_string(why));
  fetch_again(turn, copy);
}

void Copies::on_compared(Turn& turn, const DestinationCompared& result) {
  Copy* copy = after_step(turn, result.copy, State::kComparing);
  if (copy == nullptr) return;
  if (result.error) return fail(turn, *copy, *result.error);
  const Copy* held = held_at(*copy);
  const bool is_same = held != nullptr && is_same_part(*held, globs_of(*copy));
  if (result.equal && is_same && held->root && is_whole(*held)) {
    // It was fetched to this place before, and is still there: no second copy of it.
    answer(turn, *copy, true);
    return remove(turn, *copy, false);
  }
  if (result.equal) {
    save(turn, *copy, CopyState::kComplete, true);
    turn.save(PutFileStats{copy->id, result.file_stats});
    return finish(turn, *copy, true);
  }
  if (copy->replace) {
    copy->compared = true;
    return prepare(turn, *copy);
  }
  if (held != nullptr && !is_same) {
    return fail(turn, *copy,
                local_error(Errc::kExists, "another part of the share stands at the destination",
                            copy->path,
                            "--replace takes its place; what it has is copied and not fetched"));
  }
  fail(turn, *copy,
       local_error(Errc::kExists, "something else stands at the destination", copy->path,
                   "nothing was touched; use --as NAME or -o DIR, or --replace"));
}

Copies::Copy* Copies::held_at(const Copy& but) {
  for (auto& [id, copy] : copies_) {
    const bool same = copy.share == but.share && copy.path == but.path;
    if (id != but.id && same && will_be_held(copy)) return &copy;
  }
  return nullptr;
}

void Copies::on_finished(Turn& turn, FetchFinished result) {
  Copy* copy = after_step(turn, result.copy, State::kFinishing);
  if (copy == nullptr) return;
  if (result.error) {
    if (result.is_lost || is_of_disk(*result.error)) distrust(*copy);
    return fail(turn, *copy, *result.error);
  }
  if (!result.altered.empty()) return repair(turn, *copy, result);
  if (!is_whole(*copy)) return fetch_again(turn, *copy);
  copy->links_outside = result.links_outside;
  copy->state = State::kCommitting;
  copy->finished = true;
  turn.save(PutFileStats{copy->id, std::move(result.file_stats)});
  const std::uint64_t ack = next_ack_++;
  commits_[ack] = copy->id;
  turn.out.catalog.push_back(
      {SetCopyState{copy->id, CopyState::kFinishing, copy->path}, ack, true});
}

void Copies::on_catalog(Turn& turn, const CatalogDone& result) {
  const auto it = commits_.find(result.ack);
  if (it == commits_.end()) return;
  Copy* copy = find(it->second);
  commits_.erase(it);
  if (copy == nullptr || copy->state != State::kCommitting) return;
  if (result.error) return fail(turn, *copy, *result.error);
  if (!is_whole(*copy)) return fetch_again(turn, *copy);
  copy->state = State::kRenaming;
  ++copy->steps;
  turn.out.jobs.push_back(RenameFetchJob{copy->id, copy->share});
}

void Copies::on_renamed(Turn& turn, FetchRenamed result) {
  Copy* copy = after_step(turn, result.copy, State::kRenaming);
  if (copy == nullptr) return;
  if (result.error) return fail(turn, *copy, *result.error);
  if (!result.path.empty()) copy->path = result.path;
  turn.save(PutFileStats{copy->id, std::move(result.file_stats)});
  finish(turn, *copy, false);
}

void Copies::finish(Turn& turn, Copy& copy, bool already_there) {
  // What was withdrawn during the rename stays so; otherwise all of it was compared.
  if (copy.state != State::kRenaming) hold_all(copy);
  copy.state = State::kComplete;
  copy.bytes_have = bytes_taken(copy);
  copy.lengths = {};
  copy.to_check = {};
  copy.problem.clear();
  copy.problem_paths.clear();
  save_held(turn, copy);
  turn.save_full(SetCopyState{copy.id, CopyState::kComplete, copy.path});
  mark_read(turn, copy);
  answer(turn, copy, already_there);
  turn.event("fetch-complete", "fetched", copy.path);
  // It is served from now on, whole.
  const bool was_on_network = std::exchange(copy.on_network, false);
  if (was_on_network) transfer_.stop_fetching(turn.now.mono, copy.share, turn.transfer);
  if (!was_on_network || already_there) serve(turn, copy);
  serve_others(turn, copy);
  // A copy that was held here has lost its files, or this one could not have come here.
  while (Copy* before = held_at(copy)) remove(turn, *before, false);
  remove_replaced(turn, copy);
  wake_waiting(turn, copy.share);
}

// The good end, for everybody who waits for it.
void Copies::answer(Turn& turn, Copy& copy, bool already_there) {
  FetchResult result{.share = copy.share,
                     .path = copy.path,
                     .totals = copy.root->totals,
                     .files_taken = copy.part ? copy.part->files() : copy.root->totals.files,
                     .bytes_taken = bytes_taken(copy),
                     .bytes_copied = copy.bytes_copied,
                     .sources = {},
                     .links_outside = copy.links_outside,
                     .already_there = already_there};
  const std::uint64_t received =
      transfer_.has_share(copy.share) ? transfer_.progress(copy.share).bytes_received : 0;
  for (const Listener& listener : std::exchange(copy.listeners, {})) {
    result.sources = sources_since(listener.sources_before, sources_of(copy.share));
    result.bytes_received = received - std::min(received, listener.received_before);
    result.elapsed_ms =
        std::chrono::duration_cast<std::chrono::milliseconds>(turn.now.mono - listener.since)
            .count();
    turn.done(listener.request, result);
  }
}

// A disk that does not take what is written may have lost what it took before: it was pulled out,
// or its file system gave up. After the same boot nothing else would tell.
void Copies::fail_write(Turn& turn, Copy& copy, const Error& error) {
  if (is_of_disk(error) && !copy.is_stream) distrust(copy);
  fail(turn, copy, error);
}

bool Copies::is_of_disk(const Error& error) {
  const Errc code = error.code;  // kUnsupported: nothing may be written there any more
  return code == Errc::kIo || code == Errc::kUnsupported || code == Errc::kChanged ||
         code == Errc::kNotFound;
}

void Copies::fail(Turn& turn, Copy& copy, const Error& error) {
  if (copy.is_stream) {
    fail_readings(turn, copy.share, error);
    return end_stream(turn, copy);
  }
  copy.problem = to_string(error);
  pause(turn, copy);
  copy.state = State::kFailed;
  for (const Listener& listener : std::exchange(copy.listeners, {})) {
    turn.fail(listener.request, error);
  }
  turn.event("fetch-failed", error.what, copy.name);
  // Nothing was staged for it and nothing is worth keeping: the catalog never heard of it.
  const bool worthless = copy.device == 0 && copy.inode == 0;
  const ShareId share = copy.share;
  if (worthless && !copy.detached) {
    const bool last = std::none_of(copies_.begin(), copies_.end(), [&](const auto& item) {
      return item.first != copy.id && item.second.share == share;
    });
    turn.save(DeleteCopy{copy.id, share, last});
    turn.out.jobs.push_back(DiscardFetchJob{copy.id, share, {}, {}, 0, 0, true});
    erase(copy.id);
  }
  wake_waiting(turn, share);
}

// Stops asking; what is verified stays and is remembered.
void Copies::pause(Turn& turn, Copy& copy) {
  flush(turn, copy);
  copy.state = State::kPaused;
  copy.abandoned = false;
  leave_network(turn, copy);
}

void Copies::abandon(Turn& turn, Copy& copy) {
  pause(turn, copy);
  wake_waiting(turn, copy.share);
}

// A fetch that stands still offers nothing; held copies of the share go on serving it.
void Copies::leave_network(Turn& turn, Copy& copy) {
  if (!std::exchange(copy.on_network, false)) return;
  transfer_.remove_share(turn.now.mono, copy.share, turn.transfer);
  serve_others(turn, copy);
}

// What they hold is served, too.
void Copies::serve_others(Turn& turn, const Copy& but) {
  for (const auto& [id, held] : copies_) {
    const bool is_other = id != but.id && held.share == but.share;
    if (is_other && is_held(held.state)) serve(turn, held);
  }
}

void Copies::cancel_request(Turn& turn, RequestId request) {
  std::erase_if(verifies_, [&](const Verify& verify) { return verify.request == request; });
  std::erase_if(readings_, [&](const Reading& reading) { return reading.request == request; });
  for (auto& [id, copy] : copies_) {
    const auto before = copy.listeners.size();
    std::erase_if(copy.listeners, [&](const Listener& l) { return l.request == request; });
    if (copy.listeners.size() == before) continue;
    const bool abandoned = copy.listeners.empty() && !copy.detached;
    const bool stoppable = copy.state == State::kWaiting || copy.state == State::kRoot ||
                           copy.state == State::kManifest || copy.state == State::kContent;
    copy.abandoned = abandoned && !stoppable && copy.state == State::kPreparing;
    if (!abandoned || !stoppable) continue;
    return abandon(turn, copy);
  }
}

}  // namespace kith::node
