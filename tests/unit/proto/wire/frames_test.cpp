#include "proto/wire/frames.hpp"

#include <functional>
#include <gtest/gtest.h>
#include <string>

#include "proto/limits.hpp"
#include "proto/slab.hpp"

namespace kith {
namespace {

template <class Id>
Id filled(char c) {
  Id id;
  id.bytes.fill(static_cast<std::uint8_t>(c));
  return id;
}
std::string repeat(char c, std::size_t n) { return std::string(n, c); }
std::string text(std::string_view value) {
  return std::to_string(value.size()) + ":" + std::string(value);
}

template <class Frame>
Result<Frame> decode(std::string_view body) {
  return Frame::decode(as_bytes(body));
}

/// The frame encodes to exactly this type and body, and the body decodes to the frame.
template <class Frame>
void expect_golden(const Frame& frame, FrameType type, const std::string& body) {
  const Buffer encoded = frame.encode();
  ASSERT_FALSE(encoded.empty());
  EXPECT_EQ(encoded[0], static_cast<std::uint8_t>(type));
  EXPECT_EQ(as_text(Bytes(encoded).subspan(1)), body);
  const auto decoded = decode<Frame>(body);
  ASSERT_TRUE(decoded) << to_string(decoded.error());
  EXPECT_EQ(*decoded, frame);
}

/// What holds for the body of every frame: unknown keys do not matter, trailing bytes and every
/// truncation are refused, and so is anything but a dictionary.
template <class Frame>
void expect_robust(const std::string& body) {
  const auto plain = decode<Frame>(body);
  ASSERT_TRUE(plain) << body;
  const auto extended = decode<Frame>(body.substr(0, body.size() - 1) + "2:zzi1ee");
  ASSERT_TRUE(extended) << body;
  EXPECT_EQ(*extended, *plain);
  EXPECT_FALSE(decode<Frame>(body + "0:"));
  EXPECT_FALSE(decode<Frame>("l" + body + "e"));
  for (std::size_t n = 0; n < body.size(); ++n) EXPECT_FALSE(decode<Frame>(body.substr(0, n))) << n;
}

template <class Frame>
void expect_refused(const std::string& body, Errc code = Errc::kMalformed) {
  const auto decoded = decode<Frame>(body);
  ASSERT_FALSE(decoded) << body.substr(0, 200);
  EXPECT_EQ(decoded.error().code, code) << to_string(decoded.error());
  EXPECT_EQ(decoded.error().blame, Blame::kPeer);
}

TEST(Frames, Close) {
  expect_golden(CloseFrame{"bye"}, FrameType::kClose, "d1:r3:byee");
  expect_robust<CloseFrame>("d1:r3:byee");
  const std::string longest = repeat('x', limits::kCloseReasonMax);
  expect_golden(CloseFrame{longest}, FrameType::kClose, "d1:r" + text(longest) + "e");
  expect_refused<CloseFrame>("d1:r" + text(longest + "x") + "e", Errc::kLimit);
  expect_refused<CloseFrame>("de");
  expect_refused<CloseFrame>("d1:ri1ee");
}

TEST(Frames, PingAndPong) {
  expect_golden(PingFrame{7}, FrameType::kPing, "d1:ni7ee");
  expect_golden(PongFrame{UINT32_MAX}, FrameType::kPong, "d1:ni4294967295ee");
  expect_robust<PingFrame>("d1:ni7ee");
  expect_robust<PongFrame>("d1:ni0ee");
  expect_refused<PingFrame>("d1:ni-1ee");
  expect_refused<PingFrame>("d1:ni4294967296ee");
  expect_refused<PongFrame>("d1:n1:7e");
}

TEST(Frames, RosterHaveAndWant) {
  const std::string two = repeat('a', 32) + repeat('b', 32);
  expect_golden(RosterHaveFrame{{filled<OpId>('a'), filled<OpId>('b')}}, FrameType::kRosterHave,
                "d1:h" + text(two) + "e");
  expect_golden(RosterWantFrame{}, FrameType::kRosterWant, "d1:h0:e");
  expect_golden(RosterWantFrame{{filled<OpId>('a')}, filled<OpId>('b')}, FrameType::kRosterWant,
                "d1:f" + text(repeat('b', 32)) + "1:h" + text(repeat('a', 32)) + "e");
  expect_refused<RosterWantFrame>("d1:f" + text(repeat('b', 31)) + "1:h0:e");
  expect_robust<RosterHaveFrame>("d1:h" + text(two) + "e");
  expect_robust<RosterWantFrame>("d1:h" + text(two) + "e");
  expect_refused<RosterHaveFrame>("d1:h" + text(repeat('a', 31)) + "e");
  expect_refused<RosterWantFrame>("d1:h" + text(repeat('a', 33)) + "e");
  const std::size_t most = limits::kHeadsPerFrame;
  expect_golden(RosterHaveFrame{std::vector<OpId>(most, filled<OpId>('a'))}, FrameType::kRosterHave,
                "d1:h" + text(repeat('a', 32 * most)) + "e");
  expect_refused<RosterHaveFrame>("d1:h" + text(repeat('a', 32 * (most + 1))) + "e", Errc::kLimit);
}

TEST(Frames, RosterOps) {
  const RosterOpsFrame last{{to_buffer(as_bytes("one")), to_buffer(as_bytes("four"))}, false};
  expect_golden(last, FrameType::kRosterOps, "d1:ol3:one4:fouree");
  expect_golden(RosterOpsFrame{{}, true}, FrameType::kRosterOps, "d1:mi1e1:olee");
  expect_robust<RosterOpsFrame>("d1:mi1e1:ol3:one4:fouree");
  EXPECT_TRUE(decode<RosterOpsFrame>("d1:mi0e1:olee"));
  expect_refused<RosterOpsFrame>("d1:mi2e1:olee");
  expect_refused<RosterOpsFrame>("d1:m1:11:olee");
  expect_refused<RosterOpsFrame>("d1:ol0:ee");
  expect_refused<RosterOpsFrame>("d1:oli1eee");
  EXPECT_TRUE(decode<RosterOpsFrame>("d1:ol" + text(repeat('x', limits::kOpMax)) + "ee"));
  expect_refused<RosterOpsFrame>("d1:ol" + text(repeat('x', limits::kOpMax + 1)) + "ee",
                                 Errc::kLimit);
}

TEST(Frames, RosterOpsCount) {
  std::string most;
  for (std::size_t i = 0; i < limits::kOpsPerFrame; ++i) most += "1:x";
  EXPECT_TRUE(decode<RosterOpsFrame>("d1:ol" + most + "ee"));
  expect_refused<RosterOpsFrame>("d1:ol" + most + "1:xee", Errc::kLimit);
}

std::string wraps_body(int first, int total, const std::string& wraps) {
  return "d1:e32:" + repeat('e', 32) + "1:fi" + std::to_string(first) + "e1:ni" +
         std::to_string(total) + "e1:w" + text(wraps) + "e";
}

TEST(Frames, Wraps) {
  const std::string a = repeat('a', 32) + repeat('w', 112);
  const std::string b = repeat('b', 32) + repeat('w', 112);
  expect_golden(WrapsFrame{filled<OpId>('e'), 3, 5, to_buffer(as_bytes(a + b))}, FrameType::kWraps,
                wraps_body(3, 5, a + b));
  expect_robust<WrapsFrame>(wraps_body(3, 5, a + b));
  expect_refused<WrapsFrame>(wraps_body(4, 5, a + b));
  expect_refused<WrapsFrame>(wraps_body(3, 5, b + a));
  expect_refused<WrapsFrame>(wraps_body(3, 5, a + a));
  expect_refused<WrapsFrame>(wraps_body(3, 5, a + "x"));
  expect_refused<WrapsFrame>(wraps_body(-1, 5, a));
  EXPECT_TRUE(decode<WrapsFrame>(wraps_body(0, limits::kRosterOpsMax, a)));
  expect_refused<WrapsFrame>(wraps_body(0, limits::kRosterOpsMax + 1, a), Errc::kLimit);
}

TEST(Frames, WrapsCount) {
  std::string most;
  for (std::size_t i = 0; i <= limits::kWrapsPerFrame; ++i) {
    if (i == limits::kWrapsPerFrame) {
      EXPECT_TRUE(decode<WrapsFrame>(wraps_body(0, 1'000, most)));
    }
    std::string device = repeat('a', 32);
    device[0] = static_cast<char>(i >> 8);
    device[1] = static_cast<char>(i);
    most += device + repeat('w', 112);
  }
  expect_refused<WrapsFrame>(wraps_body(0, 1'000, most), Errc::kLimit);
}

std::string join_body(const std::string& binding, const std::string& name) {
  return "d1:b" + text(binding) + "1:i32:" + repeat('i', 32) + "1:n" + text(name) +
         "1:s64:" + repeat('s', 64) + "e";
}

TEST(Frames, Join) {
  JoinFrame join;
  join.invite = filled<decltype(join.invite)>('i');
  join.binding = to_buffer(as_bytes("binding"));
  join.name = "tower";
  join.signature = filled<decltype(join.signature)>('s');
  expect_golden(join, FrameType::kJoin, join_body("binding", "tower"));
  expect_robust<JoinFrame>(join_body("binding", "tower"));
  expect_refused<JoinFrame>(join_body("", "tower"));
  expect_refused<JoinFrame>(join_body("binding", ""));
  expect_refused<JoinFrame>(join_body("binding", "\xff\xfe"));
  EXPECT_TRUE(decode<JoinFrame>(join_body(repeat('b', limits::kBindingMax), "t")));
  expect_refused<JoinFrame>(join_body(repeat('b', limits::kBindingMax + 1), "t"), Errc::kLimit);
  EXPECT_TRUE(decode<JoinFrame>(join_body("b", repeat('n', limits::kDeviceNameMax))));
  expect_refused<JoinFrame>(join_body("b", repeat('n', limits::kDeviceNameMax + 1)), Errc::kLimit);
}

TEST(Frames, JoinAnswer) {
  JoinAnswerFrame in;
  in.state = JoinAnswerFrame::State::kIn;
  in.secrets = to_buffer(as_bytes("sealed"));
  expect_golden(in, FrameType::kJoinAnswer, "d1:si0e1:x6:sealede");
  JoinAnswerFrame waiting;
  waiting.state = JoinAnswerFrame::State::kWaiting;
  waiting.waiting_for = filled<DeviceId>('d');
  expect_golden(waiting, FrameType::kJoinAnswer, "d1:d32:" + repeat('d', 32) + "1:si1ee");
  JoinAnswerFrame refused;
  refused.reason = "expired";
  expect_golden(refused, FrameType::kJoinAnswer, "d1:r7:expired1:si2ee");
  expect_robust<JoinAnswerFrame>("d1:si0e1:x6:sealede");
  expect_refused<JoinAnswerFrame>("d1:si0ee");
  expect_refused<JoinAnswerFrame>("d1:si0e1:x0:e");
  expect_refused<JoinAnswerFrame>("d1:si1ee");
  expect_refused<JoinAnswerFrame>("d1:si2ee");
  expect_refused<JoinAnswerFrame>("d1:r1:x1:si3ee");
  const std::string most = repeat('x', limits::kJoinSecretsMax);
  EXPECT_TRUE(decode<JoinAnswerFrame>("d1:si0e1:x" + text(most) + "e"));
  expect_refused<JoinAnswerFrame>("d1:si0e1:x" + text(most + "x") + "e", Errc::kLimit);
}

TEST(Frames, JoinAnswerSaysOnlyWhatItsStateSays) {
  JoinAnswerFrame refused;
  refused.reason = "expired";
  refused.secrets = to_buffer(as_bytes("secret"));
  refused.waiting_for = filled<DeviceId>('d');
  const Buffer encoded = refused.encode();
  EXPECT_EQ(as_text(Bytes(encoded).subspan(1)), "d1:r7:expired1:si2ee");
}

TEST(Frames, Watch) {
  const std::string body = "d1:hi3e1:s32:" + repeat('s', 32) + "e";
  expect_golden(WatchFrame{3, filled<ShareId>('s')}, FrameType::kWatch, body);
  expect_robust<WatchFrame>(body);
  expect_refused<WatchFrame>("d1:hi3e1:s31:" + repeat('s', 31) + "e");
  expect_refused<WatchFrame>("d1:hi4294967296e1:s32:" + repeat('s', 32) + "e");
}

std::string have_set_body(std::uint64_t first, std::uint64_t total, const std::string& bits) {
  return "d1:b" + text(bits) + "1:fi" + std::to_string(first) + "e1:hi1e1:ti" +
         std::to_string(total) + "ee";
}

TEST(Frames, HaveSet) {
  expect_golden(HaveSetFrame{1, 8, 20, {0xff, 0xf0}}, FrameType::kHaveSet,
                have_set_body(8, 20, "\xff\xf0"));
  expect_golden(HaveSetFrame{1, 0, 0, {}}, FrameType::kHaveSet, have_set_body(0, 0, ""));
  expect_robust<HaveSetFrame>(have_set_body(8, 20, "\xff\xf0"));
  EXPECT_TRUE(decode<HaveSetFrame>(have_set_body(8, 24, "\xff\xff")));
  EXPECT_TRUE(decode<HaveSetFrame>(have_set_body(8, 17, "\xff\x80")));
  expect_refused<HaveSetFrame>(have_set_body(8, 17, "\xff\xc0"));
  expect_refused<HaveSetFrame>(have_set_body(8, 16, "\xff\x80"));
  expect_refused<HaveSetFrame>(have_set_body(8, 16, std::string("\xff\0", 2)));
  expect_refused<HaveSetFrame>(have_set_body(7, 20, "\xff"));
  expect_refused<HaveSetFrame>(have_set_body(24, 20, ""));
  expect_refused<HaveSetFrame>(have_set_body(0, 0, std::string(1, '\0')));
}

TEST(Frames, HaveSetLimits) {
  const std::uint64_t most = limits::kIndicesMax;
  EXPECT_TRUE(decode<HaveSetFrame>(have_set_body(0, most, "")));
  expect_refused<HaveSetFrame>(have_set_body(0, most + 1, ""), Errc::kLimit);
  const std::string widest = repeat('\xff', limits::kHaveBytesPerFrame);
  const HaveSetFrame full{1, 0, ChunkIndex{1'000'000}, to_buffer(as_bytes(widest))};
  expect_golden(full, FrameType::kHaveSet, have_set_body(0, 1'000'000, widest));
  expect_refused<HaveSetFrame>(have_set_body(0, 1'000'000, widest + "x"), Errc::kLimit);
}

TEST(Frames, Have) {
  expect_golden(HaveFrame{2, {0, 5, 4}}, FrameType::kHave, "d1:hi2e1:ili0ei5ei4eee");
  expect_robust<HaveFrame>("d1:hi2e1:ili0ei5ei4eee");
  expect_refused<HaveFrame>("d1:hi2e1:ili-1eee");
  expect_refused<HaveFrame>("d1:hi2e1:il1:0ee");
  const auto index = [](std::uint64_t i) { return "d1:hi2e1:ili" + std::to_string(i) + "eee"; };
  EXPECT_TRUE(decode<HaveFrame>(index(limits::kIndicesMax - 1)));
  expect_refused<HaveFrame>(index(limits::kIndicesMax), Errc::kLimit);
  std::string most;
  for (std::size_t i = 0; i < limits::kHavePerFrame; ++i) most += "i1e";
  EXPECT_TRUE(decode<HaveFrame>("d1:hi2e1:il" + most + "ee"));
  expect_refused<HaveFrame>("d1:hi2e1:il" + most + "i1eee", Errc::kLimit);
}

template <class Frame>
void expect_reference(FrameType type) {
  expect_golden(Frame{9, 4}, type, "d1:hi9e1:ii4ee");
  expect_robust<Frame>("d1:hi9e1:ii4ee");
  expect_refused<Frame>("d1:hi9ee");
  expect_refused<Frame>("d1:ii4ee");
  expect_refused<Frame>("d1:hi9e1:ii-4ee");
  EXPECT_TRUE(decode<Frame>("d1:hi9e1:ii" + std::to_string(limits::kIndicesMax - 1) + "ee"));
  expect_refused<Frame>("d1:hi9e1:ii" + std::to_string(limits::kIndicesMax) + "ee", Errc::kLimit);
}

TEST(Frames, WantRefuseBad) {
  expect_reference<WantFrame>(FrameType::kWant);
  expect_reference<RefuseFrame>(FrameType::kRefuse);
  expect_reference<BadFrame>(FrameType::kBad);
}

TEST(Frames, Cancel) {
  expect_golden(CancelFrame{9, 4}, FrameType::kCancel, "d1:hi9e1:ii4ee");
  expect_golden(CancelFrame{9, std::nullopt}, FrameType::kCancel, "d1:hi9ee");
  expect_robust<CancelFrame>("d1:hi9e1:ii4ee");
  expect_robust<CancelFrame>("d1:hi9ee");
  expect_refused<CancelFrame>("d1:hi9e1:i1:4e");
}

std::string chunk_body(std::uint64_t length, std::uint64_t offset, std::uint64_t section,
                       std::uint64_t size) {
  return "d1:hi1e1:ii2e1:li" + std::to_string(length) + "e1:oi" + std::to_string(offset) + "e1:si" +
         std::to_string(section) + "e1:zi" + std::to_string(size) + "ee";
}

TEST(Frames, Chunk) {
  constexpr std::uint64_t kRecord = kRecordBytes;
  ChunkFrame chunk;
  chunk.handle = 1;
  chunk.index = 2;
  chunk.offset = kRecord;
  chunk.length = 100;
  chunk.size = kRecord + 100;
  chunk.section = 77;
  expect_golden(chunk, FrameType::kChunk, chunk_body(100, kRecord, 77, kRecord + 100));
  expect_robust<ChunkFrame>(chunk_body(100, kRecord, 77, kRecord + 100));
  EXPECT_TRUE(decode<ChunkFrame>(chunk_body(1, 0, 0, 1)));
  EXPECT_TRUE(decode<ChunkFrame>(chunk_body(2 * kRecord, kRecord, 0, 9 * kRecord)));
  expect_refused<ChunkFrame>(chunk_body(0, 0, 0, 1));
  expect_refused<ChunkFrame>(chunk_body(2, 0, 0, 1));
  expect_refused<ChunkFrame>(chunk_body(100, kRecord - 1, 0, kRecord + 99));
  expect_refused<ChunkFrame>(chunk_body(kRecord - 1, 0, 0, kRecord));
  expect_refused<ChunkFrame>(chunk_body(kRecord, 4294967295, 0, kRecord));
}

TEST(Frames, ChunkLimits) {
  constexpr std::uint64_t kMost = limits::kChunkMaxAllowed;
  EXPECT_TRUE(decode<ChunkFrame>(chunk_body(kMost, 0, 0, kMost)));
  expect_refused<ChunkFrame>(chunk_body(kMost + 1, 0, 0, kMost + 1), Errc::kLimit);
  EXPECT_TRUE(decode<ChunkFrame>(chunk_body(1, 0, limits::kSectionsMax - 1, 1)));
  expect_refused<ChunkFrame>(chunk_body(1, 0, limits::kSectionsMax, 1), Errc::kLimit);
}

TEST(Frames, Peers) {
  const Endpoint v4 = *Endpoint::parse("192.0.2.1:5484");
  const Endpoint v6 = *Endpoint::parse("[2001:db8::1]:5484");
  const PeersFrame peers{{{filled<DeviceId>('a'), v4}, {filled<DeviceId>('b'), v6}}};
  const std::string body = "d1:pll32:" + repeat('a', 32) + text(as_text(v4.compact())) +
                           "el32:" + repeat('b', 32) + text(as_text(v6.compact())) + "eee";
  expect_golden(peers, FrameType::kPeers, body);
  expect_robust<PeersFrame>(body);
  expect_golden(PeersFrame{}, FrameType::kPeers, "d1:plee");
}

TEST(Frames, PeersRefused) {
  const std::string device = "32:" + repeat('a', 32);
  const std::string good = "6:" + std::string("\xc0\x00\x02\x01\x15\x6c", 6);
  const auto list = [](const std::string& items) { return "d1:pl" + items + "ee"; };
  EXPECT_TRUE(decode<PeersFrame>(list("l" + device + good + "e")));
  expect_refused<PeersFrame>(list("l" + device + "e"));
  expect_refused<PeersFrame>(list("l" + device + good + good + "e"));
  expect_refused<PeersFrame>(list("l" + good + device + "e"));
  expect_refused<PeersFrame>(list("l" + device + "i1ee"));
  expect_refused<PeersFrame>(list("li1e" + good + "e"));
  expect_refused<PeersFrame>(list("l" + device + "5:abcdee"));
  expect_refused<PeersFrame>(
      list("l" + device + "6:" + std::string("\xc0\x00\x02\x01\0\0", 6) + "e"));
  expect_refused<PeersFrame>(list(device + good));
  std::string most;
  for (std::size_t i = 0; i < limits::kPeersPerFrame; ++i) most += "l" + device + good + "e";
  EXPECT_TRUE(decode<PeersFrame>(list(most)));
  expect_refused<PeersFrame>(list(most + "l" + device + good + "e"), Errc::kLimit);
}

TEST(Frames, BodiesAreBounded) {
  const std::string padding = repeat('x', limits::kFrameMax);
  expect_refused<PingFrame>("d1:ni7e1:x" + text(padding) + "e", Errc::kLimit);
  std::string keys;
  for (int i = 0; i < 1'000; ++i) keys += "4:k" + std::to_string(1000 + i).substr(1) + "i0e";
  expect_refused<PingFrame>("d" + keys + "1:ni7ee", Errc::kLimit);
}

TEST(FramesDeath, EncodingOverALimitIsABugOfOurs) {
  EXPECT_DEATH((void)CloseFrame{repeat('x', limits::kCloseReasonMax + 1)}.encode(), "reason");
  EXPECT_DEATH((void)(HaveFrame{1, std::vector<ChunkIndex>(limits::kHavePerFrame + 1)}.encode()),
               "indices");
  std::vector<Buffer> ops(16, Buffer(limits::kOpMax, 'x'));
  EXPECT_DEATH((void)(RosterOpsFrame{ops, false}.encode()), "kFrameMax");
}

}  // namespace
}  // namespace kith
