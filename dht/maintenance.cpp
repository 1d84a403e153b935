#include "dht/maintenance.hpp"

#include <algorithm>

namespace kith::dht {

using namespace std::chrono_literals;

namespace {

constexpr Duration kTick = 5s;
constexpr Duration kTickWhileFilling = 500ms;
constexpr Duration kFillFor = 1min;
constexpr Duration kKnockMost = 5min;
constexpr Duration kSelfLookEvery = 15min;
constexpr Duration kSweepEvery = 1min;
constexpr std::size_t kPingsPerTick = 8;

}  // namespace

void Maintenance::remember(TimePoint now, const Endpoint& endpoint, std::optional<NodeId> node) {
  std::erase_if(remembered_, [&](const Bootstrap& known) { return known.endpoint == endpoint; });
  if (remembered_.size() >= limits::kBootstrapContacts) remembered_.erase(remembered_.begin());
  remembered_.push_back({endpoint, node});
  if (!knock_) knock_ = now + knock_pause_;
  if (next_) return;
  // A random phase keeps nodes that start together from ticking together.
  next_ = now + kTick / 2 + Duration(rng_.uniform(static_cast<std::uint64_t>(kTick.count())));
}

void Maintenance::on_first_contact(TimePoint now) {
  self_look_ = now;
  fill_until_ = now + kFillFor;
  next_ = now;
}

Maintenance::Work Maintenance::run(TimePoint now, RoutingTable& table) {
  Work work;
  if (!next_ || now < *next_) return work;
  for (const Contact& contact : table.take_questionable(now, kPingsPerTick)) {
    work.pings.push_back(contact.node());
  }
  plan_bootstrap(now, table, work);
  plan_lookups(now, table, work);
  work.expire_records = now - swept_ >= kSweepEvery;
  if (work.expire_records) swept_ = now;
  next_ = now + (is_filling(now) ? kTickWhileFilling : kTick);
  return work;
}

/// With an empty table soon, then ever more seldom; otherwise every 5 minutes, which joins halves
/// of a swarm that lost each other.
void Maintenance::plan_bootstrap(TimePoint now, const RoutingTable& table, Work& work) {
  if (!knock_) return;
  const bool just_lost_everybody = table.size() == 0 && knows_somebody_;
  knows_somebody_ = table.size() > 0;
  if (just_lost_everybody) {
    knock_pause_ = kKnockFirst;
    knock_ = now;
  }
  if (now < *knock_) return;
  const std::vector<Contact> contacts = table.contacts();
  for (const Bootstrap& known : remembered_) {
    const bool held = std::any_of(contacts.begin(), contacts.end(), [&](const Contact& contact) {
      return contact.endpoint == known.endpoint;
    });
    if (!held) work.bootstrap.push_back(known);
  }
  knock_pause_ = contacts.empty() ? std::min(2 * knock_pause_, kKnockMost) : kKnockMost;
  knock_ = now + knock_pause_;
}

void Maintenance::plan_lookups(TimePoint now, RoutingTable& table, Work& work) {
  if (table.size() == 0) return;
  if (self_look_ && *self_look_ <= now) {
    work.lookups.push_back(table.self());
    self_look_ = now + kSelfLookEvery;
    return;
  }
  auto bucket = table.stale_bucket(now);
  if (!bucket && is_filling(now)) bucket = table.growing_bucket();
  if (!bucket) return;
  const NodeId target = random_with_prefix(table.self(), *bucket, rng_);
  table.touch(now, target);
  work.lookups.push_back(target);
}

}  // namespace kith::dht
