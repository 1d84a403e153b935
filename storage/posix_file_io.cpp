#include "storage/posix_file_io.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>
#include <dirent.h>
#include <fcntl.h>
#include <memory>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "proto/assert.hpp"
#include "storage/linux_calls.hpp"
#include "storage/may_block.hpp"

namespace kith::storage {
namespace {

constexpr std::int64_t kNanosPerSecond = 1'000'000'000;

// A name as a C string, without allocation: one call of every file of a share makes one.
class Name {
 public:
  explicit Name(std::string_view name) : fits_(name.size() <= NAME_MAX) {
    if (!fits_) return;
    std::copy(name.begin(), name.end(), text_.begin());
    text_[name.size()] = '\0';
  }
  [[nodiscard]] const char* get() const { return text_.data(); }
  // One component that names an entry of its directory.
  [[nodiscard]] bool valid() const {
    const std::string_view text(text_.data());
    return fits_ && !text.empty() && text != "." && text != ".." && text.find('/') == text.npos;
  }

 private:
  bool fits_;
  std::array<char, NAME_MAX + 1> text_{};
};

Result<void> checked(int result, std::string_view doing, std::string_view subject = {}) {
  if (result == 0) return {};
  return io_error(errno, doing, subject);
}

// Names reach this file only after check_path; this is the second fence.
#define KITH_NAME(variable, name) \
  const Name variable(name);      \
  if (!variable.valid()) return io_error(ENAMETOOLONG, "using a name", name)

NodeKind kind_of(mode_t mode) {
  if (S_ISREG(mode)) return NodeKind::kFile;
  if (S_ISDIR(mode)) return NodeKind::kDirectory;
  if (S_ISLNK(mode)) return NodeKind::kSymlink;
  return NodeKind::kOther;
}

std::int64_t nanos(const timespec& t) {
  return static_cast<std::int64_t>(t.tv_sec) * kNanosPerSecond + t.tv_nsec;
}

FileInfo info_of(const struct stat& s) {
  FileInfo info;
  info.kind = kind_of(s.st_mode);
  info.mode = s.st_mode & 07777;
  info.links = static_cast<std::uint32_t>(s.st_nlink);
  info.size = static_cast<std::uint64_t>(s.st_size);
  info.allocated = static_cast<std::uint64_t>(s.st_blocks) * 512;
  info.dev = s.st_dev;
  info.inode = s.st_ino;
  info.mtime_ns = nanos(s.st_mtim);
  info.ctime_ns = nanos(s.st_ctim);
  return info;
}

std::array<timespec, 2> times_of(std::int64_t mtime_ns) {
  std::int64_t seconds = mtime_ns / kNanosPerSecond;
  std::int64_t rest = mtime_ns % kNanosPerSecond;
  if (rest < 0) {
    rest += kNanosPerSecond;
    --seconds;
  }
  std::array<timespec, 2> times{};
  times[0].tv_nsec = UTIME_OMIT;
  times[1].tv_sec = static_cast<time_t>(seconds);
  times[1].tv_nsec = static_cast<long>(rest);
  return times;
}

// Calls transfer(offset, iovecs) until everything is through or it returns 0. The common case, one
// call, copies nothing.
template <class F>
Result<std::size_t> transfer_all(std::uint64_t offset, std::span<const iovec> parts, F transfer) {
  std::size_t done = 0;
  std::vector<iovec> rest;
  while (!parts.empty()) {
    const auto batch = parts.first(std::min<std::size_t>(parts.size(), IOV_MAX));
    const ssize_t n = transfer(static_cast<off_t>(offset + done), batch);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return io_error(errno, "transferring file content");
    if (n == 0) break;
    done += static_cast<std::size_t>(n);
    auto left = static_cast<std::size_t>(n);
    while (!parts.empty() && left >= parts.front().iov_len) {
      left -= parts.front().iov_len;
      parts = parts.subspan(1);
    }
    if (left == 0) continue;
    rest = std::vector<iovec>(parts.begin(), parts.end());
    rest.front().iov_base = static_cast<char*>(rest.front().iov_base) + left;
    rest.front().iov_len -= left;
    parts = rest;
  }
  return done;
}

std::size_t total(std::span<const iovec> parts) {
  std::size_t sum = 0;
  for (const iovec& part : parts) sum += part.iov_len;
  return sum;
}

Result<NodeKind> kind_of_item(int dir, const dirent& item) {
  switch (item.d_type) {
    case DT_REG:
      return NodeKind::kFile;
    case DT_DIR:
      return NodeKind::kDirectory;
    case DT_LNK:
      return NodeKind::kSymlink;
    case DT_UNKNOWN:
      break;
    default:
      return NodeKind::kOther;
  }
  struct stat s {};
  if (::fstatat(dir, item.d_name, &s, AT_SYMLINK_NOFOLLOW) != 0) {
    return io_error(errno, "reading attributes", item.d_name);
  }
  return kind_of(s.st_mode);
}

}  // namespace

PosixFileIo::PosixFileIo() : umask_(linux_calls::current_umask()) {}

Result<Dir> PosixFileIo::open_root(const std::string& path) {
  assert_may_block();
  const int fd = ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return io_error(errno, "opening a directory", path);
  return Dir(*this, fd);
}

Result<Dir> PosixFileIo::open_dir(const Dir& at, std::string_view path) {
  assert_may_block();
  constexpr int kFlags = O_RDONLY | O_DIRECTORY | O_CLOEXEC;
  const int fd = path.empty() ? ::openat(at.fd(), ".", kFlags)
                              : linux_calls::open_beneath(at.fd(), std::string(path), kFlags);
  if (fd < 0) return io_error(errno, "opening a directory", path);
  return Dir(*this, fd);
}

Result<File> PosixFileIo::open_file(const Dir& at, std::string_view name, OpenMode open,
                                    std::uint32_t mode) {
  assert_may_block();
  KITH_NAME(text, name);
  int flags = O_NOFOLLOW | O_CLOEXEC | O_NOCTTY;
  if (open == OpenMode::kRead) flags |= O_RDONLY | O_NONBLOCK;
  if (open == OpenMode::kReadWrite) flags |= O_RDWR | O_NONBLOCK;
  if (open == OpenMode::kCreate) flags |= O_RDWR | O_CREAT | O_EXCL;
  const int fd = ::openat(at.fd(), text.get(), flags, static_cast<mode_t>(mode));
  if (fd < 0) return io_error(errno, open == OpenMode::kCreate ? "creating" : "opening", name);
  return File(*this, fd);
}

Result<std::size_t> PosixFileIo::read(const File& file, std::uint64_t offset,
                                      std::span<const iovec> into) {
  assert_may_block();
  return transfer_all(offset, into, [&](off_t at, std::span<const iovec> parts) {
    return ::preadv(file.fd(), parts.data(), static_cast<int>(parts.size()), at);
  });
}

Result<void> PosixFileIo::write(const File& file, std::uint64_t offset,
                                std::span<const iovec> from) {
  assert_may_block();
  KITH_TRY(const std::size_t done,
           transfer_all(offset, from, [&](off_t at, std::span<const iovec> parts) {
             return ::pwritev(file.fd(), parts.data(), static_cast<int>(parts.size()), at);
           }));
  if (done != total(from)) return io_error(EIO, "writing");
  return {};
}

Result<bool> PosixFileIo::allocate(const File& file, std::uint64_t size) {
  assert_may_block();
  if (linux_calls::allocate(file.fd(), size) == 0) return true;
  if (errno != EOPNOTSUPP && errno != ENOSYS) return io_error(errno, "reserving space");
  KITH_TRY(const FileInfo info, stat(file));
  if (info.size < size) KITH_CHECK(truncate(file, size));
  return false;
}

Result<void> PosixFileIo::truncate(const File& file, std::uint64_t size) {
  return checked(::ftruncate(file.fd(), static_cast<off_t>(size)), "setting the size");
}

void PosixFileIo::advise_sequential(const File& file) {
  (void)::posix_fadvise(file.fd(), 0, 0, POSIX_FADV_SEQUENTIAL);
}

void PosixFileIo::start_writeback(const File& file) { linux_calls::start_writeback(file.fd()); }

Result<void> PosixFileIo::finish_writeback(const File& file) {
  assert_may_block();
  return checked(linux_calls::finish_writeback(file.fd()), "writing back");
}

Result<FileInfo> PosixFileIo::stat(const Handle& handle) {
  struct stat s {};
  KITH_CHECK(checked(::fstat(handle.fd(), &s), "reading attributes"));
  return info_of(s);
}

Result<FileInfo> PosixFileIo::stat_at(const Dir& at, std::string_view name) {
  KITH_NAME(text, name);
  struct stat s {};
  const int result = ::fstatat(at.fd(), text.get(), &s, AT_SYMLINK_NOFOLLOW);
  KITH_CHECK(checked(result, "reading attributes", name));
  return info_of(s);
}

Result<FileSystemInfo> PosixFileIo::file_system(const Handle& handle) {
  struct statfs s {};
  KITH_CHECK(checked(::fstatfs(handle.fd(), &s), "reading the file system's state"));
  FileSystemInfo info;
  info.free_bytes = static_cast<std::uint64_t>(s.f_bavail) * static_cast<std::uint64_t>(s.f_bsize);
  info.total_bytes = static_cast<std::uint64_t>(s.f_blocks) * static_cast<std::uint64_t>(s.f_bsize);
  info.type = static_cast<std::uint64_t>(s.f_type);
  info.name_max = static_cast<std::uint64_t>(s.f_namelen);
  return info;
}

Result<std::vector<DirItem>> PosixFileIo::list(const Dir& dir) {
  assert_may_block();
  // A descriptor of its own: the position of `dir` is shared by everyone who holds it.
  const int fd = ::openat(dir.fd(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return io_error(errno, "listing a directory");
  struct CloseStream {
    void operator()(DIR* stream) const { ::closedir(stream); }
  };
  const std::unique_ptr<DIR, CloseStream> stream(::fdopendir(fd));
  if (!stream) {
    const int saved = errno;
    ::close(fd);
    return io_error(saved, "listing a directory");
  }
  std::vector<DirItem> items;
  while (true) {
    errno = 0;
    const dirent* item = ::readdir(stream.get());
    if (item == nullptr && errno != 0) return io_error(errno, "listing a directory");
    if (item == nullptr) return items;
    const std::string_view name = item->d_name;
    if (name == "." || name == "..") continue;
    KITH_TRY(const NodeKind kind, kind_of_item(fd, *item));
    items.push_back({std::string(name), kind});
  }
}

Result<std::string> PosixFileIo::read_link(const Dir& at, std::string_view name) {
  KITH_NAME(text, name);
  std::string target(PATH_MAX, '\0');
  const ssize_t n = ::readlinkat(at.fd(), text.get(), target.data(), target.size());
  if (n < 0) return io_error(errno, "reading a symbolic link", name);
  target.resize(static_cast<std::size_t>(n));
  return target;
}

Result<void> PosixFileIo::set_mode(const Handle& handle, std::uint32_t mode) {
  return checked(::fchmod(handle.fd(), static_cast<mode_t>(mode)), "setting permissions");
}

Result<void> PosixFileIo::set_mode_at(const Dir& at, std::string_view name, std::uint32_t mode) {
  KITH_NAME(text, name);
  return checked(linux_calls::chmod_no_follow(at.fd(), text.get(), mode), "setting permissions",
                 name);
}

Result<void> PosixFileIo::set_mtime(const Handle& handle, std::int64_t mtime_ns) {
  const auto times = times_of(mtime_ns);
  return checked(::futimens(handle.fd(), times.data()), "setting the modification time");
}

Result<void> PosixFileIo::set_mtime_at(const Dir& at, std::string_view name,
                                       std::int64_t mtime_ns) {
  KITH_NAME(text, name);
  const auto times = times_of(mtime_ns);
  return checked(::utimensat(at.fd(), text.get(), times.data(), AT_SYMLINK_NOFOLLOW),
                 "setting the modification time", name);
}

Result<void> PosixFileIo::make_dir(const Dir& at, std::string_view name, std::uint32_t mode) {
  KITH_NAME(text, name);
  return checked(::mkdirat(at.fd(), text.get(), static_cast<mode_t>(mode)), "making a directory",
                 name);
}

Result<void> PosixFileIo::make_symlink(const Dir& at, std::string_view name,
                                       const std::string& target) {
  KITH_NAME(text, name);
  const int result = ::symlinkat(target.c_str(), at.fd(), text.get());
  if (result != 0 && errno == EPERM) {  // what FAT answers
    return io_error(EOPNOTSUPP, "making a symbolic link", name);
  }
  return checked(result, "making a symbolic link", name);
}

Result<void> PosixFileIo::rename(const Dir& from_dir, std::string_view from, const Dir& to_dir,
                                 std::string_view to, RenameMode mode) {
  assert_may_block();
  KITH_NAME(source, from);
  KITH_NAME(target, to);
  int result = 0;
  switch (mode) {
    case RenameMode::kNoReplace:
      result =
          linux_calls::rename_no_replace(from_dir.fd(), source.get(), to_dir.fd(), target.get());
      break;
    case RenameMode::kExchange:
      result = linux_calls::rename_exchange(from_dir.fd(), source.get(), to_dir.fd(), target.get());
      break;
    case RenameMode::kPlain:
      result = ::renameat(from_dir.fd(), source.get(), to_dir.fd(), target.get());
  }
  if (result != 0 && errno == EINVAL) return io_error(EOPNOTSUPP, "renaming", to);
  return checked(result, "renaming", to);
}

Result<void> PosixFileIo::remove_file(const Dir& at, std::string_view name) {
  KITH_NAME(text, name);
  return checked(::unlinkat(at.fd(), text.get(), 0), "removing", name);
}

Result<void> PosixFileIo::remove_dir(const Dir& at, std::string_view name) {
  KITH_NAME(text, name);
  return checked(::unlinkat(at.fd(), text.get(), AT_REMOVEDIR), "removing", name);
}

Result<bool> PosixFileIo::try_lock(const Handle& handle) {
  if (::flock(handle.fd(), LOCK_EX | LOCK_NB) == 0) return true;
  if (errno == EWOULDBLOCK) return false;
  return io_error(errno, "locking");
}

Result<void> PosixFileIo::sync_data(const File& file) {
  assert_may_block();
  return checked(::fdatasync(file.fd()), "syncing");
}

Result<void> PosixFileIo::sync(const Handle& handle) {
  assert_may_block();
  return checked(::fsync(handle.fd()), "syncing");
}

Result<void> PosixFileIo::sync_all(const Dir& dir) {
  assert_may_block();
  return checked(::syncfs(dir.fd()), "syncing the file system");
}

std::string PosixFileIo::boot_id() { return linux_calls::boot_id(); }

void PosixFileIo::close(int fd) noexcept { ::close(fd); }

}  // namespace kith::storage
