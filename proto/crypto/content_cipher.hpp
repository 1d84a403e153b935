// The cipher of chunks, pages and roots:
//   p = BLAKE3-256(plaintext);  key = BLAKE3-keyed(conv, p);
//   ciphertext = ChaCha20(key, nonce 0, counter 0);  id = BLAKE3-256(ciphertext).
// conv is KDF(C_e, "kith/1 conv"), or 32 random bytes for a private share. ChaCha20 comes from
// OpenSSL EVP, BLAKE3 from its own library; both work in place, slab by slab. Contexts live per
// thread.
#pragma once

#include "proto/crypto/hash.hpp"
#include "proto/ids.hpp"
#include "proto/result.hpp"
#include "proto/slab.hpp"

namespace kith {

/// Applies the key stream of `key` in place to `data`, which lies at byte `offset` of the chunk.
/// offset must be a multiple of 64. The same call enciphers and deciphers.
void chunk_cipher(const ChunkKey& key, std::uint64_t offset, MutableBytes data);
/// The same for a whole chain that begins at byte `offset` of the chunk.
void chunk_cipher(const ChunkKey& key, std::uint64_t offset, SlabChain& chain);

/// p, above.
[[nodiscard]] PlainHash plain_hash(const SlabChain& plaintext);
/// The key of the chunk with this p. Equal content under one conv has equal keys.
[[nodiscard]] ChunkKey chunk_key(const Secret& conv, const PlainHash& plain);
/// The id of a chunk, by its ciphertext.
[[nodiscard]] ChunkId chunk_id(const SlabChain& ciphertext);
[[nodiscard]] ChunkId chunk_id(Bytes ciphertext);

struct EncipheredChunk {
  PlainHash plain;
  ChunkKey key;
  ChunkId id;
};
/// Hashes, enciphers in place and hashes again.
[[nodiscard]] EncipheredChunk encipher_chunk(const Secret& conv, SlabChain& chain);

/// Enciphers a page or root under the key that its plaintext gives. Returns the ciphertext.
struct EncipheredPage {
  ChunkKey key;
  ChunkId id;
  Buffer ciphertext;
};
/// `plaintext` stays as it is.
[[nodiscard]] EncipheredPage encipher_page(const Secret& conv, Bytes plaintext);
/// Checks the id, deciphers. Blame peer (kVerification).
[[nodiscard]] Result<Buffer> decipher_page(const ChunkId& id, const ChunkKey& key,
                                           Bytes ciphertext);

}  // namespace kith
