// Many nodes that fetch one share at once, over a network that loses and delays.
#include "tests/sim/case.hpp"

namespace kith::sim {
namespace {

constexpr std::uint64_t kUpload = 500'000;
constexpr std::size_t kFile = 2 << 20;           // some 30 chunks
constexpr double kSentBySource = 2.2;            // times the file
constexpr std::size_t kConnectionsDialled = 50;  // kConnectionsPerSwarm of the engine

std::size_t from_environment(const char* name, std::size_t otherwise) {
  const char* text = std::getenv(name);
  return text == nullptr ? otherwise : std::strtoull(text, nullptr, 10);
}

bool all_answered(const std::vector<std::shared_ptr<Answer>>& answers) {
  return std::ranges::all_of(answers, [](const auto& answer) { return answer->has_value(); });
}

/// All of them join by one invite, at once.
void join_all(Case& c, std::size_t nodes) {
  while (c.world.size() < nodes) c.world.add_node();
  node::MakeInvite command;
  command.uses = static_cast<std::uint32_t>(nodes);
  const Invite invite = *Invite::parse(std::get<node::InviteMade>(*c.ask(0, command)).text);
  std::vector<std::shared_ptr<Answer>> answers;
  for (std::size_t i = 1; i < nodes; ++i) {
    answers.push_back(c.begin(i, node::Join{invite, "a device", 300s}));
  }
  ASSERT_TRUE(c.world.run_until([&] { return all_answered(answers); }, 300s));
  for (const auto& answer : answers) ASSERT_TRUE(**answer);
}

std::vector<std::shared_ptr<Answer>> fetch_at_all(Case& c, const std::string& link) {
  std::vector<std::shared_ptr<Answer>> out;
  for (std::size_t i = 1; i < c.world.size(); ++i) {
    out.push_back(c.begin(i, Case::fetch_to(link, "/fetched")));
  }
  return out;
}

struct Links {
  std::size_t dialled = 0;  // connections that it dialled and that are open
  std::uint64_t sent = 0;   // bytes, of everything
};
Links links_of(Case& c, std::size_t node) {
  Links out;
  const auto answer = std::get<node::PeersAnswer>(*c.ask(node, node::ListPeers{}));
  for (const node::PeerView& peer : answer.peers) {
    out.dialled += peer.connected && !peer.incoming ? 1U : 0U;
    out.sent += peer.bytes_sent;
  }
  return out;
}

/// A node dials while it has fewer than 50 connections. Others may dial it meanwhile, so it has
/// more in the end, twice as many on average at most.
void expect_bounded(const std::vector<Links>& links) {
  for (std::size_t i = 0; i < links.size(); ++i) {
    EXPECT_LE(links[i].dialled, kConnectionsDialled) << i;
  }
}

// 100 nodes take 17 s in release, 200 a minute. No part of it stands out: a fifth are the real
// handshakes of 3,300 connections, a tenth the roster, which everybody verifies, a tenth what the
// tests check.
TEST(ManyNodes, AllFetchFromOneSource) {
  const std::size_t nodes = from_environment("KITH_SIM_NODES", 100);
  const std::uint64_t seed = from_environment("KITH_SIM_FIRST", 1);
  Case c(1, seed, {.loss_percent = 5, .duplicate_percent = 2});
  ASSERT_NO_FATAL_FAILURE(join_all(c, nodes));
  node::ChangeLimit limit;
  limit.up = kUpload;
  for (std::size_t i = 0; i < nodes; ++i) ASSERT_TRUE(c.ask(i, limit));
  const Tree tree = noise_tree(kFile, seed);
  const std::string link = c.share(0, tree, "/shared", Chunking::tiny(16));
  c.world.run_for(10s);  // the mesh is there by then
  const std::uint64_t before = links_of(c, 0).sent;
  const auto answers = fetch_at_all(c, link);
  ASSERT_TRUE(c.world.run_until([&] { return all_answered(answers); }, 60s));
  std::vector<Links> links;
  for (std::size_t i = 0; i < nodes; ++i) links.push_back(links_of(c, i));
  for (std::size_t i = 1; i < nodes; ++i) {
    EXPECT_TRUE(**answers[i - 1]) << i;
    EXPECT_TRUE(c.tree_at(i, "/fetched/it") == c.tree_at(0, "/shared")) << i;
  }
  expect_bounded(links);
  const auto sent = static_cast<double>(links[0].sent - before);
  EXPECT_LE(sent, kSentBySource * kFile);
}

}  // namespace
}  // namespace kith::sim
