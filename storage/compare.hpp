// Is what stands at a destination already the share that is to be fetched there?
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "proto/slab.hpp"
#include "storage/copy_files.hpp"
#include "storage/file_stat.hpp"
#include "storage/manifest_walk.hpp"

namespace kith::storage {

struct Difference {
  std::string path;  // of the entry; "" is the top
  std::string what;  // "has another size"
};

/// How it is compared.
struct Comparison {
  /// Links that leave the tree need not be there.
  bool safe_links = false;
  /// Only what this takes must be there, and nothing else may be; empty: everything.
  PathGlobs part = {};
  /// States that were recorded when the files were as the share's. A chunk of which a part is here
  /// cannot be hashed: its files count as the share's if they are as recorded, else as different.
  /// May be empty: nothing is recorded. As PageSource, by page.
  std::function<Result<std::shared_ptr<const PageStats>>(std::uint32_t)> recorded = {};
};

/// The first difference, if there is one. The entries must be exactly the share's (kinds, names,
/// modes, mtimes of files and directories, targets of links) and every chunk, read from the files
/// and enciphered, must have its id.
/// Nothing is written. Errors are those of the manifest; what cannot be read is different.
[[nodiscard]] Result<std::optional<Difference>> differs_from_share(CopyFiles& files, SlabPool& pool,
                                                                   const Root& root,
                                                                   const PageSource& pages,
                                                                   const Comparison& how);

}  // namespace kith::storage
