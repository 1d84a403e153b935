// The pool's part of an import: from a chunk's plaintext to its row.
#pragma once

#include <functional>
#include <optional>

#include "proto/content/manifest.hpp"
#include "proto/crypto/content_cipher.hpp"

namespace kith::storage {

/// A chunk that this device knows in the swarm, with the key under which it is known.
struct KnownChunk {
  ChunkId id;
  ChunkKey key;
};
/// Looks for content by the hash of its plaintext. May be empty. What it returns is checked, so
/// that a hit on a part of the hash is good enough.
using KnownLookup = std::function<std::optional<KnownChunk>(const PlainHash&)>;

struct HashedChunk {
  PlainHash plain;
  ChunkRow row;
  bool known = false;
};

/// Hashes `chain` and enciphers it in place. Content that is known keeps id and key, whatever
/// `conv`.
[[nodiscard]] HashedChunk hash_chunk(const Secret& conv, SlabChain& chain,
                                     const KnownLookup& lookup);

}  // namespace kith::storage
