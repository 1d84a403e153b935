// Is what stands at a destination already the share that is to be fetched there?
#pragma once

#include <optional>
#include <string>

#include "proto/slab.hpp"
#include "storage/copy_files.hpp"
#include "storage/manifest_walk.hpp"

namespace kith::storage {

struct Difference {
  std::string path;  // of the entry; "" is the top
  std::string what;  // "has another size"
};

/// The first difference, if there is one. The entries must be exactly the share's (kinds, names,
/// modes, mtimes of files and directories, targets of links) and every chunk, read from the files
/// and enciphered, must have its id. With safe_links, links that leave the tree need not be there.
/// Nothing is written. Errors are those of the manifest; what cannot be read is different.
[[nodiscard]] Result<std::optional<Difference>> differs_from_share(CopyFiles& files, SlabPool& pool,
                                                                   const Root& root,
                                                                   const PageSource& pages,
                                                                   bool safe_links);

}  // namespace kith::storage
