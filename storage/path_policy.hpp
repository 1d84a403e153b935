// Where names meet this machine: splitting paths, and the name of a staging. What a share's names
// must fulfil at all stands in proto/content/paths.hpp.
#pragma once

#include <string>
#include <string_view>

#include "proto/ids.hpp"
#include "proto/result.hpp"

namespace kith::storage {

/// A path inside a share, or of this machine, as directory and last component.
struct SplitPath {
  std::string_view parent;
  std::string_view name;
};

/// Of a path inside a share: "a/b/c" is "a/b" and "c"; "c" is "" and "c".
[[nodiscard]] SplitPath split(std::string_view path);

/// Of a path that the user gave: trailing slashes do not count; "c" lies in "."; "/" has no name.
[[nodiscard]] SplitPath split_native(std::string_view path);

/// directory/name, without doubling a slash.
[[nodiscard]] std::string join_native(std::string_view directory, std::string_view name);

/// ".NAME.kith-<first 8 hex digits of the id>-OWNER"; without an owner the name ends before it. A
/// name that would become too long for a component is shortened, between characters.
[[nodiscard]] std::string staging_name(std::string_view name, const ShareId& share,
                                       std::string_view owner = {});

/// What a final name must fulfil at a destination whose file system holds names of `name_max`
/// bytes: a share's rules (check_name), and the length. Blame local: the user can choose another.
[[nodiscard]] Result<void> check_final_name(std::string_view name, std::uint64_t name_max);

}  // namespace kith::storage
