#include "storage/path_globs.hpp"

#include <algorithm>
#include <fnmatch.h>

#include "storage/path_policy.hpp"

namespace kith::storage {

PathGlobs::PathGlobs(std::vector<std::string> patterns) {
  for (std::string& glob : patterns) {
    const bool directories_only = glob.size() > 1 && glob.back() == '/';
    if (directories_only) glob.pop_back();
    const bool whole_path = glob.find('/') != std::string::npos;
    if (glob.starts_with('/')) glob.erase(0, 1);
    patterns_.push_back({std::move(glob), whole_path, directories_only});
  }
}

bool PathGlobs::matches(std::string_view path, bool is_directory) const {
  if (patterns_.empty()) return false;
  const std::string whole(path);
  const std::string name(split(path).name);
  return std::ranges::any_of(patterns_, [&](const Pattern& pattern) {
    if (pattern.directories_only && !is_directory) return false;
    const std::string& subject = pattern.whole_path ? whole : name;
    return ::fnmatch(pattern.glob.c_str(), subject.c_str(), FNM_PATHNAME) == 0;
  });
}

bool PathGlobs::takes(std::string_view path, bool is_directory) const {
  if (patterns_.empty() || matches(path, is_directory)) return true;
  for (std::string_view up = split(path).parent; !up.empty(); up = split(up).parent) {
    if (matches(up, true)) return true;
  }
  return false;
}

}  // namespace kith::storage
