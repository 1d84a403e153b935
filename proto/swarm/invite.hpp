// kith:invite/… — the text that lets a new device join a swarm. base32 of
//
//   version 1 [1] ‖ swarm id [32] ‖ seed [32] ‖ issuer [32] ‖ expiry [8, unix ms, big-endian] ‖
//   hint count [1] ‖ hints: (length 6 or 18 [1] ‖ compact endpoint) each ‖
//   checksum: the first 4 bytes of BLAKE2b-256 of all before
//
// It holds no secret of the swarm. From the seed come the invite key I, which signs the joiner's
// request, and J, from which the psk and the beacon key of joining come. The `invite` operation
// holds I's public half and J, so every member can answer a joiner, and only who has the text can
// be one.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "proto/crypto/keys.hpp"
#include "proto/endpoint.hpp"
#include "proto/ids.hpp"
#include "proto/result.hpp"
#include "proto/time.hpp"

namespace kith {

[[nodiscard]] SignKeys invite_keys(const Secret& seed);  // I: from "kith/1 invite key"
[[nodiscard]] Secret invite_j(const Secret& seed);       // J: "kith/1 invite J"
[[nodiscard]] Secret invite_psk(const Secret& j);        // "kith/1 invite psk"
[[nodiscard]] Secret invite_beacon(const Secret& j);     // "kith/1 invite beacon"

struct Invite {
  SwarmId swarm;
  Secret seed;
  DeviceId issuer;
  UnixMillis expiry{};
  std::vector<Endpoint> hints;  // at most limits::kInviteHints

  [[nodiscard]] std::string to_string() const;
  /// Surrounding white space is ignored. Errors (local) name the part that is wrong: prefix,
  /// characters, length, checksum, version, hints. kUnsupported for a newer version.
  [[nodiscard]] static Result<Invite> parse(std::string_view text);
  bool operator==(const Invite&) const = default;
};

/// The joiner's signature by I over "kith/1 join" ‖ swarm id ‖ binding ‖ name.
[[nodiscard]] Signature sign_join(const SignKeys& invite, const SwarmId& swarm, Bytes binding,
                                  std::string_view name);
/// Whether sign_join() with the key of this invite made the signature.
[[nodiscard]] bool verify_join(const SignPublic& invite, const SwarmId& swarm, Bytes binding,
                               std::string_view name, const Signature& signature);

}  // namespace kith
