// The rules for the names in a share, and their order. A name that breaks a rule is refused, at
// publishing and at fetching, and never repaired. What Linux allows is allowed: backslashes,
// control characters and names that differ only in case are carried as they are.
#pragma once

#include <string_view>

#include "proto/result.hpp"

namespace kith {

/// Orders paths component by component, bytewise: "a/b" before "a.b", since "a" < "a.b". Negative,
/// 0 or positive. What lies below a directory follows directly behind it.
[[nodiscard]] int compare_paths(std::string_view a, std::string_view b);

/// The directory that `path` lies in; "" is the top.
[[nodiscard]] std::string_view parent_path(std::string_view path);

/// The rules for one path: valid UTF-8, relative, no empty, "." or ".." component, none over 255
/// bytes, no NUL, at most 4,095 bytes. Errors: kLimit for lengths, else kMalformed; blame peer.
[[nodiscard]] Result<void> check_path(std::string_view path);

/// A path of one component: the name of a share.
[[nodiscard]] Result<void> check_name(std::string_view name);

/// A symlink's target: 1–4,095 bytes without NUL, not necessarily UTF-8. Blame peer.
[[nodiscard]] Result<void> check_symlink_target(std::string_view target);

/// True if the symlink at `path` resolves, lexically, to a place inside the tree or its top. Other
/// symlinks on the way are not looked at.
[[nodiscard]] bool symlink_stays_inside(std::string_view path, std::string_view target);

}  // namespace kith
