#include "storage/linux_calls.hpp"

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <fcntl.h>
#include <fstream>
#include <linux/magic.h>
#include <linux/openat2.h>
#include <string_view>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

namespace kith::storage::linux_calls {
namespace {

int openat2(int dir, const char* path, int flags, std::uint64_t resolve) {
  open_how how{};
  how.flags = static_cast<unsigned>(flags);
  how.resolve = resolve;
  return static_cast<int>(::syscall(SYS_openat2, dir, path, &how, sizeof how));
}

// Old kernels answer ENOSYS, old container filters EPERM: what a harmless call says is what counts.
bool have_openat2() {
  static const bool have = [] {
    const int fd = openat2(AT_FDCWD, "/", O_PATH | O_CLOEXEC, 0);
    if (fd >= 0) ::close(fd);
    return fd >= 0;
  }();
  return have;
}

int walk_beneath(int dir, std::string_view path, int flags) {
  int at = dir;
  while (true) {
    const std::size_t slash = path.find('/');
    const std::string name(path.substr(0, slash));
    const bool last = slash == std::string_view::npos;
    const int how = last ? flags : O_PATH | O_DIRECTORY | O_CLOEXEC;
    const int next = ::openat(at, name.c_str(), how | O_NOFOLLOW);
    const int saved = errno;
    if (at != dir) ::close(at);
    errno = saved;
    if (next < 0 || last) return next;
    at = next;
    path.remove_prefix(slash + 1);
  }
}

}  // namespace

int open_beneath(int dir, const std::string& path, int flags) {
  if (!have_openat2()) return walk_beneath(dir, path, flags);
  return openat2(dir, path.c_str(), flags | O_NOFOLLOW, RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS);
}

int rename_no_replace(int from_dir, const char* from, int to_dir, const char* to) {
  return ::renameat2(from_dir, from, to_dir, to, RENAME_NOREPLACE);
}

int rename_exchange(int from_dir, const char* from, int to_dir, const char* to) {
  return ::renameat2(from_dir, from, to_dir, to, RENAME_EXCHANGE);
}

int allocate(int fd, std::uint64_t size) {
  struct statfs system {};
  if (::fstatfs(fd, &system) != 0) return -1;
  if (system.f_type == TMPFS_MAGIC) {
    errno = EOPNOTSUPP;
    return -1;
  }
  return ::fallocate(fd, 0, 0, static_cast<off_t>(size));
}

void start_writeback(int fd) { (void)::sync_file_range(fd, 0, 0, SYNC_FILE_RANGE_WRITE); }

int finish_writeback(int fd) {
  // Where pages are compressed first (btrfs), those are only seen as being written by a second
  // call.
  start_writeback(fd);
  return ::sync_file_range(
      fd, 0, 0, SYNC_FILE_RANGE_WAIT_BEFORE | SYNC_FILE_RANGE_WRITE | SYNC_FILE_RANGE_WAIT_AFTER);
}

int chmod_no_follow(int dir, const char* name, unsigned mode) {
  const int fd = ::openat(dir, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
  if (fd < 0) return -1;
  struct stat info {};
  int result = ::fstat(fd, &info);
  if (result == 0 && S_ISLNK(info.st_mode)) {
    result = -1;
    errno = ELOOP;
  }
  if (result == 0) {
    // fchmod refuses O_PATH descriptors; their /proc link names the same inode.
    char link[40];
    std::snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    result = ::chmod(link, mode);
  }
  const int saved = errno;
  ::close(fd);
  errno = saved;
  return result;
}

unsigned current_umask() {
  std::ifstream status("/proc/self/status");
  constexpr std::string_view kField = "Umask:";
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with(kField)) {
      return static_cast<unsigned>(std::strtoul(line.c_str() + kField.size(), nullptr, 8));
    }
  }
  return 077;
}

std::string boot_id() {
  std::ifstream in("/proc/sys/kernel/random/boot_id");
  std::string id;
  std::getline(in, id);
  return id;
}

}  // namespace kith::storage::linux_calls
