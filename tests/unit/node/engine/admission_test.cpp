// Devices whose `add` is on its way while they connect: the roster travels by other connections
// than theirs.
#include <gmock/gmock.h>

#include "tests/unit/node/engine/support.hpp"

namespace kith::node::test {
namespace {

class Admission : public testing::Test {
 protected:
  Admission() : admin(join(node, "admin")), fresh(DeviceKeys::generate(node.rng())) {
    link = node.share({{"", storage::test::file("content")}});
  }

  // The fresh device connects: it was told the secrets already.
  Device connect_fresh() {
    Device out(Wire(node), fresh);
    EXPECT_TRUE(out.dial(admin.psk(), fresh.sign));
    return out;
  }

  // The admin lets the fresh device in, and tells the node of it.
  void admit() {
    const Author author{admin.keys, admin.roster, admin.secrets, node.rng()};
    const auto add = make_add(author, fresh.binding(), Role::kMember, "fresh");
    ASSERT_TRUE(add) << to_string(add.error());
    Device device = connect(node, admin);
    RosterOpsFrame ops;
    ops.ops.push_back(add->encoded);
    device.send(ops.encode());
    node.pass(kBeat);
    device.wire().cut();
  }

  Founder node;
  Member admin;
  DeviceKeys fresh;
  Link link;
};

TEST_F(Admission, WhatADeviceAskedForBeforeItsAddArrivedIsAnsweredThen) {
  Device device = connect_fresh();
  device.send(WatchFrame{0, link.share}.encode());
  node.pass(1s);
  for (const Buffer& frame : device.frames()) EXPECT_NE(type_of(frame), FrameType::kHaveSet);
  admit();
  const auto set = device.first_of(FrameType::kHaveSet);
  ASSERT_TRUE(set) << "it waits for ever";
  EXPECT_GT(decoded<HaveSetFrame>(*set).total, 0U);
  EXPECT_TRUE(device.is_alive());
}

TEST_F(Admission, WhatWasWrongInItClosesTheConnectionThen) {
  Device device = connect_fresh();
  device.send(WantFrame{0, 0}.encode());
  EXPECT_TRUE(device.is_alive());
  admit();
  EXPECT_EQ(device.close_reason(), "a want of a share that is not watched");
}

TEST_F(Admission, OnlySoMuchIsKept) {
  Device device = connect_fresh();
  const Buffer watch = WatchFrame{0, link.share}.encode();
  std::size_t sent = 0;
  while (!device.wire().is_closing() && sent < limits::kEarlyFrames) {
    device.send(watch);
    ++sent;
  }
  EXPECT_EQ(device.close_reason(), "too much before the device stood in the roster");
  EXPECT_LT(sent * watch.size(), limits::kEarlyFrames);
  EXPECT_GT(sent * watch.size(), limits::kEarlyFrames / 4);
}

}  // namespace
}  // namespace kith::node::test
