#include "storage/chunk_hash.hpp"

namespace kith::storage {

HashedChunk hash_chunk(const Secret& conv, SlabChain& chain, const KnownLookup& lookup) {
  HashedChunk out;
  out.plain = plain_hash(chain);
  out.row.length = static_cast<std::uint32_t>(chain.size());
  const auto known = lookup ? lookup(out.plain) : std::nullopt;
  if (known) {
    chunk_cipher(known->key, 0, chain);
    if (chunk_id(chain) == known->id) {
      out.row.id = known->id;
      out.row.key = known->key;
      out.known = true;
      return out;
    }
    chunk_cipher(known->key, 0, chain);  // other content: back to the plaintext
  }
  out.row.key = chunk_key(conv, out.plain);
  chunk_cipher(out.row.key, 0, chain);
  out.row.id = chunk_id(chain);
  return out;
}

}  // namespace kith::storage
