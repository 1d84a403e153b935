// Frames about chunks: watch, have_set, have, want, cancel, chunk, refuse, bad.
#include "proto/slab.hpp"
#include "proto/wire/frame_codec.hpp"

namespace kith {

using namespace wire;

namespace {

/// The frames that hold a handle and an index and nothing else.
template <class Frame>
Buffer encode_ref(FrameType type, const Frame& frame) {
  return encode_frame(type,
                      [&](auto& w) { w.integer("h", frame.handle).integer("i", frame.index); });
}

template <class Frame>
Result<Frame> decode_ref(Bytes body) {
  KITH_TRY(const auto document, parse_body(body));
  Frame out;
  KITH_TRY(out.handle, need_handle(document.root()));
  KITH_TRY(out.index, need_index(document.root()));
  return out;
}

}  // namespace

Buffer WantFrame::encode() const { return encode_ref(FrameType::kWant, *this); }
Result<WantFrame> WantFrame::decode(Bytes body) { return decode_ref<WantFrame>(body); }

Buffer RefuseFrame::encode() const { return encode_ref(FrameType::kRefuse, *this); }
Result<RefuseFrame> RefuseFrame::decode(Bytes body) { return decode_ref<RefuseFrame>(body); }

Buffer BadFrame::encode() const { return encode_ref(FrameType::kBad, *this); }
Result<BadFrame> BadFrame::decode(Bytes body) { return decode_ref<BadFrame>(body); }

Buffer WatchFrame::encode() const {
  return encode_frame(FrameType::kWatch,
                      [&](auto& w) { w.integer("h", handle).string("s", share.view()); });
}

Result<WatchFrame> WatchFrame::decode(Bytes body) {
  KITH_TRY(const auto document, parse_body(body));
  WatchFrame out;
  KITH_TRY(out.handle, need_handle(document.root()));
  KITH_TRY(out.share, need(document.root().find_fixed<ShareId>("s"), "watch: share"));
  return out;
}

Buffer HaveSetFrame::encode() const {
  KITH_ASSERT(bits.size() <= limits::kHaveBytesPerFrame && first % 8 == 0);
  return encode_frame(FrameType::kHaveSet, [&](auto& w) {
    w.string("b", Bytes(bits)).integer("f", first).integer("h", handle).integer("t", total);
  });
}

namespace {

/// The range lies within the share, to the byte, and no bit at or past `total` is set.
Result<void> check_range(const HaveSetFrame& set) {
  if (set.total > limits::kIndicesMax) return oversized_frame("have_set: total");
  if (set.first % 8 != 0 || set.first > set.total) return malformed_frame("have_set: first");
  const std::uint64_t stop = std::uint64_t{set.first} + 8 * std::uint64_t{set.bits.size()};
  if (stop >= std::uint64_t{set.total} + 8) return malformed_frame("have_set: range");
  if (stop > set.total) {
    const auto spare = static_cast<unsigned>(stop - set.total);
    if ((set.bits.back() & ((1U << spare) - 1)) != 0)
      return malformed_frame("have_set: spare bits");
  }
  return {};
}

}  // namespace

Result<HaveSetFrame> HaveSetFrame::decode(Bytes body) {
  KITH_TRY(const auto document, parse_body(body));
  const bencode::Value root = document.root();
  HaveSetFrame out;
  KITH_TRY(const Bytes bits, need_string(root, "b", limits::kHaveBytesPerFrame, "have_set: bits"));
  KITH_TRY(out.first, need(root.find_unsigned<ChunkIndex>("f"), "have_set: first"));
  KITH_TRY(out.handle, need_handle(root));
  KITH_TRY(out.total, need(root.find_unsigned<ChunkIndex>("t"), "have_set: total"));
  out.bits = to_buffer(bits);
  KITH_CHECK(check_range(out));
  return out;
}

Buffer HaveFrame::encode() const {
  KITH_ASSERT(indices.size() <= limits::kHavePerFrame);
  return encode_frame(FrameType::kHave, [&](auto& w) {
    w.integer("h", handle).key("i").list();
    for (const ChunkIndex index : indices) w.integer(index);
    w.end();
  });
}

Result<HaveFrame> HaveFrame::decode(Bytes body) {
  KITH_TRY(const auto document, parse_body(body, limits::kHavePerFrame));
  HaveFrame out;
  KITH_TRY(out.handle, need_handle(document.root()));
  KITH_TRY(const auto list, need(document.root().find_list("i"), "have: indices"));
  if (list.size() > limits::kHavePerFrame) return oversized_frame("have: indices");
  out.indices.reserve(list.size());
  for (const bencode::Value item : list) {
    const auto index = item.integer();
    if (!index || *index < 0) return malformed_frame("have: index");
    if (static_cast<std::uint64_t>(*index) >= limits::kIndicesMax) {
      return oversized_frame("have: index");
    }
    out.indices.push_back(static_cast<ChunkIndex>(*index));
  }
  return out;
}

Buffer CancelFrame::encode() const {
  return encode_frame(FrameType::kCancel, [&](auto& w) {
    w.integer("h", handle);
    if (index) w.integer("i", *index);
  });
}

Result<CancelFrame> CancelFrame::decode(Bytes body) {
  KITH_TRY(const auto document, parse_body(body));
  CancelFrame out;
  KITH_TRY(out.handle, need_handle(document.root()));
  if (document.root().find("i")) {
    KITH_TRY(out.index, need_index(document.root()));
  }
  return out;
}

Buffer ChunkFrame::encode() const {
  KITH_ASSERT(section < limits::kSectionsMax);
  return encode_frame(FrameType::kChunk, [&](auto& w) {
    w.integer("h", handle).integer("i", index).integer("l", length).integer("o", offset);
    w.integer("s", static_cast<std::int64_t>(section)).integer("z", size);
  });
}

namespace {

Result<void> check_section(const ChunkFrame& chunk) {
  if (chunk.size > limits::kChunkMaxAllowed) return oversized_frame("chunk: size");
  if (chunk.section >= limits::kSectionsMax) return oversized_frame("chunk: section");
  if (chunk.length == 0) return malformed_frame("chunk: length");
  const std::uint64_t stop = std::uint64_t{chunk.offset} + chunk.length;
  if (stop > chunk.size) return malformed_frame("chunk: range");
  const bool last = stop == chunk.size;
  if (chunk.offset % kRecordBytes != 0 || (!last && chunk.length % kRecordBytes != 0)) {
    return malformed_frame("chunk: not whole records");
  }
  return {};
}

}  // namespace

Result<ChunkFrame> ChunkFrame::decode(Bytes body) {
  KITH_TRY(const auto document, parse_body(body));
  const bencode::Value root = document.root();
  ChunkFrame out;
  KITH_TRY(out.handle, need_handle(root));
  KITH_TRY(out.index, need_index(root));
  KITH_TRY(out.length, need(root.find_unsigned<std::uint32_t>("l"), "chunk: length"));
  KITH_TRY(out.offset, need(root.find_unsigned<std::uint32_t>("o"), "chunk: offset"));
  KITH_TRY(out.section, need(root.find_unsigned<Section>("s"), "chunk: section"));
  KITH_TRY(out.size, need(root.find_unsigned<std::uint32_t>("z"), "chunk: size"));
  KITH_CHECK(check_section(out));
  return out;
}

}  // namespace kith
