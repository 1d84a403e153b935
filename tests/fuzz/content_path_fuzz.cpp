// Path rules against a model that works on lists of components. Input: two paths, each at most 255
// bytes longer than the rules allow, parted by a newline.
#include <algorithm>
#include <string>
#include <vector>

#include "proto/assert.hpp"
#include "proto/content/paths.hpp"
#include "proto/text.hpp"

namespace {

using Components = std::vector<std::basic_string<unsigned char>>;

Components split(std::string_view path) {
  Components out(1);
  for (const char c : path) {
    if (c == '/') {
      out.emplace_back();
    } else {
      out.back().push_back(static_cast<unsigned char>(c));
    }
  }
  return out;
}

bool is_sound(std::string_view path) {
  if (path.size() > 4095 || !kith::is_utf8(path)) return false;
  for (const auto& component : split(path)) {
    const std::string_view text(reinterpret_cast<const char*>(component.data()), component.size());
    if (text.empty() || text == "." || text == ".." || text.size() > 255) return false;
    if (text.find('\0') != std::string_view::npos) return false;
  }
  return true;
}

bool resolves_inside(std::string_view path, std::string_view target) {
  if (target.starts_with('/')) return false;
  Components at = split(path);
  at.pop_back();
  for (const auto& component : split(target)) {
    const bool is_dot = component.size() == 1 && component[0] == '.';
    const bool is_up = component.size() == 2 && component[0] == '.' && component[1] == '.';
    if (component.empty() || is_dot) continue;
    if (is_up && at.empty()) return false;
    if (is_up) {
      at.pop_back();
    } else {
      at.push_back(component);
    }
  }
  return true;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace kith;
  const std::string_view input = as_text({data, size});
  const std::size_t line = std::min(input.find('\n'), input.size());
  const std::string_view a = input.substr(0, line);
  const std::string_view b = input.substr(std::min(line + 1, input.size()));
  for (const std::string_view path : {a, b}) {
    KITH_ASSERT(check_path(path).has_value() == is_sound(path));
    const bool is_name = is_sound(path) && path.find('/') == std::string_view::npos;
    KITH_ASSERT(check_name(path).has_value() == is_name);
  }
  if (!is_sound(a)) return 0;
  KITH_ASSERT(symlink_stays_inside(a, b) == resolves_inside(a, b));
  if (!is_sound(b)) return 0;
  const int order = compare_paths(a, b);
  KITH_ASSERT((order < 0) == (split(a) < split(b)));
  KITH_ASSERT((order == 0) == (a == b));
  KITH_ASSERT((compare_paths(b, a) < 0) == (order > 0));
  return 0;
}
