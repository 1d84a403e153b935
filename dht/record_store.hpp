// Who provides what, as others announced it here. A record is the providers of one info-hash; a
// provider is forgotten 30 minutes after it announced itself last.
//
// Bounds: 2,000 records, 500 providers each, 100,000 in all. A new record for which there is no
// room takes the place of the one farthest from the own id, unless it is the farthest itself: what
// is near is ours to keep. A new provider of a full record, or of any record of a full
// store, takes the place of that one in it which announced longest ago. On the public network an
// address has at most 4 places in a record.
#pragma once

#include <map>
#include <vector>

#include "proto/endpoint.hpp"
#include "proto/ids.hpp"
#include "proto/rng.hpp"
#include "proto/time.hpp"

namespace kith::dht {

class RecordStore {
 public:
  RecordStore(const NodeId& self, std::size_t per_address)
      : self_(self), per_address_(per_address) {}

  /// `provider` announced itself. False if there is no room for the record.
  bool add(TimePoint now, const InfoHash& info_hash, const Endpoint& provider);
  /// Up to `count` providers that are not expired, chosen at random, in random order.
  [[nodiscard]] std::vector<Endpoint> pick(TimePoint now, const InfoHash& info_hash,
                                           std::size_t count, Rng& rng) const;
  /// Forgets what has expired. Call now and then: it walks everything.
  void expire(TimePoint now);

  [[nodiscard]] std::size_t records() const { return records_.size(); }
  /// In all records, the expired until expire() included.
  [[nodiscard]] std::size_t providers() const { return total_; }
  void check_invariants() const;

 private:
  struct Provider {
    Endpoint endpoint;
    TimePoint expires;
  };
  using Record = std::vector<Provider>;  // in the order of their last announcement
  using Records = std::map<InfoHash, Record>;
  [[nodiscard]] bool make_room(TimePoint now, const InfoHash& info_hash);
  void drop(Records::iterator it);
  void drop_surplus(Record& record, const Endpoint& provider);

  NodeId self_;
  std::size_t per_address_;
  std::size_t total_ = 0;
  Records records_;
};

}  // namespace kith::dht
