#include "tools/kith/home.hpp"

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <fcntl.h>
#include <filesystem>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "proto/text.hpp"

namespace kith::cli {
namespace {

using node::UniqueFd;

std::string environment(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? std::string() : std::string(value);
}

std::string lock_path(const std::string& home) { return home + "/lock"; }

void note_holder(int fd, HolderKind kind) {
  const std::string text =
      std::to_string(::getpid()) + (kind == HolderKind::kNode ? " node\n" : " command\n");
  // A note for people and for lock_holder(); the lock itself does not depend on it.
  if (::ftruncate(fd, 0) == 0) (void)!::pwrite(fd, text.data(), text.size(), 0);
}

/// Without "." and doubled slashes, which mean nothing; ".." stays, since what it means depends on
/// symlinks.
std::string without_dots(const std::filesystem::path& absolute) {
  std::filesystem::path out("/");
  for (const auto& part : absolute.relative_path()) {
    if (!part.empty() && part != ".") out /= part;
  }
  return out.string();
}

Holder read_holder(int fd) {
  char text[64] = {};
  Holder holder;
  if (::pread(fd, text, sizeof text - 1, 0) <= 0) return holder;
  char kind[16] = {};
  std::sscanf(text, "%d %15s", &holder.pid, kind);
  if (std::string_view(kind) == "command") holder.kind = HolderKind::kCommand;
  return holder;
}

/// What exists of the path must be a directory, or none can be made below it.
Result<void> check_may_be_directory(const std::filesystem::path& path) {
  using std::filesystem::file_type;
  for (std::filesystem::path at = path;; at = at.parent_path()) {
    std::error_code error;
    const file_type type = std::filesystem::status(at, error).type();
    if (type == file_type::not_found && at != at.root_path()) continue;
    // What cannot be looked at is named when it is opened.
    const bool may = type == file_type::directory || type == file_type::none;
    if (may) return {};
    return local_error(Errc::kUsage, "this is not a directory", at.string(),
                       "-o names the directory that the share goes into, --as its name there");
  }
}

}  // namespace

Result<std::string> find_home(const std::string& flag) {
  std::string home = flag;
  if (home.empty()) home = environment("KITH_HOME");
  if (home.empty()) {
    const std::string data = environment("XDG_DATA_HOME");
    if (!data.empty() && data.front() == '/') home = data + "/kith";
  }
  if (home.empty()) {
    const std::string user = environment("HOME");
    if (!user.empty()) home = user + "/.local/share/kith";
  }
  if (home.empty()) {
    return local_error(Errc::kUsage, "no home directory", "HOME is not set",
                       "name one with --home or KITH_HOME");
  }
  return absolute_path(home);
}

Result<void> make_home(const std::string& home) {
  std::error_code error;
  const std::filesystem::path path(home);
  std::filesystem::create_directories(path.parent_path(), error);
  if (::mkdir(home.c_str(), 0700) != 0 && errno != EEXIST) {
    return os_error(errno, "cannot make the home", home);
  }
  struct stat info {};
  if (::stat(home.c_str(), &info) != 0) return os_error(errno, "cannot use the home", home);
  if (!S_ISDIR(info.st_mode)) return local_error(Errc::kIo, "the home is not a directory", home);
  if (info.st_uid != ::geteuid()) {
    return local_error(Errc::kRefused, "the home belongs to another user", home);
  }
  if ((info.st_mode & 077) != 0) {
    return local_error(Errc::kRefused, "others may enter the home", home,
                       "it holds keys: chmod 700 it, or name another with --home");
  }
  return {};
}

Result<std::string> absolute_path(const std::string& path) {
  if (path.empty()) return local_error(Errc::kUsage, "an empty path");
  std::error_code error;
  const std::filesystem::path absolute = std::filesystem::absolute(path, error);
  if (error) return os_error(error.value(), "cannot name the present directory");
  std::string out = without_dots(absolute);
  if (!is_utf8(out)) {
    return local_error(Errc::kUsage, "a path that is not UTF-8", escape(out),
                       "go into that directory's parent by a link with another name");
  }
  return out;
}

Result<std::string> directory_path(const std::string& path) {
  KITH_TRY(const std::string absolute, absolute_path(path));
  KITH_CHECK(check_may_be_directory(absolute));
  std::error_code error;
  const auto resolved = std::filesystem::weakly_canonical(absolute, error);
  // What is in the way is named when the directory is opened.
  return error ? absolute : absolute_path(resolved.string());
}

Result<std::string> named_path(const std::string& path) {
  KITH_TRY(std::string absolute, absolute_path(path));
  const std::filesystem::path as_given(absolute);
  const std::string last = as_given.filename().string();
  const bool unnamed = last.empty() || last == "." || last == "..";
  std::error_code error;
  const auto resolved = unnamed ? std::filesystem::canonical(as_given, error)
                                : std::filesystem::canonical(as_given.parent_path(), error) / last;
  if (error) return os_error(error.value(), "cannot open", absolute);
  if (::faccessat(AT_FDCWD, resolved.c_str(), F_OK, AT_SYMLINK_NOFOLLOW) != 0) {
    return os_error(errno, "cannot open", absolute);
  }
  return absolute_path(resolved.string());
}

Result<std::optional<UniqueFd>> try_lock(const std::string& home, HolderKind kind) {
  const std::string path = lock_path(home);
  UniqueFd fd(::open(path.c_str(), O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600));
  if (!fd) return os_error(errno, "cannot open the lock of the home", path);
  std::optional<UniqueFd> out;
  if (::flock(fd.get(), LOCK_EX | LOCK_NB) == 0) {
    note_holder(fd.get(), kind);
    out = std::move(fd);
  } else if (errno != EWOULDBLOCK) {
    return os_error(errno, "cannot lock the home", path);
  }
  return out;
}

std::optional<Holder> lock_holder(const std::string& home) {
  const UniqueFd fd(::open(lock_path(home).c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC));
  if (!fd) return {};
  if (::flock(fd.get(), LOCK_SH | LOCK_NB) == 0) return {};
  return read_holder(fd.get());
}

}  // namespace kith::cli
