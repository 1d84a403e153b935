#include "dht/lookup.hpp"

#include <algorithm>

#include "proto/assert.hpp"

namespace kith::dht {
namespace {

/// A swarm's node may be known at an IPv4 and an IPv6 address; more endpoints for one id are a
/// trick.
constexpr std::size_t kEndpointsPerId = 2;

}  // namespace

bool Lookup::is_nearer(const krpc::Node& a, const krpc::Node& b) const {
  if (a.id == b.id) return a.endpoint < b.endpoint;
  return closer(a.id, b.id, target_);
}

Lookup::Candidate* Lookup::find(const krpc::Node& node) {
  const auto it = std::lower_bound(candidates_.begin(), candidates_.end(), node,
                                   [&](const Candidate& candidate, const krpc::Node& n) {
                                     return is_nearer(candidate.node, n);
                                   });
  return it != candidates_.end() && it->node == node ? &*it : nullptr;
}

bool Lookup::is_welcome(const krpc::Node& node) const {
  if (node.id == self_ || node.id.is_zero() || !node.endpoint.is_usable()) return false;
  std::size_t same_id = 0;
  for (const Candidate& candidate : candidates_) {
    if (candidate.node == node) return false;
    if (candidate.node.id == node.id) ++same_id;
    const Endpoint& other = candidate.node.endpoint;
    if (diverse_ && other.is_v6() == node.endpoint.is_v6() &&
        equal(other.subnet(), node.endpoint.subnet())) {
      return false;
    }
  }
  return same_id < kEndpointsPerId;
}

void Lookup::add(const krpc::Node& node) {
  if (!is_welcome(node)) return;
  const auto at = std::upper_bound(candidates_.begin(), candidates_.end(), node,
                                   [&](const krpc::Node& n, const Candidate& candidate) {
                                     return is_nearer(n, candidate.node);
                                   });
  candidates_.insert(at, Candidate{node, State::kFresh, {}});
  if (candidates_.size() > limits::kLookupCandidates) trim();
}

/// Drops the farthest candidate that nothing is expected of: never asked, or failed.
void Lookup::trim() {
  for (auto it = candidates_.rbegin(); it != candidates_.rend(); ++it) {
    if (it->state != State::kFresh && it->state != State::kFailed) continue;
    candidates_.erase(std::next(it).base());
    return;
  }
  candidates_.pop_back();
}

std::vector<krpc::Node> Lookup::next_requests() {
  std::vector<krpc::Node> out;
  std::size_t considered = 0;
  std::size_t waiting = 0;
  for (Candidate& candidate : candidates_) {
    if (considered == limits::kBucketSize) break;
    if (candidate.state == State::kFailed || candidate.state == State::kSlow) continue;
    ++considered;
    if (candidate.state == State::kReplied) continue;
    if (waiting == limits::kLookupParallel) break;
    ++waiting;
    if (candidate.state == State::kAsked) continue;
    candidate.state = State::kAsked;
    out.push_back(candidate.node);
  }
  return out;
}

void Lookup::on_reply(const krpc::Node& node, const std::vector<krpc::Node>& nodes, Bytes token) {
  Candidate* candidate = find(node);
  if (candidate == nullptr) return;
  candidate->state = State::kReplied;
  candidate->token = to_buffer(token);
  // The other endpoint of an id that has answered need not be asked.
  std::erase_if(candidates_, [&](const Candidate& other) {
    return other.node.id == node.id && other.state == State::kFresh;
  });
  const std::size_t count = std::min(nodes.size(), limits::kNodesPerReply);
  for (std::size_t i = 0; i < count; ++i) add(nodes[i]);
}

void Lookup::on_slow(const krpc::Node& node) {
  Candidate* candidate = find(node);
  if (candidate != nullptr && candidate->state == State::kAsked) candidate->state = State::kSlow;
}

void Lookup::on_failure(const krpc::Node& node) {
  Candidate* candidate = find(node);
  if (candidate != nullptr && candidate->state != State::kReplied) {
    candidate->state = State::kFailed;
  }
}

bool Lookup::done() const {
  std::size_t replied = 0;
  bool slow = false;
  for (const Candidate& candidate : candidates_) {
    switch (candidate.state) {
      case State::kFresh:
      case State::kAsked:
        return false;
      case State::kSlow:
        slow = true;
        break;
      case State::kFailed:
        break;
      case State::kReplied:
        if (++replied == limits::kBucketSize) return true;
    }
  }
  return !slow;
}

std::size_t Lookup::responders() const {
  return static_cast<std::size_t>(
      std::count_if(candidates_.begin(), candidates_.end(),
                    [](const Candidate& c) { return c.state == State::kReplied; }));
}

std::vector<Lookup::Responder> Lookup::closest_responders() const {
  std::vector<Responder> out;
  for (const Candidate& candidate : candidates_) {
    if (candidate.state != State::kReplied) continue;
    out.push_back({candidate.node, candidate.token});
    if (out.size() == limits::kBucketSize) break;
  }
  return out;
}

std::size_t Lookup::waiting() const {
  return static_cast<std::size_t>(std::count_if(
      candidates_.begin(), candidates_.end(),
      [](const Candidate& c) { return c.state == State::kAsked || c.state == State::kSlow; }));
}

void Lookup::check_invariants() const {
  KITH_ASSERT(candidates_.size() <= limits::kLookupCandidates);
  for (std::size_t i = 0; i + 1 < candidates_.size(); ++i) {
    KITH_ASSERT(is_nearer(candidates_[i].node, candidates_[i + 1].node));
  }
}

}  // namespace kith::dht
