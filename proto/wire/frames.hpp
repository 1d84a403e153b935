// Control frames: what two devices of a swarm say to each other on a connection, one frame per
// control record: u8 type ‖ body, at most 60 KiB. A body is one canonical bencode dictionary; a key
// that is not known is ignored, so later versions can add some.
//
// Every frame has a struct, an encode() that returns type and body, and a decode() that takes the
// body. decode() checks form and limits, nothing that needs state; its errors have blame peer.
//
// (handle, index) names a chunk of a watched share: the *watcher* chose the handle with `watch`.
// Frames of the watcher: watch, want, cancel, bad. Frames of the watched: have_set, have, chunk,
// refuse. So the two directions of a connection have separate handles. Index 0 is the root, then
// the pages, then the content in stream order.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "proto/bytes.hpp"
#include "proto/endpoint.hpp"
#include "proto/ids.hpp"
#include "proto/result.hpp"

namespace kith {

enum class FrameType : std::uint8_t {
  kClose = 0,
  kPing = 1,
  kPong = 2,
  kRosterHave = 16,
  kRosterWant = 17,
  kRosterOps = 18,
  kWraps = 19,
  kJoin = 32,
  kJoinAnswer = 33,
  kWatch = 48,
  kHaveSet = 49,
  kHave = 50,
  kWant = 64,
  kCancel = 65,
  kChunk = 66,
  kRefuse = 67,
  kBad = 68,
  kPeers = 80,
  // Reserved for later issues; ignored when received.
  kNames = 96,
  kKeep = 97,
  kUnkeep = 98,
  kRelay = 112,
  kPunch = 113,
  kProbe = 114,
};

/// The sender closes; `reason` is for people. {r: string}
struct CloseFrame {
  std::string reason;
  [[nodiscard]] Buffer encode() const;
  [[nodiscard]] static Result<CloseFrame> decode(Bytes body);
  bool operator==(const CloseFrame&) const = default;
};

/// Answered by a pong with the same number. {n: int}
struct PingFrame {
  std::uint32_t number = 0;
  [[nodiscard]] Buffer encode() const;
  [[nodiscard]] static Result<PingFrame> decode(Bytes body);
  bool operator==(const PingFrame&) const = default;
};
struct PongFrame {
  std::uint32_t number = 0;
  [[nodiscard]] Buffer encode() const;
  [[nodiscard]] static Result<PongFrame> decode(Bytes body);
  bool operator==(const PongFrame&) const = default;
};

/// The heads of the sender's roster: operations that no other names as parent. {h: 32·n bytes}
struct RosterHaveFrame {
  std::vector<OpId> heads;
  [[nodiscard]] Buffer encode() const;
  [[nodiscard]] static Result<RosterHaveFrame> decode(Bytes body);
  bool operator==(const RosterHaveFrame&) const = default;
};
/// Asks for operations: all that are not ancestors-or-self of `have`, which may be empty. The
/// answer is one roster_ops; `after` is the last operation of the answer before, if it was not all.
/// {f: op id, h: ids}
struct RosterWantFrame {
  std::vector<OpId> have;
  std::optional<OpId> after = {};
  [[nodiscard]] Buffer encode() const;
  [[nodiscard]] static Result<RosterWantFrame> decode(Bytes body);
  bool operator==(const RosterWantFrame&) const = default;
};
/// Encoded operations, parents before children. {m: 1 if there are more to ask for, o: list of
/// strings}
struct RosterOpsFrame {
  std::vector<Buffer> ops;
  bool more = false;
  [[nodiscard]] Buffer encode() const;
  [[nodiscard]] static Result<RosterOpsFrame> decode(Bytes body);
  bool operator==(const RosterOpsFrame&) const = default;
};
/// Wraps of one epoch, a page of them. {e: op id, f: index of the first, n: total, w: bytes}
struct WrapsFrame {
  OpId epoch;
  std::uint32_t first = 0;
  std::uint32_t total = 0;
  Buffer wraps;  // (device id ‖ sealed box of 112 bytes) each, in device id order
  [[nodiscard]] Buffer encode() const;
  [[nodiscard]] static Result<WrapsFrame> decode(Bytes body);
  bool operator==(const WrapsFrame&) const = default;
};

/// A joiner's request. {b: binding, i: invite key, n: name, s: signature by the invite key over
/// "kith/1 join" ‖ swarm id ‖ binding ‖ name}
struct JoinFrame {
  FixedBytes<32, struct SignPublicTag> invite;
  Buffer binding;
  std::string name;
  FixedBytes<64, struct SignatureTag> signature;
  [[nodiscard]] Buffer encode() const;
  [[nodiscard]] static Result<JoinFrame> decode(Bytes body);
  bool operator==(const JoinFrame&) const = default;
};
/// {d: device waited for (waiting only), r: reason (refused only), s: state, x: sealed secrets (in
/// only): a sealed box to the joiner's W of G ‖ N_e ‖ C_e with e the current epoch}
struct JoinAnswerFrame {
  enum class State : std::uint8_t { kIn = 0, kWaiting = 1, kRefused = 2 };
  State state = State::kRefused;
  std::optional<DeviceId> waiting_for;
  std::string reason;
  Buffer secrets;
  [[nodiscard]] Buffer encode() const;
  [[nodiscard]] static Result<JoinAnswerFrame> decode(Bytes body);
  bool operator==(const JoinAnswerFrame&) const = default;
};

/// Binds a handle to a share. The answer is the have-set; of a share not held here (or not allowed,
/// which looks the same) it has total 0, and a full one follows if the share is held later.
/// {h: handle, s: share id}
struct WatchFrame {
  Handle handle = 0;
  ShareId share;
  [[nodiscard]] Buffer encode() const;
  [[nodiscard]] static Result<WatchFrame> decode(Bytes body);
  bool operator==(const WatchFrame&) const = default;
};
/// Bits [first, first + 8·bits.size()) of the have-set, most significant bit first; bits at or past
/// `total` are 0. total = number of indices of the share (1 + pages + chunks), or 0 if unknown or
/// not held. A set replaces what was known in its range. {b: bits, f: first, h: handle, t: total}
struct HaveSetFrame {
  Handle handle = 0;
  ChunkIndex first = 0;  // a multiple of 8
  ChunkIndex total = 0;
  Buffer bits;
  [[nodiscard]] Buffer encode() const;
  [[nodiscard]] static Result<HaveSetFrame> decode(Bytes body);
  bool operator==(const HaveSetFrame&) const = default;
};
/// Indices that the sender holds since. {h: handle, i: list of ints}
struct HaveFrame {
  Handle handle = 0;
  std::vector<ChunkIndex> indices;
  [[nodiscard]] Buffer encode() const;
  [[nodiscard]] static Result<HaveFrame> decode(Bytes body);
  bool operator==(const HaveFrame&) const = default;
};

/// Asks for a whole chunk. {h: handle, i: index}
struct WantFrame {
  Handle handle = 0;
  ChunkIndex index = 0;
  [[nodiscard]] Buffer encode() const;
  [[nodiscard]] static Result<WantFrame> decode(Bytes body);
  bool operator==(const WantFrame&) const = default;
};
/// Takes a want back; without an index: all of them, and the handle. {h: handle, i?: index}
struct CancelFrame {
  Handle handle = 0;
  std::optional<ChunkIndex> index;
  [[nodiscard]] Buffer encode() const;
  [[nodiscard]] static Result<CancelFrame> decode(Bytes body);
  bool operator==(const CancelFrame&) const = default;
};
/// Announces one section, whose records stand directly behind this record. Sections of a chunk come
/// in order; `size` is the length of the whole chunk. {h: handle, i: index, l: length, o: offset,
/// s: section, z: size}. offset and every length but the chunk's last are multiples of 61,440.
struct ChunkFrame {
  Handle handle = 0;
  ChunkIndex index = 0;
  std::uint32_t offset = 0;
  std::uint32_t length = 0;
  std::uint32_t size = 0;
  Section section = 0;
  [[nodiscard]] Buffer encode() const;
  [[nodiscard]] static Result<ChunkFrame> decode(Bytes body);
  bool operator==(const ChunkFrame&) const = default;
};
/// A want that will not be served: not held any more, or could not be read. {h: handle, i: index}
struct RefuseFrame {
  Handle handle = 0;
  ChunkIndex index = 0;
  [[nodiscard]] Buffer encode() const;
  [[nodiscard]] static Result<RefuseFrame> decode(Bytes body);
  bool operator==(const RefuseFrame&) const = default;
};
/// A chunk that came whole and does not have its id: the sender should check its copy. {h, i}
struct BadFrame {
  Handle handle = 0;
  ChunkIndex index = 0;
  [[nodiscard]] Buffer encode() const;
  [[nodiscard]] static Result<BadFrame> decode(Bytes body);
  bool operator==(const BadFrame&) const = default;
};

/// Devices and addresses on which the sender itself completed a handshake. {p: list of
/// [device id, compact endpoint]}; at most 64.
struct PeersFrame {
  struct Entry {
    DeviceId device;
    Endpoint endpoint;
    bool operator==(const Entry&) const = default;
  };
  std::vector<Entry> peers;
  [[nodiscard]] Buffer encode() const;
  [[nodiscard]] static Result<PeersFrame> decode(Bytes body);
  bool operator==(const PeersFrame&) const = default;
};

}  // namespace kith
