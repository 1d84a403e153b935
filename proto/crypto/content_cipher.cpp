#include "proto/crypto/content_cipher.hpp"

#include <openssl/evp.h>

#include "proto/assert.hpp"
#include "proto/crypto/evp.hpp"
#include "proto/limits.hpp"

namespace kith {
namespace {

constexpr std::size_t kBlockBytes = 64;

// Sets up this thread's key stream at byte `offset` of the chunk. The nonce is zero; a key belongs
// to one plaintext only.
EVP_CIPHER_CTX* key_stream(const ChunkKey& key, std::uint64_t offset) {
  const std::uint64_t block = offset / kBlockBytes;
  KITH_ASSERT(offset % kBlockBytes == 0 && block <= UINT32_MAX);
  std::array<std::uint8_t, 16> iv{};
  for (std::size_t i = 0; i < 4; ++i) iv[i] = static_cast<std::uint8_t>(block >> (8 * i));
  EVP_CIPHER_CTX* context = evp::chacha20();
  KITH_ASSERT(EVP_CipherInit_ex2(context, nullptr, key.bytes.data(), iv.data(), 1, nullptr) == 1);
  return context;
}

void apply(EVP_CIPHER_CTX* context, MutableBytes data) {
  int written = 0;
  KITH_ASSERT(EVP_CipherUpdate(context, data.data(), &written, data.data(),
                               static_cast<int>(data.size())) == 1);
}

template <class Fixed>
Fixed fixed_from(const std::array<std::uint8_t, 32>& bytes) {
  Fixed out;
  out.bytes = bytes;
  return out;
}

}  // namespace

void chunk_cipher(const ChunkKey& key, std::uint64_t offset, MutableBytes data) {
  KITH_ASSERT(data.size() <= limits::kChunkMaxAllowed);
  apply(key_stream(key, offset), data);
}

void chunk_cipher(const ChunkKey& key, std::uint64_t offset, SlabChain& chain) {
  EVP_CIPHER_CTX* context = key_stream(key, offset);
  for (std::size_t i = 0; i < chain.slab_count(); ++i) apply(context, chain.slab(i));
}

PlainHash plain_hash(const SlabChain& plaintext) {
  return fixed_from<PlainHash>(blake3(plaintext));
}

ChunkKey chunk_key(const Secret& conv, const PlainHash& plain) {
  Blake3 hasher(conv);
  hasher.update(plain.view());
  return fixed_from<ChunkKey>(hasher.finish());
}

ChunkId chunk_id(const SlabChain& ciphertext) { return fixed_from<ChunkId>(blake3(ciphertext)); }
ChunkId chunk_id(Bytes ciphertext) { return fixed_from<ChunkId>(blake3(ciphertext)); }

EncipheredChunk encipher_chunk(const Secret& conv, SlabChain& chain) {
  EncipheredChunk out;
  out.plain = plain_hash(chain);
  out.key = chunk_key(conv, out.plain);
  chunk_cipher(out.key, 0, chain);
  out.id = chunk_id(chain);
  return out;
}

EncipheredPage encipher_page(const Secret& conv, Bytes plaintext) {
  EncipheredPage out;
  out.key = chunk_key(conv, fixed_from<PlainHash>(blake3(plaintext)));
  out.ciphertext = to_buffer(plaintext);
  chunk_cipher(out.key, 0, MutableBytes(out.ciphertext));
  out.id = chunk_id(Bytes(out.ciphertext));
  return out;
}

Result<Buffer> decipher_page(const ChunkId& id, const ChunkKey& key, Bytes ciphertext) {
  if (ciphertext.size() > limits::kPageMax) return peer_error(Errc::kLimit, "page too large");
  if (chunk_id(ciphertext) != id) return peer_error(Errc::kVerification, "page has another hash");
  Buffer plaintext = to_buffer(ciphertext);
  chunk_cipher(key, 0, MutableBytes(plaintext));
  return plaintext;
}

}  // namespace kith
