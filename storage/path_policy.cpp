#include "storage/path_policy.hpp"

#include "proto/content/paths.hpp"
#include "proto/limits.hpp"

namespace kith::storage {
namespace {

constexpr std::size_t kIdDigits = 8;

bool continues_character(char c) { return (static_cast<unsigned char>(c) & 0xc0) == 0x80; }

}  // namespace

SplitPath split(std::string_view path) {
  const std::size_t slash = path.rfind('/');
  if (slash == std::string_view::npos) return {"", path};
  return {path.substr(0, slash), path.substr(slash + 1)};
}

SplitPath split_native(std::string_view path) {
  while (path.size() > 1 && path.back() == '/') path.remove_suffix(1);
  if (path == "/") return {"/", ""};
  const std::size_t slash = path.rfind('/');
  if (slash == std::string_view::npos) return {".", path};
  return {slash == 0 ? "/" : path.substr(0, slash), path.substr(slash + 1)};
}

std::string join_native(std::string_view directory, std::string_view name) {
  std::string out(directory);
  if (out.empty() || out.back() != '/') out += '/';
  out += name;
  return out;
}

std::string staging_name(std::string_view name, const ShareId& share, std::string_view owner) {
  std::string suffix = ".kith-" + share.hex().substr(0, kIdDigits);
  if (!owner.empty()) suffix.append("-").append(owner);
  const std::size_t room = limits::kComponentMax - 1 - suffix.size();
  std::size_t length = name.size();
  if (length > room) {
    length = room;
    while (length > 0 && continues_character(name[length])) --length;
  }
  return "." + std::string(name.substr(0, length)) + suffix;
}

Result<void> check_final_name(std::string_view name, std::uint64_t name_max) {
  if (auto checked = check_name(name); !checked) {
    return local_error(Errc::kRefused, checked.error().what, std::string(name),
                       "choose another name with --as");
  }
  if (name.size() > name_max) {
    return local_error(Errc::kUnsupported, "the name is too long for the file system",
                       std::string(name), "choose another name with --as");
  }
  return {};
}

}  // namespace kith::storage
