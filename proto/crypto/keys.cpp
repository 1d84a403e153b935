#include "proto/crypto/keys.hpp"

#include <algorithm>
#include <sodium.h>

#include "proto/assert.hpp"
#include "proto/wire/bencode.hpp"

namespace kith {
namespace {

constexpr std::string_view kBindingLabel = "kith/1 binding";

// The u coordinates of order 1, 2, 4 and 8 on Curve25519 and its twist, and their forms that are
// not reduced modulo 2^255 − 19 (D. J. Bernstein, "Curve25519"). X25519 ignores the top bit.
constexpr std::array<std::array<std::uint8_t, 32>, 7> kLowOrder = {{
    {0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
     0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
     0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00},
    {0x01, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
     0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
     0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00},
    {0xe0, 0xeb, 0x7a, 0x7c, 0x3b, 0x41, 0xb8, 0xae, 0x16, 0x56, 0xe3,
     0xfa, 0xf1, 0x9f, 0xc4, 0x6a, 0xda, 0x09, 0x8d, 0xeb, 0x9c, 0x32,
     0xb1, 0xfd, 0x86, 0x62, 0x05, 0x16, 0x5f, 0x49, 0xb8, 0x00},
    {0x5f, 0x9c, 0x95, 0xbc, 0xa3, 0x50, 0x8c, 0x24, 0xb1, 0xd0, 0xb1,
     0x55, 0x9c, 0x83, 0xef, 0x5b, 0x04, 0x44, 0x5c, 0xc4, 0x58, 0x1c,
     0x8e, 0x86, 0xd8, 0x22, 0x4e, 0xdd, 0xd0, 0x9f, 0x11, 0x57},
    {0xec, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
     0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
     0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f},
    {0xed, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
     0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
     0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f},
    {0xee, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
     0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
     0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f},
}};

Buffer labelled(std::string_view label, Bytes message) {
  Buffer out;
  out.reserve(label.size() + message.size());
  append(out, as_bytes(label));
  append(out, message);
  return out;
}

Buffer binding_message(const DhPublic& noise, const DhPublic& wrap) {
  Buffer out = to_buffer(noise.view());
  append(out, wrap.view());
  return out;
}

SignPublic sign_public(const DeviceId& device) {
  SignPublic out;
  out.bytes = device.bytes;
  return out;
}

std::array<std::uint8_t, crypto_box_NONCEBYTES> sealed_box_nonce(const DhPublic& ephemeral,
                                                                 const DhPublic& to) {
  std::array<std::uint8_t, crypto_box_NONCEBYTES> nonce;
  blake2b(nonce, binding_message(ephemeral, to));
  return nonce;
}

}  // namespace

SignKeys SignKeys::from_seed(const Secret& seed) {
  SignKeys keys;
  keys.seed = seed;
  std::array<std::uint8_t, crypto_sign_SECRETKEYBYTES> expanded;
  crypto_sign_seed_keypair(keys.pub.bytes.data(), expanded.data(), seed.view().data());
  sodium_memzero(expanded.data(), expanded.size());
  return keys;
}

Signature SignKeys::sign(std::string_view label, Bytes message) const {
  // libsodium's secret key is the seed followed by the public key.
  std::array<std::uint8_t, crypto_sign_SECRETKEYBYTES> expanded;
  std::copy(seed.view().begin(), seed.view().end(), expanded.begin());
  std::copy(pub.bytes.begin(), pub.bytes.end(), expanded.begin() + Secret::kSize);
  const Buffer input = labelled(label, message);
  Signature out;
  crypto_sign_detached(out.bytes.data(), nullptr, input.data(), input.size(), expanded.data());
  sodium_memzero(expanded.data(), expanded.size());
  return out;
}

bool verify(const SignPublic& key, std::string_view label, Bytes message,
            const Signature& signature) {
  const Buffer input = labelled(label, message);
  return crypto_sign_verify_detached(signature.bytes.data(), input.data(), input.size(),
                                     key.bytes.data()) == 0;
}

DhKeys DhKeys::from_secret(const Secret& secret) {
  DhKeys keys;
  keys.secret = secret;
  crypto_scalarmult_base(keys.pub.bytes.data(), secret.view().data());
  return keys;
}

Result<Secret> dh(const DhKeys& own, const DhPublic& other) {
  Secret out;
  if (crypto_scalarmult(out.mutable_view().data(), own.secret.view().data(), other.bytes.data()) !=
      0) {
    return peer_error(Errc::kVerification, "key of low order");
  }
  return out;
}

bool is_low_order(const DhPublic& key) {
  auto bytes = key.bytes;
  bytes[31] &= 0x7F;
  return std::find(kLowOrder.begin(), kLowOrder.end(), bytes) != kLowOrder.end();
}

Buffer DeviceBinding::encode() const {
  Buffer out;
  bencode::Writer writer(out);
  writer.dict();
  writer.string("d", device.view()).string("s", noise.view());
  writer.string("sig", signature.view()).string("w", wrap.view());
  writer.end();
  return out;
}

Result<DeviceBinding> DeviceBinding::decode(Bytes bytes) {
  KITH_TRY(const auto document, bencode::parse(bytes));
  const auto root = document.root();
  const auto device = root.find_fixed<DeviceId>("d");
  const auto noise = root.find_fixed<DhPublic>("s");
  const auto wrap = root.find_fixed<DhPublic>("w");
  const auto signature = root.find_fixed<Signature>("sig");
  if (!device || !noise || !wrap || !signature || root.size() != 4) {
    return peer_error(Errc::kMalformed, "malformed device binding");
  }
  // Nobody could be reached, and nothing sealed, under such a key.
  if (is_low_order(*noise) || is_low_order(*wrap)) {
    return peer_error(Errc::kVerification, "device binding with a key of low order");
  }
  if (!verify(sign_public(*device), kBindingLabel, binding_message(*noise, *wrap), *signature)) {
    return peer_error(Errc::kVerification, "device binding with a wrong signature");
  }
  return DeviceBinding{*device, *noise, *wrap, *signature};
}

DeviceKeys DeviceKeys::generate(Rng& rng) {
  DeviceKeys keys;
  keys.sign = SignKeys::from_seed(rng.random<Secret>());
  keys.noise = DhKeys::from_secret(rng.random<Secret>());
  keys.wrap = DhKeys::from_secret(rng.random<Secret>());
  return keys;
}

DeviceId DeviceKeys::id() const {
  DeviceId out;
  out.bytes = sign.pub.bytes;
  return out;
}

DeviceBinding DeviceKeys::binding() const {
  return {id(), noise.pub, wrap.pub,
          sign.sign(kBindingLabel, binding_message(noise.pub, wrap.pub))};
}

Buffer DeviceKeys::encode() const {
  Buffer out;
  // It never moves: nobody could wipe what it left behind.
  out.reserve(kKeyFileBytes);
  bencode::Writer writer(out);
  writer.dict();
  writer.string("d", sign.seed.view()).string("s", noise.secret.view());
  writer.integer("v", 1).string("w", wrap.secret.view());
  writer.end();
  return out;
}

Result<DeviceKeys> DeviceKeys::decode(Bytes file) {
  const auto document = bencode::parse(file);
  if (!document) return local_error(Errc::kMalformed, "malformed key file");
  const auto root = document->root();
  const auto version = root.find_integer("v");
  if (version && *version != 1) {
    return local_error(Errc::kUnsupported, "key file of another version", {},
                       "use the version of kith that wrote it");
  }
  const auto sign = root.find_string("d");
  const auto noise = root.find_string("s");
  const auto wrap = root.find_string("w");
  const auto is_secret = [](const auto& s) { return s && s->size() == Secret::kSize; };
  if (!version || !is_secret(sign) || !is_secret(noise) || !is_secret(wrap)) {
    return local_error(Errc::kMalformed, "malformed key file");
  }
  return DeviceKeys{SignKeys::from_seed(Secret(*sign)), DhKeys::from_secret(Secret(*noise)),
                    DhKeys::from_secret(Secret(*wrap))};
}

Buffer seal_box(const DhPublic& to, Bytes plaintext, Rng& rng) {
  const DhKeys ephemeral = DhKeys::from_secret(rng.random<Secret>());
  const auto nonce = sealed_box_nonce(ephemeral.pub, to);
  Buffer out = to_buffer(ephemeral.pub.view());
  out.resize(plaintext.size() + kSealedBoxOverhead);
  const int failed =
      crypto_box_easy(out.data() + DhPublic::kSize, plaintext.data(), plaintext.size(),
                      nonce.data(), to.bytes.data(), ephemeral.secret.view().data());
  // A key of low order opens nothing, so nobody gets anything: random bytes of the right length.
  if (failed != 0) rng.fill(MutableBytes(out));
  return out;
}

Result<Buffer> open_box(const DhKeys& keys, Bytes sealed) {
  if (sealed.size() < kSealedBoxOverhead)
    return peer_error(Errc::kMalformed, "sealed box too short");
  Buffer out(sealed.size() - kSealedBoxOverhead);
  if (crypto_box_seal_open(out.data(), sealed.data(), sealed.size(), keys.pub.bytes.data(),
                           keys.secret.view().data()) != 0) {
    return peer_error(Errc::kVerification, "sealed box does not open");
  }
  return out;
}

Buffer seal_secret(const Secret& key, Bytes plaintext, Bytes ad, Rng& rng) {
  constexpr std::size_t kNonce = crypto_aead_xchacha20poly1305_ietf_NPUBBYTES;
  static_assert(kNonce + crypto_aead_xchacha20poly1305_ietf_ABYTES == kSecretBoxOverhead);
  Buffer out(plaintext.size() + kSecretBoxOverhead);
  rng.fill(MutableBytes(out).first(kNonce));
  crypto_aead_xchacha20poly1305_ietf_encrypt(out.data() + kNonce, nullptr, plaintext.data(),
                                             plaintext.size(), ad.data(), ad.size(), nullptr,
                                             out.data(), key.view().data());
  return out;
}

Result<Buffer> open_secret(const Secret& key, Bytes sealed, Bytes ad) {
  constexpr std::size_t kNonce = crypto_aead_xchacha20poly1305_ietf_NPUBBYTES;
  if (sealed.size() < kSecretBoxOverhead)
    return peer_error(Errc::kMalformed, "sealed text too short");
  Buffer out(sealed.size() - kSecretBoxOverhead);
  if (crypto_aead_xchacha20poly1305_ietf_decrypt(
          out.data(), nullptr, nullptr, sealed.data() + kNonce, sealed.size() - kNonce, ad.data(),
          ad.size(), sealed.data(), key.view().data()) != 0) {
    return peer_error(Errc::kVerification, "sealed text does not open");
  }
  return out;
}

}  // namespace kith
