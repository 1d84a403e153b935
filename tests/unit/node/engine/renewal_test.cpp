// Connections whose keys are outdated make way for new ones.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "proto/limits.hpp"
#include "proto/swarm/author.hpp"
#include "tests/unit/node/engine/support.hpp"

namespace kith::node::test {
namespace {

class Renewal : public testing::Test {
 protected:
  // Lets time pass with a word from the device now and then. False: the node closed.
  bool talk(Device& device, Duration time) {
    for (; time > Duration{}; time -= 10s) {
      if (!device.is_alive()) return false;
      node_.pass(10s);
    }
    return device.is_alive();
  }
  // A day passes in which all went well.
  void sleep_a_day(Device& device) {
    node_.now.mono += limits::kConnectionLife;
    device.send(PongFrame{0}.encode());
  }

  // Connects as whoever is dialled, under the present psk.
  Device answer_dial() {
    Device out(Wire::answer(node_), member_.keys);
    EXPECT_TRUE(out.answer(member_.psk()));
    node_.pass(kBeat);
    return out;
  }

  Founder node_;
  Member member_ = join(node_, "admin");
};

TEST_F(Renewal, AConnectionOfADayEndsWithinAMinute) {
  Device device = connect(node_, member_);
  sleep_a_day(device);
  EXPECT_TRUE(talk(device, 50s));
  node_.pass(11s);
  EXPECT_FALSE(device.is_alive());
  EXPECT_TRUE(connect(node_, member_).is_alive());
}

TEST_F(Renewal, WhoDialledDialsAgainAndTheNewOneTakesOver) {
  EXPECT_TRUE(node_.ask(AddBootstrap{Endpoint::v4({10, 0, 0, 9}, 5484)}));
  Device old = answer_dial();
  EXPECT_TRUE(old.is_alive());
  EXPECT_TRUE(node_.dials.empty());
  sleep_a_day(old);
  node_.pass(kBeat);
  ASSERT_EQ(node_.dials.size(), 1U);
  EXPECT_EQ(node_.dials.front().to, (Endpoint::v4({10, 0, 0, 9}, 5484)));
  EXPECT_TRUE(old.is_alive());
  Device renewed = answer_dial();
  EXPECT_TRUE(renewed.is_alive());
  EXPECT_FALSE(old.is_alive());
  EXPECT_TRUE(talk(renewed, 90s));
}

TEST_F(Renewal, ANewEpochMeansANewHandshake) {
  Device device = connect(node_, member_);
  const Author author{member_.keys, member_.roster, member_.secrets, node_.rng()};
  const OpWithEpoch made = make_epoch(author).value();
  ASSERT_TRUE(member_.roster.add(made.op.encoded));
  member_.secrets.learn(made.op.id, *made.secrets);
  const Op wrap = make_wrap(author, node_.engine().device()).value();
  ASSERT_TRUE(member_.roster.add(wrap.encoded));
  RosterOpsFrame frame;
  frame.ops = {made.op.encoded, wrap.encoded};
  device.send(frame.encode());
  node_.pass(1s);
  EXPECT_TRUE(talk(device, 50s));
  Device fresh = connect(node_, member_);
  EXPECT_TRUE(fresh.is_alive());
  EXPECT_FALSE(device.is_alive());
  EXPECT_TRUE(talk(fresh, 90s));
}

}  // namespace
}  // namespace kith::node::test
