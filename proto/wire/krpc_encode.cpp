#include "proto/assert.hpp"
#include "proto/wire/bencode.hpp"
#include "proto/wire/krpc.hpp"

namespace kith::krpc {
namespace {

using bencode::Writer;

template <class... F>
struct Overloaded : F... {
  using F::operator()...;
};
template <class... F>
Overloaded(F...) -> Overloaded<F...>;

// --- queries ---

void write_want(Writer& w, Want want) {
  if (!want.any()) return;
  w.key("want").list();
  if (want.v4) w.string("n4");
  if (want.v6) w.string("n6");
  w.end();
}

void write_announce_peer(Writer& w, const AnnouncePeer& call) {
  if (call.implied_port) w.integer("implied_port", 1);
  w.string("info_hash", call.info_hash.view()).integer("port", call.port);
  w.string("token", call.token);
}

/// Writes the arguments behind `id` and returns the name of the query.
std::string_view write_call(Writer& w, const Query& query) {
  return std::visit(Overloaded{
                        [&](const Ping&) -> std::string_view { return "ping"; },
                        [&](const FindNode& call) -> std::string_view {
                          w.string("target", call.target.view());
                          write_want(w, query.want);
                          return "find_node";
                        },
                        [&](const GetPeers& call) -> std::string_view {
                          w.string("info_hash", call.info_hash.view());
                          write_want(w, query.want);
                          return "get_peers";
                        },
                        [&](const AnnouncePeer& call) -> std::string_view {
                          write_announce_peer(w, call);
                          return "announce_peer";
                        },
                        [&](const UnknownQuery&) -> std::string_view { return {}; },
                    },
                    query.call);
}

// --- responses ---

Buffer compact_nodes(const std::vector<Node>& nodes, std::size_t count, bool v6) {
  Buffer out;
  for (std::size_t i = 0; i < count; ++i) {
    if (nodes[i].endpoint.is_v6() != v6) continue;
    append(out, nodes[i].id.view());
    append(out, nodes[i].endpoint.compact());
  }
  return out;
}

/// How much of a response is sent.
struct Cut {
  std::size_t nodes;
  std::size_t values;
};

void write_reply(Writer& w, const Response& response, Cut cut) {
  const Buffer nodes = compact_nodes(response.nodes, cut.nodes, false);
  const Buffer nodes6 = compact_nodes(response.nodes, cut.nodes, true);
  w.string("id", response.id.view());
  if (!nodes.empty()) w.string("nodes", Bytes(nodes));
  if (!nodes6.empty()) w.string("nodes6", Bytes(nodes6));
  if (!response.token.empty()) w.string("token", response.token);
  if (cut.values == 0) return;
  w.key("values").list();
  for (std::size_t i = 0; i < cut.values; ++i) w.string(Bytes(response.values[i].compact()));
  w.end();
}

void write_ip(Writer& w, const std::optional<Endpoint>& ip) {
  if (ip) w.string("ip", Bytes(ip->compact()));
}

Buffer encode_response(Bytes transaction, const Response& response, Cut cut) {
  Buffer out;
  {
    Writer w(out);
    w.dict();
    write_ip(w, response.ip);
    w.key("r").dict();
    write_reply(w, response, cut);
    w.end().string("t", transaction).string("y", "r").end();
  }
  return out;
}

/// The greatest count in [0, most] for which size(count) is at most `max`, where size() grows with
/// its argument; 0 if none is.
template <class Size>
std::size_t most_that_fit(std::size_t most, std::size_t max, Size&& size) {
  std::size_t fits = 0;
  while (fits < most) {
    const std::size_t middle = fits + (most - fits + 1) / 2;
    if (size(middle) <= max) {
      fits = middle;
    } else {
      most = middle - 1;
    }
  }
  return fits;
}

}  // namespace

Buffer encode(Bytes transaction, const Query& query) {
  KITH_ASSERT(!std::holds_alternative<UnknownQuery>(query.call));
  Buffer out;
  {
    Writer w(out);
    w.dict().key("a").dict().string("id", query.id.view());
    const std::string_view name = write_call(w, query);
    w.end().string("q", name);
    if (query.read_only) w.integer("ro", 1);
    w.string("t", transaction).string("y", "q").end();
  }
  KITH_ASSERT(out.size() <= limits::kKrpcMax);
  return out;
}

Buffer encode(Bytes transaction, const Response& response, std::size_t max) {
  Cut cut{response.nodes.size(), response.values.size()};
  Buffer out = encode_response(transaction, response, cut);
  if (out.size() <= max) return out;
  const auto size_of = [&](Cut part) {
    return encode_response(transaction, response, part).size();
  };
  cut.nodes = most_that_fit(cut.nodes, max, [&](std::size_t n) { return size_of({n, 0}); });
  cut.values = most_that_fit(cut.values, max, [&](std::size_t n) {
    return size_of({cut.nodes, n});
  });
  out = encode_response(transaction, response, cut);
  KITH_ASSERT(out.size() <= max);
  return out;
}

Buffer encode(Bytes transaction, const Failure& failure) {
  Buffer out;
  {
    Writer w(out);
    w.dict().key("e").list().integer(failure.code).string(failure.text).end();
    write_ip(w, failure.ip);
    w.string("t", transaction).string("y", "e").end();
  }
  KITH_ASSERT(out.size() <= limits::kKrpcMax);
  return out;
}

}  // namespace kith::krpc
