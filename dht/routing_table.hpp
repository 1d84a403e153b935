// The routing table: contacts in buckets by the length of the prefix that they share with the own
// id. A container: no I/O, no timers, no randomness.
//
// Rules:
// - Only a node that answered a query of ours comes in. Old contacts that answer stay: they are the
//   likeliest to stay up, and nobody can flood them out.
// - The farther a bucket, the more lookups begin in it, so the first hold more: 128, 64, 32, 16,
// and
//   8 from the fifth on (Jimenez et al., "Sub-second lookups on a large-scale Kademlia overlay",
//   2011). A swarm of some hundreds of members fits whole.
// - A full bucket keeps newcomers in a cache of 8; they move up as contacts are removed.
// - A contact is removed after 3 queries in a row without an answer, or when a newcomer finds a
// full
//   bucket and it has not answered its last query.
// - An id belongs to the endpoint that answered for it: another that claims it is refused until the
//   first has failed to answer twice.
// - Public network only: one contact per address, one per /24 (v4) or /64 (v6) in a bucket, and an
//   endpoint that answers with another id than before loses its old entry.
#pragma once

#include <array>
#include <optional>
#include <vector>

#include "dht/contact.hpp"
#include "dht/metric.hpp"
#include "proto/limits.hpp"

namespace kith::dht {

class RoutingTable {
 public:
  /// Longer shared prefixes than this all fall into the last bucket: no real network is so large.
  static constexpr std::size_t kBuckets = 50;
  static constexpr std::size_t capacity(std::size_t bucket) {
    return bucket < 4 ? 16 * limits::kBucketSize >> bucket : limits::kBucketSize;
  }

  /// `diverse`: the rules of the public network.
  RoutingTable(const NodeId& self, bool diverse);

  enum class Outcome {
    kAdded,      // new in the table
    kMoved,      // was in the table at an endpoint that does not answer; now at this one
    kRefreshed,  // was there, or in the cache, already
    kCached,     // new in the cache: the bucket is full
    kConflict,   // its id belongs to an endpoint that answers
    kRefused,    // the own id, or against the rules of diversity
  };
  /// `node` answered a query of ours after `rtt`.
  Outcome on_response(TimePoint now, const krpc::Node& node, Duration rtt);
  /// `node` did not answer in time. True if that removed it.
  bool on_failure(const krpc::Node& node);

  /// Nullptr: not in the table; the cache does not count. Good until the table changes.
  [[nodiscard]] const Contact* find(const NodeId& id) const;
  /// Whether a node of this id that is not in the table would be added, not just cached.
  [[nodiscard]] bool has_room(const NodeId& id) const;
  /// The contacts nearest to `target`, nearest first, that have failed at most `failures` times.
  [[nodiscard]] std::vector<Contact> closest(const NodeId& target, std::size_t count,
                                             unsigned failures) const;
  /// All, bucket by bucket, oldest first within one.
  [[nodiscard]] std::vector<Contact> contacts() const;
  [[nodiscard]] std::size_t size() const { return size_; }

  /// Up to `count` contacts that ought to be pinged, those longest silent first; each is marked,
  /// and not named again within kPingAgain. Questionable is one that failed, or was silent for
  /// kGoodFor.
  [[nodiscard]] std::vector<Contact> take_questionable(TimePoint now, std::size_t count);
  /// Notes that a lookup went to the region of `target`.
  void touch(TimePoint now, const NodeId& target);
  /// A bucket, no deeper than the deepest that holds anybody, whose region no lookup went to within
  /// kGoodFor: the one longest untouched.
  [[nodiscard]] std::optional<std::size_t> stale_bucket(TimePoint now) const;
  /// Such a bucket that has room and got a contact since a lookup went there last: where one was,
  /// there may be more.
  [[nodiscard]] std::optional<std::size_t> growing_bucket() const;

  [[nodiscard]] const NodeId& self() const { return self_; }
  void check_invariants() const;

 private:
  struct Bucket {
    std::vector<Contact> live;   // oldest first
    std::vector<Contact> spare;  // newest last
    std::optional<TimePoint> touched;
    bool grown = false;  // since it was touched
  };
  [[nodiscard]] std::size_t index_of(const NodeId& id) const;
  [[nodiscard]] Bucket& bucket_of(const NodeId& id) { return buckets_[index_of(id)]; }
  Outcome admit(Bucket& bucket, const Contact& contact);
  static Outcome cache(Bucket& bucket, const Contact& contact);
  [[nodiscard]] bool is_diverse(const Bucket& bucket, const Endpoint& endpoint) const;
  void forget_endpoint(const Endpoint& endpoint);
  void promote(Bucket& bucket);
  [[nodiscard]] std::size_t depth() const;

  NodeId self_;
  bool diverse_;
  std::size_t size_ = 0;
  std::array<Bucket, kBuckets> buckets_;
};

}  // namespace kith::dht
