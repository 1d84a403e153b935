// What the transfer core asks of its driver: plain values, applied after the call returned.
#pragma once

#include <variant>
#include <vector>

#include "proto/ids.hpp"
#include "proto/result.hpp"
#include "proto/slab.hpp"
#include "proto/wire/frames.hpp"

namespace kith::transfer {

/// One received section of a chunk: its number and its content bytes, for opening its records.
struct ReceivedSection {
  Section section = 0;
  std::uint32_t length = 0;
};

/// Open, verify, decipher and write one chunk that arrived whole. `sealed` holds the records as
/// they came, one per slab. Answered by exactly one Manager::on_stored with the same share, index,
/// from.
struct StoreRequest {
  ConnId from{};
  ShareId share;
  ChunkIndex index = 0;
  SlabChain sealed;
  std::vector<ReceivedSection> sections;
};

/// How a StoreRequest ended.
enum class StoreOutcome {
  kStored,     // verified and written
  kKept,       // verified, used or written in part: it cannot be served, and is not wanted any more
  kLost,       // nobody wants it any more, or whoever asked for it is gone: wanted as before
  kBadRecord,  // a record did not open: the network's fault; the connection closes
  kBadChunk,   // records opened, the id differs: the peer's fault
  kFailed,     // could not be written: this device's fault; the fetch stops with its error
};

/// Read, encipher and seal bytes [offset, offset + length) of a chunk, or up to its end. Answered
/// by exactly one Manager::on_sealed or on_seal_failed with the same values.
struct SealRequest {
  ConnId to{};
  ShareId share;
  Handle handle = 0;
  ChunkIndex index = 0;
  std::uint32_t offset = 0;
  std::uint32_t length = 0;  // a multiple of kRecordBytes
};

/// Put this frame, sealed as a control record, and directly behind it these sealed records into the
/// connection's send queue.
struct SendSection {
  ConnId to{};
  ChunkFrame frame;
  SlabChain sealed;
};

struct SendFrame {
  ConnId to{};
  Buffer frame;  // type and body
};

/// Close: the peer broke a rule or was banned. `why` is shown by `kith peers` and sent in `close`.
struct CloseConnection {
  ConnId conn{};
  Error why;
};

/// Every wanted index of the share is stored.
struct FetchComplete {
  ShareId share;
};
/// A fetch cannot go on: a local error while writing.
struct FetchFailed {
  ShareId share;
  Error why;
};
/// One index was stored and verified (in this order: written, then this event).
struct ChunkStored {
  ShareId share;
  ChunkIndex index = 0;
  ConnId from{};
};
/// A peer said that our copy of this chunk is wrong: hash it, withdraw it if it is.
struct CheckChunk {
  ShareId share;
  ChunkIndex index = 0;
};
/// Every source that holds the chunk has sent it wrong, or no source has it: shown to the user.
struct ChunkUnavailable {
  ShareId share;
  ChunkIndex index = 0;
};
struct DeviceBanned {
  DeviceId device;
  std::string why;
};

using Event = std::variant<CloseConnection, FetchComplete, FetchFailed, ChunkStored, CheckChunk,
                           ChunkUnavailable, DeviceBanned>;

struct Outbox {
  std::vector<SendFrame> frames;
  std::vector<SendSection> sections;
  std::vector<SealRequest> seals;
  std::vector<StoreRequest> stores;
  std::vector<Event> events;
};

}  // namespace kith::transfer
