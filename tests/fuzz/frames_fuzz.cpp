// The first byte is a frame type, the rest its body. What decodes must encode, within the limits,
// and decode to the same frame again.
#include <cstdint>

#include "proto/assert.hpp"
#include "proto/limits.hpp"
#include "proto/wire/frames.hpp"

namespace {

using namespace kith;

template <class Frame>
void check(FrameType type, Bytes body) {
  const auto first = Frame::decode(body);
  if (!first) {
    KITH_ASSERT(first.error().blame == Blame::kPeer);
    return;
  }
  const Buffer encoded = first->encode();
  KITH_ASSERT(encoded.size() <= limits::kFrameMax);
  KITH_ASSERT(encoded[0] == static_cast<std::uint8_t>(type));
  const auto second = Frame::decode(Bytes(encoded).subspan(1));
  KITH_ASSERT(second && *second == *first);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const auto type = static_cast<FrameType>(data[0]);
  const Bytes body(data + 1, size - 1);
  switch (type) {
    case FrameType::kClose:
      check<CloseFrame>(type, body);
      break;
    case FrameType::kPing:
      check<PingFrame>(type, body);
      break;
    case FrameType::kPong:
      check<PongFrame>(type, body);
      break;
    case FrameType::kRosterHave:
      check<RosterHaveFrame>(type, body);
      break;
    case FrameType::kRosterWant:
      check<RosterWantFrame>(type, body);
      break;
    case FrameType::kRosterOps:
      check<RosterOpsFrame>(type, body);
      break;
    case FrameType::kWraps:
      check<WrapsFrame>(type, body);
      break;
    case FrameType::kJoin:
      check<JoinFrame>(type, body);
      break;
    case FrameType::kJoinAnswer:
      check<JoinAnswerFrame>(type, body);
      break;
    case FrameType::kWatch:
      check<WatchFrame>(type, body);
      break;
    case FrameType::kHaveSet:
      check<HaveSetFrame>(type, body);
      break;
    case FrameType::kHave:
      check<HaveFrame>(type, body);
      break;
    case FrameType::kWant:
      check<WantFrame>(type, body);
      break;
    case FrameType::kCancel:
      check<CancelFrame>(type, body);
      break;
    case FrameType::kChunk:
      check<ChunkFrame>(type, body);
      break;
    case FrameType::kRefuse:
      check<RefuseFrame>(type, body);
      break;
    case FrameType::kBad:
      check<BadFrame>(type, body);
      break;
    case FrameType::kPeers:
      check<PeersFrame>(type, body);
      break;
    default:
      break;
  }
  return 0;
}
