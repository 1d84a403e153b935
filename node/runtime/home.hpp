// The home of a device: a directory of mode 0700 with
//   lock            held (flock) by whoever runs the node
//   device.key      the three secret keys, 0600, written once (proto/crypto/keys.hpp)
//   catalog.sqlite  the catalog
//   config.json     settings of the user
//   run/api.sock    the API
//   log/kith.log    the log of a background node
#pragma once

#include <string>

#include "proto/crypto/keys.hpp"
#include "proto/result.hpp"
#include "proto/rng.hpp"

namespace kith::node {

[[nodiscard]] inline std::string key_path(const std::string& home) { return home + "/device.key"; }
[[nodiscard]] inline std::string catalog_path(const std::string& home) {
  return home + "/catalog.sqlite";
}

/// Reads the key file, or makes one: O_EXCL, 0600, fsynced, and its directory too. Refuses a file
/// that others may read, and one that does not parse; never replaces it.
[[nodiscard]] Result<DeviceKeys> load_or_make_keys(const std::string& home, Rng& rng);

}  // namespace kith::node
