// KRPC: the messages of BitTorrent's DHT (BEP 5), with compact IPv6 nodes and `want` (BEP 32), the
// `ip` field of replies (BEP 42) and the read-only mark (BEP 43). Both modes of kith's DHT speak
// it: plain on the public network, sealed inside a swarm.
//
// A message is one bencode dictionary with a transaction id `t`, chosen by whoever asks and echoed
// untouched, and a kind `y`: "q" query, "r" response, "e" error. decode() is lenient where the
// world is careless (order of keys, unknown keys, odd entries of `values`) and refuses the rest; it
// checks form, never state. encode() is canonical and byte-exact.
//
// Decoded messages hold views: they live as long as the bytes that they were decoded from.
#pragma once

#include <optional>
#include <string_view>
#include <variant>
#include <vector>

#include "proto/bytes.hpp"
#include "proto/endpoint.hpp"
#include "proto/ids.hpp"
#include "proto/limits.hpp"
#include "proto/result.hpp"

namespace kith::krpc {

/// A node as others name it: 26 bytes compact with IPv4, 38 with IPv6 (id ‖ address ‖ port).
struct Node {
  NodeId id;
  Endpoint endpoint;
  auto operator<=>(const Node&) const = default;
};

/// Which lists of nodes a querier asks for (BEP 32). Neither: the answerer decides.
struct Want {
  bool v4 = false;
  bool v6 = false;
  [[nodiscard]] bool any() const { return v4 || v6; }
  bool operator==(const Want&) const = default;
};

// --- queries: {a: arguments, q: name, ro?: 1, t, y: "q"} ---

/// a = {id}
struct Ping {
  bool operator==(const Ping&) const = default;
};
/// a = {id, target, want?}
struct FindNode {
  NodeId target;
  bool operator==(const FindNode&) const = default;
};
/// a = {id, info_hash, want?}
struct GetPeers {
  InfoHash info_hash;
  bool operator==(const GetPeers&) const = default;
};
/// a = {id, implied_port?: 1, info_hash, port, token}. With implied_port the provider listens on
/// the port that the datagram came from, and `port` may be anything, 0 included.
struct AnnouncePeer {
  InfoHash info_hash;
  std::uint16_t port = 0;
  bool implied_port = false;
  Bytes token;
};
/// A query of a name that is not known. With a `target` or `info_hash` it is answered like
/// find_node, so that newer methods route through older nodes; otherwise with error 204.
struct UnknownQuery {
  std::optional<NodeId> target;
  bool operator==(const UnknownQuery&) const = default;
};

struct Query {
  NodeId id;               // of the sender
  bool read_only = false;  // the sender answers nothing: not to be put into a table
  Want want;
  std::variant<Ping, FindNode, GetPeers, AnnouncePeer, UnknownQuery> call;
};

/// {ip?, r: {id, nodes?, nodes6?, token?, values?}, t, y: "r"}. One struct for all responses: which
/// keys count is decided by what was asked.
struct Response {
  NodeId id;
  std::vector<Node> nodes;       // of both families
  std::vector<Endpoint> values;  // providers; TCP. 0.0.0.0:p stands for "myself, port p" (swarms)
  Bytes token;                   // empty if there is none
  std::optional<Endpoint> ip;    // the address that the responder sees the querier under
};

enum class ErrorCode : std::int64_t {
  kGeneric = 201,
  kServer = 202,
  kProtocol = 203,
  kMethodUnknown = 204,
};
/// {e: [code, text], ip?, t, y: "e"}
struct Failure {
  std::int64_t code = 0;
  std::string_view text;
  std::optional<Endpoint> ip;
};

struct Message {
  Bytes transaction;
  std::variant<Query, Response, Failure> body;
};

/// Errors: kMalformed or kLimit, blame peer. A malformed message is never answered.
[[nodiscard]] Result<Message> decode(Bytes datagram);

/// Queries and errors of ours always fit kKrpcMax; that they do not is a bug and asserts.
/// UnknownQuery is not encodable.
[[nodiscard]] Buffer encode(Bytes transaction, const Query& query);
/// At most `max` bytes: values at the end are left out, then nodes at the end.
[[nodiscard]] Buffer encode(Bytes transaction, const Response& response,
                            std::size_t max = limits::kKrpcMax);
/// An error; its text must be short.
[[nodiscard]] Buffer encode(Bytes transaction, const Failure& failure);

}  // namespace kith::krpc
