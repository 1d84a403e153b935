// The names of things. Each is its own type.
#pragma once

#include <cstdint>

#include "proto/bytes.hpp"

namespace kith {

/// A device: its Ed25519 public key.
using DeviceId = FixedBytes<32, struct DeviceIdTag>;
/// A swarm: BLAKE2b-256 of its genesis operation.
using SwarmId = FixedBytes<32, struct SwarmIdTag>;
/// A roster operation: BLAKE2b-256 of its encoding.
using OpId = FixedBytes<32, struct OpIdTag>;
/// A chunk, page or root: BLAKE3-256 of its ciphertext. The id of a share is the id of its root.
using ChunkId = FixedBytes<32, struct ChunkIdTag>;
using ShareId = ChunkId;
/// The key that deciphers one chunk.
using ChunkKey = FixedBytes<32, struct ChunkKeyTag>;
/// BLAKE3-256 of a chunk's plaintext. Never leaves the device.
using PlainHash = FixedBytes<32, struct PlainHashTag>;
/// A DHT node or key (BEP 5): 160 bits.
using NodeId = FixedBytes<20, struct NodeIdTag>;
using InfoHash = NodeId;

/// One connection of this process. Never reused, so a late event finds nothing.
enum class ConnId : std::uint64_t {};
/// A copy: a share in one place on this device; the catalog's row id.
enum class CopyId : std::int64_t {};

/// Position in a share's index space: 0 the root, then the pages, then the content in stream order.
using ChunkIndex = std::uint32_t;
/// What a watcher calls a share on one connection.
using Handle = std::uint32_t;
/// Number of a bulk section, unique per direction of a connection.
using Section = std::uint64_t;

}  // namespace kith
