// The home of a device: a directory of mode 0700 with
//   lock            held (flock) by whoever runs the node
//   device.key      the three secret keys, 0600, written once (proto/crypto/keys.hpp)
//   catalog.sqlite  the catalog
//   config.json     settings of the user
//   run/api.sock    the API
//   log/kith.log    the log of a background node
//
// The key and the catalog belong together: a home that has lost one of them is damaged, and nothing
// is made in its place. A new home gets its catalog first, then its key, so that a crash between
// the two leaves a catalog in which nothing depends on a key.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "proto/crypto/keys.hpp"
#include "proto/result.hpp"
#include "proto/rng.hpp"

namespace kith::node {

/// Where a home has its device key; and its catalog.
[[nodiscard]] inline std::string key_path(const std::string& home) { return home + "/device.key"; }
[[nodiscard]] inline std::string catalog_path(const std::string& home) {
  return home + "/catalog.sqlite";
}

/// Reads the key file; nothing if there is none. Refuses a file that others may read, one that does
/// not parse, and one beside which the catalog is missing or empty.
[[nodiscard]] Result<std::optional<DeviceKeys>> load_keys(const std::string& home);
/// Makes the key file of a new home: O_EXCL, 0600, fsynced, and its directory too. `new_home` says
/// that its catalog knows no swarm; refused otherwise, since only the lost key fits what it knows.
[[nodiscard]] Result<DeviceKeys> make_keys(const std::string& home, bool new_home, Rng& rng);

/// A path, whatever symbolic links lead to it: the home, or in it; what the home lies in; neither.
enum class HomeRelation : std::uint8_t { kApart, kInside, kAround };
/// `path` need not exist. An error if the home does not.
[[nodiscard]] Result<HomeRelation> relation_to_home(const std::string& path,
                                                    const std::string& home);
/// kRefused where a fetch would put something into the home, or in place of it. Any thread.
[[nodiscard]] Result<void> check_not_into_home(const std::string& path, const std::string& home);

}  // namespace kith::node
