// What this node announces, and when each announcement is due: at once, then every 15 minutes;
// sooner when a contact turns up that ought to store it and does not, or when nobody could store
// it.
#pragma once

#include <map>
#include <optional>
#include <set>

#include "dht/lookup.hpp"
#include "proto/ids.hpp"
#include "proto/time.hpp"

namespace kith::dht {

class Announcer {
 public:
  /// Due at once. Nothing happens if it is announced already, or if there are too many.
  void add(TimePoint now, const InfoHash& info_hash);
  /// No longer announced. Nothing happens if it is not there.
  void remove(const InfoHash& info_hash);
  [[nodiscard]] bool contains(const InfoHash& info_hash) const {
    return items_.contains(info_hash);
  }
  [[nodiscard]] std::size_t size() const { return items_.size(); }

  /// The next that is due and may begin. It runs until on_done().
  [[nodiscard]] std::optional<InfoHash> take_due(TimePoint now);
  /// The announcement went to these nodes, nearest first.
  void on_done(TimePoint now, const InfoHash& info_hash,
               const std::vector<Lookup::Responder>& stored);
  /// A new contact: what it is near enough to store is due soon.
  void on_contact(TimePoint now, const NodeId& id);
  /// Everything is due: our own address has changed.
  void restart();

  /// When take_due() will give one; nothing while none may begin, or none is left.
  [[nodiscard]] std::optional<TimePoint> next() const;
  void check_invariants() const;

 private:
  struct Item {
    TimePoint due;
    std::optional<TimePoint> last;   // when it was announced last
    std::optional<NodeId> farthest;  // of the nodes that store it; nothing: fewer than k do
    bool running = false;
    bool again = false;  // something changed while it ran
  };
  void set_due(const InfoHash& info_hash, Item& item, TimePoint due);

  std::map<InfoHash, Item> items_;
  std::set<std::pair<TimePoint, InfoHash>> due_;  // of those that do not run
  std::size_t running_ = 0;
  TimePoint ready_;  // when the next may begin
};

}  // namespace kith::dht
