// kith:share/… — the text that lets a member read one share:
// base32(version 1 ‖ swarm id [8] ‖ share id [32] ‖ root key [32] ‖ checksum [4]), 77 bytes, where
// checksum = the first 4 bytes of BLAKE2b-256 of all before: it finds copying mistakes.
// It is no membership: without being in the swarm one reaches nobody.
#pragma once

#include <array>
#include <string>
#include <string_view>

#include "proto/ids.hpp"
#include "proto/result.hpp"

namespace kith {

struct Link {
  std::array<std::uint8_t, 8> swarm_prefix{};
  ShareId share;
  ChunkKey key;

  [[nodiscard]] std::string to_string() const;
  /// Errors name the part that is wrong: prefix, alphabet, length, checksum (all kMalformed),
  /// version (kUnsupported). Blame local: a person typed or pasted it. Surrounding white space is
  /// ignored.
  [[nodiscard]] static Result<Link> parse(std::string_view text);
  bool operator==(const Link&) const = default;
};

}  // namespace kith
