#include "proto/wire/frame_codec.hpp"

namespace kith::wire {

Result<bencode::Document> parse_body(Bytes body, std::size_t elements) {
  if (body.size() >= limits::kFrameMax) return oversized_frame("body");
  KITH_TRY(auto document, bencode::parse(body, {.tokens = kBodyTokens + elements}));
  if (document.root().kind() != bencode::Kind::kDict) return malformed_frame("not a dictionary");
  return document;
}

Error malformed_frame(const char* what) {
  return peer_error(Errc::kMalformed, std::string("frame: missing or wrong: ") + what);
}

Error oversized_frame(const char* what) {
  return peer_error(Errc::kLimit, std::string("frame: over the limit: ") + what);
}

Result<Bytes> need_string(bencode::Value body, std::string_view key, std::size_t limit,
                          const char* what) {
  const auto bytes = body.find_string(key);
  if (!bytes) return malformed_frame(what);
  if (bytes->size() > limit) return oversized_frame(what);
  return *bytes;
}

Result<Handle> need_handle(bencode::Value body) {
  return need(body.find_unsigned<Handle>("h"), "handle");
}

Result<ChunkIndex> need_index(bencode::Value body) {
  KITH_TRY(const ChunkIndex index, need(body.find_unsigned<ChunkIndex>("i"), "index"));
  if (index >= limits::kIndicesMax) return oversized_frame("index");
  return index;
}

}  // namespace kith::wire
