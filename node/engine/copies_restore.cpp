// Taking up at start what an earlier run left: held copies are served again without reading them,
// fetches wait for the command that began them (or go on, if they were detached).
#include <algorithm>

#include "node/engine/copies.hpp"
#include "proto/assert.hpp"
#include "proto/limits.hpp"

namespace kith::node {

void Copies::restore(Turn& turn, const SavedCopy& saved) {
  Copy& copy = insert(saved.copy.copy, saved.copy.share);
  copy.swarm = saved.copy.swarm;
  copy.key = saved.key;
  copy.directory = saved.copy.directory;
  copy.name = saved.copy.name;
  copy.path = saved.copy.path;
  copy.replace = saved.copy.replace;
  copy.safe_links = saved.copy.safe_links;
  copy.detached = saved.copy.detached;
  copy.device = saved.copy.device;
  copy.inode = saved.copy.inode;
  copy.finished = saved.copy.state == CopyState::kFinishing;
  copy.part.reset();
  if (!saved.copy.part.empty()) copy.part.emplace(saved.copy.part);
  copy.state = State::kOpening;
  copy.saved = saved;
  const bool is_fetch =
      saved.copy.state == CopyState::kFetching || saved.copy.state == CopyState::kFinishing;
  turn.out.jobs.push_back(OpenCopyJob{copy.id, copy.share, is_fetch,
                                      is_fetch ? std::vector<ChunkIndex>() : withdrawn_in(saved),
                                      globs_of(copy)});
}

// The first of them: as many as there are files that may be named; of a part all, for what it takes
// is not known yet. How long the share is is not either, so the bits that fill up the last byte
// count, too.
std::vector<ChunkIndex> Copies::withdrawn_in(const SavedCopy& saved) {
  std::vector<ChunkIndex> out;
  const std::size_t most = saved.copy.part.empty() ? kNamed : limits::kIndicesMax;
  for (const SavedCopy::Row& saved_row : saved.rows) {
    const PutHave& row = saved_row.row;
    if (row.durable) continue;
    for (std::size_t i = 0; i < 8 * row.bits.size() && out.size() < most; ++i) {
      const bool has = (row.bits[i / 8] & (0x80U >> (i % 8))) != 0;
      if (!has) out.push_back(row.first + static_cast<ChunkIndex>(i));
    }
  }
  return out;
}

void Copies::on_opened(Turn& turn, CopyOpened result) {
  Copy* copy = find(result.copy);
  if (copy == nullptr || copy->state != State::kOpening) return;
  KITH_ASSERT(copy->saved);
  const CopyState was = copy->saved->copy.state;
  if (was == CopyState::kFetching || was == CopyState::kFinishing) {
    reopen_fetch(turn, *copy, result);
  } else {
    reopen_held(turn, *copy, result);
  }
  if (copy->state != State::kOpening) copy->saved.reset();
  wake_waiting(turn, copy->share);
}

void Copies::reopen_held(Turn& turn, Copy& copy, const CopyOpened& result) {
  if (result.error) {
    copy.state = State::kUnreadable;
    copy.problem = to_string(*result.error);
    return;
  }
  set_root(copy, result.root);
  copy.pages_left = 0;
  // Rows are written for a held copy only when something was withdrawn from it.
  for (const CopyOpened::PageLengths& page : result.pages) {
    learn_part(copy, page.page, page.selection);
  }
  hold_all(copy);
  for (const SavedCopy::Row& saved : copy.saved->rows) {
    if (!saved.row.durable) copy.have.load(saved.row);
  }
  copy.state = copy.saved->copy.state == CopyState::kShared ? State::kShared : State::kComplete;
  copy.bytes_have = bytes_taken(copy);
  copy.scrub = copy.saved->scrub;
  for (ChunkIndex i = copy.have.total(); i-- > 0;) {
    if (copy.have.has(i) || !takes(copy, i)) continue;
    discount(copy, i);
    if (copy.shape.is_content(i)) copy.recheck.push_back(i);
  }
  scrub_at_ = {};
  for (const std::string& path : result.changed) add_problem(copy, path);
  will_read(turn, copy);  // it was opened to look at it
  if (result.missing) {
    // In this run only: the next one looks again.
    for (ChunkIndex i = copy.shape.index_of_chunk(0); i < copy.shape.total(); ++i) {
      if (copy.have.has(i)) lose(copy, i);
    }
    static_cast<void>(copy.have.take_changes(copy.id));
    copy.bytes_have = 0;
    copy.recheck.clear();
    copy.problem = "it does not stand there any more ('kith moved' takes it up again)";
  }
  serve(turn, copy);
}

void Copies::reopen_fetch(Turn& turn, Copy& copy, CopyOpened& result) {
  copy.bytes_have = 0;
  copy.to_check.clear();
  if (result.error) {
    // The catalog knows its root no more: it begins as one that was never here.
    copy.root.reset();
    copy.shape = ShareShape();
    copy.have.reset(0, false);
    copy.lengths.clear();
  } else {
    set_root(copy, std::move(result.root));
    copy.have.reset(copy.shape.total(), false);
    copy.lengths.assign(copy.shape.chunks(), 0);
    HaveLog saved, trusted;
    saved.reset(copy.shape.total(), false);
    trusted.reset(copy.shape.total(), false);
    for (const SavedCopy::Row& row : copy.saved->rows) {
      saved.load(row.row);
      if (row.same_boot) trusted.load(row.row);
    }
    copy.have.add(0);
    for (CopyOpened::PageLengths& page : result.pages) {
      copy.have.add(copy.shape.index_of_page(page.page));
      --copy.pages_left;
      std::copy(page.lengths.begin(), page.lengths.end(),
                copy.lengths.begin() + copy.shape.first_chunk(page.page));
      if (copy.part) learn_part(copy, page.page, page.selection);
    }
    for (std::uint32_t chunk = 0; chunk < copy.shape.chunks(); ++chunk) {
      const ChunkIndex index = copy.shape.index_of_chunk(chunk);
      // A chunk whose page is not known cannot be placed; it counts for nothing.
      if (!saved.has(index) || copy.lengths[chunk] == 0 || !takes(copy, index)) continue;
      const bool is_durable = saved.is_durable(index);
      if (trusted.has(index) || is_durable) {
        is_durable ? copy.have.add_durable(index) : copy.have.add(index);
        copy.bytes_have += copy.lengths[chunk];
      } else if (!cuts(copy, index)) {
        copy.to_check.push_back(index);
      }
    }
  }
  if (std::exchange(copy.lost_unsynced, false)) distrust(copy);
  const bool goes_on =
      copy.detached || !copy.listeners.empty() || copy.saved->copy.state == CopyState::kFinishing;
  copy.state = State::kPaused;
  if (goes_on) begin(turn, copy);
}

}  // namespace kith::node
