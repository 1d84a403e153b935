// What the tests of whole engines have in common: an engine with what its runtime would do, and
// devices at the other end of its connections that do what they like. No socket, no thread, no
// clock: jobs and the catalog answer at once, time passes when a test says so.
#pragma once

#include <deque>
#include <functional>
#include <gtest/gtest.h>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "node/engine/engine.hpp"
#include "proto/crypto/random.hpp"
#include "proto/swarm/invite.hpp"
#include "proto/swarm/secrets.hpp"
#include "tests/sim/backing.hpp"
#include "tests/unit/storage/support.hpp"

namespace kith::node::test {

using namespace std::chrono_literals;

/// How long the engine may take beyond a deadline: it looks on a beat.
inline constexpr Duration kBeat = 2 * kWatchEvery;

class Node {
 public:
  /// Listens on 10.0.0.`seed`:5484.
  explicit Node(std::uint8_t seed = 1);

  /// One call of the engine, and all that follows from it at once.
  void turn(const std::function<void(Outbox&)>& input);
  /// Lets time pass, with every timeout on its way.
  void pass(Duration time);
  RequestId begin(CommandBody body);
  /// The final answer of a command, if it has come.
  [[nodiscard]] const Result<Done>* answer(RequestId request) const;
  /// Of a command that is answered at once.
  [[nodiscard]] Result<Done> ask(CommandBody body);

  [[nodiscard]] Invite invite(const std::string& role = "member", std::uint32_t uses = 1);
  /// Writes the tree to `/shared` on the node's disk, and shares it.
  [[nodiscard]] Link share(const storage::test::Tree& tree,
                           const Chunking& chunking = Chunking::tiny(256));

  /// Everything is as it was before anybody connected.
  void expect_baseline() const;

  [[nodiscard]] Engine& engine() { return *engine_; }
  [[nodiscard]] const Endpoint& address() const { return address_; }
  [[nodiscard]] storage::MemoryFileIo& disk() { return backing_.disk(); }
  [[nodiscard]] SlabPool& slabs() const { return backing_.slabs(); }
  [[nodiscard]] Rng& rng() { return rng_; }
  [[nodiscard]] bool is_closed(ConnId conn) const { return closed_.contains(conn); }
  /// The connection was closed by it, after what is queued was written.
  [[nodiscard]] bool is_closing(ConnId conn) const { return flushing_.contains(conn); }
  /// The connection ends, as the socket's driver says it.
  void lose(ConnId conn);

  Now now{TimePoint(1h), UnixMillis(1'700'000'000'000)};
  bool hold_catalog = false;     // its answers wait until a turn without
  std::deque<OutConnect> dials;  // that nobody answered yet
  std::vector<NodeEvent> events;
  std::vector<LogLine> log;

 private:
  void take(Outbox& out);
  void work();

  SeededRng rng_;
  Endpoint address_;
  mutable sim::Backing backing_;
  std::optional<Engine> engine_;
  std::deque<Job> jobs_;
  std::deque<CatalogDone> committed_;
  bool working_ = false;
  std::uint64_t next_request_ = 1;
  std::map<RequestId, Result<Done>> answers_;
  std::set<ConnId> closed_;
  std::set<ConnId> flushing_;
};

/// A node with a swarm of its own.
class Founder : public Node {
 public:
  explicit Founder(std::uint8_t seed = 1) : Node(seed) { EXPECT_TRUE(ask(CreateSwarm{"swarm"})); }
};

/// The other end of one connection of a node: bytes.
class Wire {
 public:
  /// Connects to the node from 10.0.1.1, or from where it says.
  explicit Wire(Node& node, const Endpoint& from = Endpoint::v4({10, 0, 1, 1}, 40'000));
  /// Takes up the node's oldest dial that nobody answered; there must be one.
  static Wire answer(Node& node);
  /// Of a connection that the node has already.
  Wire(Node& node, ConnId conn) : node_(&node), conn_(conn) {}

  /// As much of it as the node reads.
  void write(Bytes bytes);
  /// How many bytes the node would take now.
  [[nodiscard]] std::size_t room() const;
  /// Everything that it has written, or at most so much.
  Buffer read(std::size_t limit = SIZE_MAX);
  void cut();
  /// The node does not know it any more.
  [[nodiscard]] bool is_closed() const { return node_->is_closed(conn_); }
  [[nodiscard]] bool is_closing() const { return node_->is_closing(conn_); }
  [[nodiscard]] ConnId conn() const { return conn_; }
  [[nodiscard]] Node& node() const { return *node_; }

 private:
  Node* node_;
  ConnId conn_{};
};

/// What a device that joined knows.
struct Member {
  DeviceKeys keys;
  Roster roster;
  SwarmKeys secrets;
  [[nodiscard]] Secret psk() const;
  [[nodiscard]] Secret catch_up() const { return catch_up_psk(secrets.group()); }
};

/// A device at the other end of a connection. The handshake can be taken message by message.
class Device {
 public:
  Device(Wire wire, DeviceKeys keys) : wire_(wire), keys_(std::move(keys)) {}

  // --- as the one that dials ---
  [[nodiscard]] Buffer first(const Secret& psk, const SignKeys& signer,
                             const std::optional<DeviceId>& to = {});
  /// The third message, for a second one that is right.
  [[nodiscard]] std::optional<Buffer> third(Bytes second);
  bool dial(const Secret& psk, const SignKeys& signer);

  // --- as the one that is dialled ---
  /// The second message, for a first one under this psk.
  [[nodiscard]] std::optional<Buffer> second(Bytes first, const Secret& psk,
                                             FirstKey key = FirstKey::kDevice);
  bool take_third(Bytes third);
  bool answer(const Secret& psk, FirstKey key = FirstKey::kDevice);

  [[nodiscard]] bool is_open() const { return channel_.has_value(); }
  [[nodiscard]] SecureChannel& channel() { return *channel_; }
  [[nodiscard]] Wire& wire() { return wire_; }
  [[nodiscard]] const Wire& wire() const { return wire_; }
  [[nodiscard]] const DeviceKeys& keys() const { return keys_; }

  /// The record of a frame, not sent yet.
  [[nodiscard]] Buffer sealed(Bytes frame);
  void send(Bytes frame) { wire_.write(sealed(frame)); }
  /// Announces a section of a chunk, and sends its records.
  void send_section(const ChunkFrame& frame, Bytes content);

  struct Section {
    ChunkFrame frame;
    Buffer content;  // opened
  };
  /// Frames that came since the last call; sections are collected beside them.
  std::vector<Buffer> frames();
  std::vector<Section> sections;
  std::optional<Buffer> first_of(FrameType type);
  /// Why the node closed the connection, in its words; nothing: it said nothing.
  std::optional<std::string> close_reason();
  /// It answers a ping.
  bool is_alive();

  DeviceBinding peer;

 private:
  Wire wire_;
  DeviceKeys keys_;
  std::optional<PeerHandshake> shake_;
  std::optional<SecureChannel> channel_;
  Buffer unread_;
};

[[nodiscard]] inline FrameType type_of(const Buffer& frame) {
  return static_cast<FrameType>(frame.at(0));
}
template <class Frame>
[[nodiscard]] Frame decoded(const Buffer& frame) {
  return Frame::decode(Bytes(frame).subspan(1)).value();
}

[[nodiscard]] JoinFrame join_frame(const Invite& invite, const DeviceBinding& binding);
/// A device that uses an invite of the node.
[[nodiscard]] Device joiner(Node& node, const DeviceKeys& keys, const Invite& invite);
[[nodiscard]] Member join(Node& node, const std::string& role = "member");
/// A connection of a member, open.
[[nodiscard]] Device connect(Node& node, const Member& member);

}  // namespace kith::node::test
