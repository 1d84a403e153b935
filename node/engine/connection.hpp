// One connection of the engine: handshake, then control records and bulk sections. It knows bytes
// and states; who may connect and what frames mean is decided above it (connections.hpp,
// engine.hpp).
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "node/engine/stream_buffers.hpp"
#include "proto/crypto/handshake.hpp"
#include "proto/endpoint.hpp"
#include "proto/ids.hpp"
#include "proto/time.hpp"
#include "proto/wire/frames.hpp"

namespace kith::node {

/// Under which psk the handshake was made: what the connection may be used for.
enum class ConnectionKind : std::uint8_t {
  kMember,   // of the current or the last epoch: everything
  kCatchUp,  // KDF(G): roster and wraps only, then the dialler connects anew
  kInvite,   // a joiner: join and roster only
};

/// Asking the other side for roster operations: a frame at a time, so that no queue fills.
struct RosterPull {
  bool asked = false;         // an answer is on its way
  bool again = false;         // to ask once more, when what came has been taken up
  std::optional<OpId> after;  // the last operation that came
};

struct Connection {
  enum class State : std::uint8_t { kConnecting, kHandshake, kOpen, kClosing };

  ConnId id{};
  Endpoint remote;
  Endpoint local;
  bool incoming = false;
  bool beyond = false;  // dialled beyond the mesh, to a provider: ends when it is idle
  State state = State::kConnecting;
  ConnectionKind kind = ConnectionKind::kMember;
  TimePoint since{};
  TimePoint deadline{};  // of the handshake
  std::optional<PeerHandshake> handshake;
  std::optional<SecureChannel> channel;
  ReceiveBuffer in;
  SendQueue out;

  SwarmId swarm;                     // of an outgoing link: at once; else from the first message on
  DeviceId device;                   // when open
  std::optional<DeviceId> expected;  // of an outgoing link
  OpId epoch;                        // kMember: whose psk it was made under
  std::optional<SignPublic> invite;  // kInvite: its key
  std::vector<OpId> heads;           // of its roster, when it opened
  RosterPull pull;
  std::size_t early_ops = 0;   // roster operations that came before their parents
  TimePoint guest_until{};     // open, and not kMember: then it ends
  bool asked_to_join = false;  // kInvite: once is enough
  bool let_in = false;         // kInvite: it was told that it is in, and may have the roster
  bool announced = false;      // its device stands in the roster: the transfer core knows it

  std::vector<Buffer> early;  // frames that came before it was announced
  std::size_t early_bytes = 0;

  std::optional<ChunkFrame> section;  // being received
  Section next_section = 0;           // of our direction
  TimePoint used{};                   // when a section last passed
  TimePoint heard{};
  TimePoint pinged{};  // when a ping was sent, or what of a handshake is answered
  std::uint32_t ping_number = 0;
  std::optional<Duration> round_trip;  // the last one
  std::uint64_t sent = 0, received = 0;
  std::size_t wrote = 0;   // since the transfer core was told
  std::uint64_t join = 0;  // outgoing kInvite: which pending join it belongs to

  // When it was found to be outdated: until when another must stand, and when to dial it next.
  std::optional<TimePoint> renew_by;
  TimePoint next_renewal{};

  /// Seals one frame into the send queue.
  void send(Bytes frame);
  /// The announcement of a section and, directly behind it, its records.
  void send(const ChunkFrame& frame, SlabChain sealed);
};

}  // namespace kith::node
