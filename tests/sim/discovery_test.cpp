// Swarms of more members than one device keeps connections to.
#include <gtest/gtest.h>

#include "proto/swarm/invite.hpp"
#include "tests/sim/world.hpp"
#include "tests/unit/storage/support.hpp"

namespace kith::sim {
namespace {

using namespace std::chrono_literals;

// More than a mesh of 50 and the device itself.
constexpr std::size_t kMembers = 64;

class LargeSwarm : public testing::Test {
 protected:
  LargeSwarm() {
    for (std::size_t i = 0; i < kMembers; ++i) world_.add_node();
    EXPECT_TRUE(ask(0, node::CreateSwarm{"swarm"}));
    node::MakeInvite command;
    command.uses = kMembers;
    const auto made = ask(0, command);
    const Invite invite = *Invite::parse(std::get<node::InviteMade>(*made).text);
    for (std::size_t i = 1; i < kMembers; ++i) {
      EXPECT_TRUE(ask(i, node::Join{invite, "a device", 60s}));
    }
    world_.run_for(20s);
  }

  std::shared_ptr<std::optional<Result<node::Done>>> begin(std::size_t node,
                                                           node::CommandBody body) {
    auto answer = std::make_shared<std::optional<Result<node::Done>>>();
    world_.node(node).command(std::move(body), [answer](auto r) { *answer = std::move(r); });
    return answer;
  }

  Result<node::Done> ask(std::size_t node, node::CommandBody body) {
    const auto answer = begin(node, std::move(body));
    if (!world_.run_until([&] { return answer->has_value(); }, 60s)) {
      return local_error(Errc::kTimeout, "no answer");
    }
    return std::move(**answer);
  }

  std::set<DeviceId> connected_to(std::size_t node) {
    std::set<DeviceId> out;
    const auto answer = ask(node, node::ListPeers{});
    for (const auto& peer : std::get<node::PeersAnswer>(*answer).peers) {
      if (peer.connected) out.insert(peer.device);
    }
    return out;
  }

  DeviceId device(std::size_t node) {
    return std::get<node::StatusView>(*ask(node, node::GetStatus{})).device;
  }

  World world_{5};
};

TEST_F(LargeSwarm, WhoeverProvidesAShareIsMetByWhoLooksForIt) {
  constexpr std::size_t kSource = kMembers - 1;
  storage::MemoryFileIo& disk = world_.node(kSource).disk();
  disk.set_time_ns(count(world_.now().wall) * 1'000'000);
  storage::test::write_tree(disk, "/shared",
                            {{"", storage::test::directory()},
                             {"a", storage::test::file(storage::test::noise(7, 10'000))}});
  const auto link = world_.node(kSource).share("/shared", Chunking::tiny(256));
  ASSERT_TRUE(link) << to_string(link.error());

  const auto met = connected_to(kSource);
  std::vector<std::size_t> strangers;
  for (std::size_t i = 0; i < kSource; ++i) {
    if (!met.contains(device(i))) strangers.push_back(i);
  }
  ASSERT_FALSE(strangers.empty()) << "or this would show nothing";
  for (const std::size_t i : strangers) {
    EXPECT_GE(connected_to(i).size(), 50U) << i;
    node::Fetch fetch;
    fetch.link = *Link::parse(*link);
    fetch.directory = "/fetched";
    fetch.name = "it";
    const auto fetched = ask(i, fetch);
    ASSERT_TRUE(fetched) << i << ": " << to_string(fetched.error());
  }
  EXPECT_GT(connected_to(kSource).size(), met.size());
  world_.run_for(70s);
  EXPECT_EQ(connected_to(kSource), met) << "what is beyond the mesh ends with its use";
}

}  // namespace
}  // namespace kith::sim
