#include "proto/wire/krpc.hpp"

#include <gtest/gtest.h>
#include <string>

namespace kith::krpc {
namespace {

NodeId node_id(std::string_view text) { return *NodeId::from(as_bytes(text)); }
std::string str(std::string_view value) {
  return std::to_string(value.size()) + ":" + std::string(value);
}
const NodeId kQuerier = node_id("abcdefghij0123456789");
const NodeId kResponder = node_id("mnopqrstuvwxyz123456");
const Bytes kAa = as_bytes("aa");

template <class Body>
Body decoded(std::string_view text) {
  const auto message = decode(as_bytes(text));
  EXPECT_TRUE(message) << text << (message ? "" : to_string(message.error()));
  if (!message) return {};
  EXPECT_EQ(as_text(message->transaction), "aa");
  EXPECT_TRUE(std::holds_alternative<Body>(message->body)) << text;
  return std::get<Body>(message->body);
}

void expect_refused(std::string_view text, Errc code = Errc::kMalformed) {
  const auto message = decode(as_bytes(text));
  ASSERT_FALSE(message) << text;
  EXPECT_EQ(message.error().code, code) << text;
  EXPECT_EQ(message.error().blame, Blame::kPeer);
}

Query query(decltype(Query::call) call) {
  Query out;
  out.id = kQuerier;
  out.call = std::move(call);
  return out;
}

// The examples of BEP 5, byte for byte.

TEST(KrpcBep5, PingQuery) {
  const char* text = "d1:ad2:id20:abcdefghij0123456789e1:q4:ping1:t2:aa1:y1:qe";
  EXPECT_EQ(as_text(encode(kAa, query(Ping{}))), text);
  const auto back = decoded<Query>(text);
  EXPECT_EQ(back.id, kQuerier);
  EXPECT_FALSE(back.read_only);
  EXPECT_TRUE(std::holds_alternative<Ping>(back.call));
}

TEST(KrpcBep5, PingResponse) {
  const char* text = "d1:rd2:id20:mnopqrstuvwxyz123456e1:t2:aa1:y1:re";
  Response response;
  response.id = kResponder;
  EXPECT_EQ(as_text(encode(kAa, response)), text);
  EXPECT_EQ(decoded<Response>(text).id, kResponder);
}

TEST(KrpcBep5, FindNodeQuery) {
  const char* text =
      "d1:ad2:id20:abcdefghij01234567896:target20:mnopqrstuvwxyz123456e1:q9:find_node1:t2:aa1:y1:"
      "qe";
  EXPECT_EQ(as_text(encode(kAa, query(FindNode{kResponder}))), text);
  EXPECT_EQ(std::get<FindNode>(decoded<Query>(text).call), FindNode{kResponder});
}

TEST(KrpcBep5, GetPeersQuery) {
  const char* text =
      "d1:ad2:id20:abcdefghij01234567899:info_hash20:mnopqrstuvwxyz123456e1:q9:get_peers1:t2:aa1:y1"
      ":qe";
  EXPECT_EQ(as_text(encode(kAa, query(GetPeers{kResponder}))), text);
  EXPECT_EQ(std::get<GetPeers>(decoded<Query>(text).call), GetPeers{kResponder});
}

TEST(KrpcBep5, GetPeersResponseWithPeers) {
  const char* text =
      "d1:rd2:id20:abcdefghij01234567895:token8:aoeusnth6:valuesl6:axje.u6:idhtnmee1:t2:aa1:y1:re";
  Response response;
  response.id = kQuerier;
  response.token = as_bytes("aoeusnth");
  response.values = {*Endpoint::from_compact(as_bytes("axje.u")),
                     *Endpoint::from_compact(as_bytes("idhtnm"))};
  EXPECT_EQ(as_text(encode(kAa, response)), text);
  const auto back = decoded<Response>(text);
  EXPECT_EQ(back.values, response.values);
  EXPECT_EQ(as_text(back.token), "aoeusnth");
  EXPECT_TRUE(back.nodes.empty());
}

TEST(KrpcBep5, AnnouncePeerQuery) {
  const char* text =
      "d1:ad2:id20:abcdefghij012345678912:implied_porti1e9:info_hash20:mnopqrstuvwxyz1234564:porti"
      "6881e5:token8:aoeusnthe1:q13:announce_peer1:t2:aa1:y1:qe";
  const AnnouncePeer call{kResponder, 6881, true, as_bytes("aoeusnth")};
  EXPECT_EQ(as_text(encode(kAa, query(call))), text);
  const auto back = std::get<AnnouncePeer>(decoded<Query>(text).call);
  EXPECT_EQ(back.info_hash, kResponder);
  EXPECT_EQ(back.port, 6881);
  EXPECT_TRUE(back.implied_port);
  EXPECT_EQ(as_text(back.token), "aoeusnth");
}

TEST(KrpcBep5, Error) {
  const char* text = "d1:eli201e23:A Generic Error Ocurrede1:t2:aa1:y1:ee";
  EXPECT_EQ(as_text(encode(kAa, Failure{201, "A Generic Error Ocurred", {}})), text);
  const auto back = decoded<Failure>(text);
  EXPECT_EQ(back.code, 201);
  EXPECT_EQ(back.text, "A Generic Error Ocurred");
}

// Queries.

TEST(KrpcQuery, AnnounceWithoutImpliedPortLeavesTheKeyOut) {
  const AnnouncePeer call{kResponder, 5484, false, as_bytes("tk")};
  const Buffer out = encode(kAa, query(call));
  EXPECT_EQ(as_text(out).find("implied_port"), std::string_view::npos);
  EXPECT_FALSE(std::get<AnnouncePeer>(decoded<Query>(as_text(out)).call).implied_port);
}

TEST(KrpcQuery, ReadOnlyStandsOnTheTopLevel) {
  Query ping = query(Ping{});
  ping.read_only = true;
  const char* text = "d1:ad2:id20:abcdefghij0123456789e1:q4:ping2:roi1e1:t2:aa1:y1:qe";
  EXPECT_EQ(as_text(encode(kAa, ping)), text);
  EXPECT_TRUE(decoded<Query>(text).read_only);
  EXPECT_FALSE(
      decoded<Query>("d1:ad2:id20:abcdefghij01234567892:roi1ee1:q4:ping1:t2:aa1:y1:qe").read_only);
}

TEST(KrpcQuery, WantNamesFamilies) {
  Query find = query(FindNode{kResponder});
  find.want = {true, true};
  const auto text = encode(kAa, find);
  EXPECT_NE(as_text(text).find("4:wantl2:n42:n6e"), std::string_view::npos);
  EXPECT_EQ(decoded<Query>(as_text(text)).want, find.want);
  const auto odd = decoded<Query>(
      "d1:ad2:id20:abcdefghij01234567896:target20:mnopqrstuvwxyz123456"
      "4:wantl2:n92:n6i1eee1:q9:find_node1:t2:aa1:y1:qe");
  EXPECT_EQ(odd.want, (Want{false, true}));
}

TEST(KrpcQuery, UnknownQueriesKeepTheirTarget) {
  const auto find = [](const char* key) {
    const std::string text = std::string("d1:ad2:id20:abcdefghij0123456789") + key +
                             "20:mnopqrstuvwxyz123456e1:q3:new1:t2:aa1:y1:qe";
    return std::get<UnknownQuery>(decoded<Query>(text).call).target;
  };
  EXPECT_EQ(find("6:target"), kResponder);
  EXPECT_EQ(find("9:info_hash"), kResponder);
  EXPECT_FALSE(find("5:other"));
}

TEST(KrpcQuery, MissingArgumentsAreRefused) {
  const std::string id = "2:id20:abcdefghij0123456789";
  const std::string hash = "9:info_hash20:mnopqrstuvwxyz123456";
  const auto call = [&](const std::string& name, const std::string& arguments) {
    return "d1:ad" + arguments + "e1:q" + str(name) + "1:t2:aa1:y1:qe";
  };
  EXPECT_TRUE(decode(as_bytes(call("ping", id))));
  expect_refused(call("ping", ""));
  expect_refused(call("ping", "2:id19:abcdefghij012345678"));
  expect_refused(call("find_node", id));
  expect_refused(call("find_node", id + "6:target19:mnopqrstuvwxyz12345"));
  expect_refused(call("get_peers", id));
  expect_refused(call("announce_peer", id + "4:porti1e5:token1:x"));
  expect_refused(call("announce_peer", id + hash + "4:porti1e"));
  expect_refused(call("announce_peer", id + hash + "5:token1:x"));
  expect_refused(call("announce_peer", id + hash + "4:porti0e5:token1:x"));
  expect_refused(call("announce_peer", id + hash + "4:porti65536e5:token1:x"));
  expect_refused(call("announce_peer", id + hash + "4:porti-1e5:token1:x"));
  EXPECT_TRUE(decode(as_bytes(call("announce_peer", id + hash + "4:porti65535e5:token1:x"))));
  const std::string implied = id + "12:implied_porti1e" + hash;
  EXPECT_TRUE(decode(as_bytes(call("announce_peer", implied + "5:token1:x"))));
  EXPECT_TRUE(decode(as_bytes(call("announce_peer", implied + "4:porti0e5:token1:x"))));
}

TEST(KrpcQuery, TokensAndTransactionsAreBounded) {
  const auto announce = [](std::size_t token) {
    return "d1:ad2:id20:abcdefghij01234567899:info_hash20:mnopqrstuvwxyz1234564:porti1e5:token" +
           str(std::string(token, 'x')) + "e1:q13:announce_peer1:t2:aa1:y1:qe";
  };
  EXPECT_TRUE(decode(as_bytes(announce(limits::kTokenMax))));
  expect_refused(announce(limits::kTokenMax + 1));
  const auto ping = [](std::size_t t) {
    return "d1:ad2:id20:abcdefghij0123456789e1:q4:ping1:t" + str(std::string(t, 't')) + "1:y1:qe";
  };
  EXPECT_TRUE(decode(as_bytes(ping(0))));
  EXPECT_TRUE(decode(as_bytes(ping(limits::kTransactionMax))));
  expect_refused(ping(limits::kTransactionMax + 1));
}

// Responses.

std::string response_with(const std::string& fields) {
  return "d1:rd2:id20:abcdefghij0123456789" + fields + "e1:t2:aa1:y1:re";
}

TEST(KrpcResponse, NodesOfBothFamiliesRoundTrip) {
  Response response;
  response.id = kQuerier;
  response.nodes = {{kResponder, *Endpoint::parse("192.0.2.1:5484")},
                    {kQuerier, *Endpoint::parse("[2001:db8::1]:5484")}};
  response.ip = Endpoint::parse("198.51.100.7:1234");
  const Buffer out = encode(kAa, response);
  const auto back = decoded<Response>(as_text(out));
  EXPECT_EQ(back.nodes, response.nodes);
  EXPECT_EQ(back.ip, response.ip);
  EXPECT_NE(as_text(out).find("5:nodes26:"), std::string_view::npos);
  EXPECT_NE(as_text(out).find("6:nodes638:"), std::string_view::npos);
}

TEST(KrpcResponse, NodesOfABrokenLengthAreRefused) {
  EXPECT_TRUE(decode(as_bytes(response_with("5:nodes0:"))));
  EXPECT_TRUE(decode(as_bytes(response_with("5:nodes" + str(std::string(52, 'n'))))));
  expect_refused(response_with("5:nodes9:def456..."));
  expect_refused(response_with("5:nodes" + str(std::string(25, 'n'))));
  expect_refused(response_with("6:nodes6" + str(std::string(39, 'n'))));
}

TEST(KrpcResponse, UnusableAddressesAreLeftOut) {
  const std::string id(20, 'n');
  const std::string unusable = id + std::string("\0\0\0\0\x15\x6c", 6) + id +
                               std::string("\xe0\0\0\1\x15\x6c", 6) + id +
                               std::string("\xc0\0\2\1\0\0", 6);
  const std::string good = id + std::string("\xc0\0\2\1\x15\x6c", 6);
  const auto text = response_with("5:nodes" + str(unusable + good));
  EXPECT_EQ(decoded<Response>(text).nodes.size(), 1U);
}

TEST(KrpcResponse, OddValuesAreLeftOut) {
  const std::string good("\xc0\0\2\1\x15\x6c", 6);
  const std::string myself("\0\0\0\0\x15\x6c", 6);
  const std::string no_port("\xc0\0\2\1\0\0", 6);
  const std::string multicast("\xe0\0\0\1\x15\x6c", 6);
  const auto text = response_with("6:valuesl" + str(good) + str(myself) + str(no_port) +
                                  str(multicast) + "i5e3:abc" + str(std::string(18, 'v')) + "e");
  const auto values = decoded<Response>(text).values;
  ASSERT_EQ(values.size(), 3U);
  EXPECT_EQ(values[0].to_string(), "192.0.2.1:5484");
  EXPECT_TRUE(values[1].is_unspecified());
  EXPECT_TRUE(values[2].is_v6());
}

TEST(KrpcResponse, IsCutToSize) {
  Response response;
  response.id = kQuerier;
  response.token = as_bytes("tokentok");
  response.ip = Endpoint::parse("198.51.100.7:1234");
  for (std::uint16_t i = 0; i < 500; ++i) {
    response.values.push_back(Endpoint::v4({10, 0, 1, 1}, static_cast<std::uint16_t>(i + 1)));
    if (i < 8) response.nodes.push_back({kResponder, *Endpoint::parse("192.0.2.1:5484")});
  }
  const std::string transaction(limits::kTransactionMax, 't');
  for (const std::size_t max : {std::size_t{400}, std::size_t{1'024}, limits::kKrpcMax}) {
    const Buffer out = encode(as_bytes(transaction), response, max);
    EXPECT_LE(out.size(), max);
    EXPECT_GT(out.size(), max - 8) << "as many values as fit are sent";
    const auto back = decode(out);
    ASSERT_TRUE(back);
    const auto& reply = std::get<Response>(back->body);
    EXPECT_EQ(reply.nodes.size(), 8U) << "nodes come before values";
    for (std::size_t i = 0; i < reply.values.size(); ++i) {
      EXPECT_EQ(reply.values[i], response.values[i]);
    }
  }
}

TEST(KrpcResponse, NodesAreCutWhereTheyAloneDoNotFit) {
  Response response;
  response.id = kQuerier;
  response.nodes.assign(100, {kResponder, *Endpoint::parse("[2001:db8::1]:5484")});
  const Buffer out = encode(kAa, response);
  EXPECT_LE(out.size(), limits::kKrpcMax);
  EXPECT_GT(out.size(), limits::kKrpcMax - 39);
  EXPECT_TRUE(decode(out));
}

// Envelopes.

TEST(KrpcMessage, KeysMayBeUnsortedAndUnknown) {
  EXPECT_EQ(decoded<Query>("d1:y1:q1:t2:aa1:q4:ping1:ad2:id20:abcdefghij01234567891:xi1eee").id,
            kQuerier);
  EXPECT_EQ(decoded<Response>("d2:zzi1e1:v4:KT011:y1:r1:t2:aa1:rd2:id20:abcdefghij0123456789ee").id,
            kQuerier);
}

TEST(KrpcMessage, WhatIsNoMessageIsRefused) {
  for (const char* text :
       {"", "de", "i1e", "le", "d1:y1:qe", "d1:t2:aae", "d1:t2:aa1:y1:qe", "d1:t2:aa1:y1:re",
        "d1:t2:aa1:y1:ee", "d1:t2:aa1:y1:xe", "d1:ti1e1:y1:qe", "d1:q4:ping1:t2:aa1:y1:qe",
        "d1:ad2:id20:abcdefghij0123456789e1:t2:aa1:y1:qe", "d1:rd2:idi1ee1:t2:aa1:y1:re",
        "d1:r0:1:t2:aa1:y1:re", "d1:ele1:t2:aa1:y1:ee", "d1:eli201ee1:t2:aa1:y1:ee",
        "d1:el1:x1:ye1:t2:aa1:y1:ee",
        "d1:ad2:id20:abcdefghij0123456789e1:q4:ping1:t2:aa1:y1:qex"}) {
    expect_refused(text);
  }
  expect_refused(std::string(limits::kDatagramMax + 1, 'd'), Errc::kLimit);
}

TEST(KrpcMessage, EveryPrefixIsRefused) {
  const std::string text =
      "d1:ad2:id20:abcdefghij01234567899:info_hash20:mnopqrstuvwxyz1234564:porti1e5:token1:xe1:q13:"
      "announce_peer1:t2:aa1:y1:qe";
  ASSERT_TRUE(decode(as_bytes(text)));
  for (std::size_t n = 0; n < text.size(); ++n) {
    EXPECT_FALSE(decode(as_bytes(text).first(n))) << n;
  }
}

}  // namespace
}  // namespace kith::krpc
