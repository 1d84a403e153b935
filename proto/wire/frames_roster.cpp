// Frames about membership: roster_have, roster_want, roster_ops, wraps, join, join_answer.
#include "proto/text.hpp"
#include "proto/wire/frame_codec.hpp"

namespace kith {

using namespace wire;

namespace {

constexpr std::size_t kWrapBytes = DeviceId::kSize + 112;  // device id ‖ sealed box

Buffer join_heads(const std::vector<OpId>& heads) {
  KITH_ASSERT(heads.size() <= limits::kHeadsPerFrame);
  Buffer joined;
  for (const OpId& head : heads) append(joined, head.view());
  return joined;
}

Result<std::vector<OpId>> decode_heads(bencode::Value root) {
  KITH_TRY(const Bytes joined,
           need_string(root, "h", limits::kHeadsPerFrame * OpId::kSize, "roster: heads"));
  if (joined.size() % OpId::kSize != 0) return malformed_frame("roster: heads");
  std::vector<OpId> heads;
  for (std::size_t at = 0; at < joined.size(); at += OpId::kSize) {
    heads.push_back(*OpId::from(joined.subspan(at, OpId::kSize)));
  }
  return heads;
}

}  // namespace

Buffer RosterHaveFrame::encode() const {
  return encode_frame(FrameType::kRosterHave, [&](auto& w) { w.string("h", join_heads(heads)); });
}

Result<RosterHaveFrame> RosterHaveFrame::decode(Bytes body) {
  KITH_TRY(const auto document, parse_body(body));
  KITH_TRY(auto heads, decode_heads(document.root()));
  return RosterHaveFrame{std::move(heads)};
}

Buffer RosterWantFrame::encode() const {
  return encode_frame(FrameType::kRosterWant, [&](auto& w) {
    if (after) w.string("f", after->view());
    w.string("h", join_heads(have));
  });
}

Result<RosterWantFrame> RosterWantFrame::decode(Bytes body) {
  KITH_TRY(const auto document, parse_body(body));
  KITH_TRY(auto heads, decode_heads(document.root()));
  RosterWantFrame out{std::move(heads)};
  if (document.root().find("f")) {
    KITH_TRY(out.after, need(document.root().find_fixed<OpId>("f"), "roster_want: after"));
  }
  return out;
}

Buffer RosterOpsFrame::encode() const {
  KITH_ASSERT(ops.size() <= limits::kOpsPerFrame);
  return encode_frame(FrameType::kRosterOps, [&](auto& w) {
    if (more) w.integer("m", 1);
    w.key("o").list();
    for (const Buffer& op : ops) {
      KITH_ASSERT(!op.empty() && op.size() <= limits::kOpMax);
      w.string(Bytes(op));
    }
    w.end();
  });
}

Result<RosterOpsFrame> RosterOpsFrame::decode(Bytes body) {
  KITH_TRY(const auto document, parse_body(body, limits::kOpsPerFrame));
  KITH_TRY(const auto list, need(document.root().find_list("o"), "roster_ops: list"));
  if (list.size() > limits::kOpsPerFrame) return oversized_frame("roster_ops");
  RosterOpsFrame out;
  for (const bencode::Value item : list) {
    const auto op = item.string();
    if (!op || op->empty()) return malformed_frame("roster_ops: operation");
    if (op->size() > limits::kOpMax) return oversized_frame("roster_ops: operation");
    out.ops.push_back(to_buffer(*op));
  }
  if (const auto more = document.root().find("m")) {
    const auto flag = more->integer();
    if (flag != 0 && flag != 1) return malformed_frame("roster_ops: more");
    out.more = flag == 1;
  }
  return out;
}

Buffer WrapsFrame::encode() const {
  KITH_ASSERT(wraps.size() % kWrapBytes == 0);
  KITH_ASSERT(wraps.size() <= limits::kWrapsPerFrame * kWrapBytes);
  return encode_frame(FrameType::kWraps, [&](auto& w) {
    w.string("e", epoch.view()).integer("f", first).integer("n", total).string("w", Bytes(wraps));
  });
}

namespace {

bool ascending_by_device(Bytes wraps) {
  for (std::size_t at = kWrapBytes; at < wraps.size(); at += kWrapBytes) {
    const auto before = wraps.subspan(at - kWrapBytes, DeviceId::kSize);
    const auto here = wraps.subspan(at, DeviceId::kSize);
    if (std::memcmp(before.data(), here.data(), DeviceId::kSize) >= 0) return false;
  }
  return true;
}

}  // namespace

Result<WrapsFrame> WrapsFrame::decode(Bytes body) {
  KITH_TRY(const auto document, parse_body(body));
  const bencode::Value root = document.root();
  WrapsFrame out;
  KITH_TRY(out.epoch, need(root.find_fixed<OpId>("e"), "wraps: epoch"));
  KITH_TRY(out.first, need(root.find_unsigned<std::uint32_t>("f"), "wraps: first"));
  KITH_TRY(out.total, need(root.find_unsigned<std::uint32_t>("n"), "wraps: total"));
  KITH_TRY(const Bytes wraps,
           need_string(root, "w", limits::kWrapsPerFrame * kWrapBytes, "wraps: wraps"));
  if (out.total > limits::kRosterOpsMax) return oversized_frame("wraps: total");
  if (wraps.size() % kWrapBytes != 0) return malformed_frame("wraps: wraps");
  const std::uint64_t last = std::uint64_t{out.first} + wraps.size() / kWrapBytes;
  if (last > out.total) return malformed_frame("wraps: range");
  if (!ascending_by_device(wraps)) return malformed_frame("wraps: order");
  out.wraps = to_buffer(wraps);
  return out;
}

Buffer JoinFrame::encode() const {
  KITH_ASSERT(binding.size() <= limits::kBindingMax && name.size() <= limits::kDeviceNameMax);
  return encode_frame(FrameType::kJoin, [&](auto& w) {
    w.string("b", Bytes(binding)).string("i", invite.view());
    w.string("n", name).string("s", signature.view());
  });
}

Result<JoinFrame> JoinFrame::decode(Bytes body) {
  KITH_TRY(const auto document, parse_body(body));
  const bencode::Value root = document.root();
  JoinFrame out;
  KITH_TRY(const Bytes binding, need_string(root, "b", limits::kBindingMax, "join: binding"));
  KITH_TRY(out.invite, need(root.find_fixed<decltype(out.invite)>("i"), "join: invite"));
  KITH_TRY(const Bytes name, need_string(root, "n", limits::kDeviceNameMax, "join: name"));
  KITH_TRY(out.signature, need(root.find_fixed<decltype(out.signature)>("s"), "join: signature"));
  if (binding.empty()) return malformed_frame("join: binding");
  if (name.empty() || !is_utf8(as_text(name))) return malformed_frame("join: name");
  out.binding = to_buffer(binding);
  out.name = as_text(name);
  return out;
}

Buffer JoinAnswerFrame::encode() const {
  KITH_ASSERT(reason.size() <= limits::kCloseReasonMax);
  KITH_ASSERT(secrets.size() <= limits::kJoinSecretsMax);
  KITH_ASSERT(state != State::kWaiting || waiting_for);
  KITH_ASSERT(state != State::kIn || !secrets.empty());
  return encode_frame(FrameType::kJoinAnswer, [&](auto& w) {
    if (state == State::kWaiting) w.string("d", waiting_for->view());
    if (state == State::kRefused) w.string("r", reason);
    w.integer("s", static_cast<int>(state));
    if (state == State::kIn) w.string("x", Bytes(secrets));
  });
}

Result<JoinAnswerFrame> JoinAnswerFrame::decode(Bytes body) {
  KITH_TRY(const auto document, parse_body(body));
  const bencode::Value root = document.root();
  KITH_TRY(const auto state, need(root.find_unsigned<std::uint8_t>("s"), "join_answer: state"));
  if (state > 2) return malformed_frame("join_answer: state");
  JoinAnswerFrame out;
  out.state = static_cast<State>(state);
  if (out.state == State::kWaiting) {
    KITH_TRY(out.waiting_for, need(root.find_fixed<DeviceId>("d"), "join_answer: device"));
  } else if (out.state == State::kRefused) {
    KITH_TRY(const Bytes text,
             need_string(root, "r", limits::kCloseReasonMax, "join_answer: reason"));
    out.reason = as_text(text);
  } else {
    KITH_TRY(const Bytes secrets,
             need_string(root, "x", limits::kJoinSecretsMax, "join_answer: secrets"));
    if (secrets.empty()) return malformed_frame("join_answer: secrets");
    out.secrets = to_buffer(secrets);
  }
  return out;
}

}  // namespace kith
