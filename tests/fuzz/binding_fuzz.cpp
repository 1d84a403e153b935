// Decoders of what devices say of themselves. The first byte chooses: 0 device binding, 1 payload
// of the second and third handshake message, 2 payload of the first, 3 key file, 4 sealed box. What
// decodes encodes to the same bytes, where the form allows one encoding only.
#include <cstdint>
#include <cstdlib>

#include "proto/crypto/handshake_payload.hpp"
#include "proto/crypto/keys.hpp"

namespace {

using namespace kith;

void require(bool holds) {
  if (!holds) std::abort();
}

void binding(Bytes bytes) {
  const auto decoded = DeviceBinding::decode(bytes);
  if (decoded) require(equal(decoded->encode(), bytes));
}

void payload(Bytes bytes) {
  const auto decoded = HandshakePayload::decode(bytes);
  if (!decoded) return;
  const auto again = HandshakePayload::decode(decoded->encode());
  require(again.has_value() && *again == *decoded);
}

void first(Bytes bytes) {
  const auto decoded = FirstMessage::decode(bytes, noise::Hash{});
  if (decoded) require(count(decoded->time) >= 0);
}

void key_file(Bytes bytes) {
  const auto decoded = DeviceKeys::decode(bytes);
  if (!decoded) return;
  const auto again = DeviceKeys::decode(decoded->encode());
  require(again.has_value() && again->binding() == decoded->binding());
}

void sealed_box(Bytes bytes) {
  const DhKeys keys = DhKeys::from_secret(Secret(Buffer(Secret::kSize, 5)));
  const auto opened = open_box(keys, bytes);
  if (opened) require(opened->size() + kSealedBoxOverhead == bytes.size());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const Bytes rest = Bytes(data, size).subspan(1);
  switch (data[0] % 5) {
    case 0:
      binding(rest);
      break;
    case 1:
      payload(rest);
      break;
    case 2:
      first(rest);
      break;
    case 3:
      key_file(rest);
      break;
    default:
      sealed_box(rest);
      break;
  }
  return 0;
}
