// `kith cat`: bytes of one file of a share, in order, without a place for them. Chunks come from a
// copy of this device that has them, or from peers into memory; a few are read ahead.
//
// Peers are asked by a copy that is a stream: it has no staging, the catalog never hears of it, and
// it wants just what readings need. Where the share is being fetched anyway there is none: the
// readings wait for what the fetch brings.
#include <algorithm>

#include "node/engine/copies.hpp"
#include "proto/limits.hpp"

namespace kith::node {
namespace {

// A stream that nobody reads from is forgotten after so long, with what it holds.
constexpr std::chrono::seconds kStreamIdle{10};
// How often it is looked whether a fetch has brought what a reading waits for, and who is idle.
constexpr std::chrono::milliseconds kTendEvery{50};
// Asked for before it is read: for one reading at most, and for all that wait, about.
constexpr std::uint64_t kReadAhead = 8 * limits::kMiB;
constexpr std::uint64_t kReadAheadOfAll = 16 * limits::kMiB;
// Held of one stream, and of all, if there are many; what a reading needs is never dropped.
constexpr std::uint64_t kStreamMemory = 16 * limits::kMiB;
constexpr std::uint64_t kStreamMemoryOfAll = 64 * limits::kMiB;

}  // namespace

void Copies::read(Turn& turn, RequestId request, const ReadFile& command, const Link& link,
                  const SwarmId& swarm) {
  Stream& stream = streams_[link.share];
  stream.swarm = swarm;
  stream.key = link.key;
  stream.used = turn.now.mono;
  readings_.push_back(
      {request, link.share, command, turn.now.mono, false, std::nullopt, std::nullopt});
  read_on(turn, link.share);
}

Copies::Copy* Copies::stream_of(const ShareId& share) {
  Copy* copy = fetching(share);
  return copy != nullptr && copy->is_stream ? copy : nullptr;
}

// Everything that may have changed what the readings of a share wait for leads here.
void Copies::read_on(Turn& turn, const ShareId& share) {
  const auto at = streams_.find(share);
  if (at == streams_.end()) return;
  Stream& stream = at->second;
  const auto is_known = [](const Copy* copy) { return copy->root != nullptr; };
  if (std::ranges::none_of(copies_of(share), is_known)) return begin_stream(turn, share, stream);
  hurry(share);
  for (Reading& reading : readings_) {
    if (reading.share != share) continue;
    if (reading.missing_page) {
      want_page(turn, share, stream, *reading.missing_page);
      // A fetch brings it sooner or later: it is looked for again.
      if (stream_of(share) == nullptr) reading.missing_page.reset();
    } else if (reading.place) {
      want_chunks(turn, share, stream, *reading.place);
    } else if (!std::exchange(reading.is_finding, true)) {
      const std::uint64_t ahead = std::min(kReadAhead, kReadAheadOfAll / readings_.size());
      turn.out.jobs.push_back(FindBytesJob{reading.request, share, reading.command.path,
                                           reading.command.offset, reading.command.length, ahead});
    }
  }
  std::erase_if(readings_, [&](const Reading& reading) {
    return reading.share == share && reading.place && answer(turn, stream, reading);
  });
}

// Whatever else is fetched of it: first what readings wait for, then what they read next.
void Copies::hurry(const ShareId& share) {
  const Copy* copy = fetching(share);
  if (copy == nullptr || !copy->root) return;
  std::vector<ChunkIndex> urgent, ahead;
  for (const Reading& reading : readings_) {
    if (reading.share != share) continue;
    if (reading.missing_page) urgent.push_back(copy->shape.index_of_page(*reading.missing_page));
    if (!reading.place) continue;
    for (const FilePlace::Stretch& stretch : reading.place->stretches) {
      // A fetch cannot write it before it has every page that describes it.
      const std::uint32_t chunk = stretch.index - copy->shape.index_of_chunk(0);
      const auto [first, last] = copy->shape.pages_of_chunk(chunk);
      for (std::uint32_t page = first; !stretch.is_ahead && page <= last; ++page) {
        const ChunkIndex index = copy->shape.index_of_page(page);
        if (!copy->have.has(index)) urgent.push_back(index);
      }
      (stretch.is_ahead ? ahead : urgent).push_back(stretch.index);
    }
  }
  urgent.insert(urgent.end(), ahead.begin(), ahead.end());
  if (!urgent.empty()) transfer_.hurry(share, std::move(urgent));
}

// False: something is not here yet.
bool Copies::answer(Turn& turn, Stream& stream, const Reading& reading) {
  FileRead out{reading.place->size, reading.command.offset, {}};
  for (const FilePlace::Stretch& stretch : reading.place->stretches) {
    if (stretch.is_ahead) break;
    const auto chunk = stream.chunks.find(stretch.index);
    if (chunk == stream.chunks.end()) return false;
    chunk->second.used = ++stream.uses;
    out.stretches.push_back({chunk->second.data, stretch.from, stretch.length});
  }
  turn.done(reading.request, std::move(out));
  stream.used = turn.now.mono;
  return true;
}

void Copies::on_bytes_found(Turn& turn, BytesFound result) {
  const auto reading = std::ranges::find(readings_, result.request, &Reading::request);
  if (reading == readings_.end()) return;
  reading->is_finding = false;
  if (result.error) {
    turn.fail(reading->request, *result.error);
    readings_.erase(reading);
    return;
  }
  reading->missing_page = result.missing_page;
  if (!result.missing_page) reading->place = std::move(result.place);
  read_on(turn, ShareId(reading->share));
}

// A share of which nothing is here, or of which something is missing.
void Copies::begin_stream(Turn& turn, const ShareId& share, const Stream& stream) {
  if (fetching(share) != nullptr) return;
  std::shared_ptr<const Root> root;
  for (const Copy* other : copies_of(share)) {
    if (is_held(other->state) && other->root) root = other->root;
  }
  Copy& copy = insert(random_copy_id(rng_), share);
  copy.is_stream = true;
  copy.swarm = stream.swarm;
  copy.key = stream.key;
  copy.looking_since = copy.last_stored = turn.now.mono;
  copy.state = State::kRoot;
  if (root) {
    take_root(copy, *root);
    // The catalog has every page of what is held.
    for (ChunkIndex i = 0; i < copy.shape.index_of_chunk(0); ++i) copy.have.add(i);
    copy.pages_left = 0;
  }
  begin_network(turn, copy);
  mend_more(turn, share);  // what was asked for was forgotten
}

// It wants only what readings need.
void Copies::take_root(Copy& copy, Root root) {
  set_root(copy, std::move(root));
  copy.have.reset(copy.shape.total(), false);
  copy.have.add(0);
  copy.lengths.assign(copy.shape.chunks(), 0);
  copy.state = State::kContent;
}

// A page came: what waited for one looks again.
void Copies::read_pages(Turn& turn, const ShareId& share) {
  for (Reading& reading : readings_) {
    if (reading.share == share) reading.missing_page.reset();
  }
  read_on(turn, share);
}

void Copies::want_page(Turn& turn, const ShareId& share, const Stream& stream, std::uint32_t page) {
  Copy* copy = fetching(share);
  if (copy == nullptr) begin_stream(turn, share, stream);
  copy = stream_of(share);
  if (copy == nullptr || !copy->root || copy->have.has(copy->shape.index_of_page(page))) return;
  const std::uint32_t length = copy->root->pages[page].length;
  transfer_.set_lengths(turn.now.mono, share, copy->shape.index_of_page(page),
                        std::span(&length, 1), turn.transfer);
}

void Copies::want_chunks(Turn& turn, const ShareId& share, Stream& stream, const FilePlace& place) {
  for (const FilePlace::Stretch& stretch : place.stretches) {
    if (stream.chunks.contains(stretch.index) || stream.at_jobs.contains(stretch.index)) continue;
    if (const auto from = source(turn, share, stretch.index)) {
      stream.at_jobs.insert(stretch.index);
      turn.out.jobs.push_back(ReadChunkJob{*from, share, stretch.index});
      continue;
    }
    if (fetching(share) == nullptr) begin_stream(turn, share, stream);
    const Copy* copy = fetching(share);
    if (copy == nullptr || !passes(*copy, stretch.index)) continue;  // the fetch brings it
    transfer_.set_lengths(turn.now.mono, share, stretch.index, std::span(&stretch.chunk_length, 1),
                          turn.transfer);
  }
}

// What a fetch of a part leaves out, or had in its hands and cannot read back, is for readings
// only.
bool Copies::passes(const Copy& copy, ChunkIndex index) {
  if (copy.is_stream) return true;
  if (!copy.part || !copy.part->is_complete()) return false;
  return !takes(copy, index) || (cuts(copy, index) && copy.have.has(index));
}

void Copies::on_chunk_read(Turn& turn, ChunkRead result) {
  const auto at = streams_.find(result.share);
  if (at != streams_.end()) at->second.at_jobs.erase(result.index);
  if (result.error && tells_of_loss(*result.error)) {
    withdraw(turn, result.copy, result.share, result.index, *result.error, result.path);
  } else if (result.error) {
    fail_readings(turn, result.share, *result.error);
  } else if (at != streams_.end()) {
    keep_chunk(result.share, result.index, std::move(result.data));
  }
  read_on(turn, result.share);
}

// From a peer: kept for the readings, and not held.
void Copies::on_streamed(Turn& turn, Copy& copy, const ChunkWritten& result) {
  if (result.outcome == transfer::StoreOutcome::kKept) {
    copy.last_stored = turn.now.mono;
    keep_chunk(copy.share, result.index, result.data);
  }
  transfer_.on_stored(turn.now.mono, result.share, result.index, result.from, result.outcome,
                      result.error, turn.transfer);
  // A fetch may have lost it meanwhile, and need it after all.
  const bool is_needed = !copy.is_stream && takes(copy, result.index);
  if (is_needed && !copy.have.has(result.index)) offer_chunk(turn, copy, result.index);
  read_on(turn, ShareId(result.share));
}

// Drops what was not used for the longest time, but for what a reading needs.
void Copies::keep_chunk(const ShareId& share, ChunkIndex index,
                        std::shared_ptr<const SlabChain> data) {
  const auto at = streams_.find(share);
  if (at == streams_.end() || at->second.chunks.contains(index)) return;
  Stream& stream = at->second;
  stream.bytes += data->size();
  stream.chunks[index] = {std::move(data), ++stream.uses};
  const std::uint64_t most = std::min(kStreamMemory, kStreamMemoryOfAll / streams_.size());
  while (stream.bytes > most) {
    auto oldest = stream.chunks.end();
    for (auto it = stream.chunks.begin(); it != stream.chunks.end(); ++it) {
      if (is_needed(share, it->first)) continue;
      if (oldest == stream.chunks.end() || it->second.used < oldest->second.used) oldest = it;
    }
    if (oldest == stream.chunks.end()) return;
    stream.bytes -= oldest->second.data->size();
    stream.chunks.erase(oldest);
  }
}

bool Copies::is_read(const ShareId& share) const {
  return std::ranges::find(readings_, share, &Reading::share) != readings_.end();
}

bool Copies::is_needed(const ShareId& share, ChunkIndex index) const {
  return std::ranges::any_of(readings_, [&](const Reading& reading) {
    if (!reading.place || reading.share != share) return false;
    return std::ranges::any_of(reading.place->stretches, [&](const FilePlace::Stretch& stretch) {
      return stretch.index == index;
    });
  });
}

void Copies::fail_readings(Turn& turn, const ShareId& share, const Error& why) {
  std::erase_if(readings_, [&](const Reading& reading) {
    if (reading.share == share) turn.fail(reading.request, why);
    return reading.share == share;
  });
}

// Nobody provides what the copy, a stream or a fetch, asks for: readings that waited long enough
// end, whatever becomes of the fetch.
void Copies::give_up_readings(Turn& turn, const Copy& copy) {
  std::erase_if(readings_, [&](const Reading& reading) {
    const bool waits = turn.now.mono - reading.since < kLookFor;
    if (reading.share != copy.share || waits) return false;
    turn.fail(reading.request, why_unread(copy, reading));
    return true;
  });
}

Error Copies::why_unread(const Copy& copy, const Reading& reading) {
  std::string file = reading.command.path;
  if (file.empty()) file = copy.root ? copy.root->name : reading.command.share;
  // Chunks of the file, or of the manifest before it is known which these are.
  const bool is_wrong = std::ranges::any_of(copy.unavailable, [&](ChunkIndex index) {
    if (!reading.place) return !copy.root || !copy.shape.is_content(index);
    return std::ranges::find(reading.place->stretches, index, &FilePlace::Stretch::index) !=
           reading.place->stretches.end();
  });
  if (is_wrong) {
    return local_error(Errc::kVerification, "every source has it wrong", file,
                       "try again when another source is there");
  }
  const std::uint64_t offset = reading.command.offset;
  const std::string rest =
      offset == 0 ? "" : "; --offset " + std::to_string(offset) + " reads the rest";
  return local_error(Errc::kNotFound,
                     offset == 0 ? "nobody who is reachable provides it"
                                 : "nobody who is reachable provides the rest of it",
                     file, "'kith peers' shows who is reachable" + rest);
}

// Ends asking peers; readings go on, with what a fetch or another copy has.
void Copies::end_stream(Turn& turn, Copy& copy) {
  const ShareId share = copy.share;
  const CopyId id = copy.id;
  leave_network(turn, copy);
  const bool last = copies_of(share).size() == 1;
  erase(id);
  turn.out.jobs.push_back(DiscardFetchJob{id, share, {}, {}, 0, 0, false});
  // It was not in the catalog; but a copy may have been, and went before.
  if (last) turn.save(DeleteCopy{id, share, true});
  mend_more(turn, share);
}

// The swarm was left. What is read by a link of another one goes on there.
void Copies::end_streams(Turn& turn, const SwarmId& swarm) {
  std::vector<ShareId> shares;
  for (const auto& [share, stream] : streams_) shares.push_back(share);
  for (const ShareId& share : shares) {
    if (streams_.at(share).swarm == swarm) {
      fail_readings(turn, share, local_error(Errc::kCancelled, "the swarm was left"));
      streams_.erase(share);
    }
    Copy* copy = stream_of(share);
    if (copy != nullptr && (copy->swarm == swarm || !streams_.contains(share))) {
      end_stream(turn, *copy);
    }
  }
}

void Copies::tend_streams(Turn& turn) {
  if (streams_.empty() || turn.now.mono < next_tending_) return;
  next_tending_ = turn.now.mono + kTendEvery;
  std::vector<ShareId> all;
  for (const auto& [share, stream] : streams_) all.push_back(share);
  for (const ShareId& share : all) {
    if (is_read(share)) {
      read_on(turn, share);
    } else if (turn.now.mono - streams_.at(share).used >= kStreamIdle) {
      streams_.erase(share);
      if (Copy* copy = stream_of(share)) end_stream(turn, *copy);
    }
  }
}

}  // namespace kith::node
