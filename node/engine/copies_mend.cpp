// Chunks of held copies that rotted on the disk: taken out of what is held, looked for in other
// copies of this device and at peers, written again, held again. What a user changed is no part of
// this: it is withdrawn (copies.cpp).
#include <algorithm>

#include "node/engine/copies.hpp"
#include "proto/limits.hpp"

namespace kith::node {
namespace {

constexpr std::size_t kShortId = 8;

std::string files_text(const std::string& path, std::uint32_t files) {
  if (files < 2) return path;
  return path + " or one of " + std::to_string(files - 1) + " packed with it";
}

}  // namespace

// Another copy of the share that holds the chunk.
Copies::Copy* Copies::other_with(const Copy& but, ChunkIndex index) {
  for (Copy* copy : copies_of(but.share)) {
    if (copy->id != but.id && is_held(copy->state) && serves(*copy, index)) return copy;
  }
  return nullptr;
}

// It is not held any more, and not offered if no other copy has it.
void Copies::take_away(Turn& turn, Copy& copy, ChunkIndex index) {
  lose(copy, index);
  for (PutHave& row : copy.have.take_changes(copy.id)) turn.save(std::move(row));
  // Without its manifest nothing can be placed.
  if (!copy.shape.is_content(index)) mend_more(turn, copy.share);
  if (!is_served(copy.share, index)) {
    transfer_.drop_have(turn.now.mono, copy.share, index, turn.transfer);
  }
}

void Copies::damaged(Turn& turn, Copy& copy, const ChunkVerified& found) {
  const auto [it, fresh] = copy.mends.try_emplace(found.index);
  Mend& mend = it->second;
  if (fresh) mend = {found.bytes, found.files, found.path, false, false, {}};
  // It is looked for again: whoever asks hopes that what was in the way is gone.
  if (mend.given_up) mend = {found.bytes, found.files, found.path, false, false, {}};
  if (copy.have.has(found.index)) {
    take_away(turn, copy, found.index);
    ++copy.scrub.damaged;
    turn.save(PutScrub{copy.id, copy.scrub});
  }
  if (fresh) {
    const std::string where = files_text(found.path, found.files);
    turn.log(LogLevel::kWarning, "damaged on the disk: " + std::to_string(found.bytes) +
                                     " bytes of " + where + " in " + copy.path);
    turn.event("chunk-damaged", "damaged on the disk, looked for elsewhere", where);
  }
  if (!is_fetched(copy.share)) (void)mend_one(turn, copy, found.index);
}

// Looks for a chunk that is damaged, first on this device, then at peers. True: peers are asked.
bool Copies::mend_one(Turn& turn, Copy& copy, ChunkIndex index) {
  Mend& mend = copy.mends.at(index);
  if (mend.at_job || mend.given_up || mend_from_here(turn, copy, index, mend)) return false;
  return ask_for(turn, copy, index);
}

// The same for all that is damaged in copies of the share.
void Copies::mend_more(Turn& turn, const ShareId& share) {
  // A fetch of it asks peers already, and not for these; what it gets is taken from it at its end.
  // A stream has nothing to give: what is damaged is asked for beside what it reads.
  const std::vector<Copy*>& copies = copies_of(share);
  if (copies.empty() || is_fetched(share)) return;
  bool asks = false;
  for (Copy* copy : copies) {
    if (!is_held(copy->state)) continue;
    for (const auto& [index, mend] : copy->mends) asks = mend_one(turn, *copy, index) || asks;
  }
  if (!asks && stream_of(share) == nullptr)
    transfer_.stop_fetching(turn.now.mono, share, turn.transfer);
}

bool Copies::mend_from_here(Turn& turn, Copy& copy, ChunkIndex index, Mend& mend) {
  Copy* other = other_with(copy, index);
  if (other == nullptr) return false;
  will_read(turn, *other);
  mend.at_job = true;
  turn.out.jobs.push_back(MendFromCopyJob{copy.id, copy.share, index, other->id});
  return true;
}

// False: its manifest is not whole, and comes first.
bool Copies::ask_for(Turn& turn, const Copy& copy, ChunkIndex index) {
  for (ChunkIndex i = 0; i < copy.shape.index_of_chunk(0); ++i) {
    if (!copy.have.has(i)) return false;
  }
  const std::uint32_t length = copy.mends.at(index).length;
  // Whoever has it is asked: in every swarm in which a copy of it is held.
  for (const Copy* held : copies_of(copy.share)) {
    if (!is_held(held->state)) continue;
    transfer_.add_share(turn.now.mono, copy.share, held->swarm, true, turn.transfer);
  }
  transfer_.set_lengths(turn.now.mono, copy.share, index, std::span(&length, 1), turn.transfer);
  return true;
}

// The copy that lacks the chunk, and no job of which is out.
Copies::Copy* Copies::mending(const ShareId& share, ChunkIndex index) {
  for (Copy* copy : copies_of(share)) {
    const auto mend = copy->mends.find(index);
    const bool open = mend != copy->mends.end() && !mend->second.at_job && !mend->second.given_up;
    if (is_held(copy->state) && open) return copy;
  }
  return nullptr;
}

void Copies::save_stats(Turn& turn, const Copy& copy,
                        const std::map<std::uint32_t, Buffer>& stats) {
  for (const auto& [page, blob] : stats) turn.save(PutPageStats{copy.id, page, blob});
}

void Copies::on_mended(Turn& turn, const ChunkMended& result) {
  Copy* copy = find(result.copy);
  const bool here = copy != nullptr && copy->share == result.share && is_held(copy->state);
  if (here) {
    save_stats(turn, *copy, result.stats);
    mend_ended(turn, *copy, result);
  }
  if (!result.local) {
    // A fetch that began meanwhile holds nothing by it, nor does another copy: for these it was
    // lost on its way.
    const bool stale = !here || is_fetched(result.share);
    // Nor does a reading of it end because a copy cannot be written.
    const bool is_read_on =
        result.outcome == transfer::StoreOutcome::kFailed && stream_of(result.share) != nullptr;
    transfer_.on_stored(turn.now.mono, result.share, result.index, result.from,
                        stale || is_read_on ? transfer::StoreOutcome::kLost : result.outcome,
                        result.error, turn.transfer);
  }
  // What was asked for is asked for still: only the end, and what the next copy can take from this
  // one, change anything. There may be many.
  const bool goes_on =
      std::ranges::any_of(copies_of(result.share), [](const Copy* c) { return is_mending(*c); });
  const bool done = result.outcome == transfer::StoreOutcome::kStored;
  if (!done || !goes_on || mending(result.share, result.index) != nullptr) {
    mend_more(turn, result.share);
  }
  read_on(turn, result.share);
}

void Copies::mend_ended(Turn& turn, Copy& copy, const ChunkMended& result) {
  const auto it = copy.mends.find(result.index);
  if (it == copy.mends.end()) return;
  Mend& mend = it->second;
  mend.at_job = false;
  switch (result.outcome) {
    case transfer::StoreOutcome::kStored:
    case transfer::StoreOutcome::kKept:
      return mended(turn, copy, result);
    case transfer::StoreOutcome::kLost:
    case transfer::StoreOutcome::kBadRecord:
      return;
    case transfer::StoreOutcome::kBadChunk:
      mend.why_not = "whoever was asked has it wrong, too";
      return distrust_source(turn, result);
    case transfer::StoreOutcome::kFailed:
      return mend_failed(turn, copy, result);
  }
}

void Copies::mended(Turn& turn, Copy& copy, const ChunkMended& result) {
  Mend mend = std::move(copy.mends.extract(result.index).mapped());
  if (!result.path.empty()) mend.path = result.path;
  take_back(turn, copy, result.index);
  for (PutHave& row : copy.have.take_changes(copy.id)) turn.save(std::move(row));
  ++copy.scrub.repaired;
  turn.save(PutScrub{copy.id, copy.scrub});
  const std::string from =
      result.local ? "another copy here" : result.device.hex().substr(0, kShortId);
  turn.log(LogLevel::kInfo, "repaired: " + std::to_string(mend.length) + " bytes of " + mend.path +
                                " in " + copy.path + ", from " + from);
  turn.event("chunk-repaired", "repaired", mend.path);
  DamageView view = damage_view(copy, result.index, mend);
  view.repaired = true;
  view.files = 1;
  view.device = result.device;
  view.local = result.local.has_value();
  settle(turn, copy.id, view);
}

// Another copy of this device turned out to have it wrong: why is found out there.
void Copies::distrust_source(Turn& turn, const ChunkMended& result) {
  Copy* source = result.local ? find(*result.local) : nullptr;
  if (source == nullptr || !source->have.has(result.index)) return;
  take_away(turn, *source, result.index);
  verify_chunk(turn, *source, result.index, 0);
}

void Copies::mend_failed(Turn& turn, Copy& copy, const ChunkMended& result) {
  const Error why = result.error.value_or(local_error(Errc::kIo, "it cannot be written"));
  const bool changed = why.code == Errc::kChanged || why.code == Errc::kNotFound;
  if (changed) return no_rot(turn, copy, result.index, why, result.path);
  turn.log(LogLevel::kWarning, "not repaired: " + to_string(why));
  // What cannot be written now is not asked of peers for the sake of each chunk.
  for (auto& [index, mend] : copy.mends) {
    if (mend.at_job || mend.given_up) continue;
    mend.given_up = true;
    mend.why_not = why.what;
    settle(turn, copy.id, damage_view(copy, index, mend));
  }
}

// Somebody changed the file since: now it is withdrawn like any other that was changed.
void Copies::no_rot(Turn& turn, Copy& copy, ChunkIndex index, const Error& why,
                    const std::string& path) {
  auto mend = copy.mends.extract(index);
  if (mend.empty()) return;
  if (fetching(copy.share) == nullptr) {  // a stream keeps what comes for it
    // The transfer core wants it still: what came for it would be lost, again and again.
    transfer_.stop_fetching(turn.now.mono, copy.share, turn.transfer);
    mend_more(turn, copy.share);
  }
  DamageView view = damage_view(copy, index, mend.mapped());
  view.why = why.what;
  if (!path.empty()) view.path = path;
  if (add_problem(copy, view.path)) {
    turn.log(LogLevel::kWarning, "withdrawn: " + view.path + ": " + why.what);
    turn.event("share-withdrawn", why.what, view.path);
  }
  settle(turn, copy.id, view);
}

// It was found to be good: whoever put the file back did what was wanted.
void Copies::no_damage(Turn& turn, Copy& copy, ChunkIndex index) {
  auto mend = copy.mends.extract(index);
  if (mend.empty()) return;
  DamageView view = damage_view(copy, index, mend.mapped());
  view.repaired = true;
  settle(turn, copy.id, view);
}

// Whoever held it has withdrawn it, or sent it wrong.
void Copies::mend_unavailable(const transfer::ChunkUnavailable& event) {
  if (Copy* copy = mending(event.share, event.index)) {
    copy->mends.at(event.index).why_not = "nobody who is reachable has a good one";
  }
}

bool Copies::is_mending(const Copy& copy) {
  return is_held(copy.state) &&
         std::ranges::any_of(copy.mends, [](const auto& item) { return !item.second.given_up; });
}

std::string Copies::damage_text(const Copy& copy) {
  if (copy.mends.empty()) return {};
  const std::size_t count = copy.mends.size();
  const Mend& first = copy.mends.begin()->second;
  return std::to_string(count) + (count == 1 ? " chunk" : " chunks") +
         " damaged on the disk, first in " + files_text(first.path, first.files);
}

DamageView Copies::damage_view(const Copy& copy, ChunkIndex index, const Mend& mend) {
  DamageView out;
  out.share = copy.share;
  out.copy_path = copy.path;
  out.chunk = index - copy.shape.index_of_chunk(0);
  out.bytes = mend.length;
  out.path = mend.path;
  out.files = mend.files;
  out.why = mend.why_not;
  return out;
}

// --- what `verify` waits for ---

// Damage that a `verify` found has come to its end, one way or the other.
void Copies::settle(Turn& turn, CopyId id, const DamageView& view) {
  const Copy* copy = find(id);
  const ChunkIndex index = copy->shape.index_of_chunk(view.chunk);
  for (Verify& verify : verifies_) {
    const auto it = verify.damage.find({id, index});
    if (it == verify.damage.end() || it->second.settled) continue;
    it->second = {true, view};
    --verify.unsettled;
    verify.give_up = turn.now.mono + kLookFor;
  }
}

void Copies::note_damage(Verify& verify, const Copy& copy, ChunkIndex index) {
  const auto mend = copy.mends.find(index);
  if (mend == copy.mends.end()) return;
  const auto [it, fresh] = verify.damage.try_emplace({copy.id, index});
  if (!fresh) return;
  it->second.view = damage_view(copy, index, mend->second);
  ++verify.unsettled;
}

// All is read, and what is damaged is repaired, or will not be now.
void Copies::end_verify(Turn& turn, Verify& verify) {
  for (auto& [place, damage] : verify.damage) {
    ++verify.report.damaged;
    verify.report.repaired += damage.view.repaired ? 1U : 0U;
    const Copy* copy = find(place.first);
    if (copy == nullptr) damage.view.why = "the copy is gone";
    const bool open = !damage.settled && copy != nullptr && copy->mends.contains(place.second);
    if (open) damage.view.why = copy->mends.at(place.second).why_not;
    if (!damage.view.repaired) {
      if (damage.view.why.empty()) damage.view.why = "nobody who is reachable has it";
      verify.bad.insert(damage.view.path);
    }
    if (verify.report.damage.size() < kNamed) verify.report.damage.push_back(damage.view);
  }
  verify.report.bad.assign(verify.bad.begin(), verify.bad.end());
  turn.done(verify.request, verify.report);
}

}  // namespace kith::node
