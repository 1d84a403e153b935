// The home of a device: where it is, that it exists, and who holds its lock.
#pragma once

#include <optional>
#include <string>

#include "node/api/unique_fd.hpp"
#include "proto/result.hpp"

namespace kith::cli {

/// `flag`, else $KITH_HOME, else $XDG_DATA_HOME/kith, else $HOME/.local/share/kith; made absolute.
/// kUsage where none of them says anything.
[[nodiscard]] Result<std::string> find_home(const std::string& flag);
/// Makes the home (0700) and what leads to it. Refuses one that others may enter or that belongs to
/// somebody else.
[[nodiscard]] Result<void> make_home(const std::string& home);

/// A path as the node must get it: absolute, since its directory is another. Text only: symlinks
/// and
/// ".." stay. kUsage where it is not UTF-8, which JSON cannot carry.
[[nodiscard]] Result<std::string> absolute_path(const std::string& path);
/// The same without symlinks and "..": one text for one directory, however it is spelled. What does
/// not exist yet is taken as it is written. kUsage where something else than a directory stands
/// there.
[[nodiscard]] Result<std::string> directory_path(const std::string& path);
/// An absolute path for something that exists and will be named after its last component, which
/// must therefore not be "." or "..": those are resolved. A final symlink is kept.
[[nodiscard]] Result<std::string> named_path(const std::string& path);

/// How long the node of a lock's holder is going to live.
enum class HolderKind { kNode, kCommand };
struct Holder {
  int pid = 0;
  HolderKind kind = HolderKind::kNode;
};

/// Takes the lock of an existing home, without waiting, and notes in it who holds it. Nothing if
/// another process has it. The lock ends with the descriptor.
[[nodiscard]] Result<std::optional<node::UniqueFd>> try_lock(const std::string& home,
                                                             HolderKind kind);
/// Who holds the lock; nothing if nobody does, or if there is no home.
[[nodiscard]] std::optional<Holder> lock_holder(const std::string& home);

}  // namespace kith::cli
