#include "proto/content/paths.hpp"

#include <algorithm>

#include "proto/limits.hpp"
#include "proto/text.hpp"

namespace kith {
namespace {

// A separator ranks below every other byte, which makes bytewise order the order by components. NUL
// does not occur in paths.
int rank(char c) { return c == '/' ? 0 : static_cast<unsigned char>(c); }

// Takes the component at the front of `rest` off, with the separator behind it.
std::string_view take_component(std::string_view& rest) {
  const std::size_t slash = std::min(rest.find('/'), rest.size());
  const std::string_view component = rest.substr(0, slash);
  rest.remove_prefix(std::min(slash + 1, rest.size()));
  return component;
}

Result<void> check_component(std::string_view component) {
  if (component.empty()) return peer_error(Errc::kMalformed, "path has an empty component");
  if (component == "." || component == "..") {
    return peer_error(Errc::kMalformed, "path has a component '.' or '..'");
  }
  if (component.size() > limits::kComponentMax) {
    return peer_error(Errc::kLimit, "path has a component of over 255 bytes");
  }
  return {};
}

bool has_nul(std::string_view text) { return text.find('\0') != std::string_view::npos; }

}  // namespace

int compare_paths(std::string_view a, std::string_view b) {
  const auto [at_a, at_b] = std::mismatch(a.begin(), a.end(), b.begin(), b.end());
  if (at_a == a.end()) return at_b == b.end() ? 0 : -1;
  if (at_b == b.end()) return 1;
  return rank(*at_a) - rank(*at_b);
}

std::string_view parent_path(std::string_view path) {
  const std::size_t slash = path.rfind('/');
  return slash == std::string_view::npos ? std::string_view() : path.substr(0, slash);
}

Result<void> check_path(std::string_view path) {
  if (path.empty()) return peer_error(Errc::kMalformed, "path is empty");
  if (path.size() > limits::kPathMax) return peer_error(Errc::kLimit, "path is over 4,095 bytes");
  if (path.front() == '/') return peer_error(Errc::kMalformed, "path is absolute");
  if (path.back() == '/') return peer_error(Errc::kMalformed, "path has an empty component");
  if (has_nul(path)) return peer_error(Errc::kMalformed, "path contains NUL");
  if (!is_utf8(path)) return peer_error(Errc::kMalformed, "path is not valid UTF-8");
  for (std::string_view rest = path; !rest.empty();) {
    KITH_CHECK(check_component(take_component(rest)));
  }
  return {};
}

Result<void> check_name(std::string_view name) {
  if (name.find('/') != std::string_view::npos) {
    return peer_error(Errc::kMalformed, "name contains a slash");
  }
  return check_path(name);
}

Result<void> check_symlink_target(std::string_view target) {
  if (target.empty()) return peer_error(Errc::kMalformed, "symlink target is empty");
  if (target.size() > limits::kSymlinkMax) {
    return peer_error(Errc::kLimit, "symlink target is over 4,095 bytes");
  }
  if (has_nul(target)) return peer_error(Errc::kMalformed, "symlink target contains NUL");
  return {};
}

bool symlink_stays_inside(std::string_view path, std::string_view target) {
  if (!target.empty() && target.front() == '/') return false;
  auto depth = std::count(path.begin(), path.end(), '/');
  while (!target.empty()) {
    const std::string_view component = take_component(target);
    if (component.empty() || component == ".") continue;
    depth += component == ".." ? -1 : 1;
    if (depth < 0) return false;
  }
  return true;
}

}  // namespace kith
