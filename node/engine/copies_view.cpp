// What users see of copies.
#include <algorithm>

#include "node/engine/copies.hpp"

namespace kith::node {
namespace {

constexpr std::size_t kPrefixMin = 8;

}  // namespace

FetchProgress Copies::progress_of(const Copy& copy) const {
  FetchProgress out;
  out.share = copy.share;
  out.name = copy.root ? copy.root->name : copy.name;
  out.rate = copy.rate;
  out.bytes_done = copy.bytes_have;
  if (copy.root) out.bytes_total = bytes_to_store(copy);
  if (transfer_.has_share(copy.share)) out.peers = transfer_.progress(copy.share).sources;
  switch (copy.state) {
    case State::kRoot:
      out.phase = out.peers == 0 ? "looking" : "manifest";
      break;
    case State::kManifest:
      out.phase = "manifest";
      break;
    case State::kPreparing:
      out.phase = "preparing";
      break;
    case State::kComparing:
      out.phase = "verifying";
      break;
    case State::kContent:
      out.phase = copy.pages_left > 0 ? "manifest" : copy.scanning ? "reusing" : "content";
      break;
    case State::kOpening:
    case State::kPaused:
    case State::kWaiting:
    case State::kFailed:
    case State::kUnreadable:
      out.phase = "looking";
      break;
    case State::kFinishing:
    case State::kCommitting:
    case State::kRenaming:
    case State::kComplete:
    case State::kShared:
      out.phase = "finishing";
      break;
  }
  return out;
}

void Copies::report_progress(Turn& turn, Copy& copy) {
  const auto elapsed =
      std::chrono::duration_cast<std::chrono::milliseconds>(turn.now.mono - copy.rate_since)
          .count();
  if (elapsed >= 1000) {
    // Half of the last value, half of the new one: steady enough to read, quick enough to trust.
    const std::uint64_t rate = copy.rate_bytes * 1000 / static_cast<std::uint64_t>(elapsed);
    copy.rate = copy.rate == 0 ? rate : (copy.rate + rate) / 2;
    copy.rate_bytes = 0;
    copy.rate_since = turn.now.mono;
  }
  const FetchProgress progress = progress_of(copy);
  for (const Listener& listener : copy.listeners) turn.progress(listener.request, progress);
}

std::vector<SourceView> Copies::sources_of(const ShareId& share) const {
  std::vector<SourceView> out;
  if (!transfer_.has_share(share)) return out;
  for (const transfer::SourceBytes& source : transfer_.progress(share).by_device) {
    out.push_back({source.device, {}, source.bytes});
  }
  return out;
}

std::string Copies::shown_name(const Copy& copy) {
  return copy.root && copy.name.empty() ? copy.root->name : copy.name;
}

ShareView Copies::view(CopyId id) const {
  const Copy& copy = *find(id);
  ShareView out;
  out.share = copy.share;
  out.copy = copy.id;
  out.swarm = copy.swarm;
  out.name = shown_name(copy);
  out.path = copy.path.empty() ? copy.directory : copy.path;
  out.problem = copy.problem;
  const std::string damage = damage_text(copy);
  if (!damage.empty()) out.problem += (out.problem.empty() ? "" : "; ") + damage;
  out.scrubbed = copy.scrub.ended;
  out.damaged = copy.mends.size();
  out.repaired = copy.scrub.repaired;
  out.part = globs_of(copy);
  out.bytes_taken = bytes_taken(copy);
  out.bytes_have = copy.part ? std::min(copy.bytes_have, out.bytes_taken) : copy.bytes_have;
  Link link;
  std::copy_n(copy.swarm.bytes.begin(), link.swarm_prefix.size(), link.swarm_prefix.begin());
  link.share = copy.share;
  link.key = copy.key;
  out.link = link.to_string();
  if (copy.root) {
    out.totals = copy.root->totals;
    out.single_file = copy.root->single_file;
  }
  switch (copy.state) {
    case State::kShared:
      out.state = is_withdrawn(copy) ? "withdrawn" : "shared";
      break;
    case State::kComplete:
      out.state = is_withdrawn(copy) ? "withdrawn" : "complete";
      break;
    case State::kPaused:
      out.state = "paused";
      break;
    case State::kFailed:
    case State::kUnreadable:
      out.state = "failed";
      break;
    case State::kComparing:
      out.state = "verifying";
      break;
    case State::kOpening:
    case State::kWaiting:
    case State::kRoot:
    case State::kPreparing:
    case State::kManifest:
    case State::kContent:
    case State::kFinishing:
    case State::kCommitting:
    case State::kRenaming:
      out.state = "fetching";
      break;
  }
  return out;
}

std::vector<ShareView> Copies::views() const {
  std::vector<ShareView> out;
  for (const CopyId id : all()) out.push_back(view(id));
  return out;
}

std::vector<CopyId> Copies::all() const {
  std::vector<CopyId> out;
  for (const auto& [id, copy] : copies_) {
    if (!copy.is_stream) out.push_back(id);
  }
  return out;
}

std::vector<CopyId> Copies::select(const ShareSelector& selector) const {
  std::string prefix = selector;
  if (const auto link = Link::parse(selector)) prefix = link->share.hex();
  std::vector<CopyId> out;
  if (prefix.size() < kPrefixMin) return out;
  for (const auto& [id, copy] : copies_) {
    if (!copy.is_stream && copy.share.hex().starts_with(prefix)) out.push_back(id);
  }
  return out;
}

std::size_t Copies::shares() const {
  return static_cast<std::size_t>(std::count_if(
      copies_.begin(), copies_.end(), [](const auto& item) { return is_held(item.second.state); }));
}

std::size_t Copies::fetches() const {
  return static_cast<std::size_t>(std::count_if(
      copies_.begin(), copies_.end(),
      [](const auto& item) { return is_fetch(item.second.state) && !item.second.is_stream; }));
}

std::vector<ShareId> Copies::announced(const SwarmId& swarm) const {
  std::set<ShareId> out;
  for (const auto& [id, copy] : copies_) {
    const bool serves = is_held(copy.state) || (is_fetch(copy.state) && !copy.is_stream);
    if (copy.swarm == swarm && serves && copy.have.count() > 0) out.insert(copy.share);
  }
  return {out.begin(), out.end()};
}

std::vector<ShareId> Copies::looked_for(const SwarmId& swarm) const {
  std::vector<ShareId> out;
  for (const auto& [id, copy] : copies_) {
    const bool fetches = is_fetch(copy.state) && copy.on_network;
    // What is damaged is asked for wherever the share is served.
    const bool mends = is_mending(copy) && transfer_.is_in(copy.share, swarm);
    if ((fetches && copy.swarm == swarm) || mends) out.push_back(copy.share);
  }
  return out;
}

}  // namespace kith::node
