// Copies that take only a part of their share: what of it is wanted, and what may be served.
#include <algorithm>

#include "node/engine/copies.hpp"

namespace kith::node {

std::vector<std::string> Copies::globs_of(const Copy& copy) {
  return copy.part ? copy.part->globs() : std::vector<std::string>();
}

bool Copies::is_same_part(const Copy& copy, const std::vector<std::string>& globs) {
  return globs_of(copy) == globs;
}

// As far as the pages that are here tell.
bool Copies::takes(const Copy& copy, ChunkIndex index) {
  if (!copy.part || !copy.shape.is_content(index)) return true;
  return copy.part->takes(index - copy.shape.index_of_chunk(0));
}

bool Copies::cuts(const Copy& copy, ChunkIndex index) {
  if (!copy.part || !copy.shape.is_content(index)) return false;
  return copy.part->cuts(index - copy.shape.index_of_chunk(0));
}

bool Copies::is_whole(const Copy& copy) {
  if (!copy.part) return copy.have.count() == copy.have.total();
  return copy.part->is_complete() &&
         copy.have.count() == copy.shape.index_of_chunk(0) + copy.part->chunks();
}

// Of the content of files.
std::uint64_t Copies::bytes_taken(const Copy& copy) {
  if (copy.part) return copy.part->bytes();
  return copy.root ? copy.root->totals.bytes : 0;
}

// Of whole chunks.
std::uint64_t Copies::bytes_to_store(const Copy& copy) {
  if (copy.part) return std::max(copy.part->stored(), copy.bytes_have);
  return copy.root ? copy.root->totals.stored : 0;
}

bool Copies::fits_nothing(const Copy& copy) {
  return copy.part && copy.root && copy.part->is_complete() && copy.part->entries() == 0;
}

// Every index that the copy takes is held.
void Copies::hold_all(Copy& copy) {
  copy.have.reset(copy.shape.total(), !copy.part);
  for (ChunkIndex i = 0; copy.part && i < copy.shape.total(); ++i) {
    if (takes(copy, i)) copy.have.add(i);
  }
}

void Copies::learn_part(Copy& copy, std::uint32_t page, const PageSelection& selection) {
  if (copy.part->knows(page)) return;
  std::span<const std::uint32_t> lengths(copy.lengths);
  if (!lengths.empty()) lengths = lengths.subspan(copy.shape.first_chunk(page));
  copy.part->add(copy.shape, page, selection, lengths);
}

void Copies::select_page(Turn& turn, const Copy& copy, std::uint32_t page) {
  turn.out.jobs.push_back(SelectPageJob{copy.id, copy.share, page, copy.part->globs()});
}

// Of all pages that are here already.
void Copies::select_pages(Turn& turn, const Copy& copy) {
  if (!copy.part || !copy.root) return;
  for (std::uint32_t page = 0; page < copy.shape.pages(); ++page) {
    const bool is_here = copy.have.has(copy.shape.index_of_page(page));
    if (is_here && !copy.part->knows(page)) select_page(turn, copy, page);
  }
}

Error Copies::over_quota(const Copy& copy) const {
  return local_error(Errc::kNoSpace,
                     "this part of the share has " + std::to_string(copy.part->bytes()) +
                         " bytes or more, and the quota leaves " + std::to_string(room_for(copy)),
                     shown_name(copy), "'kith quota' shows and changes it");
}

void Copies::on_selected(Turn& turn, const PageSelected& result) {
  Copy* copy = find(result.copy);
  const bool asked = copy != nullptr && copy->share == result.share && copy->part && copy->root;
  if (!asked || copy->part->knows(result.page)) return;
  if (result.error && is_fetch(copy->state)) return fail(turn, *copy, *result.error);
  if (result.error) return;
  learn_part(*copy, result.page, result.selection);
  if (copy->state != State::kContent && copy->state != State::kManifest) return;
  if (fits_nothing(*copy)) return end_empty(turn, *copy);
  if (copy->state == State::kManifest) return maybe_finish(turn, *copy);
  (void)check_part(turn, *copy);  // on_room() goes on
}

// True: there is room for it. What it takes is known when every page was looked at; until then
// nothing is asked for but pages, and after that a job looks for room. The quota may be found too
// small before.
bool Copies::check_part(Turn& turn, Copy& copy) {
  if (!copy.part || copy.has_room) return true;
  if (copy.part->bytes() > room_for(copy)) {
    refuse_part(turn, copy, over_quota(copy));
  } else if (copy.part->is_complete()) {
    turn.out.jobs.push_back(CheckRoomJob{copy.id, copy.part->bytes()});
  }
  return false;
}

void Copies::on_room(Turn& turn, const RoomChecked& result) {
  Copy* copy = find(result.copy);
  const bool asked = copy != nullptr && copy->state == State::kContent && copy->part;
  if (!asked || copy->has_room) return;
  if (result.error) return refuse_part(turn, *copy, *result.error);
  copy->has_room = true;
  fill(turn, *copy);
}

// Whoever asked for it should not find an empty directory.
void Copies::end_empty(Turn& turn, Copy& copy) {
  std::string globs;
  for (const std::string& glob : copy.part->globs()) globs += (globs.empty() ? "" : ", ") + glob;
  end_part(turn, copy,
           local_error(Errc::kNotFound, "nothing in the share fits what was asked for", globs,
                       "a pattern without a slash is compared with names, one with a slash with "
                       "whole paths"));
}

// It will not be fetched, and leaves nothing behind.
void Copies::end_part(Turn& turn, Copy& copy, const Error& why) {
  for (const Listener& listener : std::exchange(copy.listeners, {})) {
    turn.fail(listener.request, why);
  }
  turn.event("fetch-failed", why.what, copy.root->name);
  remove(turn, copy, true);
}

// It does not fit. What an earlier run brought of it is kept, for when there is room.
void Copies::refuse_part(Turn& turn, Copy& copy, const Error& why) {
  const bool has_some = copy.bytes_have > 0 || !copy.to_check.empty();
  if (has_some || copy.detached) return fail(turn, copy, why);
  end_part(turn, copy, why);
}

// Not what is cut: nobody could be sent it.
void Copies::tell_held(Turn& turn, const Copy& copy, ChunkIndex index) {
  if (!cuts(copy, index)) {
    transfer_.add_have(turn.now.mono, copy.share, index, turn.transfer);
  }
}

bool Copies::serves(const Copy& copy, ChunkIndex index) {
  // A fetch that is being prepared has no staging open yet.
  const bool is_staged = copy.state >= State::kContent || !copy.shape.is_content(index);
  const bool is_open = is_held(copy.state) || (is_fetch(copy.state) && is_staged);
  return is_open && copy.have.has(index) && !cuts(copy, index);
}

bool Copies::is_served(const ShareId& share, ChunkIndex index) const {
  return std::ranges::any_of(copies_of(share),
                             [&](const Copy* copy) { return serves(*copy, index); });
}

// One bit for each index that it can send; for a stream, that any copy here can.
Buffer Copies::servable(const Copy& copy) const {
  Buffer out = to_buffer(copy.have.bits());
  if (!copy.part && !copy.is_stream) return out;
  for (ChunkIndex i = 0; i < copy.shape.total(); ++i) {
    const auto bit = static_cast<std::uint8_t>(0x80U >> (i % 8));
    if (cuts(copy, i)) out[i / 8] &= static_cast<std::uint8_t>(~bit);
    if (copy.is_stream && is_served(copy.share, i)) out[i / 8] |= bit;
  }
  return out;
}

// Reads a chunk back; one that is cut is compared with what was recorded of its files.
void Copies::verify_chunk(Turn& turn, const Copy& copy, ChunkIndex index, std::uint64_t verify) {
  turn.out.jobs.push_back(
      VerifyChunkJob{copy.id, copy.share, index, verify,
                     cuts(copy, index) ? globs_of(copy) : std::vector<std::string>()});
}

}  // namespace kith::node
