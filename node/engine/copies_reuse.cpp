// Chunks of a fetch that copies of other shares on this device hold: an earlier version, another
// tree with the same file. They are copied from there and hashed on the way; what turns out to be
// something else is asked of peers.
#include "node/engine/copies.hpp"
#include "proto/limits.hpp"

namespace kith::node {

void Copies::forget_reuse(Copy& copy) {
  copy.reuse.clear();
  copy.reuse_queue.clear();
}

// Pages that another share has, too, are read from the catalog. Of these the transfer core hears no
// length yet, so that it does not ask for them.
void Copies::reuse_pages(Turn& turn, const Copy& copy, std::vector<std::uint32_t>& lengths) {
  if (!has_others(copy)) return;
  std::map<ChunkId, std::uint32_t> missing;
  for (std::uint32_t page = 0; page < copy.shape.pages(); ++page) {
    if (copy.have.has(copy.shape.index_of_page(page))) continue;
    missing.emplace(copy.root->pages[page].id, page);
  }
  for (const auto& [id, other] : copies_) {
    if (other.share == copy.share || !other.root) continue;
    for (std::uint32_t page = 0; page < other.shape.pages() && !missing.empty(); ++page) {
      const auto same = missing.find(other.root->pages[page].id);
      const bool found = same != missing.end() && other.have.has(other.shape.index_of_page(page));
      if (!found) continue;
      lengths[same->second] = 0;
      turn.out.jobs.push_back(ReusePageJob{copy.share, same->second, other.share, page});
      missing.erase(same);
    }
  }
}

void Copies::on_page_reused(Turn& turn, Copy& copy, PageOpened result) {
  if (!is_expected(copy, result)) return;
  const ChunkIndex index = result.index;
  if (result.outcome == transfer::StoreOutcome::kStored) {
    take_page(turn, copy, std::move(result));
    transfer_.add_have(turn.now.mono, copy.share, index, turn.transfer);
    return;
  }
  const std::uint32_t length = copy.root->pages[index - 1].length;
  transfer_.set_lengths(turn.now.mono, copy.share, index,
                        std::span<const std::uint32_t>(&length, 1), turn.transfer);
}

// From now on the chunks of this page may be asked for, but for those that are found here.
void Copies::offer_page(Turn& turn, Copy& copy, std::uint32_t page) {
  if (!has_others(copy)) return offer_lengths(turn, copy, page);
  turn.out.jobs.push_back(FindChunksJob{copy.id, copy.share, page});
}

bool Copies::has_others(const Copy& copy) const {
  for (const auto& [id, other] : copies_) {
    const bool useful = is_held(other.state) || other.state == State::kContent;
    if (id != copy.id && useful && !other.is_stream) return true;
  }
  return false;
}

void Copies::on_found(Turn& turn, const ChunksFound& result) {
  Copy* copy = find(result.copy);
  const bool asked = copy != nullptr && copy->share == result.share &&
                     copy->state == State::kContent && !copy->from_local;
  if (!asked) return;
  const std::uint32_t content = copy->shape.index_of_chunk(0);
  for (const FoundChunk& found : result.found) {
    const bool wanted = copy->shape.is_content(found.index) && !copy->have.has(found.index) &&
                        takes(*copy, found.index) && is_placed(*copy, found.index - content);
    if (!wanted || holder_of(found) == nullptr) continue;
    if (copy->reuse.emplace(found.index, found).second) copy->reuse_queue.push_back(found.index);
  }
  offer_lengths(turn, *copy, result.page);
  reuse_more(turn, *copy);
  maybe_finish(turn, *copy);
}

Copies::Copy* Copies::holder_of(const FoundChunk& chunk) {
  for (Copy* copy : copies_of(chunk.from)) {
    const bool readable = is_held(copy->state) || copy->state == State::kContent;
    if (!readable || chunk.from_chunk >= copy->shape.chunks()) continue;
    if (serves(*copy, copy->shape.index_of_chunk(chunk.from_chunk))) return copy;
  }
  return nullptr;
}

void Copies::reuse_more(Turn& turn, Copy& copy) {
  while (copy.jobs < limits::kBackgroundJobs && !copy.reuse_queue.empty()) {
    const ChunkIndex index = copy.reuse_queue.front();
    copy.reuse_queue.pop_front();
    const FoundChunk& found = copy.reuse.at(index);
    Copy* from = copy.have.has(index) ? nullptr : holder_of(found);
    if (from == nullptr) {
      offer_chunk(turn, copy, index);
      continue;
    }
    ++copy.jobs;
    will_read(turn, *from);
    turn.out.jobs.push_back(CopyChunkJob{from->id, from->share,
                                         from->shape.index_of_chunk(found.from_chunk), copy.id,
                                         copy.share, index});
  }
}

void Copies::on_reused(Turn& turn, Copy& copy, const ChunkCopied& result) {
  if (result.good) {
    copy.reuse.erase(result.index);
    mark_have(turn, copy, result.index);
    tell_held(turn, copy, result.index);
  } else {
    offer_chunk(turn, copy, result.index);
  }
  reuse_more(turn, copy);
  maybe_finish(turn, copy);
}

// It is not to be had here after all.
void Copies::offer_chunk(Turn& turn, Copy& copy, ChunkIndex index) {
  copy.reuse.erase(index);
  const std::uint32_t chunk = index - copy.shape.index_of_chunk(0);
  if (copy.have.has(index) || chunk >= copy.lengths.size()) return;
  transfer_.set_lengths(turn.now.mono, copy.share, index,
                        std::span<const std::uint32_t>(&copy.lengths[chunk], 1), turn.transfer);
}

// --- a tree that the user named ---

// Once every page is here, so that all that is wanted is known. Until it was looked through peers
// are asked for pages only.
void Copies::scan_tree(Turn& turn, Copy& copy, std::shared_ptr<TreeChunks> tree) {
  const bool may = copy.state == State::kContent && !copy.from_local && copy.to_check.empty() &&
                   copy.pages_left == 0 && (!copy.part || copy.has_room);
  if (!may || copy.scanning) return;
  copy.scanning = true;
  ++copy.jobs;
  turn.out.jobs.push_back(
      ScanTreeJob{copy.id, copy.share, copy.reuse_tree, copy.convs, std::move(tree)});
}

void Copies::on_scanned(Turn& turn, TreeScanned result) {
  Copy* copy = find(result.copy);
  if (copy == nullptr || !copy->scanning) return;
  copy->scanning = false;
  if (waited_for(turn, *copy, copy->jobs)) return;
  if (copy->state != State::kContent) return;
  if (result.error) return fail(turn, *copy, *result.error);
  for (const ChunkIndex index : result.written) {
    if (copy->have.has(index) || !takes(*copy, index)) continue;
    copy->bytes_copied += length_of(*copy, index);
    mark_have(turn, *copy, index);
    tell_held(turn, *copy, index);
  }
  if (!result.at_end && !is_whole(*copy)) return scan_tree(turn, *copy, std::move(result.tree));
  copy->reuse_tree.clear();
  offer_all(turn, *copy);
}

}  // namespace kith::node
