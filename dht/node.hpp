// The DHT of one swarm, or of the public network: a Kademlia node as a state machine without I/O.
// The only header that others include, with outbox.hpp.
//
// Datagrams, commands and time go in; datagrams to send and events come out in the Outbox, which
// the caller applies after the call returned. The caller seals and opens datagrams in swarm mode;
// this node takes and makes bare KRPC. Call handle_timeout() when next_timeout() has come; time
// never goes backwards. Same inputs and same randomness, same outputs.
//
// Nothing here is authority: a datagram proves at most that its sender is a member, and all that is
// found are hints of whom to ask.
#pragma once

#include <map>
#include <set>

#include "dht/announcer.hpp"
#include "dht/config.hpp"
#include "dht/lookup.hpp"
#include "dht/maintenance.hpp"
#include "dht/outbox.hpp"
#include "dht/rate_limiter.hpp"
#include "dht/record_store.hpp"
#include "dht/request_handler.hpp"
#include "dht/routing_table.hpp"
#include "dht/rpc_table.hpp"

namespace kith::dht {

class Node {
 public:
  /// Keeps the reference to `rng`.
  Node(const Config& config, Rng& rng);
  Node(const Node&) = delete;
  Node& operator=(const Node&) = delete;

  /// One datagram. `sender`: whom its seal names as sender; a message of another id is dropped, as
  /// is all that is malformed, of our own id, over the rate, or an answer to nothing that we asked.
  void handle_datagram(TimePoint now, const Endpoint& from, Bytes krpc,
                       const std::optional<NodePrefix>& sender, Outbox& out);
  /// An address that a node may be at: pings it, and remembers it for when we are alone.
  void add_contact(TimePoint now, const Endpoint& endpoint, std::optional<NodeId> node,
                   Outbox& out);

  /// A node that somebody named. Pinged if the table has room for it, at a bounded rate.
  void hear_of(TimePoint now, const krpc::Node& node, Outbox& out);

  /// Looks for providers. ProvidersFound, possibly several, then LookupDone; some may be in `out`
  /// already. Over kLookupsMax at a time it is done at once, without responders.
  LookupId find_providers(TimePoint now, const InfoHash& info_hash, Outbox& out);
  /// Looks for the nodes nearest to `target`: fills the table. LookupDone at the end.
  LookupId find_node(TimePoint now, const NodeId& target, Outbox& out);
  /// Announces that we provide `info_hash` at our TCP port, now and every 15 minutes.
  void announce(TimePoint now, const InfoHash& info_hash, Outbox& out);
  /// No longer. What others store expires by itself.
  void withdraw(const InfoHash& info_hash) { announcer_.remove(info_hash); }
  /// Takes effect with the next handle_timeout, which is due at once.
  void set_tcp_port(std::uint16_t port);

  /// Expires calls, and begins the announcements and the maintenance that are due.
  void handle_timeout(TimePoint now, Outbox& out);
  /// Nothing: no need to call before something else happens.
  [[nodiscard]] std::optional<TimePoint> next_timeout() const;

  /// Everybody in the table, for status and for remembering.
  [[nodiscard]] std::vector<Contact> contacts() const { return table_.contacts(); }
  [[nodiscard]] std::size_t contact_count() const { return table_.size(); }
  /// Info-hashes that are announced; of lookups(), those that run now.
  [[nodiscard]] std::size_t announcements() const { return announcer_.size(); }
  [[nodiscard]] std::size_t lookups() const { return activities_.size(); }
  [[nodiscard]] const RecordStore& records() const { return records_; }
  [[nodiscard]] const Config& config() const { return config_; }
  void check_invariants() const;

 private:
  enum class Goal : std::uint8_t { kProviders, kNode, kAnnounce, kRefresh };
  /// A lookup and what it is for.
  struct Activity {
    Goal goal;
    Lookup lookup;
    std::set<Endpoint> told;  // providers that were told of
  };
  using Activities = std::map<LookupId, Activity>;

  // datagrams
  void on_query(TimePoint now, const Endpoint& from, Bytes transaction, const krpc::Query& query,
                Outbox& out);
  void on_response(TimePoint now, const Endpoint& from, Bytes transaction,
                   const krpc::Response& response, Outbox& out);
  void on_failure(TimePoint now, const Endpoint& from, Bytes transaction, Outbox& out);

  // contacts
  void on_alive(TimePoint now, const krpc::Node& node, Duration rtt,
                const std::optional<Endpoint>& us, Outbox& out);
  void greet(TimePoint now, const krpc::Node& node, Outbox& out);
  void on_call_failed(TimePoint now, const Call& call, Outbox& out);

  // lookups
  LookupId start(TimePoint now, Goal goal, const NodeId& target, Outbox& out);
  void on_lookup_reply(TimePoint now, const Call& call, const krpc::Node& node,
                       const krpc::Response& response, Outbox& out);
  void tell_providers(LookupId id, Activity& activity, const std::vector<Endpoint>& values,
                      const Endpoint& responder, Outbox& out);
  void advance(TimePoint now, LookupId id, Outbox& out);
  void finish(TimePoint now, Activities::iterator it, Outbox& out);
  void send_announcements(TimePoint now, const Lookup& lookup, Outbox& out);

  // time
  void expire_calls(TimePoint now, Outbox& out);
  void start_announcements(TimePoint now, Outbox& out);
  void maintain(TimePoint now, Outbox& out);

  // sending
  [[nodiscard]] krpc::Query make_query() const;
  void send(TimePoint now, Call call, const krpc::Query& query, Outbox& out);
  void ping(TimePoint now, const Endpoint& endpoint, std::optional<NodeId> node, Outbox& out);

  Config config_;
  Rng& rng_;
  RoutingTable table_;
  RpcTable rpc_;
  RecordStore records_;
  Announcer announcer_;
  Maintenance maintenance_;
  RequestHandler handler_;
  RateLimiter queries_;
  TokenBucket greetings_;  // pings to nodes that we only heard of
  Activities activities_;
  std::uint64_t last_lookup_ = 0;
};

}  // namespace kith::dht
