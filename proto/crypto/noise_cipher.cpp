#include <algorithm>
#include <sodium.h>

#include "proto/assert.hpp"
#include "proto/crypto/noise.hpp"

namespace kith::noise {
namespace {

constexpr std::uint64_t kRekeyNonce = UINT64_MAX;  // reserved by section 4.2

using WireNonce = std::array<std::uint8_t, crypto_aead_chacha20poly1305_ietf_NPUBBYTES>;

// Section 12.3: 32 zero bits, then the counter little-endian.
WireNonce wire_nonce(std::uint64_t counter) {
  WireNonce nonce{};
  for (std::size_t i = 0; i < 8; ++i) nonce[4 + i] = static_cast<std::uint8_t>(counter >> (8 * i));
  return nonce;
}

void hmac(Secret& out, Bytes key, Bytes a, Bytes b = {}) {
  crypto_auth_hmacsha256_state state;
  crypto_auth_hmacsha256_init(&state, key.data(), key.size());
  crypto_auth_hmacsha256_update(&state, a.data(), a.size());
  crypto_auth_hmacsha256_update(&state, b.data(), b.size());
  crypto_auth_hmacsha256_final(&state, out.mutable_view().data());
  sodium_memzero(&state, sizeof state);
}

// HKDF of section 4.3; callers that need two outputs ignore the third.
std::array<Secret, 3> hkdf(const Secret& chaining_key, Bytes input, std::size_t outputs) {
  Secret temp;
  hmac(temp, chaining_key.view(), input);
  std::array<Secret, 3> out;
  for (std::uint8_t i = 0; i < outputs; ++i) {
    const std::array<std::uint8_t, 1> number = {static_cast<std::uint8_t>(i + 1)};
    hmac(out[i], temp.view(), i == 0 ? Bytes{} : out[i - 1u].view(), number);
  }
  return out;
}

}  // namespace

void CipherState::encrypt_with_ad(Bytes ad, Bytes plaintext, Buffer& out) {
  if (!has_key_) return append(out, plaintext);
  KITH_ASSERT(nonce_ != kRekeyNonce);
  const WireNonce nonce = wire_nonce(nonce_++);
  const std::size_t at = out.size();
  out.resize(at + plaintext.size() + kTag);
  crypto_aead_chacha20poly1305_ietf_encrypt(out.data() + at, nullptr, plaintext.data(),
                                            plaintext.size(), ad.data(), ad.size(), nullptr,
                                            nonce.data(), key_.view().data());
}

Result<void> CipherState::decrypt_with_ad(Bytes ad, Bytes ciphertext, Buffer& out) {
  const std::size_t at = out.size();
  append(out, ciphertext);
  const auto plaintext = decrypt_in_place(ad, MutableBytes(out).subspan(at));
  out.resize(at + (plaintext ? plaintext->size() : 0));
  if (!plaintext) return plaintext.error();
  return {};
}

Result<MutableBytes> CipherState::decrypt_in_place(Bytes ad, MutableBytes ciphertext) {
  if (!has_key_) return ciphertext;
  KITH_ASSERT(nonce_ != kRekeyNonce);
  if (ciphertext.size() < kTag) return network_error(Errc::kMalformed, "ciphertext too short");
  const WireNonce nonce = wire_nonce(nonce_);
  if (crypto_aead_chacha20poly1305_ietf_decrypt(ciphertext.data(), nullptr, nullptr,
                                                ciphertext.data(), ciphertext.size(), ad.data(),
                                                ad.size(), nonce.data(), key_.view().data()) != 0) {
    return network_error(Errc::kVerification, "message does not open");
  }
  ++nonce_;
  return ciphertext.first(ciphertext.size() - kTag);
}

void CipherState::rekey() {
  KITH_ASSERT(has_key_);
  const WireNonce nonce = wire_nonce(kRekeyNonce);
  const std::array<std::uint8_t, Secret::kSize> zeros{};
  std::array<std::uint8_t, Secret::kSize + kTag> out;
  crypto_aead_chacha20poly1305_ietf_encrypt(out.data(), nullptr, zeros.data(), zeros.size(),
                                            nullptr, 0, nullptr, nonce.data(), key_.view().data());
  key_ = Secret(Bytes(out).first(Secret::kSize));
  sodium_memzero(out.data(), out.size());
}

SymmetricState::SymmetricState(std::string_view protocol_name) {
  const Bytes name = as_bytes(protocol_name);
  if (name.size() <= hash_.size()) {
    std::copy(name.begin(), name.end(), hash_.begin());
  } else {
    crypto_hash_sha256(hash_.data(), name.data(), name.size());
  }
  chaining_key_ = Secret(hash_);
}

void SymmetricState::mix_key(Bytes input) {
  const auto keys = hkdf(chaining_key_, input, 2);
  chaining_key_ = keys[0];
  cipher_ = CipherState(keys[1]);
}

void SymmetricState::mix_hash(Bytes data) {
  crypto_hash_sha256_state state;
  crypto_hash_sha256_init(&state);
  crypto_hash_sha256_update(&state, hash_.data(), hash_.size());
  crypto_hash_sha256_update(&state, data.data(), data.size());
  crypto_hash_sha256_final(&state, hash_.data());
}

void SymmetricState::mix_key_and_hash(Bytes input) {
  const auto keys = hkdf(chaining_key_, input, 3);
  chaining_key_ = keys[0];
  mix_hash(keys[1].view());
  cipher_ = CipherState(keys[2]);
}

void SymmetricState::encrypt_and_hash(Bytes plaintext, Buffer& out) {
  const std::size_t at = out.size();
  cipher_.encrypt_with_ad(hash_, plaintext, out);
  mix_hash(Bytes(out).subspan(at));
}

Result<void> SymmetricState::decrypt_and_hash(Bytes ciphertext, Buffer& out) {
  KITH_CHECK(cipher_.decrypt_with_ad(hash_, ciphertext, out));
  mix_hash(ciphertext);
  return {};
}

SymmetricState::Pair SymmetricState::split() const {
  const auto keys = hkdf(chaining_key_, {}, 2);
  return {CipherState(keys[0]), CipherState(keys[1])};
}

}  // namespace kith::noise
