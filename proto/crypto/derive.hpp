// The keys that are derived from a swarm's secrets and from an invite, each with its label. All are
// kdf(secret, label) of proto/crypto/hash.hpp.
//
// N_e is the network secret of an epoch; G the 32 bytes that a device gets when it joins and that
// never change; J the 32 bytes that an invite's seed gives and that the `invite` operation shows to
// every member, so that any of them can answer the joiner. The seed itself stays in the invite.
#pragma once

#include "proto/crypto/hash.hpp"
#include "proto/crypto/keys.hpp"

namespace kith {

/// Handshakes among members: "kith/1 psk".
[[nodiscard]] Secret epoch_psk(const Secret& network);
/// Sealed datagrams, K_dgram: "kith/1 dgram".
[[nodiscard]] Secret datagram_key(const Secret& network);
/// LAN beacons among members: "kith/1 beacon".
[[nodiscard]] Secret beacon_key(const Secret& network);

/// Handshakes of whoever missed an epoch: "kith/1 catch-up psk".
[[nodiscard]] Secret catch_up_psk(const Secret& g);
/// Beacons of whoever finds nobody: "kith/1 catch-up beacon".
[[nodiscard]] Secret catch_up_beacon_key(const Secret& g);

/// I, which signs for the joiner: Ed25519 from kdf(seed, "kith/1 invite key").
[[nodiscard]] SignKeys invite_sign_keys(const Secret& seed);
/// J: "kith/1 invite secret".
[[nodiscard]] Secret invite_secret(const Secret& seed);
/// The joiner's handshake: kdf(J, "kith/1 invite psk").
[[nodiscard]] Secret invite_psk(const Secret& j);
/// The joiner's beacons: kdf(J, "kith/1 invite beacon").
[[nodiscard]] Secret invite_beacon_key(const Secret& j);

}  // namespace kith
