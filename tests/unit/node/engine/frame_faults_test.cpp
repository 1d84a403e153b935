// Every kind of frame on every kind of connection: what it may lead to there, and that it leads to
// nothing where it is not allowed; with junk in it, altered, cut short, repeated and oversized.
#include <gmock/gmock.h>

#include "tests/unit/node/engine/support.hpp"

namespace kith::node::test {
namespace {

enum class Door {
  kMember,       // a member that dialled
  kDialled,      // a member that the node dialled
  kStranger,     // holds the epoch's psk, and does not stand in the roster
  kCatchUp,      // a member under the catch-up psk
  kJoiner,       // under an invite of the node
  kInvited,      // the node dialled under an invite
  kDialledLate,  // the node dialled to catch up
};
constexpr Door kDoors[] = {Door::kMember, Door::kDialled, Door::kStranger,   Door::kCatchUp,
                           Door::kJoiner, Door::kInvited, Door::kDialledLate};

std::string name_of(Door door) {
  const char* const names[] = {"member",  "dialled member", "stranger",           "catching up",
                               "joining", "the node joins", "the node catches up"};
  return names[static_cast<int>(door)];
}

// A well-formed frame of each kind, of which every reference is unknown to the node.
std::vector<Buffer> samples(Rng& rng) {
  const DeviceKeys keys = DeviceKeys::generate(rng);
  ShareId share;
  rng.fill(share.mutable_view());
  OpId op;
  rng.fill(op.mutable_view());
  RosterHaveFrame heads;
  heads.heads.push_back(op);
  RosterOpsFrame ops;
  ops.ops.push_back(Buffer(200, 0x20));
  JoinFrame join;
  join.binding = keys.binding().encode();
  join.name = "somebody";
  JoinAnswerFrame waiting{JoinAnswerFrame::State::kWaiting, keys.id(), {}, {}};
  PeersFrame peers;
  peers.peers.push_back({keys.id(), Endpoint::v4({192, 0, 2, 1}, 5484)});
  std::vector<Buffer> out = {
      CloseFrame{"farewell"}.encode(),
      PingFrame{5}.encode(),
      PongFrame{5}.encode(),
      heads.encode(),
      RosterWantFrame{}.encode(),
      ops.encode(),
      WrapsFrame{op, 0, 0, {}}.encode(),
      join.encode(),
      waiting.encode(),
      WatchFrame{1, share}.encode(),
      HaveSetFrame{3'000'000, 0, 8, {0xff}}.encode(),
      HaveFrame{3'000'000, {1, 2}}.encode(),
      WantFrame{3'000'000, 0}.encode(),
      CancelFrame{3'000'000, 0}.encode(),
      CancelFrame{3'000'000, std::nullopt}.encode(),
      ChunkFrame{3'000'000, 0, 0, 100, 100, 0}.encode(),
      RefuseFrame{3'000'000, 0}.encode(),
      BadFrame{3'000'000, 0}.encode(),
      peers.encode(),
  };
  return out;
}

// And of later versions: all the others.
std::vector<Buffer> unknown(const std::vector<Buffer>& samples) {
  std::set<std::uint8_t> known;
  for (const Buffer& frame : samples) known.insert(frame[0]);
  std::vector<Buffer> out;
  for (int type = 0; type < 256; ++type) {
    const auto byte = static_cast<std::uint8_t>(type);
    if (!known.contains(byte)) out.push_back({byte, 'd', 'e'});
  }
  return out;
}

// What the node does with a frame.
struct Reaction {
  std::vector<FrameType> answers;
  bool closed = false;
  std::optional<std::string> reason;
  bool operator==(const Reaction&) const = default;
};
void PrintTo(const Reaction& reaction, std::ostream* out) {
  *out << reaction.answers.size() << " answers";
  for (const FrameType type : reaction.answers) *out << " " << static_cast<int>(type);
  *out << (reaction.closed ? ", closed " : ", open ") << reaction.reason.value_or("(no reason)");
}

const Reaction kNothing{};
const Reaction kDropped{{}, true, std::nullopt};
Reaction answer(FrameType type) { return {{type}, false, std::nullopt}; }
Reaction refusal(std::string reason) { return {{}, true, std::move(reason)}; }

Reaction expected_of_transfer(FrameType type) {
  switch (type) {
    case FrameType::kWatch:
      return answer(FrameType::kHaveSet);
    case FrameType::kHaveSet:
    case FrameType::kHave:
      return refusal("a handle that was never given");
    case FrameType::kWant:
      return refusal("a want of a share that is not watched");
    case FrameType::kCancel:
      return refusal("a cancel of a share that is not watched");
    case FrameType::kChunk:
      return refusal("a chunk that nobody asked for");
    case FrameType::kRefuse:
      return refusal("a refusal of what was not asked for");
    case FrameType::kBad:
      return refusal("a bad of a share that is not watched");
    default:
      return kNothing;
  }
}

Reaction expected(Door door, FrameType type) {
  const bool invite = door == Door::kJoiner || door == Door::kInvited;
  if (type == FrameType::kClose) return kDropped;
  if (type == FrameType::kPing) return answer(FrameType::kPong);
  if (type == FrameType::kJoin) return refusal("not a joiner");
  if (type == FrameType::kRosterHave) return invite ? kNothing : answer(FrameType::kRosterWant);
  if (type == FrameType::kRosterWant) {
    return invite ? kNothing : answer(FrameType::kRosterOps);  // to a stranger an empty one
  }
  // The sample sends the joiner elsewhere.
  if (type == FrameType::kJoinAnswer && door == Door::kInvited) return kDropped;
  if (door == Door::kMember || door == Door::kDialled) return expected_of_transfer(type);
  if (type == FrameType::kChunk) return refusal("a chunk on a connection without transfer");
  return kNothing;
}

// What is between members.
bool is_transfer(FrameType type) {
  return type == FrameType::kPeers || expected_of_transfer(type) != kNothing;
}

// Whether the node looks into the body at all.
bool is_read(Door door, FrameType type) {
  switch (type) {
    case FrameType::kClose:
    case FrameType::kPing:
    case FrameType::kPong:
    case FrameType::kRosterHave:
    case FrameType::kRosterWant:
    case FrameType::kRosterOps:
    case FrameType::kJoin:
    case FrameType::kJoinAnswer:
      return true;
    default:
      return is_transfer(type) && (door == Door::kMember || door == Door::kDialled);
  }
}

class FrameFaults : public testing::TestWithParam<Door> {
 protected:
  FrameFaults() : joining(2) {
    member.emplace(join(node));
    stranger = DeviceKeys::generate(node.rng());
  }
  // Whatever happened: nobody else suffers by it, and nothing is left.
  ~FrameFaults() override {
    if (device) device->wire().cut();
    lose_dials();
    node.expect_baseline();
    joining.expect_baseline();
    Device fresh = connect(node, *member);
    EXPECT_TRUE(fresh.is_alive());
    fresh.wire().cut();
    node.expect_baseline();
  }

  Device dialled(Node& from, const DeviceKeys& keys, const Secret& psk,
                 FirstKey key = FirstKey::kDevice) {
    Device out(Wire::answer(from), keys);
    EXPECT_TRUE(out.answer(psk, key));
    return out;
  }

  // Tells the node of an address that it does not know yet.
  void tell_address() {
    ++addresses;
    told = Endpoint::v4({10, 1, static_cast<std::uint8_t>(addresses / 250),
                         static_cast<std::uint8_t>(addresses % 250)},
                        5484);
    EXPECT_TRUE(node.ask(AddBootstrap{told}));
    EXPECT_TRUE(dials_it());
  }

  // Nobody listens at any address.
  void lose_dials() {
    for (Node* n : {static_cast<Node*>(&node), &joining}) {
      for (const OutConnect& dial : std::exchange(n->dials, {})) n->lose(dial.conn);
    }
  }

  // Whether it dials that address now; nobody listens at the others.
  bool dials_it() {
    std::deque<OutConnect> it;
    for (const OutConnect& dial : std::exchange(node.dials, {})) {
      if (dial.to == told) {
        it.push_back(dial);
      } else {
        node.lose(dial.conn);
      }
    }
    node.dials = it;
    return !it.empty();
  }

  Device open(Door door) {
    switch (door) {
      case Door::kMember:
        return connect(node, *member);
      case Door::kDialled:
        tell_address();
        return dialled(node, member->keys, member->psk());
      case Door::kStranger: {
        Device out(Wire(node), stranger);
        EXPECT_TRUE(out.dial(member->psk(), stranger.sign));
        return out;
      }
      case Door::kCatchUp: {
        Device out(Wire(node), member->keys);
        EXPECT_TRUE(out.dial(member->catch_up(), member->keys.sign));
        return out;
      }
      case Door::kJoiner:
        return joiner(node, DeviceKeys::generate(node.rng()), invite());
      case Door::kInvited:
        return open_invited();
      case Door::kDialledLate:
        return open_dialled_late();
    }
    std::abort();
  }

  const Invite& invite() {
    if (!invite_) invite_ = node.invite("member", 100);
    return *invite_;
  }

  Device open_invited() {
    for (const OutConnect& dial : std::exchange(joining.dials, {})) joining.lose(dial.conn);
    joining.begin(CancelRequest{join_request});
    Invite text = invite();
    text.hints = {Endpoint::v4({10, 0, 0, 7}, 5484)};
    join_request = joining.begin(Join{text, "joining", 1h});
    return dialled(joining, member->keys, invite_psk(invite_j(text.seed)), FirstKey::kInvite);
  }

  Device open_dialled_late() {
    tell_address();
    Wire silent = Wire::answer(node);
    EXPECT_FALSE(silent.read().empty());
    node.pass(limits::kHandshakeTime + kBeat);
    EXPECT_TRUE(silent.is_closed());
    for (int i = 0; i < 100 && !dials_it(); ++i) node.pass(100ms);
    return dialled(node, member->keys, member->catch_up());
  }

  // An open connection, a new one only where the last was closed.
  Device& ready() {
    if (!device || device->wire().is_closed()) {
      device.reset();
      node.pass(limits::kFirstMessageEvery);  // or it would be kept waiting
      device.emplace(open(GetParam()));
    }
    static_cast<void>(device->frames());
    return *device;
  }

  // What the node did since.
  static Reaction reaction(Device& d) {
    Reaction out;
    for (const Buffer& frame : d.frames()) {
      if (type_of(frame) == FrameType::kClose) {
        out.reason = decoded<CloseFrame>(frame).reason;
      } else {
        out.answers.push_back(type_of(frame));
      }
    }
    out.closed = d.wire().is_closed();
    return out;
  }

  Founder node;
  Node joining;
  RequestId join_request{};
  std::optional<Member> member;
  std::optional<Invite> invite_;
  DeviceKeys stranger;
  std::optional<Device> device;
  std::uint32_t addresses = 0;
  Endpoint told;
};

TEST_P(FrameFaults, AFrameOfEveryKind) {
  std::vector<Buffer> frames = samples(node.rng());
  for (Buffer& frame : unknown(frames)) frames.push_back(std::move(frame));
  for (const Buffer& frame : frames) {
    SCOPED_TRACE(testing::Message() << "frame " << int{frame[0]});
    Device& d = ready();
    d.send(frame);
    EXPECT_EQ(reaction(d), expected(GetParam(), type_of(frame)));
  }
}

TEST_P(FrameFaults, JunkInEveryKind) {
  std::vector<Buffer> junk = {{}, to_buffer(as_bytes("de ")), to_buffer(as_bytes("i1e"))};
  for (const char* text : {"d", "d1:", "d1:ae", "d1:h1:xe", "d1:hi-1e1:ii-1ee", "d1:bi0e1:ai0ee",
                           "d1:hi99999999999999999999ee", "le", "d1:hi1e1:ii4294967295ee"}) {
    junk.push_back(to_buffer(as_bytes(text)));
  }
  junk.push_back(Buffer(limits::kFrameMax - 1, 'l'));
  junk.push_back(Buffer(limits::kFrameMax - 1, 0xff));
  for (int type = 0; type < 256; ++type) {
    for (const Buffer& body : junk) {
      SCOPED_TRACE(testing::Message() << "frame " << type << " with " << body.size() << " bytes");
      Buffer frame{static_cast<std::uint8_t>(type)};
      append(frame, body);
      Device& d = ready();
      d.send(frame);
      const Reaction got = reaction(d);
      EXPECT_TRUE(got.answers.empty());
      const FrameType kind{static_cast<std::uint8_t>(type)};
      const bool kept = GetParam() == Door::kStranger && is_transfer(kind);
      if (kind == FrameType::kChunk || is_read(GetParam(), kind)) {
        EXPECT_TRUE(got.closed && got.reason) << "it was not refused";
      } else if (!kept || got != refusal("too much before the device stood in the roster")) {
        EXPECT_EQ(got, kNothing);
      }
    }
  }
}

TEST_P(FrameFaults, EveryKindAlteredCutOffAndRepeated) {
  for (const Buffer& frame : samples(node.rng())) {
    SCOPED_TRACE(testing::Message() << "frame " << int{frame[0]});
    const std::size_t size = frame.size() + kRecordOverhead;
    for (const std::size_t at : {std::size_t{2}, std::size_t{3}, size / 2, size - 1}) {
      Device& d = ready();
      Buffer record = d.sealed(frame);
      record[at] ^= 1;
      d.wire().write(record);
      EXPECT_EQ(reaction(d), kDropped) << "byte " << at;
    }
    for (const std::size_t n : {std::size_t{1}, std::size_t{2}, size / 2, size - 1}) {
      Device& d = ready();
      d.wire().write(Bytes(d.sealed(frame)).first(n));
      EXPECT_EQ(reaction(d), kNothing) << n << " bytes";
      d.wire().cut();
      EXPECT_EQ(d.wire().node().engine().receive_memory(), 0U);
    }
    Device& d = ready();
    const Buffer record = d.sealed(frame);
    d.wire().write(record);
    static_cast<void>(reaction(d));
    d.wire().write(record);
    EXPECT_TRUE(d.wire().is_closed()) << "a record counted twice";
    EXPECT_EQ(reaction(d).answers.size(), 0U);
  }
}

TEST_P(FrameFaults, RecordsOfImpossibleLengths) {
  for (const std::size_t n : {std::size_t{0}, std::size_t{1}, std::size_t{16},
                              limits::kFrameMax + 17, std::size_t{0xffff}}) {
    SCOPED_TRACE(n);
    Device& d = ready();
    Buffer length(2);
    store_be(length, static_cast<std::uint16_t>(n));
    d.wire().write(length);
    EXPECT_EQ(reaction(d), kDropped) << "it waits for what cannot come";
  }
}

TEST_P(FrameFaults, ARecordThatDripsIsNoSignOfLife) {
  Device& d = ready();
  if (GetParam() == Door::kInvited) joining.begin(CancelRequest{join_request});
  const Buffer record = d.sealed(PingFrame{1}.encode());
  for (std::size_t i = 0; i + 1 < record.size() && i < 7; ++i) {
    d.wire().write(Bytes(record).subspan(i, 1));
    d.wire().node().pass(9s);
    lose_dials();
  }
  static_cast<void>(d.frames());
  EXPECT_TRUE(d.wire().is_closed());
}

TEST_P(FrameFaults, AfterTheFarewellNothingIsHeardAnyMore) {
  Device& d = ready();
  d.send(ChunkFrame{3'000'000, 0, 0, 100, 100, 0}.encode());
  for (int i = 0; i < 100; ++i) d.send(PingFrame{1}.encode());
  d.wire().write(Buffer(100'000, 0x55));
  EXPECT_LE(d.wire().room(), limits::kControlBuffer) << "it keeps what it does not hear";
  if (GetParam() == Door::kInvited) joining.begin(CancelRequest{join_request});
  // It does not read the farewell either.
  d.wire().node().pass(3s + kBeat);
  EXPECT_TRUE(d.wire().is_closed());
  EXPECT_THAT(d.frames(), testing::IsEmpty());
}

TEST_P(FrameFaults, WhoeverAsksAndDoesNotReadIsDropped) {
  Device& d = ready();
  const Buffer ping = PingFrame{1}.encode();
  std::size_t sent = 0;
  while (!d.wire().is_closed() && sent < limits::kControlQueue) {
    d.send(ping);
    ++sent;
  }
  EXPECT_TRUE(d.wire().is_closed());
  EXPECT_LE(sent * (PongFrame{1}.encode().size() + kRecordOverhead),
            limits::kControlQueue + limits::kFrameMax);
}

TEST_P(FrameFaults, WhoeverSaysNothingIsLeft) {
  Device& d = ready();
  if (GetParam() == Door::kInvited) joining.begin(CancelRequest{join_request});
  bool pinged = false;
  for (int second = 0; second < 65 && !d.wire().is_closed(); ++second) {
    d.wire().node().pass(1s);
    for (const Buffer& frame : d.frames()) pinged |= type_of(frame) == FrameType::kPing;
    lose_dials();
  }
  EXPECT_TRUE(d.wire().is_closed());
  EXPECT_EQ(pinged, GetParam() == Door::kMember || GetParam() == Door::kDialled);
}

TEST_P(FrameFaults, WhoeverIsNoMemberCannotStayByTalking) {
  Device& d = ready();
  for (int i = 0; i < 13 && !d.wire().is_closed(); ++i) {
    d.wire().node().pass(5s);
    d.send(PingFrame{1}.encode());
    static_cast<void>(d.frames());
    lose_dials();
  }
  const bool is_member = GetParam() == Door::kMember || GetParam() == Door::kDialled;
  EXPECT_EQ(d.wire().is_closed(), !is_member);
  if (GetParam() == Door::kInvited) joining.begin(CancelRequest{join_request});
}

INSTANTIATE_TEST_SUITE_P(, FrameFaults, testing::ValuesIn(kDoors), [](const auto& door) {
  std::string out = name_of(door.param);
  std::ranges::replace(out, ' ', '_');
  return out;
});

}  // namespace
}  // namespace kith::node::test
