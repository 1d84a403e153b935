// Frames about the connection itself: close, ping, pong, peers.
#include "proto/wire/frame_codec.hpp"

namespace kith {

using namespace wire;

Buffer CloseFrame::encode() const {
  KITH_ASSERT(reason.size() <= limits::kCloseReasonMax);
  return encode_frame(FrameType::kClose, [&](auto& w) { w.string("r", reason); });
}

Result<CloseFrame> CloseFrame::decode(Bytes body) {
  KITH_TRY(const auto document, parse_body(body));
  KITH_TRY(const Bytes text,
           need_string(document.root(), "r", limits::kCloseReasonMax, "close: reason"));
  return CloseFrame{std::string(as_text(text))};
}

Buffer PingFrame::encode() const {
  return encode_frame(FrameType::kPing, [&](auto& w) { w.integer("n", number); });
}

Result<PingFrame> PingFrame::decode(Bytes body) {
  KITH_TRY(const auto document, parse_body(body));
  KITH_TRY(const auto n, need(document.root().find_unsigned<std::uint32_t>("n"), "ping: number"));
  return PingFrame{n};
}

Buffer PongFrame::encode() const {
  return encode_frame(FrameType::kPong, [&](auto& w) { w.integer("n", number); });
}

Result<PongFrame> PongFrame::decode(Bytes body) {
  KITH_TRY(const auto document, parse_body(body));
  KITH_TRY(const auto n, need(document.root().find_unsigned<std::uint32_t>("n"), "pong: number"));
  return PongFrame{n};
}

Buffer PeersFrame::encode() const {
  KITH_ASSERT(peers.size() <= limits::kPeersPerFrame);
  return encode_frame(FrameType::kPeers, [&](auto& w) {
    w.key("p").list();
    for (const Entry& peer : peers) {
      w.list().string(peer.device.view()).string(peer.endpoint.compact()).end();
    }
    w.end();
  });
}

namespace {

Result<PeersFrame::Entry> decode_peer(bencode::Value item) {
  if (item.kind() != bencode::Kind::kList || item.size() != 2)
    return malformed_frame("peers: pair");
  auto it = item.begin();
  const auto id = (*it).string();
  const auto compact = (*++it).string();
  if (!id || !compact) return malformed_frame("peers: pair");
  KITH_TRY(const DeviceId device, need(DeviceId::from(*id), "peers: device"));
  KITH_TRY(const Endpoint endpoint, need(Endpoint::from_compact(*compact), "peers: endpoint"));
  if (!endpoint.is_usable()) return malformed_frame("peers: endpoint");
  return PeersFrame::Entry{device, endpoint};
}

}  // namespace

Result<PeersFrame> PeersFrame::decode(Bytes body) {
  KITH_TRY(const auto document, parse_body(body, 3 * limits::kPeersPerFrame));
  KITH_TRY(const auto list, need(document.root().find_list("p"), "peers: list"));
  if (list.size() > limits::kPeersPerFrame) return oversized_frame("peers");
  PeersFrame out;
  for (const bencode::Value item : list) {
    KITH_TRY(const Entry peer, decode_peer(item));
    out.peers.push_back(peer);
  }
  return out;
}

}  // namespace kith
