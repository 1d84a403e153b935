#include "proto/crypto/hash.hpp"

#include <algorithm>
#include <blake3.h>
#include <memory>
#include <new>
#include <openssl/evp.h>
#include <sodium.h>

#include "proto/assert.hpp"

namespace kith {
namespace {

constexpr std::array<std::uint32_t, 256> make_crc32c_table() {
  std::array<std::uint32_t, 256> table{};
  for (std::uint32_t i = 0; i < 256; ++i) {
    std::uint32_t crc = i;
    for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ ((crc & 1) != 0 ? 0x82F63B78u : 0u);
    table[i] = crc;
  }
  return table;
}
constexpr auto kCrc32cTable = make_crc32c_table();

struct DigestDeleter {
  void operator()(EVP_MD_CTX* context) const { EVP_MD_CTX_free(context); }
};

}  // namespace

Secret::Secret(Bytes bytes) {
  KITH_ASSERT(bytes.size() == kSize);
  std::memcpy(bytes_.data(), bytes.data(), kSize);
}

Secret::~Secret() { wipe(bytes_); }

void wipe(MutableBytes bytes) { sodium_memzero(bytes.data(), bytes.size()); }

bool Secret::operator==(const Secret& other) const {
  return sodium_memcmp(bytes_.data(), other.bytes_.data(), kSize) == 0;
}

bool Secret::is_zero() const { return sodium_is_zero(bytes_.data(), kSize) == 1; }

void blake2b(MutableBytes out, Bytes data, Bytes key) {
  KITH_ASSERT(out.size() >= crypto_generichash_BYTES_MIN);
  KITH_ASSERT(out.size() <= crypto_generichash_BYTES_MAX);
  KITH_ASSERT(key.size() <= crypto_generichash_KEYBYTES_MAX);
  const int failed = crypto_generichash(out.data(), out.size(), data.data(), data.size(),
                                        key.empty() ? nullptr : key.data(), key.size());
  KITH_ASSERT(failed == 0);
}

std::array<std::uint8_t, 32> blake2b_256(Bytes data, Bytes key) {
  std::array<std::uint8_t, 32> out;
  blake2b(out, data, key);
  return out;
}

Secret kdf(const Secret& secret, std::string_view label) {
  Secret out;
  blake2b(out.mutable_view(), as_bytes(label), secret.view());
  return out;
}

struct Blake3::State {
  blake3_hasher hasher;
  static State& of(std::array<std::uint8_t, 2048>& storage) {
    return *std::launder(reinterpret_cast<State*>(storage.data()));
  }
};

Blake3::Blake3() {
  static_assert(sizeof(State) <= sizeof(storage_));
  static_assert(alignof(State) <= 64);
  blake3_hasher_init(&(new (storage_.data()) State)->hasher);
}

Blake3::Blake3(const Secret& key) {
  blake3_hasher_init_keyed(&(new (storage_.data()) State)->hasher, key.view().data());
}

Blake3::~Blake3() { sodium_memzero(storage_.data(), sizeof(State)); }

void Blake3::update(Bytes data) {
  blake3_hasher_update(&State::of(storage_).hasher, data.data(), data.size());
}

std::array<std::uint8_t, 32> Blake3::finish() {
  std::array<std::uint8_t, 32> out;
  blake3_hasher_finalize(&State::of(storage_).hasher, out.data(), out.size());
  return out;
}

std::array<std::uint8_t, 32> blake3(Bytes data) {
  Blake3 hasher;
  hasher.update(data);
  return hasher.finish();
}

void blake3_xof(MutableBytes out, Bytes data) {
  blake3_hasher hasher;
  blake3_hasher_init(&hasher);
  blake3_hasher_update(&hasher, data.data(), data.size());
  blake3_hasher_finalize(&hasher, out.data(), out.size());
}

std::uint32_t crc32c(Bytes data) {
  std::uint32_t crc = ~0u;
  for (const std::uint8_t byte : data) crc = (crc >> 8) ^ kCrc32cTable[(crc ^ byte) & 0xFF];
  return ~crc;
}

std::array<std::uint8_t, 20> sha1(Bytes data) {
  static const EVP_MD* const digest = EVP_MD_fetch(nullptr, "SHA1", nullptr);
  thread_local const std::unique_ptr<EVP_MD_CTX, DigestDeleter> context(EVP_MD_CTX_new());
  KITH_ASSERT(digest != nullptr && context != nullptr);
  std::array<std::uint8_t, 20> out;
  KITH_ASSERT(EVP_DigestInit_ex2(context.get(), digest, nullptr) == 1);
  KITH_ASSERT(EVP_DigestUpdate(context.get(), data.data(), data.size()) == 1);
  KITH_ASSERT(EVP_DigestFinal_ex(context.get(), out.data(), nullptr) == 1);
  return out;
}

}  // namespace kith
