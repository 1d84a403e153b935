// HOME/config.json: what a node of this home should do, edited by `kith config`. One JSON object;
// every member may be missing. Options of a command take precedence over it.
//
//   listen        "HOST:PORT"     where to listen, UDP and TCP; all addresses and a kept port if
//   missing advertise     "HOST:PORT"     how others reach this device, for invites bootstrap
//   ["HOST:PORT"]   devices to ask first limit         integer         bytes per second, each
//   direction; 0: none device_name   "NAME"          what other members see; the host's name if
//   missing lan           bool            find and be found on the local network; true if missing
//   min_free      integer         bytes of a file system that fetches leave free
//   scrub         bool            read all copies again in the background; true if missing
//   scrub_rate    integer         how fast, bytes per second; 0: as fast as it goes; 8 MiB if
//                                 missing
//   scrub_every   "SPAN"          from the end of one pass to the next; 30 days if missing
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "node/api/json.hpp"
#include "node/api/unique_fd.hpp"
#include "proto/result.hpp"

namespace kith::cli {

class Settings {
 public:
  /// Reads the file; no file is no settings. kMalformed names what is wrong: nothing is guessed,
  /// and nothing overwritten.
  [[nodiscard]] static Result<Settings> load(const std::string& home);
  /// From the text of such a file. Pure.
  [[nodiscard]] static Result<Settings> parse(std::string_view text);

  [[nodiscard]] static std::vector<std::string_view> keys();
  /// The value as one writes it on the command line; empty if it is not set. kUsage for an unknown
  /// key.
  [[nodiscard]] Result<std::string> get(std::string_view key) const;
  /// Sets a value, written as on the command line (a list with commas); an empty one unsets it.
  [[nodiscard]] Result<void> set(std::string_view key, std::string_view value);
  /// Replaces the file whole.
  [[nodiscard]] Result<void> save(const std::string& home) const;
  /// All members that are set.
  [[nodiscard]] const node::Json& json() const { return json_; }

  [[nodiscard]] std::string text(std::string_view key) const;
  [[nodiscard]] std::vector<std::string> bootstrap() const;
  [[nodiscard]] std::uint64_t limit() const;
  [[nodiscard]] std::optional<std::uint64_t> min_free() const;
  [[nodiscard]] bool lan() const;
  /// Bytes per second; 0: the scrub is off.
  [[nodiscard]] std::uint64_t scrub_rate() const;
  [[nodiscard]] std::chrono::milliseconds scrub_every() const;

 private:
  node::Json json_ = node::Json::object();
};

/// Takes a lock on the settings of `home`, waiting for others who edit them. Held until the
/// descriptor is closed.
[[nodiscard]] Result<node::UniqueFd> lock_settings(const std::string& home);

}  // namespace kith::cli
