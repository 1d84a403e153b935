// Two engines joined by a pipe on which one thing goes wrong: at every flight of bytes between them
// in turn, while one joins, fetches, or catches up with a roster that changed. Both notice, connect
// anew, and come to the same end as without it.
#include <gmock/gmock.h>

#include "tests/unit/node/engine/support.hpp"

namespace kith::node::test {
namespace {

using storage::test::Tree;

// What happens to one flight: all that one side had to say.
struct Fault {
  std::string name;
  // kCutLater: it goes on for a minute and a half. Within a section the receiver takes what follows
  // for its missing bytes, and waits as long as anything comes: nobody else has the chunk.
  enum class After : std::uint8_t { kGoOn, kCut, kCutLater, kStall } after = After::kGoOn;
  std::function<Buffer(const Buffer&)> alter;
};

Buffer same(const Buffer& bytes) { return bytes; }
Buffer nothing(const Buffer&) { return {}; }
Buffer half(const Buffer& bytes) { return to_buffer(Bytes(bytes).first(bytes.size() / 2)); }
Buffer twice(const Buffer& bytes) {
  Buffer out = bytes;
  append(out, bytes);
  return out;
}
std::function<Buffer(const Buffer&)> flip(double where) {
  return [where](Buffer bytes) {
    bytes[static_cast<std::size_t>(where * static_cast<double>(bytes.size() - 1))] ^= 0x20;
    return bytes;
  };
}

std::vector<Fault> faults() {
  using After = Fault::After;
  return {{"cut before", After::kCut, nothing},       {"cut within", After::kCut, half},
          {"cut behind", After::kCut, same},          {"lost", After::kGoOn, nothing},
          {"half lost", After::kCutLater, half},      {"twice", After::kGoOn, twice},
          {"first byte", After::kGoOn, flip(0)},      {"third byte", After::kGoOn, flip(0.01)},
          {"a byte within", After::kGoOn, flip(0.5)}, {"last byte", After::kGoOn, flip(1)},
          {"stalls before", After::kStall, nothing},  {"stalls within", After::kStall, half}};
}

class Pair {
 public:
  // Nodes 1 and 2; `at`: the number of the flight that `fault` happens to.
  Pair(const Fault& fault, std::size_t at) : a(1), b(2), fault_(fault), at_(at) {}

  // Counts flights from now on.
  void arm() { armed_ = true; }
  [[nodiscard]] bool happened() const { return armed_ && flights_ > at_; }

  bool run_until(const std::function<bool()>& done, Duration limit) {
    const TimePoint end = a.now.mono + limit;
    while (!done()) {
      connect(a, b);
      connect(b, a);
      if (move_some()) continue;
      if (a.now.mono >= end) return false;
      pass_some();
    }
    return true;
  }

  void cut_all() {
    for (const Link& link : links_) {
      Wire(a, link.a).cut();
      Wire(b, link.b).cut();
    }
    links_.clear();
    for (Node* node : {static_cast<Node*>(&a), &b}) {
      for (const OutConnect& dial : std::exchange(node->dials, {})) node->lose(dial.conn);
    }
  }

  Founder a;
  Node b;
  std::optional<Endpoint> alias;  // leads to the first node too

 private:
  struct Link {
    ConnId a{}, b{};
    bool stalls = false;
    std::optional<TimePoint> cut_at{};
  };

  void connect(Node& from, Node& to) {
    for (const OutConnect& dial : std::exchange(from.dials, {})) {
      if (dial.to != to.address() && dial.to != alias) {
        from.lose(dial.conn);
        continue;
      }
      from.dials.push_front(dial);
      const ConnId theirs = Wire(to, from.address().with_port(40'000)).conn();
      const ConnId mine = Wire::answer(from).conn();
      links_.push_back(&from == &a ? Link{mine, theirs} : Link{theirs, mine});
    }
  }

  bool move_some() {
    bool moved = false;
    for (std::size_t i = 0; i < links_.size(); ++i) {
      if (links_[i].cut_at && a.now.mono >= *links_[i].cut_at) Wire(a, links_[i].a).cut();
      moved |= move(links_[i], Wire(a, links_[i].a), Wire(b, links_[i].b));
      moved |= move(links_[i], Wire(b, links_[i].b), Wire(a, links_[i].a));
    }
    std::erase_if(links_,
                  [this](const Link& link) { return a.is_closed(link.a) && b.is_closed(link.b); });
    return moved;
  }

  bool move(Link& link, Wire from, Wire to) {
    if (link.stalls) return false;
    Buffer flight = from.read();
    const bool some = !flight.empty();
    if (some && armed_ && flights_++ == at_) {
      flight = fault_.alter(flight);
      link.stalls = fault_.after == Fault::After::kStall;
      if (fault_.after == Fault::After::kCutLater) link.cut_at = a.now.mono + 90s;
      to.write(flight);
      if (fault_.after == Fault::After::kCut) {
        from.cut();
        to.cut();
      }
      return true;
    }
    to.write(flight);
    // The end of a stream is seen behind everything that stood in it.
    if (from.is_closed() && !to.is_closed()) {
      to.cut();
      return true;
    }
    return some;
  }

  void pass_some() {
    Duration step = std::chrono::seconds(1);
    for (Node* node : {static_cast<Node*>(&a), &b}) {
      if (const auto at = node->engine().next_timeout()) {
        step = std::min(step, std::max<Duration>(*at - node->now.mono, Duration(0)));
      }
    }
    a.pass(step);
    b.pass(step);
  }

  Fault fault_;
  std::size_t at_;
  std::size_t flights_ = 0;
  bool armed_ = false;
  std::vector<Link> links_;
};

const Tree& tree() {
  static const Tree kTree = {{"", storage::test::directory()},
                             {"a", storage::test::file(storage::test::noise(3, 150'000))},
                             {"b", storage::test::file("small")}};
  return kTree;
}

class PairFaults : public testing::Test {
 protected:
  static void join(Pair& pair) {
    const RequestId request = pair.b.begin(Join{pair.a.invite(), "the other", 10min});
    ASSERT_TRUE(pair.run_until([&] { return pair.b.answer(request) != nullptr; }, 5min));
    const auto& joined = *pair.b.answer(request);
    ASSERT_TRUE(joined) << to_string(joined.error());
    for (Node* node : {static_cast<Node*>(&pair.a), &pair.b}) {
      EXPECT_EQ(std::get<MembersAnswer>(*node->ask(ListMembers{})).members.size(), 2U);
    }
  }

  static void fetch(Pair& pair, const Link& link) {
    Fetch command;
    command.link = link;
    command.directory = "/fetched";
    command.name = "it";
    command.wait = true;
    const RequestId request = pair.b.begin(command);
    ASSERT_TRUE(pair.run_until([&] { return pair.b.answer(request) != nullptr; }, 10min));
    const auto& fetched = *pair.b.answer(request);
    ASSERT_TRUE(fetched) << to_string(fetched.error());
    EXPECT_EQ(storage::test::read_tree(pair.b.disk(), "/fetched/it"), tree());
  }

  static void end(Pair& pair) {
    pair.cut_all();
    pair.a.expect_baseline();
    pair.b.expect_baseline();
  }

  // The scenario again and again, with each fault at each flight that it comes to.
  static void run_all(const std::function<void(Pair&)>& scenario, std::size_t at_least) {
    for (const Fault& fault : faults()) {
      std::size_t at = 0;
      for (bool happened = true; happened; ++at) {
        SCOPED_TRACE(testing::Message() << fault.name << " at flight " << at);
        Pair pair(fault, at);
        scenario(pair);
        if (HasFailure()) return;
        happened = pair.happened();
        end(pair);
      }
      EXPECT_GT(at, at_least) << "so few flights?";
    }
  }

  static void change_epoch(Pair& pair) {
    Member admin = test::join(pair.a, "admin");
    const Member lost = test::join(pair.a);
    Device device = connect(pair.a, admin);
    device.send(RosterWantFrame{}.encode());
    for (const Buffer& op : decoded<RosterOpsFrame>(*device.first_of(FrameType::kRosterOps)).ops) {
      static_cast<void>(admin.roster.add(op).value());
    }
    RosterOpsFrame ops;
    const auto add = [&](const Op& op) {
      ops.ops.push_back(op.encoded);
      EXPECT_TRUE(admin.roster.add(op.encoded));
    };
    const auto author = [&] {
      return Author{admin.keys, admin.roster, admin.secrets, pair.a.rng()};
    };
    const OpWithEpoch removal = make_remove(author(), lost.keys.id()).value();
    add(removal.op);
    admin.secrets.learn(removal.op.id, *removal.secrets);
    for (Node* node : {static_cast<Node*>(&pair.a), &pair.b}) {
      add(make_wrap(author(), node->engine().device()).value());
    }
    device.send(ops.encode());
    pair.a.pass(1s);
    device.wire().cut();
    for (const OutConnect& dial : std::exchange(pair.a.dials, {})) pair.a.lose(dial.conn);
    pair.b.pass(1s);
  }

  static std::uint64_t epoch_of(Node& node) {
    return std::get<SwarmsAnswer>(*node.ask(ListSwarms{})).swarms.front().epoch;
  }
};

TEST_F(PairFaults, WhileOneJoins) {
  run_all(
      [](Pair& pair) {
        pair.arm();
        join(pair);
      },
      4);
}

TEST(Pair, AJoinOverTwoAddressesLeavesOneConnection) {
  Pair pair({}, 0);
  Invite invite = pair.a.invite();
  pair.alias = Endpoint::v4({10, 0, 0, 99}, 5484);
  invite.hints.push_back(*pair.alias);
  const RequestId request = pair.b.begin(Join{invite, "the other", 1min});
  ASSERT_TRUE(pair.run_until([&] { return pair.b.answer(request) != nullptr; }, 1min));
  ASSERT_TRUE(*pair.b.answer(request));
  static_cast<void>(pair.run_until([] { return false; }, 5s));
  EXPECT_EQ(pair.a.engine().connection_count(), 1U);
  EXPECT_EQ(pair.b.engine().connection_count(), 1U);
}

TEST_F(PairFaults, WhileOneFetches) {
  run_all(
      [](Pair& pair) {
        join(pair);
        const Link link = pair.a.share(tree());
        pair.arm();
        fetch(pair, link);
      },
      8);
}

// An admin removes a device while the second node is away, and gives both the new epoch. The second
// is met with silence until it says that it has slept.
TEST_F(PairFaults, WhileOneCatchesUpAndFetches) {
  run_all(
      [](Pair& pair) {
        join(pair);
        const Link link = pair.a.share(tree());
        pair.cut_all();
        const std::uint64_t before = epoch_of(pair.b);
        change_epoch(pair);
        pair.arm();
        fetch(pair, link);
        EXPECT_EQ(epoch_of(pair.a), before + 1);
        EXPECT_EQ(epoch_of(pair.b), before + 1);
      },
      12);
}

}  // namespace
}  // namespace kith::node::test
