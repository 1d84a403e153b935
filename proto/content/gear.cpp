#include "proto/content/gear.hpp"

#include "proto/crypto/hash.hpp"

namespace kith {
namespace {

std::array<std::uint64_t, 256> make_table() {
  std::array<std::uint8_t, 256 * 8> bytes;
  blake3_xof(bytes, as_bytes("kith/1 gear"));
  std::array<std::uint64_t, 256> table;
  for (std::size_t i = 0; i < table.size(); ++i) {
    table[i] = load_be<std::uint64_t>(Bytes(bytes).subspan(8 * i, 8));
  }
  return table;
}

}  // namespace

const std::array<std::uint64_t, 256>& gear_table() {
  static const std::array<std::uint64_t, 256> table = make_table();
  return table;
}

}  // namespace kith
