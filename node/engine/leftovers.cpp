#include "node/engine/leftovers.hpp"

#include <optional>

#include "proto/wire/bencode.hpp"

namespace kith::node {
namespace {

constexpr std::size_t kTokensEach = 16;

std::int64_t as_signed(std::uint64_t bits) { return static_cast<std::int64_t>(bits); }

std::optional<Leftover> decode_one(const bencode::Value& value) {
  const auto copy = value.find_integer("c");
  const auto directory = value.find_string("d");
  const auto inode = value.find_integer("i");
  const auto name = value.find_string("n");
  const auto share = value.find_fixed<ShareId>("s");
  const auto device = value.find_integer("v");
  if (!copy || !directory || !inode || !name || !share || !device) return std::nullopt;
  return Leftover{CopyId(*copy),
                  *share,
                  std::string(as_text(*directory)),
                  std::string(as_text(*name)),
                  static_cast<std::uint64_t>(*device),
                  static_cast<std::uint64_t>(*inode)};
}

Error damaged() {
  return local_error(Errc::kMalformed, "the list of stagings to be removed is damaged");
}

}  // namespace

std::string encode_leftovers(const std::vector<Leftover>& leftovers) {
  Buffer out;
  bencode::Writer writer(out);
  writer.list();
  for (const Leftover& leftover : leftovers) {
    writer.dict();
    writer.integer("c", static_cast<std::int64_t>(leftover.copy));
    writer.string("d", as_bytes(leftover.directory));
    writer.integer("i", as_signed(leftover.inode));
    writer.string("n", as_bytes(leftover.name));
    writer.string("s", leftover.share.view());
    writer.integer("v", as_signed(leftover.device)).end();
  }
  writer.end();
  return std::string(out.begin(), out.end());
}

Result<std::vector<Leftover>> decode_leftovers(std::string_view text) {
  std::vector<Leftover> out;
  if (text.empty()) return out;
  bencode::ParseLimits bounds;
  bounds.tokens = kLeftoversMax * kTokensEach;
  const auto document = bencode::parse(as_bytes(text), bounds);
  if (!document) return damaged();
  if (document->root().kind() != bencode::Kind::kList) return damaged();
  for (const bencode::Value value : document->root()) {
    auto leftover = decode_one(value);
    if (!leftover) return damaged();
    out.push_back(std::move(*leftover));
  }
  return out;
}

}  // namespace kith::node
