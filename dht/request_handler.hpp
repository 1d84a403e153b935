// The serving half: what queries of others are answered. One function per kind.
#pragma once

#include "dht/announcer.hpp"
#include "dht/config.hpp"
#include "dht/record_store.hpp"
#include "dht/routing_table.hpp"
#include "dht/token.hpp"
#include "proto/wire/krpc.hpp"

namespace kith::dht {

class RequestHandler {
 public:
  /// Keeps references to all of them.
  RequestHandler(const Config& config, const RoutingTable& table, const Announcer& announcer,
                 RecordStore& records, Rng& rng);

  /// The answer to a query that came from `from`: always one, at most 1,200 bytes, 1,024 on the
  /// public network (BEP 32).
  [[nodiscard]] Buffer answer(TimePoint now, const Endpoint& from, Bytes transaction,
                              const krpc::Query& query);

 private:
  struct Request {
    TimePoint now;
    const Endpoint& from;
    Bytes transaction;
    const krpc::Query& query;
  };
  Buffer on_call(const Request& request, const krpc::Ping& call);
  Buffer on_call(const Request& request, const krpc::FindNode& call);
  Buffer on_call(const Request& request, const krpc::GetPeers& call);
  Buffer on_call(const Request& request, const krpc::AnnouncePeer& call);
  Buffer on_call(const Request& request, const krpc::UnknownQuery& call);

  [[nodiscard]] krpc::Response begin_response(const Request& request) const;
  void add_nodes(const Request& request, const NodeId& target, krpc::Response& response) const;
  void add_values(const Request& request, const InfoHash& target, krpc::Response& response) const;
  [[nodiscard]] Buffer finish(const Request& request, const krpc::Response& response) const;
  [[nodiscard]] Buffer fail(const Request& request, krpc::ErrorCode code,
                            std::string_view text) const;
  /// Which families the querier gets to hear of.
  [[nodiscard]] krpc::Want families(const Request& request) const;

  const Config& config_;
  const RoutingTable& table_;
  const Announcer& announcer_;
  RecordStore& records_;
  Rng& rng_;
  TokenMint tokens_;
};

}  // namespace kith::dht
