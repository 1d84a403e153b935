// What devices that fetch may do to a node that serves them: ask wrongly, leave at any moment, not
// read, or read a byte a second. Memory stays within its budget and comes back, everybody else is
// served.
#include <gmock/gmock.h>

#include "tests/unit/node/engine/support.hpp"

namespace kith::node::test {
namespace {

constexpr std::size_t kContent = 24 << 20;

class ServeFaults : public testing::Test {
 protected:
  ServeFaults() : member(join(node)) {
    link = node.share({{"", storage::test::file(storage::test::noise(1, kContent))}}, Chunking{});
    node.expect_baseline();
  }
  ~ServeFaults() override { node.expect_baseline(); }

  // A member that watches the share; `total` is set.
  Device watcher(const Member& of) {
    Device out = connect(node, of);
    out.send(WatchFrame{0, link.share}.encode());
    const auto set = out.first_of(FrameType::kHaveSet);
    EXPECT_TRUE(set);
    total = decoded<HaveSetFrame>(*set).total;
    EXPECT_GT(total, 20U);
    return out;
  }

  void want_all(Device& device) {
    for (ChunkIndex i = 0; i < total; ++i) device.send(WantFrame{0, i}.encode());
  }

  // Reads until everything came.
  void expect_served(const Member& of) {
    Device device = watcher(of);
    want_all(device);
    std::uint64_t bytes = 0;
    for (int second = 0; second < 30; ++second) {
      static_cast<void>(device.frames());
      for (const Device::Section& section : std::exchange(device.sections, {})) {
        bytes += section.content.size();
      }
      node.pass(1s);
    }
    EXPECT_GT(bytes, kContent);
    device.wire().cut();
  }

  [[nodiscard]] std::size_t memory() const { return node.slabs().in_use() * kSlabBytes; }

  Founder node;
  Member member;
  Link link;
  ChunkIndex total = 0;
};

TEST_F(ServeFaults, WrongQuestionsCloseTheConnection) {
  const auto expect = [&](const char* reason, const std::vector<Buffer>& frames) {
    SCOPED_TRACE(reason);
    Device device = watcher(member);
    for (const Buffer& frame : frames) device.send(frame);
    EXPECT_EQ(device.close_reason(), reason);
    EXPECT_TRUE(device.wire().is_closed());
    node.expect_baseline();
  };
  ShareId other;
  expect("a handle given twice", {WatchFrame{0, other}.encode()});
  expect("a share watched twice", {WatchFrame{1, link.share}.encode()});
  expect("a want of a share that is not watched", {WantFrame{1, 0}.encode()});
  expect("a cancel of a share that is not watched", {CancelFrame{1, std::nullopt}.encode()});
  expect("a bad of a share that is not watched", {BadFrame{1, 0}.encode()});
  expect("a want of a share that is not watched",
         {CancelFrame{0, std::nullopt}.encode(), WantFrame{0, 0}.encode()});
  std::vector<Buffer> watches;
  for (Handle handle = 1; handle <= limits::kHandlesPerConnection; ++handle) {
    store_be(other.mutable_view(), handle);
    watches.push_back(WatchFrame{handle, other}.encode());
  }
  expect("too many shares watched", watches);
  // Nothing is read, so what is asked first stays asked.
  std::vector<Buffer> wants;
  for (ChunkIndex i = 0; i < total; ++i) wants.push_back(WantFrame{0, i}.encode());
  wants.push_back(WantFrame{0, total - 1}.encode());
  expect("a chunk wanted twice", wants);
}

TEST_F(ServeFaults, WhatIsNotHeldIsRefused) {
  Device device = watcher(member);
  for (const ChunkIndex index : {total, total + 1, ChunkIndex{limits::kIndicesMax - 1}}) {
    device.send(WantFrame{0, index}.encode());
    const auto refusal = device.first_of(FrameType::kRefuse);
    ASSERT_TRUE(refusal);
    EXPECT_EQ(decoded<RefuseFrame>(*refusal).index, index);
  }
  EXPECT_TRUE(device.is_alive());
  device.wire().cut();
}

TEST_F(ServeFaults, AccusationsAreLookedIntoWithinALimit) {
  Device device = watcher(member);
  const std::uint64_t before = node.disk().calls();
  device.send(BadFrame{0, total - 1}.encode());
  const std::uint64_t cost = node.disk().calls() - before;
  EXPECT_GT(cost, 0U);
  for (int i = 0; i < 1'000; ++i) device.send(BadFrame{0, total - 1}.encode());
  // What is opened anew meanwhile may cost more than the first look.
  EXPECT_LE(node.disk().calls() - before, 2 * limits::kBadReportsBurst * cost);
  // It was good, and stays.
  device.send(WantFrame{0, total - 1}.encode());
  EXPECT_TRUE(device.first_of(FrameType::kChunk));
  device.wire().cut();
}

TEST_F(ServeFaults, LeavingAtAnyMomentLeavesNothing) {
  for (std::size_t read = 0; read < (3 << 20); read = read * 2 + 1'000) {
    SCOPED_TRACE(read);
    Device device = watcher(member);
    want_all(device);
    static_cast<void>(device.wire().read(read));
    EXPECT_GT(memory(), 0U);
    device.wire().cut();
    node.expect_baseline();
  }
}

TEST_F(ServeFaults, TakingAllBackAtAnyMomentLeavesNothing) {
  for (std::size_t read = 0; read < (3 << 20); read = read * 2 + 1'000) {
    SCOPED_TRACE(read);
    Device device = watcher(member);
    want_all(device);
    Buffer begun = device.wire().read(read);
    device.send(CancelFrame{0, std::nullopt}.encode());
    while (!device.wire().read().empty()) {
    }
    EXPECT_EQ(memory(), 0U);
    EXPECT_EQ(node.engine().send_memory(), 0U);
    device.wire().cut();
  }
}

TEST_F(ServeFaults, WhoeverNeverReadsIsClosedAndHoldsNobodyUp) {
  const Member other = join(node);
  Device deaf = watcher(member);
  want_all(deaf);
  EXPECT_LE(memory(), limits::kSendBudget / 4);
  expect_served(other);
  node.pass(limits::kWriteStall);
  EXPECT_TRUE(deaf.wire().is_closing() || deaf.wire().is_closed());
  node.pass(3s + kBeat);
  EXPECT_TRUE(deaf.wire().is_closed());
}

// Members that ask for all content and read a byte a second.
class Drips {
 public:
  Drips(Node& node, std::size_t count, const std::function<Device(const Member&)>& watcher,
        ChunkIndex total)
      : node_(node) {
    for (std::size_t i = 0; i < count; ++i) {
      devices_.push_back(watcher(join(node)));
      for (ChunkIndex c = 2; c < total; ++c) devices_.back().send(WantFrame{0, c}.encode());
    }
  }
  void run(int seconds) {
    for (int second = 0; second < seconds; ++second) {
      for (Device& device : devices_) {
        if (device.wire().is_closed()) continue;
        static_cast<void>(device.wire().read(1));
        if (second % 10 == 0) device.send(PingFrame{1}.encode());
      }
      node_.pass(1s);
      // The last slab of a section is not always full.
      EXPECT_LE(node_.slabs().in_use(), slabs_for(limits::kSendBudget) + devices_.size());
    }
  }
  [[nodiscard]] std::size_t open() const {
    return static_cast<std::size_t>(
        std::ranges::count_if(devices_, [](const Device& d) { return !d.wire().is_closed(); }));
  }

 private:
  Node& node_;
  std::vector<Device> devices_;
};

TEST_F(ServeFaults, SomeThatReadAByteASecondHoldNobodyUp) {
  watcher(member).wire().cut();
  Drips drips(
      node, 28, [&](const Member& m) { return watcher(m); }, total);
  drips.run(1);
  expect_served(member);
  drips.run(70);
  EXPECT_EQ(drips.open(), 0U) << "it is as good as not reading";
}

TEST_F(ServeFaults, ManyThatReadAByteASecondHoldNobodyUpForLong) {
  watcher(member).wire().cut();
  Drips drips(
      node, 80, [&](const Member& m) { return watcher(m); }, total);
  drips.run(70);
  expect_served(member);
}

}  // namespace
}  // namespace kith::node::test
