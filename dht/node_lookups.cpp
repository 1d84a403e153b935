// The part of the node that runs lookups and does with them what they are for.
#include <algorithm>

#include "dht/node.hpp"
#include "proto/assert.hpp"

namespace kith::dht {

LookupId Node::find_providers(TimePoint now, const InfoHash& info_hash, Outbox& out) {
  return start(now, Goal::kProviders, info_hash, out);
}

LookupId Node::find_node(TimePoint now, const NodeId& target, Outbox& out) {
  return start(now, Goal::kNode, target, out);
}

void Node::announce(TimePoint now, const InfoHash& info_hash, Outbox& out) {
  announcer_.add(now, info_hash);
  start_announcements(now, out);
}

LookupId Node::start(TimePoint now, Goal goal, const NodeId& target, Outbox& out) {
  const auto id = static_cast<LookupId>(++last_lookup_);
  if (activities_.size() >= limits::kLookupsMax) {
    out.events.push_back(LookupDone{id, target, 0});
    return id;
  }
  Activity activity{goal, Lookup(target, config_.self, !config_.swarm_mode), {}};
  for (const Contact& contact : table_.closest(target, 2 * limits::kBucketSize, 1)) {
    activity.lookup.add(contact.node());
  }
  table_.touch(now, target);
  const auto it = activities_.emplace(id, std::move(activity)).first;
  if (goal == Goal::kProviders) {
    const auto own = records_.pick(now, target, limits::kPeersPerRecord, rng_);
    tell_providers(id, it->second, own, Endpoint{}, out);
  }
  advance(now, id, out);
  return id;
}

void Node::on_lookup_reply(TimePoint now, const Call& call, const krpc::Node& node,
                           const krpc::Response& response, Outbox& out) {
  const auto it = activities_.find(call.lookup);
  if (it != activities_.end()) {
    Activity& activity = it->second;
    activity.lookup.on_reply(node, response.nodes, response.token);
    if (activity.goal == Goal::kProviders) {
      tell_providers(call.lookup, activity, response.values, node.endpoint, out);
    }
    advance(now, call.lookup, out);
  }
  const std::size_t count = std::min(response.nodes.size(), limits::kNodesPerReply);
  for (std::size_t i = 0; i < count; ++i) greet(now, response.nodes[i], out);
}

void Node::tell_providers(LookupId id, Activity& activity, const std::vector<Endpoint>& values,
                          const Endpoint& responder, Outbox& out) {
  ProvidersFound found{id, activity.lookup.target(), {}};
  for (Endpoint value : values) {
    if (value.is_unspecified() && config_.swarm_mode) value = responder.with_port(value.port());
    if (!value.is_usable() || activity.told.size() >= limits::kPeersPerRecord) continue;
    if (activity.told.insert(value).second) found.peers.push_back(value);
  }
  if (!found.peers.empty()) out.events.push_back(std::move(found));
}

/// Sends what the lookup wants sent, and finishes it when it is done.
void Node::advance(TimePoint now, LookupId id, Outbox& out) {
  const auto it = activities_.find(id);
  Activity& activity = it->second;
  krpc::Query query = make_query();
  const NodeId target = activity.lookup.target();
  const bool for_peers = activity.goal == Goal::kProviders || activity.goal == Goal::kAnnounce;
  if (for_peers) {
    query.call = krpc::GetPeers{target};
  } else {
    query.call = krpc::FindNode{target};
  }
  for (auto wanted = activity.lookup.next_requests(); !wanted.empty();
       wanted = activity.lookup.next_requests()) {
    for (const krpc::Node& node : wanted) {
      if (rpc_.full()) {
        activity.lookup.on_failure(node);
        continue;
      }
      Call call;
      call.to = node.endpoint;
      call.node = node.id;
      call.purpose = Purpose::kLookup;
      call.lookup = id;
      send(now, std::move(call), query, out);
    }
  }
  if (activity.lookup.done()) finish(now, it, out);
}

void Node::finish(TimePoint now, Activities::iterator it, Outbox& out) {
  const LookupId id = it->first;
  const Activity activity = std::move(it->second);
  activities_.erase(it);
  const Lookup& lookup = activity.lookup;
  if (activity.goal == Goal::kAnnounce) send_announcements(now, lookup, out);
  if (activity.goal == Goal::kProviders || activity.goal == Goal::kNode) {
    out.events.push_back(LookupDone{id, lookup.target(), lookup.responders()});
  }
}

void Node::send_announcements(TimePoint now, const Lookup& lookup, Outbox& out) {
  if (!announcer_.contains(lookup.target())) return;
  const auto responders = lookup.closest_responders();
  announcer_.on_done(now, lookup.target(), responders);
  if (config_.tcp_port == 0) return;
  for (const auto& responder : responders) {
    if (responder.token.empty() || rpc_.full()) continue;
    krpc::Query query = make_query();
    query.call = krpc::AnnouncePeer{lookup.target(), config_.tcp_port, false, responder.token};
    Call call;
    call.to = responder.node.endpoint;
    call.node = responder.node.id;
    call.purpose = Purpose::kAnnounce;
    send(now, std::move(call), query, out);
  }
}

}  // namespace kith::dht
