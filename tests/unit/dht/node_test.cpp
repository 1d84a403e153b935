// The facade, one datagram at a time: what it answers, what it keeps silent to, what it believes.
#include "dht/node.hpp"

#include <gtest/gtest.h>

#include "proto/crypto/random.hpp"

namespace kith::dht {
namespace {

using namespace std::chrono_literals;

const Endpoint kPeer = *Endpoint::parse("192.0.2.1:5484");
const Endpoint kOther = *Endpoint::parse("198.51.100.1:5484");
const Bytes kT = as_bytes("tt");

class NodeTest : public ::testing::Test {
 protected:
  Outbox receive(const Endpoint& from, Bytes krpc, std::optional<NodePrefix> sender = {}) {
    Outbox out;
    node_.handle_datagram(now_, from, krpc, sender, out);
    node_.check_invariants();
    return out;
  }
  krpc::Query query(decltype(krpc::Query::call) call) {
    krpc::Query out;
    out.id = peer_id_;
    out.call = std::move(call);
    return out;
  }
  Outbox ask(const krpc::Query& what, const Endpoint& from = kPeer) {
    return receive(from, krpc::encode(kT, what));
  }
  krpc::Response response(const NodeId& id) {
    krpc::Response out;
    out.id = id;
    return out;
  }
  /// Answers the newest datagram to `to` among those in `sent`.
  Outbox answer(const Outbox& sent, const krpc::Response& reply, const Endpoint& to = kPeer) {
    for (auto it = sent.datagrams.rbegin(); it != sent.datagrams.rend(); ++it) {
      if (it->to == to) return receive(to, krpc::encode(transaction_of(it->krpc), reply));
    }
    ADD_FAILURE() << "nothing was sent there";
    return {};
  }
  static Bytes transaction_of(Bytes krpc) { return krpc::decode(krpc)->transaction; }
  static krpc::Query query_in(const Datagram& datagram) {
    return std::get<krpc::Query>(krpc::decode(datagram.krpc)->body);
  }
  static krpc::Response response_in(const Datagram& datagram) {
    return std::get<krpc::Response>(krpc::decode(datagram.krpc)->body);
  }
  Outbox add_contact(const Endpoint& endpoint, std::optional<NodeId> id = {}) {
    Outbox out;
    node_.add_contact(now_, endpoint, id, out);
    return out;
  }
  /// Makes `id` at `endpoint` a contact.
  void befriend(const Endpoint& endpoint, const NodeId& id) {
    (void)answer(add_contact(endpoint), response(id), endpoint);
    ASSERT_GE(node_.contact_count(), 1U);
  }
  Outbox timeout() {
    Outbox out;
    node_.handle_timeout(now_, out);
    node_.check_invariants();
    return out;
  }
  template <class E>
  static std::vector<E> events(const Outbox& out) {
    std::vector<E> found;
    for (const Event& event : out.events) {
      if (const auto* e = std::get_if<E>(&event)) found.push_back(*e);
    }
    return found;
  }
  static Config config(SeededRng& rng, bool swarm_mode) {
    return {rng.random<NodeId>(), swarm_mode, 5484};
  }

  SeededRng rng_{13};
  Node node_{config(rng_, true), rng_};
  NodeId self_ = node_.config().self;
  NodeId peer_id_ = rng_.random<NodeId>();
  InfoHash share_ = rng_.random<InfoHash>();
  TimePoint now_{1h};
};

TEST_F(NodeTest, ANewNodeWantsNothing) {
  EXPECT_FALSE(node_.next_timeout());
  EXPECT_TRUE(timeout().datagrams.empty());
}

TEST_F(NodeTest, AnswersAPing) {
  const Outbox out = ask(query(krpc::Ping{}));
  ASSERT_GE(out.datagrams.size(), 1U);
  EXPECT_EQ(out.datagrams[0].to, kPeer);
  EXPECT_EQ(out.datagrams[0].node, peer_id_);
  EXPECT_TRUE(equal(transaction_of(out.datagrams[0].krpc), kT));
  EXPECT_EQ(response_in(out.datagrams[0]).id, self_);
  EXPECT_EQ(response_in(out.datagrams[0]).ip, kPeer);
}

TEST_F(NodeTest, PingsWhoAsksAndBelievesTheAnswer) {
  const Outbox out = ask(query(krpc::Ping{}));
  ASSERT_EQ(out.datagrams.size(), 2U) << "the answer, and a ping of ours";
  EXPECT_TRUE(std::holds_alternative<krpc::Ping>(query_in(out.datagrams[1]).call));
  EXPECT_EQ(node_.contact_count(), 0U) << "a query proves nothing";
  krpc::Response reply = response(peer_id_);
  reply.ip = kOther;
  const auto seen = events<ContactSeen>(answer(out, reply));
  ASSERT_EQ(seen.size(), 1U);
  EXPECT_EQ(seen[0].node, peer_id_);
  EXPECT_EQ(seen[0].endpoint, kPeer);
  EXPECT_EQ(seen[0].us, kOther);
  EXPECT_EQ(ask(query(krpc::Ping{})).datagrams.size(), 1U) << "known now";
}

TEST_F(NodeTest, DoesNotPingTheReadOnly) {
  krpc::Query ping = query(krpc::Ping{});
  ping.read_only = true;
  EXPECT_EQ(ask(ping).datagrams.size(), 1U);
}

TEST_F(NodeTest, IsSilentToNonsense) {
  for (const char* text : {"", "d", "de", "i1e", "d1:t2:aa1:y1:qe", "d1:t2:aa1:y1:xe",
                           "d1:ad2:id3:abce1:q4:ping1:t2:aa1:y1:qe"}) {
    EXPECT_TRUE(receive(kPeer, as_bytes(text)).datagrams.empty()) << text;
  }
  const Buffer ping = krpc::encode(kT, query(krpc::Ping{}));
  EXPECT_TRUE(receive(kPeer.with_port(0), ping).datagrams.empty());
}

TEST_F(NodeTest, IsSilentToAnswersThatNobodyAskedFor) {
  EXPECT_TRUE(receive(kPeer, krpc::encode(kT, response(peer_id_))).datagrams.empty());
  EXPECT_TRUE(receive(kPeer, krpc::encode(kT, krpc::Failure{201, "x", {}})).datagrams.empty());
  EXPECT_EQ(node_.contact_count(), 0U);
}

TEST_F(NodeTest, IgnoresAnswersFromElsewhere) {
  const Outbox sent = add_contact(kPeer);
  const Bytes t = transaction_of(sent.datagrams[0].krpc);
  (void)receive(kOther, krpc::encode(t, response(peer_id_)));
  EXPECT_EQ(node_.contact_count(), 0U);
  (void)receive(kPeer, krpc::encode(t, response(peer_id_)));
  EXPECT_EQ(node_.contact_count(), 1U);
}

TEST_F(NodeTest, TheSealMustNameTheSameSender) {
  const Buffer ping = krpc::encode(kT, query(krpc::Ping{}));
  EXPECT_TRUE(receive(kPeer, ping, prefix_of(share_)).datagrams.empty());
  EXPECT_FALSE(receive(kPeer, ping, prefix_of(peer_id_)).datagrams.empty());
  const Outbox sent = add_contact(kOther);
  const Buffer reply = krpc::encode(transaction_of(sent.datagrams[0].krpc), response(peer_id_));
  (void)receive(kOther, reply, prefix_of(share_));
  EXPECT_EQ(node_.contact_count(), 0U);
  (void)receive(kOther, reply, prefix_of(peer_id_));
  EXPECT_EQ(node_.contact_count(), 1U);
}

TEST_F(NodeTest, TheOwnIdIsNobodyElse) {
  krpc::Query ping = query(krpc::Ping{});
  ping.id = self_;
  EXPECT_TRUE(ask(ping).datagrams.empty());
  (void)answer(add_contact(kPeer), response(self_));
  EXPECT_EQ(node_.contact_count(), 0U);
}

TEST_F(NodeTest, APingToAKnownNodeIsForItAlone) {
  const Outbox named = add_contact(kPeer, peer_id_);
  EXPECT_EQ(named.datagrams[0].node, peer_id_);
  (void)answer(named, response(share_));
  EXPECT_EQ(node_.contact_count(), 0U) << "another answered";
  const Outbox unnamed = add_contact(kOther);
  EXPECT_FALSE(unnamed.datagrams[0].node);
  (void)answer(unnamed, response(share_), kOther);
  EXPECT_EQ(node_.contact_count(), 1U);
}

TEST_F(NodeTest, AContactThatAnswersKeepsItsId) {
  befriend(kPeer, peer_id_);
  now_ += 1min;
  const Outbox out = ask(query(krpc::Ping{}), kOther);
  ASSERT_EQ(out.datagrams.size(), 2U);
  EXPECT_EQ(out.datagrams[1].to, kPeer) << "the contact is asked, not who claims its id";
  (void)answer(add_contact(kOther), response(peer_id_), kOther);
  ASSERT_EQ(node_.contact_count(), 1U);
  EXPECT_EQ(node_.contacts()[0].endpoint, kPeer);
}

TEST_F(NodeTest, AContactThatMovedIsFoundAgain) {
  befriend(kPeer, peer_id_);
  for (int round = 0; round < 6 && node_.contacts()[0].endpoint != kOther; ++round) {
    now_ += 1min;
    const Outbox out = ask(query(krpc::Ping{}), kOther);
    for (const Datagram& datagram : out.datagrams) {
      if (datagram.to != kOther || datagram.krpc == out.datagrams[0].krpc) continue;
      (void)answer(out, response(peer_id_), kOther);
    }
    now_ += 10s;
    (void)timeout();
    if (node_.contact_count() == 0) (void)answer(add_contact(kOther), response(peer_id_), kOther);
  }
  ASSERT_EQ(node_.contact_count(), 1U);
  EXPECT_EQ(node_.contacts()[0].endpoint, kOther);
}

// Announcing to us.

TEST_F(NodeTest, StoresWhatIsAnnouncedWithItsToken) {
  const Outbox got = ask(query(krpc::GetPeers{share_}));
  const Buffer token = to_buffer(response_in(got.datagrams[0]).token);
  EXPECT_EQ(token.size(), 8U);
  const auto announce = [&](const Endpoint& from, const InfoHash& hash, Bytes with) {
    return ask(query(krpc::AnnouncePeer{hash, 6000, false, with}), from);
  };
  const auto is_refused = [](const Outbox& out) {
    const auto message = krpc::decode(out.datagrams[0].krpc);
    const auto* failure = std::get_if<krpc::Failure>(&message->body);
    return failure != nullptr && failure->code == 203;
  };
  EXPECT_TRUE(is_refused(announce(kPeer, share_, as_bytes("8 bytes!"))));
  EXPECT_TRUE(is_refused(announce(kPeer, share_, {})));
  EXPECT_TRUE(is_refused(announce(kOther, share_, token)));
  EXPECT_TRUE(is_refused(announce(kPeer, peer_id_, token)));
  EXPECT_EQ(node_.records().providers(), 0U);
  EXPECT_FALSE(is_refused(announce(kPeer, share_, token)));
  const auto values = response_in(ask(query(krpc::GetPeers{share_})).datagrams[0]).values;
  EXPECT_EQ(values, std::vector{kPeer.with_port(6000)});
  now_ += 2 * limits::kTokenLife;
  EXPECT_TRUE(is_refused(announce(kPeer, share_, token))) << "expired";
}

TEST_F(NodeTest, ImpliedPortIsThePortOfTheDatagram) {
  const Outbox out = ask(query(krpc::GetPeers{share_}));
  const Buffer token = to_buffer(response_in(out.datagrams[0]).token);
  (void)ask(query(krpc::AnnouncePeer{share_, 6000, true, token}));
  const auto values = response_in(ask(query(krpc::GetPeers{share_})).datagrams[0]).values;
  EXPECT_EQ(values, std::vector{kPeer});
}

TEST_F(NodeTest, AnswersAlwaysFitADatagram) {
  const Buffer token = [&] {
    const Outbox out = ask(query(krpc::GetPeers{share_}));
    return to_buffer(response_in(out.datagrams[0]).token);
  }();
  for (std::uint16_t port = 1; port <= 600; ++port) {
    now_ += 10ms;
    (void)ask(query(krpc::AnnouncePeer{share_, port, false, token}));
  }
  const std::string t(limits::kTransactionMax, 't');
  const Outbox out = receive(kPeer, krpc::encode(as_bytes(t), query(krpc::GetPeers{share_})));
  EXPECT_LE(out.datagrams[0].krpc.size(), limits::kKrpcMax);
  EXPECT_GT(out.datagrams[0].krpc.size(), 1'100U);
}

TEST_F(NodeTest, UnknownQueriesAreAnsweredByTheirTarget) {
  const std::string id(as_text(peer_id_.view()));
  const auto ask_text = [&](const std::string& arguments) {
    const std::string text = "d1:ad2:id20:" + id + arguments + "e1:q3:new1:t2:tt1:y1:qe";
    return receive(kPeer, as_bytes(text));
  };
  befriend(kOther, share_);
  const Outbox routed = ask_text("6:target20:" + id);
  EXPECT_EQ(response_in(routed.datagrams[0]).nodes.size(), 1U);
  const Outbox refused = ask_text("");
  EXPECT_EQ(std::get<krpc::Failure>(krpc::decode(refused.datagrams[0].krpc)->body).code, 204);
}

TEST_F(NodeTest, AFloodOfQueriesIsNotAnswered) {
  std::size_t answered = 0;
  for (int i = 0; i < 1'000; ++i) answered += ask(query(krpc::Ping{})).datagrams.empty() ? 0U : 1U;
  EXPECT_EQ(answered, 400U);
  EXPECT_FALSE(ask(query(krpc::Ping{}), kOther).datagrams.empty()) << "others are served";
  now_ += 1s;
  EXPECT_FALSE(ask(query(krpc::Ping{})).datagrams.empty());
}

TEST_F(NodeTest, StrangersCannotMakeItPingTheWorld) {
  std::size_t pings = 0;
  for (std::uint16_t i = 1; i <= 1'000; ++i) {
    krpc::Query ping = query(krpc::Ping{});
    ping.id = rng_.random<NodeId>();
    const Outbox out = ask(ping, kPeer.with_port(i));
    pings += out.datagrams.size() - 1;
  }
  EXPECT_LE(pings, 100U);
}

// Lookups of ours.

TEST_F(NodeTest, ALookupWithNobodyToAskIsDoneAtOnce) {
  Outbox out;
  const LookupId id = node_.find_providers(now_, share_, out);
  const auto done = events<LookupDone>(out);
  ASSERT_EQ(done.size(), 1U);
  EXPECT_EQ(done[0].lookup, id);
  EXPECT_EQ(done[0].info_hash, share_);
  EXPECT_EQ(done[0].responders, 0U);
}

TEST_F(NodeTest, TellsProvidersOnceAsTheyCome) {
  befriend(kPeer, peer_id_);
  Outbox sent;
  const LookupId id = node_.find_providers(now_, share_, sent);
  ASSERT_EQ(sent.datagrams.size(), 1U);
  EXPECT_EQ(std::get<krpc::GetPeers>(query_in(sent.datagrams[0]).call).info_hash, share_);
  krpc::Response reply = response(peer_id_);
  const Endpoint myself = Endpoint::v4({0, 0, 0, 0}, 7000);
  reply.values = {kOther, kOther, myself};
  const Outbox out = answer(sent, reply);
  const auto found = events<ProvidersFound>(out);
  ASSERT_EQ(found.size(), 1U);
  EXPECT_EQ(found[0].lookup, id);
  EXPECT_EQ(found[0].peers, (std::vector{kOther, kPeer.with_port(7000)}));
  const auto done = events<LookupDone>(out);
  ASSERT_EQ(done.size(), 1U);
  EXPECT_EQ(done[0].responders, 1U);
  EXPECT_EQ(node_.lookups(), 0U);
}

TEST_F(NodeTest, FindsWhatWasAnnouncedToItself) {
  const Outbox got = ask(query(krpc::GetPeers{share_}));
  const Buffer token = to_buffer(response_in(got.datagrams[0]).token);
  (void)ask(query(krpc::AnnouncePeer{share_, 6000, false, token}));
  Outbox out;
  (void)node_.find_providers(now_, share_, out);
  ASSERT_EQ(events<ProvidersFound>(out).size(), 1U);
  EXPECT_EQ(events<ProvidersFound>(out)[0].peers, std::vector{kPeer.with_port(6000)});
}

TEST_F(NodeTest, AnErrorIsAnAnswerWithoutUse) {
  befriend(kPeer, peer_id_);
  Outbox sent;
  (void)node_.find_node(now_, share_, sent);
  const Bytes t = transaction_of(sent.datagrams[0].krpc);
  const Outbox out = receive(kPeer, krpc::encode(t, krpc::Failure{202, "no", {}}));
  ASSERT_EQ(events<LookupDone>(out).size(), 1U);
  EXPECT_EQ(events<LookupDone>(out)[0].responders, 0U);
  EXPECT_EQ(node_.contacts()[0].failures, 0U) << "but it lives";
}

TEST_F(NodeTest, ASlowQueryIsSentOnceMoreInASwarm) {
  befriend(kPeer, peer_id_);
  Outbox sent;
  (void)node_.find_node(now_, share_, sent);
  now_ += limits::kSoftTimeoutMax;
  const Outbox again = timeout();
  ASSERT_GE(again.datagrams.size(), 1U);
  EXPECT_EQ(again.datagrams[0].krpc, sent.datagrams[0].krpc);
  EXPECT_EQ(again.datagrams[0].node, peer_id_);
  now_ += limits::kHardTimeout;
  EXPECT_EQ(events<LookupDone>(timeout()).size(), 1U);
  EXPECT_GE(node_.contacts()[0].failures, 1U);
}

TEST_F(NodeTest, TooManyLookupsEndAtOnce) {
  befriend(kPeer, peer_id_);
  Outbox out;
  for (std::size_t i = 0; i < limits::kLookupsMax; ++i) {
    (void)node_.find_node(now_, rng_.random<NodeId>(), out);
  }
  EXPECT_TRUE(events<LookupDone>(out).empty());
  (void)node_.find_node(now_, share_, out);
  EXPECT_EQ(events<LookupDone>(out).size(), 1U);
  node_.check_invariants();
}

TEST_F(NodeTest, AFloodOfProvidersIsBounded) {
  befriend(kPeer, peer_id_);
  Outbox sent;
  (void)node_.find_providers(now_, share_, sent);
  krpc::Response reply = response(peer_id_);
  for (std::uint16_t port = 1; port <= 150; ++port) reply.values.push_back(kOther.with_port(port));
  std::size_t told = 0;
  Outbox out = answer(sent, reply);
  for (const auto& found : events<ProvidersFound>(out)) told += found.peers.size();
  EXPECT_GT(told, 100U);
  EXPECT_LE(told, limits::kPeersPerRecord);
}

// Announcing by us.

TEST_F(NodeTest, AnnouncesWithTheTokenItGot) {
  befriend(kPeer, peer_id_);
  Outbox sent;
  node_.announce(now_, share_, sent);
  krpc::Response reply = response(peer_id_);
  reply.token = as_bytes("a foreign token");
  const Outbox out = answer(sent, reply);
  ASSERT_EQ(out.datagrams.size(), 1U);
  EXPECT_EQ(out.datagrams[0].node, peer_id_);
  const auto call = std::get<krpc::AnnouncePeer>(query_in(out.datagrams[0]).call);
  EXPECT_EQ(call.info_hash, share_);
  EXPECT_EQ(call.port, 5484);
  EXPECT_FALSE(call.implied_port);
  EXPECT_EQ(as_text(call.token), "a foreign token");
  EXPECT_TRUE(events<LookupDone>(out).empty()) << "nobody asked for this lookup";
}

TEST_F(NodeTest, WithoutATokenNothingIsAnnounced) {
  befriend(kPeer, peer_id_);
  Outbox sent;
  node_.announce(now_, share_, sent);
  EXPECT_TRUE(answer(sent, response(peer_id_)).datagrams.empty());
}

TEST_F(NodeTest, WithoutAPortNothingIsAnnouncedUntilThereIsOne) {
  befriend(kPeer, peer_id_);
  node_.set_tcp_port(0);
  Outbox sent;
  node_.announce(now_, share_, sent);
  EXPECT_TRUE(sent.datagrams.empty());
  const Outbox asked = ask(query(krpc::GetPeers{share_}));
  EXPECT_EQ(as_text(asked.datagrams[0].krpc).find("6:values"), std::string_view::npos);
  node_.set_tcp_port(7000);
  ASSERT_TRUE(node_.next_timeout());
  EXPECT_LE(*node_.next_timeout(), now_);
  EXPECT_FALSE(timeout().datagrams.empty());
}

TEST_F(NodeTest, AnswersForItselfWhatItAnnounces) {
  Outbox out;
  node_.announce(now_, share_, out);
  const auto values = response_in(ask(query(krpc::GetPeers{share_})).datagrams[0]).values;
  EXPECT_EQ(values, std::vector{Endpoint::v4({0, 0, 0, 0}, 5484)});
  node_.withdraw(share_);
  EXPECT_TRUE(response_in(ask(query(krpc::GetPeers{share_})).datagrams[0]).values.empty());
}

// The public network.

class PublicNodeTest : public NodeTest {
 protected:
  Node public_{config(rng_, false), rng_};
  Outbox ask_public(const krpc::Query& what, const Endpoint& from) {
    Outbox out;
    public_.handle_datagram(now_, from, krpc::encode(kT, what), {}, out);
    public_.check_invariants();
    return out;
  }
};

TEST_F(PublicNodeTest, SaysNothingOfItself) {
  Outbox out;
  public_.announce(now_, share_, out);
  EXPECT_TRUE(
      response_in(ask_public(query(krpc::GetPeers{share_}), kPeer).datagrams[0]).values.empty());
}

TEST_F(PublicNodeTest, NamesNodesOfTheFamilyAskedFor) {
  Outbox sent;
  const Endpoint v6 = *Endpoint::parse("[2001:db8::1]:5484");
  public_.add_contact(now_, v6, std::nullopt, sent);
  Outbox out;
  public_.handle_datagram(
      now_, v6, krpc::encode(transaction_of(sent.datagrams[0].krpc), response(share_)), {}, out);
  ASSERT_EQ(public_.contact_count(), 1U);
  krpc::Query find = query(krpc::FindNode{share_});
  EXPECT_TRUE(response_in(ask_public(find, kPeer).datagrams[0]).nodes.empty());
  find.want.v6 = true;
  EXPECT_EQ(response_in(ask_public(find, kPeer).datagrams[0]).nodes.size(), 1U);
}

TEST_F(PublicNodeTest, SendsNothingTwice) {
  Outbox sent;
  public_.add_contact(now_, kPeer, std::nullopt, sent);
  now_ += limits::kSoftTimeoutMax;
  Outbox out;
  public_.handle_timeout(now_, out);
  EXPECT_TRUE(out.datagrams.empty());
}

TEST_F(PublicNodeTest, CountsAddressesNotPorts) {
  std::size_t answered = 0;
  for (std::uint16_t port = 1; port <= 200; ++port) {
    answered += ask_public(query(krpc::Ping{}), kPeer.with_port(port)).datagrams.empty() ? 0U : 1U;
  }
  EXPECT_EQ(answered, 50U);
}

TEST_F(NodeTest, WhatOthersNameIsAskedAtABoundedRate) {
  befriend(kPeer, peer_id_);
  Outbox out;
  for (std::uint16_t i = 0; i < limits::kCallsMax; ++i) {
    node_.hear_of(
        now_, {rng_.random<NodeId>(), kOther.with_port(static_cast<std::uint16_t>(i + 1))}, out);
  }
  EXPECT_GE(out.datagrams.size(), 50U);
  EXPECT_LE(out.datagrams.size(), 100U);
  out = {};
  node_.find_providers(now_, rng_.random<InfoHash>(), out);
  EXPECT_FALSE(out.datagrams.empty()) << "lookups are not held up by them";
}

}  // namespace
}  // namespace kith::dht
