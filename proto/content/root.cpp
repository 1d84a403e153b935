#include "proto/content/root.hpp"

#include "proto/assert.hpp"
#include "proto/content/fields.hpp"
#include "proto/content/paths.hpp"
#include "proto/content/root_check.hpp"
#include "proto/limits.hpp"

namespace kith {
namespace {

constexpr std::int64_t kVersion = 1;
constexpr std::size_t kConvBytes = 32;
constexpr bencode::ParseLimits kRootLimits{.depth = 3, .tokens = limits::kPageTokens};

Error malformed(const char* what) { return peer_error(Errc::kMalformed, what); }

std::int64_t as_integer(std::uint64_t value) {
  KITH_ASSERT(value <= INT64_MAX);
  return static_cast<std::int64_t>(value);
}

void encode_chunking(bencode::Writer& out, const Chunking& c) {
  out.list().integer(static_cast<std::int64_t>(c.mode));
  for (const std::uint32_t value : {c.min, c.average, c.max, c.fixed, c.large_file, c.pack_min,
                                    c.pack_max, c.pack_files, c.pack_entry_bytes, c.page_target}) {
    out.integer(value);
  }
  out.end();
}

Result<Chunking> decode_chunking(const bencode::Value& list) {
  Fields fields(list);
  Chunking c;
  const auto mode = fields.unsigned_integer<std::uint8_t>();
  c.mode = static_cast<ChunkingMode>(mode);
  for (std::uint32_t* value : {&c.min, &c.average, &c.max, &c.fixed, &c.large_file, &c.pack_min,
                               &c.pack_max, &c.pack_files, &c.pack_entry_bytes, &c.page_target}) {
    *value = fields.unsigned_integer<std::uint32_t>();
  }
  if (!fields.ok()) return malformed("root has malformed chunking");
  return c;
}

void encode_totals(bencode::Writer& out, const Totals& t) {
  out.list();
  for (const std::uint64_t value :
       {t.bytes, t.files, t.directories, t.symlinks, t.chunks, t.stored}) {
    out.integer(as_integer(value));
  }
  out.end();
}

Result<Totals> decode_totals(const bencode::Value& list) {
  Fields fields(list);
  Totals t;
  for (std::uint64_t* value :
       {&t.bytes, &t.files, &t.directories, &t.symlinks, &t.chunks, &t.stored}) {
    *value = fields.unsigned_integer<std::uint64_t>();
  }
  if (!fields.ok()) return malformed("root has malformed totals");
  return t;
}

void encode_ref(bencode::Writer& out, const PageRef& ref) {
  Buffer id_and_key = to_buffer(ref.id.view());
  append(id_and_key, ref.key.view());
  out.list().string(id_and_key).integer(ref.length).integer(ref.chunks).integer(ref.entries);
  out.integer(ref.shares_first ? 1 : 0).integer(as_integer(ref.bytes)).string(ref.first_path);
  out.end();
}

Result<PageRef> decode_ref(const bencode::Value& list) {
  Fields fields(list);
  PageRef ref;
  const Bytes id_and_key = as_bytes(fields.text());
  ref.length = fields.unsigned_integer<std::uint32_t>();
  ref.chunks = fields.unsigned_integer<std::uint32_t>();
  ref.entries = fields.unsigned_integer<std::uint32_t>();
  const std::int64_t shares_first = fields.integer();
  ref.bytes = fields.unsigned_integer<std::uint64_t>();
  ref.first_path = fields.text();
  const bool is_flag = shares_first == 0 || shares_first == 1;
  if (!fields.ok() || id_and_key.size() != 64 || !is_flag) {
    return malformed("root has a malformed page reference");
  }
  ref.id = *ChunkId::from(id_and_key.first(32));
  ref.key = *ChunkKey::from(id_and_key.last(32));
  ref.shares_first = shares_first == 1;
  return ref;
}

Result<Root> decode_fields(const bencode::Value& dict) {
  const auto version = dict.find_integer("v");
  if (!version) return malformed("root has no version");
  if (*version != kVersion) return peer_error(Errc::kUnsupported, "root has an unknown version");
  const auto chunking = dict.find("c");
  const auto name = dict.find_string("n");
  const auto pages = dict.find_list("p");
  const auto single = dict.find_integer("s");
  const auto totals = dict.find("t");
  const auto conv = dict.find_string("x");
  const bool complete = chunking && name && pages && single && totals;
  if (!complete || dict.size() != (conv ? 7 : 6) || (*single != 0 && *single != 1)) {
    return malformed("root has missing, foreign or surplus keys");
  }
  if (conv && conv->size() != kConvBytes) return malformed("root has a malformed conv");
  Root root;
  root.name = as_text(*name);
  root.single_file = *single == 1;
  KITH_TRY(root.chunking, decode_chunking(*chunking));
  KITH_TRY(root.totals, decode_totals(*totals));
  if (conv) root.private_conv = to_buffer(*conv);
  root.pages.reserve(pages->size());
  for (const bencode::Value page : *pages) {
    KITH_TRY(PageRef ref, decode_ref(page));
    root.pages.push_back(std::move(ref));
  }
  return root;
}

}  // namespace

Buffer Root::encode() const {
  Buffer out;
  bencode::Writer writer(out);
  writer.dict().key("c");
  encode_chunking(writer, chunking);
  writer.string("n", name).key("p").list();
  for (const PageRef& ref : pages) encode_ref(writer, ref);
  writer.end().integer("s", single_file ? 1 : 0).key("t");
  encode_totals(writer, totals);
  writer.integer("v", kVersion);
  if (!private_conv.empty()) writer.string("x", private_conv);
  writer.end();
  return out;
}

Result<Root> Root::decode(Bytes plaintext) {
  if (plaintext.size() > limits::kPageMax) return peer_error(Errc::kLimit, "root is over 1 MiB");
  KITH_TRY(const bencode::Document document, bencode::parse(plaintext, kRootLimits));
  KITH_TRY(Root root, decode_fields(document.root()));
  KITH_CHECK(check_root(root));
  return root;
}

}  // namespace kith
