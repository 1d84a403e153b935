// Bulk records: how chunks cross a connection. Per direction
//   k_bulk = BLAKE2b-256(key = the direction's first Noise key, "kith/1 bulk").
// A section of `length` bytes is ceil(length / 61,440) records without length prefix, each the
// ChaCha20-Poly1305 of up to 61,440 bytes and a 16-byte tag; record i has the nonce
// section · 2^16 + i (as a 64-bit little-endian counter behind four zero bytes, as in Noise) and
// the associated data section ‖ length (u64 ‖ u32, big-endian). Section numbers are unique per
// direction. Both functions work in place; contexts live per thread (OpenSSL EVP).
#pragma once

#include "proto/crypto/hash.hpp"
#include "proto/ids.hpp"
#include "proto/result.hpp"
#include "proto/slab.hpp"

namespace kith {

using BulkKey = Secret;
/// The key of the sections of one direction, from the first Noise key of that direction.
[[nodiscard]] BulkKey bulk_key(const Secret& first_noise_key);

/// Bytes that a section of `length` content bytes takes on the wire.
[[nodiscard]] constexpr std::size_t section_wire_bytes(std::size_t length) {
  return length + slabs_for(length) * kTagBytes;
}

/// Seals `length` = chain.size() bytes in place: afterwards raw(i) begins with the ciphertext of
/// slab i, followed by its tag.
void seal_section(const BulkKey& key, Section section, SlabChain& chain);

/// Opens the section that occupies slabs [first_slab, first_slab + slabs_for(length)) of `chain`,
/// in place. Each slab holds ciphertext and then the tag. Error: kVerification, blame network (the
/// channel was tampered with: the sender is not to blame).
[[nodiscard]] Result<void> open_section(const BulkKey& key, Section section, SlabChain& chain,
                                        std::size_t first_slab, std::size_t length);

}  // namespace kith
