#include "proto/wire/bencode.hpp"
#include "proto/wire/krpc.hpp"

namespace kith::krpc {
namespace {

using bencode::Value;

Error malformed(const char* what) {
  return peer_error(Errc::kMalformed, std::string("krpc: ") + what);
}

// --- queries ---

Want decode_want(Value arguments) {
  Want want;
  const auto list = arguments.find_list("want");
  if (!list) return want;
  for (const Value item : *list) {
    const auto name = item.string();
    if (name && as_text(*name) == "n4") want.v4 = true;
    if (name && as_text(*name) == "n6") want.v6 = true;
  }
  return want;
}

using Call = decltype(Query::call);

Result<Call> decode_find_node(Value arguments) {
  const auto target = arguments.find_fixed<NodeId>("target");
  if (!target) return malformed("find_node without a target");
  return Call(FindNode{*target});
}

Result<Call> decode_get_peers(Value arguments) {
  const auto info_hash = arguments.find_fixed<InfoHash>("info_hash");
  if (!info_hash) return malformed("get_peers without an info_hash");
  return Call(GetPeers{*info_hash});
}

Result<Call> decode_announce_peer(Value arguments) {
  const auto info_hash = arguments.find_fixed<InfoHash>("info_hash");
  const auto token = arguments.find_string("token");
  if (!info_hash || !token) return malformed("announce_peer without info_hash or token");
  if (token->size() > limits::kTokenMax) return malformed("token is too long");
  AnnouncePeer out;
  out.info_hash = *info_hash;
  out.token = *token;
  out.implied_port = arguments.find_integer("implied_port").value_or(0) != 0;
  const auto port = arguments.find_unsigned<std::uint16_t>("port");
  if (!out.implied_port && (!port || *port == 0)) return malformed("announce_peer without a port");
  out.port = port.value_or(0);
  return Call(out);
}

Result<Call> decode_unknown_query(Value arguments) {
  auto target = arguments.find_fixed<NodeId>("target");
  if (!target) target = arguments.find_fixed<NodeId>("info_hash");
  return Call(UnknownQuery{target});
}

Result<Call> decode_call(std::string_view name, Value arguments) {
  if (name == "ping") return Call(Ping{});
  if (name == "find_node") return decode_find_node(arguments);
  if (name == "get_peers") return decode_get_peers(arguments);
  if (name == "announce_peer") return decode_announce_peer(arguments);
  return decode_unknown_query(arguments);
}

Result<Query> decode_query(Value root) {
  const auto name = root.find_string("q");
  const auto arguments = root.find_dict("a");
  if (!name || !arguments) return malformed("query without name or arguments");
  const auto id = arguments->find_fixed<NodeId>("id");
  if (!id) return malformed("query without an id");
  Query out;
  out.id = *id;
  out.read_only = root.find_integer("ro").value_or(0) == 1;
  out.want = decode_want(*arguments);
  KITH_TRY(out.call, decode_call(as_text(*name), *arguments));
  return out;
}

// --- responses and errors ---

std::optional<Endpoint> decode_ip(Value root) {
  const auto compact = root.find_string("ip");
  return compact ? Endpoint::from_compact(*compact) : std::nullopt;
}

/// Appends the nodes of a compact list. Addresses that nobody could be at are left out.
Result<void> decode_nodes(Value reply, std::string_view key, std::size_t node_size,
                          std::vector<Node>& out) {
  const auto compact = reply.find_string(key);
  if (!compact) return {};
  if (compact->size() % node_size != 0) return malformed("nodes of a broken length");
  for (std::size_t at = 0; at < compact->size(); at += node_size) {
    const Bytes node = compact->subspan(at, node_size);
    const auto endpoint = Endpoint::from_compact(node.subspan(NodeId::kSize));
    if (endpoint->is_usable()) out.push_back({*NodeId::from(node.first(NodeId::kSize)), *endpoint});
  }
  return {};
}

std::vector<Endpoint> decode_values(Value reply) {
  std::vector<Endpoint> out;
  const auto list = reply.find_list("values");
  if (!list) return out;
  for (const Value item : *list) {
    const auto compact = item.string();
    const auto endpoint = compact ? Endpoint::from_compact(*compact) : std::nullopt;
    if (!endpoint || endpoint->port() == 0) continue;
    const bool myself = !endpoint->is_v6() && endpoint->is_unspecified();
    if (myself || endpoint->is_usable()) out.push_back(*endpoint);
  }
  return out;
}

Result<Response> decode_response(Value root) {
  const auto reply = root.find_dict("r");
  if (!reply) return malformed("response without a dictionary");
  const auto id = reply->find_fixed<NodeId>("id");
  if (!id) return malformed("response without an id");
  Response out;
  out.id = *id;
  KITH_CHECK(decode_nodes(*reply, "nodes", 26, out.nodes));
  KITH_CHECK(decode_nodes(*reply, "nodes6", 38, out.nodes));
  out.values = decode_values(*reply);
  out.token = reply->find_string("token").value_or(Bytes{});
  if (out.token.size() > limits::kTokenMax) return malformed("token is too long");
  out.ip = decode_ip(root);
  return out;
}

Result<Failure> decode_failure(Value root) {
  const auto list = root.find_list("e");
  if (!list || list->size() < 2) return malformed("error without code and text");
  auto it = list->begin();
  const auto code = (*it).integer();
  const auto text = (*++it).string();
  if (!code || !text) return malformed("error without code and text");
  return Failure{*code, as_text(*text), decode_ip(root)};
}

}  // namespace

Result<Message> decode(Bytes datagram) {
  if (datagram.size() > limits::kDatagramMax) return peer_error(Errc::kLimit, "krpc: too long");
  KITH_TRY(const auto document, bencode::parse(datagram, {.allow_unsorted_keys = true}));
  const Value root = document.root();
  const auto transaction = root.find_string("t");
  const auto kind = root.find_string("y");
  if (!transaction || !kind) return malformed("message without t or y");
  if (transaction->size() > limits::kTransactionMax) return malformed("t is too long");
  Message out;
  out.transaction = *transaction;
  if (as_text(*kind) == "q") {
    KITH_TRY(out.body, decode_query(root));
  } else if (as_text(*kind) == "r") {
    KITH_TRY(out.body, decode_response(root));
  } else if (as_text(*kind) == "e") {
    KITH_TRY(out.body, decode_failure(root));
  } else {
    return malformed("unknown kind");
  }
  return out;
}

}  // namespace kith::krpc
