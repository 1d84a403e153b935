#include "dht/request_handler.hpp"

namespace kith::dht {
namespace {

constexpr std::size_t kPublicReplyMax = 1'024;  // BEP 32: no fragments
constexpr std::size_t kSwarmNodes = 16;         // members get to know each other sooner
constexpr std::size_t kValuesMax = 160;         // more do not fit a datagram anyway

bool wanted(const Endpoint& endpoint, krpc::Want want) {
  return endpoint.is_v6() ? want.v6 : want.v4;
}

}  // namespace

RequestHandler::RequestHandler(const Config& config, const RoutingTable& table,
                               const Announcer& announcer, RecordStore& records, Rng& rng)
    : config_(config),
      table_(table),
      announcer_(announcer),
      records_(records),
      rng_(rng),
      tokens_(rng) {}

Buffer RequestHandler::answer(TimePoint now, const Endpoint& from, Bytes transaction,
                              const krpc::Query& query) {
  const Request request{now, from, transaction, query};
  return std::visit([&](const auto& call) { return on_call(request, call); }, query.call);
}

Buffer RequestHandler::on_call(const Request& request, const krpc::Ping&) {
  return finish(request, begin_response(request));
}

Buffer RequestHandler::on_call(const Request& request, const krpc::FindNode& call) {
  krpc::Response response = begin_response(request);
  add_nodes(request, call.target, response);
  return finish(request, response);
}

Buffer RequestHandler::on_call(const Request& request, const krpc::GetPeers& call) {
  krpc::Response response = begin_response(request);
  const TokenMint::Token token = tokens_.make(request.now, request.from, call.info_hash);
  response.token = token;
  add_nodes(request, call.info_hash, response);
  add_values(request, call.info_hash, response);
  return finish(request, response);
}

Buffer RequestHandler::on_call(const Request& request, const krpc::AnnouncePeer& call) {
  if (!tokens_.check(request.now, request.from, call.info_hash, call.token)) {
    return fail(request, krpc::ErrorCode::kProtocol, "bad token");
  }
  const std::uint16_t port = call.implied_port ? request.from.port() : call.port;
  if (!records_.add(request.now, call.info_hash, request.from.with_port(port))) {
    return fail(request, krpc::ErrorCode::kServer, "no room");
  }
  return finish(request, begin_response(request));
}

Buffer RequestHandler::on_call(const Request& request, const krpc::UnknownQuery& call) {
  if (!call.target) return fail(request, krpc::ErrorCode::kMethodUnknown, "method unknown");
  return on_call(request, krpc::FindNode{*call.target});
}

krpc::Response RequestHandler::begin_response(const Request& request) const {
  krpc::Response response;
  response.id = config_.self;
  response.ip = request.from;
  return response;
}

krpc::Want RequestHandler::families(const Request& request) const {
  if (request.query.want.any()) return request.query.want;
  if (config_.swarm_mode) return {true, true};
  return {!request.from.is_v6(), request.from.is_v6()};
}

void RequestHandler::add_nodes(const Request& request, const NodeId& target,
                               krpc::Response& response) const {
  const krpc::Want want = families(request);
  const std::size_t count = config_.swarm_mode ? kSwarmNodes : limits::kBucketSize;
  for (const Contact& contact : table_.closest(target, 2 * count, 0)) {
    if (response.nodes.size() == count) break;
    if (contact.id == request.query.id || !wanted(contact.endpoint, want)) continue;
    response.nodes.push_back(contact.node());
  }
}

/// In a swarm, whoever announces a share answers for it at once; it does not know under which
/// address it is seen, so it leaves that out and the querier fills it in.
void RequestHandler::add_values(const Request& request, const InfoHash& target,
                                krpc::Response& response) const {
  if (config_.swarm_mode && config_.tcp_port != 0 && announcer_.contains(target)) {
    response.values.push_back(Endpoint::v4({0, 0, 0, 0}, config_.tcp_port));
  }
  const krpc::Want want = families(request);
  for (const Endpoint& value : records_.pick(request.now, target, kValuesMax, rng_)) {
    // BEP 32: on the public network values are of the family that the query came by.
    const bool fits =
        config_.swarm_mode ? wanted(value, want) : value.is_v6() == request.from.is_v6();
    if (fits) response.values.push_back(value);
  }
}

Buffer RequestHandler::finish(const Request& request, const krpc::Response& response) const {
  const std::size_t max = config_.swarm_mode ? limits::kKrpcMax : kPublicReplyMax;
  return krpc::encode(request.transaction, response, max);
}

Buffer RequestHandler::fail(const Request& request, krpc::ErrorCode code,
                            std::string_view text) const {
  return krpc::encode(request.transaction,
                      krpc::Failure{static_cast<std::int64_t>(code), text, request.from});
}

}  // namespace kith::dht
