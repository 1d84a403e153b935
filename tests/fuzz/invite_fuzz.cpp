// Bytes as the text of an invite: what parses is written as the same text.
#include "proto/assert.hpp"
#include "proto/crypto/random.hpp"
#include "proto/swarm/invite.hpp"
#include "proto/text.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace kith;
  init_crypto();
  const auto text = as_text(Bytes(data, size));
  if (const auto invite = Invite::parse(text)) {
    KITH_ASSERT(text.find(invite->to_string()) != std::string_view::npos);
  }
  // The same bytes behind a right checksum, so that the fields are reached.
  Buffer body(data, data + size);
  append(body, Bytes(blake2b_256(body)).first(4));
  const std::string sealed = "kith:invite/" + to_base32(body);
  if (const auto invite = Invite::parse(sealed)) KITH_ASSERT(invite->to_string() == sealed);
  return 0;
}
