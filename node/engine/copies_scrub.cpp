// The scrub: every chunk of every held copy is read once in a while, one after the other, slowly,
// so that what rots on the disk is found while somebody still has it.
#include <algorithm>

#include "node/engine/copies.hpp"

namespace kith::node {
namespace {

using namespace std::chrono_literals;

// Nothing was due: when that is looked at again.
constexpr Duration kIdle = 60s;
// A pass that goes well tells the catalog where it is this often; so much is read again at most.
constexpr Duration kSaveEvery = 30s;
// While something else moves chunks, the scrub is so many times slower.
constexpr int kStandBack = 8;
constexpr Duration kBusyFor = 2s;

}  // namespace

void Copies::set_scrub(const ScrubSettings& settings) {
  scrub_ = settings;
  scrub_at_ = {};
}

bool Copies::is_due(const Copy& copy, UnixMillis now) const {
  if (!is_held(copy.state)) return false;
  if (!copy.recheck.empty() || copy.scrub.next > 0) return true;
  const bool has_content = copy.have.count() > copy.shape.index_of_chunk(0);
  // A clock that was set back must not put it off.
  const bool is_time =
      now < copy.scrub.ended || count(now) - count(copy.scrub.ended) >= scrub_.every.count();
  return has_content && is_time;
}

// What is under way goes on; else whichever was not read for the longest time.
Copies::Copy* Copies::next_to_scrub(UnixMillis now) {
  Copy* best = nullptr;
  const auto rank = [](const Copy& copy) {
    return std::tuple(copy.recheck.empty(), copy.scrub.next == 0, copy.scrub.ended);
  };
  for (auto& [id, copy] : copies_) {
    if (is_due(copy, now) && (best == nullptr || rank(copy) < rank(*best))) best = &copy;
  }
  return best;
}

// Of what the copy holds; nothing: the pass is over. What is damaged is not read again, it is
// looked for.
std::optional<ChunkIndex> Copies::next_to_read(Copy& copy) {
  if (!copy.recheck.empty()) {
    const ChunkIndex index = copy.recheck.back();
    copy.recheck.pop_back();
    return index;
  }
  ChunkIndex& next = copy.scrub.next;
  next = std::max(next, copy.shape.index_of_chunk(0));
  while (next < copy.shape.total() && !copy.have.has(next)) ++next;
  return next < copy.shape.total() ? std::optional(next) : std::nullopt;
}

void Copies::scrub_more(Turn& turn) {
  if (scrub_.rate == 0 || scrub_out_ || turn.now.mono < scrub_at_) return;
  while (Copy* copy = next_to_scrub(turn.now.wall)) {
    const auto index = next_to_read(*copy);
    if (!index) {
      end_pass(turn, *copy);
      continue;
    }
    scrub_out_ = true;
    will_read(turn, *copy);
    verify_chunk(turn, *copy, *index, kForScrub);
    return;
  }
  scrub_at_ = turn.now.mono + kIdle;
}

// Chunks came or went a moment ago, or a user waits for the disk. (What is reserved would not tell:
// a transfer that is limited has nothing in flight most of the time.)
bool Copies::is_busy(TimePoint now) const {
  return !verifies_.empty() || now < moved_at_ + kBusyFor;
}

void Copies::on_scrubbed(Turn& turn, const ChunkVerified& result) {
  scrub_out_ = false;
  if (scrub_.rate == 0) return;
  const std::chrono::nanoseconds pause(std::uint64_t{1'000'000'000} * result.bytes / scrub_.rate);
  scrub_at_ = turn.now.mono + pause * (is_busy(turn.now.mono) ? kStandBack : 1);
  Copy* copy = find(result.copy);
  if (copy == nullptr || copy->share != result.share || copy->scrub.next != result.index) return;
  ++copy->scrub.next;
  if (turn.now.mono < scrub_saved_ + kSaveEvery) return;
  scrub_saved_ = turn.now.mono;
  turn.save(PutScrub{copy->id, copy->scrub});
}

void Copies::end_pass(Turn& turn, Copy& copy) {
  mark_read(turn, copy);
  std::string text = "scrubbed " + shown_name(copy) + ": " + std::to_string(copy.shape.chunks()) +
                     (copy.shape.chunks() == 1 ? " chunk" : " chunks") + " read";
  if (!copy.mends.empty()) text += ", " + damage_text(copy);
  if (is_withdrawn(copy) && copy.mends.empty()) text += ", " + copy.problem;
  turn.log(is_withdrawn(copy) ? LogLevel::kWarning : LogLevel::kInfo, text);
}

// All of it is known to be read now.
void Copies::mark_read(Turn& turn, Copy& copy) {
  copy.scrub.next = 0;
  copy.scrub.ended = turn.now.wall;
  turn.save(PutScrub{copy.id, copy.scrub});
}

ScrubView Copies::scrub_view() const {
  ScrubView out;
  out.rate = scrub_.rate;
  for (const auto& [id, copy] : copies_) {
    out.damaged += copy.mends.size();
    if (!is_held(copy.state) || copy.scrub.next == 0 || !out.name.empty()) continue;
    out.name = shown_name(copy);
    out.done = copy.scrub.next - copy.shape.index_of_chunk(0);
    out.total = copy.shape.chunks();
  }
  return out;
}

}  // namespace kith::node
