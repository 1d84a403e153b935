// What the frames_*.cpp files share: the envelope of an encoded frame, and required fields of a
// body. Private to proto/wire.
#pragma once

#include <optional>
#include <string>

#include "proto/assert.hpp"
#include "proto/limits.hpp"
#include "proto/wire/bencode.hpp"
#include "proto/wire/frames.hpp"

namespace kith::wire {

/// u8 type ‖ dictionary; `fields` writes the keys, in ascending order.
template <class Fields>
[[nodiscard]] Buffer encode_frame(FrameType type, Fields&& fields) {
  Buffer out{static_cast<std::uint8_t>(type)};
  {
    bencode::Writer writer(out);
    writer.dict();
    fields(writer);
    writer.end();
  }
  KITH_ASSERT(out.size() <= limits::kFrameMax);
  return out;
}

/// Values that a body may have beside the elements of its one long list: known and unknown keys.
inline constexpr std::size_t kBodyTokens = 128;

/// Parses a body, which is a dictionary. `elements` is the limit of its long list, if it has one.
[[nodiscard]] Result<bencode::Document> parse_body(Bytes body, std::size_t elements = 0);

/// kMalformed, or kLimit, with blame peer; `what` names the field.
[[nodiscard]] Error malformed_frame(const char* what);
[[nodiscard]] Error oversized_frame(const char* what);

/// The value, or an error that names the field.
template <class T>
[[nodiscard]] Result<T> need(std::optional<T> field, const char* what) {
  if (!field) return malformed_frame(what);
  return *std::move(field);
}
/// A string of at most `limit` bytes.
[[nodiscard]] Result<Bytes> need_string(bencode::Value body, std::string_view key,
                                        std::size_t limit, const char* what);
/// {h: handle}.
[[nodiscard]] Result<Handle> need_handle(bencode::Value body);
/// {i: index}, below kIndicesMax.
[[nodiscard]] Result<ChunkIndex> need_index(bencode::Value body);

}  // namespace kith::wire
