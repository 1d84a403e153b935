#include "node/engine/discovery.hpp"

#include <gtest/gtest.h>

#include "proto/crypto/beacon.hpp"
#include "proto/crypto/random.hpp"
#include "proto/swarm/author.hpp"

namespace kith::node {
namespace {

using namespace std::chrono_literals;

const Endpoint kSomewhere = Endpoint::v4({192, 0, 2, 1}, 5484);

// The discovery of a device that founded a swarm and knows nobody yet.
class DiscoveryTest : public testing::Test {
 protected:
  DiscoveryTest() {
    discovery_.configure(5484, true, {});
    swarm_ = *swarms_.create(turn_, "swarm", "one");
    discovery_.add_swarm(turn_, *swarm_);
    out_ = {};
  }

  Invite invite(std::uint32_t uses) {
    const UnixMillis expiry{count(turn_.now.wall) + 3'600'000};
    auto made = make_invite(swarms_.author(*swarm_), Role::kMember, uses, expiry);
    EXPECT_TRUE(made && swarms_.append(turn_, *swarm_, made->op));
    return made->invite;
  }

  // The `add` of a device by an invite, as it stands before the device was told.
  DeviceKeys add(const Invite& invite) {
    DeviceKeys keys = DeviceKeys::generate(rng_);
    const SignKeys signer = invite_keys(invite.seed);
    JoinFrame frame;
    frame.invite = signer.pub;
    frame.binding = keys.binding().encode();
    frame.name = "two";
    frame.signature = sign_join(signer, invite.swarm, frame.binding, frame.name);
    const auto outcome = swarms_.answer_join(turn_.now, *swarm_, frame);
    EXPECT_TRUE(outcome.add && swarms_.append(turn_, *swarm_, *outcome.add));
    discovery_.roster_changed(turn_, *swarm_);
    return keys;
  }

  // How many beacons answer this one.
  std::size_t answers_to(const Secret& key, const DeviceKeys& from) {
    turn_.now.mono += 1s;
    const Buffer beacon = seal_beacon(key, from.sign, 5484, turn_.now.wall, rng_);
    const std::size_t before = out_.beacons.size();
    discovery_.handle_beacon(turn_, kSomewhere, beacon);
    return out_.beacons.size() - before;
  }

  SeededRng rng_{1};
  DeviceKeys keys_ = DeviceKeys::generate(rng_);
  Swarms swarms_{keys_, rng_};
  Discovery discovery_{swarms_, rng_};
  Outbox out_;
  transfer::Outbox transfer_;
  Turn turn_{{TimePoint(1h), UnixMillis(1'700'000'000'000)}, out_, transfer_};
  Swarm* swarm_ = nullptr;
  int told_ = 0;
};

TEST_F(DiscoveryTest, AJoinersBeaconIsAnswered) {
  const Invite made = invite(1);
  const Secret key = invite_beacon(invite_j(made.seed));
  EXPECT_EQ(answers_to(key, DeviceKeys::generate(rng_)), 1U);
}

TEST_F(DiscoveryTest, SoIsThatOfAJoinerWhichWentDownBeforeItWasTold) {
  const Invite made = invite(1);
  EXPECT_EQ(answers_to(invite_beacon(invite_j(made.seed)), add(made)), 1U);
}

// Or members would answer each other's answers for ever.
TEST_F(DiscoveryTest, AnswersOfMembersAreNotAnswered) {
  const Invite made = invite(10);
  const Secret key = invite_beacon(invite_j(made.seed));
  EXPECT_EQ(answers_to(key, add(invite(1))), 0U) << "it came by another invite";
  const DeviceKeys member = add(made);
  EXPECT_EQ(answers_to(swarm_->network->beacon, member), 0U);
  EXPECT_EQ(answers_to(key, member), 0U) << "it was heard of as a member";
}

TEST_F(DiscoveryTest, OneDeviceTellsSomeAddressesAtOnceAndThenFew) {
  const DeviceId teller = rng_.random<DeviceId>();
  const auto tell = [&] {
    const auto n = static_cast<std::uint16_t>(1 + told_++);
    discovery_.add_address(turn_, swarm_->id, kSomewhere.with_port(n), rng_.random<DeviceId>(),
                           FoundBy::kPeers, teller);
  };
  for (int i = 0; i < 5'000; ++i) tell();
  const auto& all = discovery_.book(swarm_->id)->all();
  EXPECT_EQ(all.size(), 128U);
  EXPECT_LE(out_.datagrams.size(), 128U) << "nor are all of them asked in the DHT";
  // Room alone is not enough.
  for (int i = 0; i < 100; ++i) discovery_.forget(all.begin()->first);
  for (int i = 0; i < 5'000; ++i) tell();
  EXPECT_EQ(all.size(), 28U);
  turn_.now.mono += 10s;
  for (int i = 0; i < 5'000; ++i) tell();
  EXPECT_EQ(all.size(), 38U);
}

}  // namespace
}  // namespace kith::node
