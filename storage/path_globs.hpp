// Patterns that choose entries of a tree: what a share leaves out (`--exclude`), what a fetch takes
// (`--path`).
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace kith::storage {

/// Patterns as a shell's: * ? [a-z]. One without a slash is compared with each name, one with a
/// slash with the path from the top; a slash at its end means directories only.
class PathGlobs {
 public:
  PathGlobs() = default;
  explicit PathGlobs(std::vector<std::string> patterns);
  /// There is no pattern.
  [[nodiscard]] bool empty() const { return patterns_.empty(); }
  /// The entry itself fits a pattern. `path` from the top, as in a manifest.
  [[nodiscard]] bool matches(std::string_view path, bool is_directory) const;
  /// The entry, or a directory that it lies in, fits; without any pattern everything does.
  [[nodiscard]] bool takes(std::string_view path, bool is_directory) const;

 private:
  struct Pattern {
    std::string glob;
    bool whole_path;
    bool directories_only;
  };
  std::vector<Pattern> patterns_;
};

}  // namespace kith::storage
