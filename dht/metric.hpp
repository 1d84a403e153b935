// The XOR metric of Kademlia: the distance of two ids is their bitwise difference, read as a
// number. For every target all ids have different distances, so "closer" is a strict order. Source:
// Maymounkov and Mazières, "Kademlia" (2002), section 2.1.
#pragma once

#include <bit>

#include "proto/ids.hpp"
#include "proto/rng.hpp"

namespace kith::dht {

inline constexpr std::size_t kIdBits = 8 * NodeId::kSize;

/// XOR: less is nearer, compared as big-endian numbers.
[[nodiscard]] inline NodeId distance(const NodeId& a, const NodeId& b) {
  NodeId out;
  for (std::size_t i = 0; i < NodeId::kSize; ++i) {
    out.bytes[i] = static_cast<std::uint8_t>(a.bytes[i] ^ b.bytes[i]);
  }
  return out;
}

/// Whether `a` is nearer to `target` than `b` is.
[[nodiscard]] inline bool closer(const NodeId& a, const NodeId& b, const NodeId& target) {
  for (std::size_t i = 0; i < NodeId::kSize; ++i) {
    const auto left = static_cast<std::uint8_t>(a.bytes[i] ^ target.bytes[i]);
    const auto right = static_cast<std::uint8_t>(b.bytes[i] ^ target.bytes[i]);
    if (left != right) return left < right;
  }
  return false;
}

/// Number of leading bits that are equal: 0 to 160.
[[nodiscard]] inline std::size_t shared_prefix(const NodeId& a, const NodeId& b) {
  for (std::size_t i = 0; i < NodeId::kSize; ++i) {
    const auto difference = static_cast<std::uint8_t>(a.bytes[i] ^ b.bytes[i]);
    if (difference != 0) return 8 * i + static_cast<std::size_t>(std::countl_zero(difference));
  }
  return kIdBits;
}

/// A random id that shares exactly the first `bits` bits with `id`; bits < 160.
[[nodiscard]] inline NodeId random_with_prefix(const NodeId& id, std::size_t bits, Rng& rng) {
  NodeId out = rng.random<NodeId>();
  for (std::size_t bit = 0; bit <= bits; ++bit) {
    const auto mask = static_cast<std::uint8_t>(0x80U >> (bit % 8));
    const bool own = (id.bytes[bit / 8] & mask) != 0;
    const bool set = bit < bits ? own : !own;
    auto& byte = out.bytes[bit / 8];
    byte = static_cast<std::uint8_t>(set ? byte | mask : byte & ~mask);
  }
  return out;
}

}  // namespace kith::dht
