// Our queries that are not answered yet. An answer counts only if transaction id and endpoint both
// fit: ids are random, so nobody who does not see the query can forge one.
//
// Two deadlines. The soft one follows the round-trip times measured of late: a query beyond it is
// *slow*, whoever waits may go on without it. The hard one is fixed: then the query has failed.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <vector>

#include "dht/outbox.hpp"
#include "proto/limits.hpp"
#include "proto/rng.hpp"
#include "proto/time.hpp"

namespace kith::dht {

/// Smoothed round-trip time and deviation, as TCP computes them (RFC 6298), over all nodes.
class RttEstimate {
 public:
  /// The round trip of one call that was sent once.
  void add(Duration sample);
  /// srtt + 4 · deviation, within [kSoftTimeoutMin, kSoftTimeoutMax]; the latter before any sample.
  [[nodiscard]] Duration soft_timeout() const;

 private:
  std::optional<Duration> smoothed_;
  Duration deviation_{};
};

enum class Purpose : std::uint8_t { kPing, kLookup, kAnnounce };

struct Call {
  std::uint32_t transaction = 0;
  Endpoint to;
  std::optional<NodeId> node;  // who must answer; nothing: anybody
  Purpose purpose = Purpose::kPing;
  LookupId lookup{};  // of kLookup
  Buffer krpc;        // to be sent once more when slow; may be empty
  TimePoint sent;
  bool slow = false;
};

/// The four bytes that stand in `t`.
[[nodiscard]] std::array<std::uint8_t, 4> transaction_bytes(std::uint32_t transaction);

class RpcTable {
 public:
  explicit RpcTable(Rng& rng) : rng_(rng) {}

  /// A random transaction that is not in use.
  [[nodiscard]] std::uint32_t new_transaction();
  /// Begins to wait for the answer to a call with a new transaction. The table must not be full.
  void start(TimePoint now, Call call);
  /// The call that this answers, which is no longer waited for. Measures its round trip, unless it
  /// was sent twice.
  [[nodiscard]] std::optional<Call> match(TimePoint now, Bytes transaction, const Endpoint& from);

  struct Expired {
    std::vector<Call> slow;    // still waited for
    std::vector<Call> failed;  // no longer waited for
  };
  /// What became slow or failed by now, each told once.
  [[nodiscard]] Expired expire(TimePoint now);
  /// When expire() will have something to tell; nothing: no call waits.
  [[nodiscard]] std::optional<TimePoint> next_deadline() const;

  /// Whether any call to this endpoint waits.
  [[nodiscard]] bool is_waiting_for(const Endpoint& to) const { return busy_.contains(to); }
  /// Calls of this lookup that wait.
  [[nodiscard]] std::size_t waiting_of(LookupId lookup) const;
  [[nodiscard]] bool full() const { return calls_.size() >= limits::kCallsMax; }
  [[nodiscard]] std::size_t size() const { return calls_.size(); }
  [[nodiscard]] Duration soft_timeout() const { return rtt_.soft_timeout(); }
  void check_invariants() const;

 private:
  struct Entry {
    Call call;
    TimePoint deadline;
  };
  using Entries = std::map<std::uint32_t, Entry>;
  Call remove(Entries::iterator it);

  Rng& rng_;
  RttEstimate rtt_;
  Entries calls_;
  std::set<std::pair<TimePoint, std::uint32_t>> deadlines_;
  std::map<Endpoint, std::size_t> busy_;
};

}  // namespace kith::dht
