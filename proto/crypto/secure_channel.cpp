#include "proto/crypto/secure_channel.hpp"

#include <utility>

#include "proto/assert.hpp"

namespace kith {
namespace {

constexpr std::size_t kLengthBytes = 2;

void rekey_if_due(noise::CipherState& cipher) {
  if (cipher.nonce() % limits::kRekeyEvery == 0) cipher.rekey();
}

}  // namespace

SecureChannel::SecureChannel(noise::CipherState send, noise::CipherState receive,
                             const noise::Hash& hash)
    : send_(std::move(send)),
      receive_(std::move(receive)),
      hash_(hash),
      send_bulk_(bulk_key(send_.key())),
      receive_bulk_(bulk_key(receive_.key())) {
  KITH_ASSERT(send_.has_key() && send_.nonce() == 0);
  KITH_ASSERT(receive_.has_key() && receive_.nonce() == 0);
}

void SecureChannel::seal_frame(Bytes frame, Buffer& out) {
  KITH_ASSERT(!frame.empty() && frame.size() <= limits::kFrameMax);
  append_be(out, static_cast<std::uint16_t>(frame.size() + noise::kTag));
  send_.encrypt_with_ad({}, frame, out);
  rekey_if_due(send_);
  bytes_sent_ += frame.size() + kRecordOverhead;
}

std::optional<std::size_t> SecureChannel::record_size(Bytes bytes) {
  if (bytes.size() < kLengthBytes) return std::nullopt;
  return kLengthBytes + load_be<std::uint16_t>(bytes);
}

Result<std::optional<SecureChannel::Opened>> SecureChannel::open_frame(MutableBytes bytes) {
  if (broken_) return network_error(Errc::kVerification, "channel is broken");
  const auto size = record_size(bytes);
  if (!size) return std::nullopt;
  if (*size <= kRecordOverhead || *size > limits::kFrameMax + kRecordOverhead) {
    return broke(Errc::kMalformed, "control record of impossible length");
  }
  if (bytes.size() < *size) return std::nullopt;
  const auto frame =
      receive_.decrypt_in_place({}, bytes.subspan(kLengthBytes, *size - kLengthBytes));
  if (!frame) return broke(Errc::kVerification, "control record does not open");
  rekey_if_due(receive_);
  bytes_received_ += *size;
  return Opened{*frame, *size};
}

Error SecureChannel::broke(Errc code, const char* what) {
  broken_ = true;
  return network_error(code, what);
}

}  // namespace kith
