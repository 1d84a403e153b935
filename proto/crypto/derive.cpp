#include "proto/crypto/derive.hpp"

namespace kith {

Secret epoch_psk(const Secret& network) { return kdf(network, "kith/1 psk"); }
Secret datagram_key(const Secret& network) { return kdf(network, "kith/1 dgram"); }
Secret beacon_key(const Secret& network) { return kdf(network, "kith/1 beacon"); }

Secret catch_up_psk(const Secret& g) { return kdf(g, "kith/1 catch-up psk"); }
Secret catch_up_beacon_key(const Secret& g) { return kdf(g, "kith/1 catch-up beacon"); }

SignKeys invite_sign_keys(const Secret& seed) {
  return SignKeys::from_seed(kdf(seed, "kith/1 invite key"));
}
Secret invite_secret(const Secret& seed) { return kdf(seed, "kith/1 invite secret"); }
Secret invite_psk(const Secret& j) { return kdf(j, "kith/1 invite psk"); }
Secret invite_beacon_key(const Secret& j) { return kdf(j, "kith/1 invite beacon"); }

}  // namespace kith
