#include "dht/routing_table.hpp"

#include <algorithm>
#include <tuple>

#include "proto/assert.hpp"

namespace kith::dht {
namespace {

Contact* find_in(std::vector<Contact>& contacts, const NodeId& id) {
  const auto it = std::find_if(contacts.begin(), contacts.end(),
                               [&](const Contact& contact) { return contact.id == id; });
  return it == contacts.end() ? nullptr : &*it;
}

void refresh(Contact& contact, TimePoint now, Duration rtt) {
  contact.rtt = (7 * contact.rtt + rtt) / 8;
  contact.last_response = now;
  contact.failures = 0;
}

bool same_subnet(const Endpoint& a, const Endpoint& b) {
  return a.is_v6() == b.is_v6() && equal(a.subnet(), b.subnet());
}

}  // namespace

RoutingTable::RoutingTable(const NodeId& self, bool diverse) : self_(self), diverse_(diverse) {}

std::size_t RoutingTable::index_of(const NodeId& id) const {
  return std::min(shared_prefix(self_, id), kBuckets - 1);
}

RoutingTable::Outcome RoutingTable::on_response(TimePoint now, const krpc::Node& node,
                                                Duration rtt) {
  if (node.id == self_) return Outcome::kRefused;
  Bucket& bucket = bucket_of(node.id);
  bool moved = false;
  if (Contact* known = find_in(bucket.live, node.id)) {
    if (known->endpoint == node.endpoint) {
      refresh(*known, now, rtt);
      return Outcome::kRefreshed;
    }
    if (known->failures < limits::kFailuresToDisplace) return Outcome::kConflict;
    bucket.live.erase(bucket.live.begin() + (known - bucket.live.data()));
    --size_;
    moved = true;
  }
  if (diverse_) forget_endpoint(node.endpoint);
  if (!is_diverse(bucket, node.endpoint)) return Outcome::kRefused;
  Contact contact;
  contact.id = node.id;
  contact.endpoint = node.endpoint;
  contact.since = contact.last_response = contact.last_check = now;
  contact.rtt = rtt;
  const Outcome outcome = admit(bucket, contact);
  return moved && outcome == Outcome::kAdded ? Outcome::kMoved : outcome;
}

RoutingTable::Outcome RoutingTable::admit(Bucket& bucket, const Contact& contact) {
  const auto index = static_cast<std::size_t>(&bucket - buckets_.data());
  if (bucket.live.size() >= capacity(index)) {
    const auto worst = std::max_element(
        bucket.live.begin(), bucket.live.end(),
        [](const Contact& a, const Contact& b) { return a.failures < b.failures; });
    if (worst->failures == 0) return cache(bucket, contact);
    bucket.live.erase(worst);
    --size_;
  }
  std::erase_if(bucket.spare, [&](const Contact& spare) { return spare.id == contact.id; });
  bucket.live.push_back(contact);
  bucket.grown = true;
  ++size_;
  return Outcome::kAdded;
}

RoutingTable::Outcome RoutingTable::cache(Bucket& bucket, const Contact& contact) {
  if (Contact* known = find_in(bucket.spare, contact.id)) {
    if (known->endpoint != contact.endpoint) return Outcome::kConflict;
    refresh(*known, contact.last_response, contact.rtt);
    return Outcome::kRefreshed;
  }
  if (bucket.spare.size() >= limits::kBucketSize) bucket.spare.erase(bucket.spare.begin());
  bucket.spare.push_back(contact);
  return Outcome::kCached;
}

bool RoutingTable::is_diverse(const Bucket& bucket, const Endpoint& endpoint) const {
  if (!diverse_) return true;
  for (const Bucket& other : buckets_) {
    for (const Contact& contact : other.live) {
      if (equal(contact.endpoint.address(), endpoint.address())) return false;
    }
  }
  return std::none_of(bucket.live.begin(), bucket.live.end(), [&](const Contact& contact) {
    return same_subnet(contact.endpoint, endpoint);
  });
}

void RoutingTable::forget_endpoint(const Endpoint& endpoint) {
  const auto there = [&](const Contact& contact) { return contact.endpoint == endpoint; };
  for (Bucket& bucket : buckets_) {
    size_ -= std::erase_if(bucket.live, there);
    std::erase_if(bucket.spare, there);
  }
}

bool RoutingTable::on_failure(const krpc::Node& node) {
  Bucket& bucket = bucket_of(node.id);
  std::erase_if(bucket.spare, [&](const Contact& spare) { return spare.node() == node; });
  Contact* known = find_in(bucket.live, node.id);
  if (known == nullptr || known->endpoint != node.endpoint) return false;
  if (++known->failures < limits::kFailuresToRemove) return false;
  bucket.live.erase(bucket.live.begin() + (known - bucket.live.data()));
  --size_;
  promote(bucket);
  return true;
}

/// The newest of the cache that the rules allow takes the free place.
void RoutingTable::promote(Bucket& bucket) {
  for (auto it = bucket.spare.rbegin(); it != bucket.spare.rend(); ++it) {
    if (!is_diverse(bucket, it->endpoint)) continue;
    bucket.live.push_back(*it);
    ++size_;
    bucket.spare.erase(std::next(it).base());
    return;
  }
}

const Contact* RoutingTable::find(const NodeId& id) const {
  const auto& live = buckets_[index_of(id)].live;
  const auto it = std::find_if(live.begin(), live.end(),
                               [&](const Contact& contact) { return contact.id == id; });
  return it == live.end() ? nullptr : &*it;
}

bool RoutingTable::has_room(const NodeId& id) const {
  if (id == self_) return false;
  const std::size_t index = index_of(id);
  const auto& live = buckets_[index].live;
  return live.size() < capacity(index) ||
         std::any_of(live.begin(), live.end(), [](const Contact& c) { return c.failures > 0; });
}

std::vector<Contact> RoutingTable::closest(const NodeId& target, std::size_t count,
                                           unsigned failures) const {
  std::vector<const Contact*> found;
  found.reserve(size_);
  for (const Bucket& bucket : buckets_) {
    for (const Contact& contact : bucket.live) {
      if (contact.failures <= failures) found.push_back(&contact);
    }
  }
  const auto middle = found.begin() + static_cast<std::ptrdiff_t>(std::min(count, found.size()));
  std::partial_sort(found.begin(), middle, found.end(), [&](const Contact* a, const Contact* b) {
    return closer(a->id, b->id, target);
  });
  std::vector<Contact> out;
  out.reserve(count);
  for (auto it = found.begin(); it != middle; ++it) out.push_back(**it);
  return out;
}

std::vector<Contact> RoutingTable::contacts() const {
  std::vector<Contact> out;
  for (const Bucket& bucket : buckets_) {
    out.insert(out.end(), bucket.live.begin(), bucket.live.end());
  }
  return out;
}

std::vector<Contact> RoutingTable::take_questionable(TimePoint now, std::size_t count) {
  std::vector<Contact*> due;
  for (Bucket& bucket : buckets_) {
    for (Contact& contact : bucket.live) {
      const bool silent = now - contact.last_response >= limits::kGoodFor;
      if (!silent && contact.failures == 0) continue;
      if (now - contact.last_check >= limits::kPingAgain) due.push_back(&contact);
    }
  }
  std::sort(due.begin(), due.end(), [](const Contact* a, const Contact* b) {
    return std::tie(a->last_response, a->id) < std::tie(b->last_response, b->id);
  });
  due.resize(std::min(count, due.size()));
  std::vector<Contact> out;
  for (Contact* contact : due) {
    contact->last_check = now;
    out.push_back(*contact);
  }
  return out;
}

void RoutingTable::touch(TimePoint now, const NodeId& target) {
  Bucket& bucket = bucket_of(target);
  bucket.touched = now;
  bucket.grown = false;
}

std::size_t RoutingTable::depth() const {
  std::size_t depth = 0;
  for (std::size_t i = 0; i < kBuckets; ++i) {
    if (!buckets_[i].live.empty()) depth = i + 1;
  }
  return depth;
}

std::optional<std::size_t> RoutingTable::stale_bucket(TimePoint now) const {
  const auto end = buckets_.begin() + static_cast<std::ptrdiff_t>(depth());
  const auto oldest = std::min_element(buckets_.begin(), end, [](const Bucket& a, const Bucket& b) {
    return a.touched < b.touched;  // never is before ever
  });
  if (oldest == end) return std::nullopt;
  if (oldest->touched && now - *oldest->touched < limits::kGoodFor) return std::nullopt;
  return static_cast<std::size_t>(oldest - buckets_.begin());
}

std::optional<std::size_t> RoutingTable::growing_bucket() const {
  for (std::size_t i = 0; i < depth(); ++i) {
    if (buckets_[i].grown && buckets_[i].live.size() < capacity(i)) return i;
  }
  return std::nullopt;
}

void RoutingTable::check_invariants() const {
  std::size_t count = 0;
  for (std::size_t i = 0; i < kBuckets; ++i) {
    const Bucket& bucket = buckets_[i];
    if (bucket.live.empty() && bucket.spare.empty()) continue;
    KITH_ASSERT(bucket.live.size() <= capacity(i));
    KITH_ASSERT(bucket.spare.size() <= limits::kBucketSize);
    count += bucket.live.size();
    std::vector<NodeId> ids;
    for (const auto* list : {&bucket.live, &bucket.spare}) {
      for (const Contact& contact : *list) {
        KITH_ASSERT(index_of(contact.id) == i && contact.id != self_);
        KITH_ASSERT(contact.failures < limits::kFailuresToRemove);
        ids.push_back(contact.id);
      }
    }
    std::sort(ids.begin(), ids.end());
    KITH_ASSERT(std::adjacent_find(ids.begin(), ids.end()) == ids.end());
  }
  KITH_ASSERT(count == size_);
}

}  // namespace kith::dht
