// A whole engine and a member at the other end of its connections that says what the input says:
// frames that are well-formed and come at the wrong moment, frames of any bytes, sections, bytes
// that open under no key, strangers, datagrams, commands of its own user, time. The engine must
// keep its invariants, and when everybody has left hold nothing for them.
#include <algorithm>
#include <cstdint>

#include "proto/assert.hpp"
#include "tests/fuzz/script.hpp"
#include "tests/unit/node/engine/support.hpp"

namespace {

using namespace kith;
using namespace kith::node;
using namespace kith::node::test;

constexpr std::size_t kSteps = 96;
const storage::test::Tree kTree = {{"", storage::test::directory()},
                                   {"a", storage::test::file(std::string(3'000, 'a'))},
                                   {"b", storage::test::file("small")},
                                   {"empty", storage::test::file("")}};

class Harness {
 public:
  explicit Harness(Bytes input) : input_(input) {
    if ((byte() & 1) != 0) begin_fetch();
  }

  void run() {
    for (std::size_t i = 0; i < kSteps && !input_.empty(); ++i) {
      step();
      if (i % 4 == 3) static_cast<void>(frames());
    }
    end();
  }

 private:
  std::uint8_t byte() { return input_.byte(); }
  Bytes take(std::size_t count) { return input_.take(count); }
  Buffer bytes() { return to_buffer(take(byte())); }
  Handle handle() { return byte() & 3; }
  ChunkIndex index() {
    const std::uint8_t n = byte();
    return n == 255 ? UINT32_MAX : n & 15;
  }
  template <class Id>
  Id id() {
    Id out;
    out.bytes[0] = byte();
    return out;
  }
  ShareId share() { return (byte() & 7) != 0 ? link_.share : id<ShareId>(); }
  std::vector<OpId> heads() {
    std::vector<OpId> out;
    for (std::uint8_t n = byte() & 3; n > 0; --n) {
      const std::uint8_t which = byte();
      out.push_back(which < member_.roster.size() ? member_.roster.op(which).id : id<OpId>());
    }
    return out;
  }

  std::vector<Buffer> frames() {
    return device_.wire().is_closed() ? std::vector<Buffer>() : device_.frames();
  }

  // Everything that the node shares, as it sends it; then it forgets it, and wants it back.
  void begin_fetch() {
    device_.send(WatchFrame{1, link_.share}.encode());
    const auto answer = device_.first_of(FrameType::kHaveSet);
    const ChunkIndex total = answer ? decoded<HaveSetFrame>(*answer).total : 0;
    for (ChunkIndex i = 0; i < total; ++i) device_.send(WantFrame{1, i}.encode());
    static_cast<void>(device_.frames());
    chunks_.resize(total);
    for (const Device::Section& section : device_.sections) {
      append(chunks_.at(section.frame.index), section.content);
    }
    device_.send(CancelFrame{1, {}}.encode());
    static_cast<void>(node_.ask(Unshare{link_.to_string()}));
    fetch();
  }

  void fetch() {
    Fetch command;
    command.link = link_;
    command.directory = "/fetched";
    command.wait = (byte() & 1) != 0;
    requests_.push_back(node_.begin(std::move(command)));
  }

  void step() {
    switch (byte() % 16) {
      case 0:
        return raw_frame();
      case 1:
        return section();
      case 2:
        return good_section();
      case 3:
        return stranger();
      case 4:
        return datagram();
      case 5:
        return node_.pass(std::chrono::milliseconds(50) * byte());
      case 6:
        return reconnect();
      case 7:
        return command();
      case 8:
        return device_.wire().write(take(byte()));
      case 9:
        return dial();
      default:
        return frame();
    }
  }

  void say(const Buffer& frame) {
    if (!device_.wire().is_closed()) device_.send(frame);
  }

  void raw_frame() {
    Buffer frame = {byte()};
    append(frame, bytes());
    say(frame);
  }

  void frame() {
    switch (byte() % 12) {
      case 0:
        return say(WatchFrame{handle(), share()}.encode());
      case 1:
        return say(have_set().encode());
      case 2:
        return say(HaveFrame{handle(), {index(), index()}}.encode());
      case 3:
        return say(WantFrame{handle(), index()}.encode());
      case 4: {
        const Handle of = handle();
        const ChunkIndex which = index();
        return say(CancelFrame{of, which == 15 ? std::nullopt : std::optional(which)}.encode());
      }
      case 5:
        return say(RefuseFrame{handle(), index()}.encode());
      case 6:
        return say(BadFrame{handle(), index()}.encode());
      case 7:
        return say(peers().encode());
      case 8:
        return say(RosterHaveFrame{heads()}.encode());
      case 9:
        return say(RosterWantFrame{heads(), {}}.encode());
      case 10:
        return say(roster_ops().encode());
      default:
        return say(PingFrame{byte()}.encode());
    }
  }

  HaveSetFrame have_set() {
    HaveSetFrame out;
    out.handle = handle();
    out.first = 8 * (byte() & 1);
    out.total = static_cast<ChunkIndex>((byte() & 1) != 0 ? chunks_.size() : byte());
    out.bits = {byte()};
    return out;
  }

  PeersFrame peers() {
    PeersFrame out;
    for (std::uint8_t n = byte() & 7; n > 0; --n) {
      const auto port = static_cast<std::uint16_t>(byte() + 1);
      out.peers.push_back({id<DeviceId>(), Endpoint::v4({10, 0, byte(), byte()}, port)});
    }
    return out;
  }

  RosterOpsFrame roster_ops() {
    RosterOpsFrame out;
    out.more = (byte() & 1) != 0;
    for (std::uint8_t n = byte() & 3; n > 0; --n) {
      const std::uint8_t which = byte();
      Buffer op =
          which < member_.roster.size() ? to_buffer(member_.roster.op(which).encoded) : bytes();
      if (!op.empty()) out.ops.push_back(std::move(op));
    }
    return out;
  }

  void section() {
    ChunkFrame frame;
    frame.handle = handle();
    frame.index = index();
    frame.offset = (byte() & 1) * 61'440U;
    const Buffer content = bytes();
    frame.length = static_cast<std::uint32_t>(content.size());
    frame.size = frame.length + (byte() & 1);
    frame.section = byte();
    if (!device_.wire().is_closed() && !content.empty()) device_.send_section(frame, content);
  }

  // As asked, or nearly.
  void good_section() {
    const ChunkIndex which = index();
    if (which >= chunks_.size() || device_.wire().is_closed()) return;
    Buffer content = chunks_[which];
    ChunkFrame frame{handle(), which, 0, 0, 0, sections_++};
    frame.length = frame.size = static_cast<std::uint32_t>(content.size());
    if ((byte() & 7) == 7) content.front() ^= 1;
    device_.send_section(frame, content);
  }

  void stranger() {
    const std::uint8_t where = byte();
    std::optional<ConnId> conn;
    node_.turn([&](Outbox& out) {
      conn = node_.engine().handle_accepted(node_.now, Endpoint::v4({10, 2, 0, where}, 4'000), out);
    });
    if (!conn) return;
    Wire wire(node_, *conn);
    wire.write(take(byte()));
    static_cast<void>(wire.read());
    wire.cut();
  }

  void datagram() {
    const bool beacon = (byte() & 1) != 0;
    const Endpoint from = Endpoint::v4({10, 0, 3, byte()}, 5'484);
    const Buffer content = bytes();
    node_.turn([&](Outbox& out) {
      if (beacon) return node_.engine().handle_beacon(node_.now, from, content, out);
      node_.engine().handle_datagram(node_.now, from, content, out);
    });
  }

  void reconnect() {
    device_.wire().cut();
    device_ = connect(node_, member_);
    sections_ = 0;
  }

  void dial() {
    if (node_.dials.empty()) return;
    const ConnId conn = node_.dials.front().conn;
    if ((byte() & 1) != 0 || node_.is_closed(conn)) {
      node_.dials.pop_front();
      return node_.is_closed(conn) ? void() : node_.lose(conn);
    }
    Wire wire = Wire::answer(node_);
    wire.write(take(byte()));
    wire.cut();
  }

  void command() {
    const std::string link = link_.to_string();
    switch (byte() % 8) {
      case 0:
        return static_cast<void>(node_.begin(ListShares{}));
      case 1:
        return static_cast<void>(node_.begin(ShowShare{link}));
      case 2:
        return static_cast<void>(node_.begin(VerifyShare{}));
      case 3:
        return static_cast<void>(node_.begin(Unshare{link}));
      case 4:
        return static_cast<void>(node_.begin(CancelFetch{link}));
      case 5:
        return fetch();
      case 6:
        if (!requests_.empty()) static_cast<void>(node_.begin(CancelRequest{requests_.back()}));
        return;
      default:
        static_cast<void>(node_.begin(GetDoctor{}));
        static_cast<void>(node_.begin(ListPeers{}));
    }
  }

  void end() {
    device_.wire().cut();
    for (const OutConnect& dial : std::exchange(node_.dials, {})) {
      if (!node_.is_closed(dial.conn)) node_.lose(dial.conn);
    }
    node_.pass(std::chrono::minutes(2));
    node_.engine().check_invariants();
    KITH_ASSERT(node_.engine().receive_memory() == 0);
    KITH_ASSERT(node_.engine().send_memory() == 0);
    KITH_ASSERT(node_.slabs().in_use() == 0);
  }

  Script input_;
  Founder node_;
  Link link_ = node_.share(kTree);
  test::Member member_ = join(node_);
  Device device_ = connect(node_, member_);
  std::vector<Buffer> chunks_;  // by index, enciphered
  Section sections_ = 0;
  std::vector<RequestId> requests_;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  // What the support of the tests expects must hold here, too.
  static const bool kOnce = [] {
    GTEST_FLAG_SET(break_on_failure, true);
    return true;
  }();
  KITH_ASSERT(kOnce);
  Harness(Bytes(data, size)).run();
  return 0;
}
