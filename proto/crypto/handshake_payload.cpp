#include "proto/crypto/handshake_payload.hpp"

#include <algorithm>

#include "proto/assert.hpp"
#include "proto/wire/bencode.hpp"

namespace kith {
namespace {

constexpr std::string_view kFirstLabel = "kith/1 first";

Bytes bytes_of(const std::optional<DeviceId>& to) { return to ? to->view() : Bytes{}; }

Buffer signed_part(const FirstMessage& first, const noise::Hash& h) {
  Buffer out = to_buffer(h);
  append_be(out, static_cast<std::uint64_t>(count(first.time)));
  append(out, bytes_of(first.to));
  return out;
}

}  // namespace

Buffer FirstMessage::encode(const SignKeys& signer, const noise::Hash& h) const {
  KITH_ASSERT(signer.pub == key);
  const Signature signature = signer.sign(kFirstLabel, signed_part(*this, h));
  Buffer out;
  bencode::Writer writer(out);
  writer.dict();
  writer.string("k", key.view()).string("s", signature.view());
  writer.integer("t", count(time)).string("to", bytes_of(to));
  writer.end();
  return out;
}

Result<FirstMessage> FirstMessage::decode(Bytes payload, const noise::Hash& h) {
  KITH_TRY(const auto document, bencode::parse(payload));
  const auto root = document.root();
  const auto key = root.find_fixed<SignPublic>("k");
  const auto signature = root.find_fixed<Signature>("s");
  const auto time = root.find_integer("t");
  const auto to = root.find_string("to");
  if (!key || !signature || !time || *time < 0 || !to ||
      (!to->empty() && to->size() != DeviceId::kSize)) {
    return peer_error(Errc::kMalformed, "malformed first message");
  }
  const FirstMessage first{*key, UnixMillis{*time}, DeviceId::from(*to)};
  if (!verify(first.key, kFirstLabel, signed_part(first, h), *signature)) {
    return peer_error(Errc::kVerification, "first message with a wrong signature");
  }
  return first;
}

Buffer HandshakePayload::encode() const {
  KITH_ASSERT(features <= INT64_MAX);
  Buffer sent_heads;
  for (std::size_t i = 0; i < std::min(heads.size(), limits::kHandshakeHeads); ++i) {
    append(sent_heads, heads[i].view());
  }
  Buffer out;
  bencode::Writer writer(out);
  writer.dict();
  writer.string("b", binding.encode());
  writer.integer("f", static_cast<std::int64_t>(features));
  writer.string("h", sent_heads);
  writer.end();
  return out;
}

Result<HandshakePayload> HandshakePayload::decode(Bytes payload) {
  KITH_TRY(const auto document, bencode::parse(payload));
  const auto root = document.root();
  const auto binding = root.find_string("b");
  const auto features = root.find_unsigned<std::uint64_t>("f");
  const auto heads = root.find_string("h");
  if (!binding || !features || !heads || heads->size() % OpId::kSize != 0) {
    return peer_error(Errc::kMalformed, "malformed handshake payload");
  }
  if (heads->size() / OpId::kSize > limits::kHandshakeHeads) {
    return peer_error(Errc::kLimit, "too many roster heads");
  }
  HandshakePayload out;
  KITH_TRY(out.binding, DeviceBinding::decode(*binding));
  out.features = *features;
  for (std::size_t i = 0; i < heads->size(); i += OpId::kSize) {
    out.heads.push_back(*OpId::from(heads->subspan(i, OpId::kSize)));
  }
  return out;
}

}  // namespace kith
