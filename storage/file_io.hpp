// The seam between storage and the operating system. Everything in storage that touches a file goes
// through a FileIo, so that the same code runs on a disk (PosixFileIo) and, in simulations and
// crash tests, in memory with faults (MemoryFileIo).
//
// Rules:
// - A path given by a peer is only ever reached from an open Dir: `open_dir` resolves beneath it
// and
//   follows no symlink; all other functions take a `name`, which is one component.
// - Reads fill as much as the file has; writes write everything or fail.
// - Nothing is durable before it is synced: content and size by sync_data or sync of the file, an
//   entry (create, remove, rename) by sync of the directory, everything by sync_all.
// - Errors carry the name as subject; callers that know the whole path replace it. Beyond os_error:
//   a symlink or file in the way of a directory is kRefused, what a file system cannot do is
//   kUnsupported.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <sys/uio.h>
#include <utility>
#include <vector>

#include "proto/result.hpp"

namespace kith::storage {

enum class NodeKind : std::uint8_t { kFile, kDirectory, kSymlink, kOther };

struct FileInfo {
  NodeKind kind = NodeKind::kOther;
  std::uint32_t mode = 0;  // permission bits, 07777
  std::uint32_t links = 0;
  std::uint64_t size = 0;
  std::uint64_t allocated = 0;  // bytes of the file system that it takes
  std::uint64_t dev = 0;
  std::uint64_t inode = 0;
  std::int64_t mtime_ns = 0;
  std::int64_t ctime_ns = 0;
};

struct DirItem {
  std::string name;
  NodeKind kind = NodeKind::kOther;
};

struct FileSystemInfo {
  std::uint64_t free_bytes = 0;  // available to us
  std::uint64_t total_bytes = 0;
  std::uint64_t type = 0;  // statfs magic
  std::uint64_t name_max = 255;
};

/// "NFS", "FAT", …: where neither locks nor permissions nor times hold as on a disk of this
/// machine. Nothing: it is none of these that we know. `type`: FileSystemInfo::type.
[[nodiscard]] const char* foreign_file_system(std::uint64_t type);

class FileIo;

/// Of a mode, set-user-id and set-group-id: a write takes them away.
inline constexpr std::uint32_t kSetIdBits = 06000;

/// An open descriptor; closes itself. The FileIo must outlive it.
class Handle {
 public:
  Handle() = default;
  Handle(FileIo& io, int fd) : io_(&io), fd_(fd) {}
  Handle(Handle&& other) noexcept
      : io_(std::exchange(other.io_, nullptr)), fd_(std::exchange(other.fd_, -1)) {}
  Handle& operator=(Handle&& other) noexcept {
    std::swap(io_, other.io_);
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~Handle();

  [[nodiscard]] explicit operator bool() const { return io_ != nullptr; }
  [[nodiscard]] int fd() const { return fd_; }

 private:
  FileIo* io_ = nullptr;
  int fd_ = -1;
};

class File : public Handle {
 public:
  using Handle::Handle;
};
class Dir : public Handle {
 public:
  using Handle::Handle;
};

enum class OpenMode : std::uint8_t {
  kRead,       // never blocks on a FIFO; the caller checks that it is a regular file
  kReadWrite,  // an existing file
  kCreate,     // O_EXCL, read and write
};

enum class RenameMode : std::uint8_t {
  kNoReplace,  // kExists if the new name exists
  kExchange,   // both exist and change places
  kPlain,      // replaces a file or an empty directory; every file system can do it
};

class FileIo {
 public:
  virtual ~FileIo() = default;

  /// A directory named by this machine's user: symlinks are followed.
  [[nodiscard]] virtual Result<Dir> open_root(const std::string& path) = 0;
  /// A directory beneath `at`; no symlink is followed. "" is `at` itself.
  [[nodiscard]] virtual Result<Dir> open_dir(const Dir& at, std::string_view path) = 0;
  /// `mode` is used by kCreate only, and reduced by creation_mask().
  [[nodiscard]] virtual Result<File> open_file(const Dir& at, std::string_view name, OpenMode open,
                                               std::uint32_t mode = 0600) = 0;

  /// Reads from `offset` until `into` is full or the file ends; returns the bytes read.
  [[nodiscard]] virtual Result<std::size_t> read(const File& file, std::uint64_t offset,
                                                 std::span<const iovec> into) = 0;
  [[nodiscard]] virtual Result<void> write(const File& file, std::uint64_t offset,
                                           std::span<const iovec> from) = 0;
  /// Reserves space so that the file has at least `size` bytes. False: the file system cannot
  /// reserve, and the file only got its size.
  [[nodiscard]] virtual Result<bool> allocate(const File& file, std::uint64_t size) = 0;
  [[nodiscard]] virtual Result<void> truncate(const File& file, std::uint64_t size) = 0;
  /// Hints that the file will be read from front to back.
  virtual void advise_sequential(const File& file) = 0;
  /// Starts writing dirty content to the disk without waiting for it.
  virtual void start_writeback(const File& file) = 0;
  /// Writes dirty content to the disk and waits for it: whatever is stored from now on, also
  /// through a mapping, changes the mtime. Makes nothing durable, so that a disk need not flush its
  /// cache.
  [[nodiscard]] virtual Result<void> finish_writeback(const File& file) = 0;

  [[nodiscard]] virtual Result<FileInfo> stat(const Handle& handle) = 0;
  /// Of the name itself: a symlink is not followed.
  [[nodiscard]] virtual Result<FileInfo> stat_at(const Dir& at, std::string_view name) = 0;
  [[nodiscard]] virtual Result<FileSystemInfo> file_system(const Handle& handle) = 0;
  /// All names but "." and "..", in no particular order.
  [[nodiscard]] virtual Result<std::vector<DirItem>> list(const Dir& dir) = 0;
  [[nodiscard]] virtual Result<std::string> read_link(const Dir& at, std::string_view name) = 0;

  /// Exactly `mode`, whatever the creation mask.
  [[nodiscard]] virtual Result<void> set_mode(const Handle& handle, std::uint32_t mode) = 0;
  /// The same for what cannot be opened; a symlink is refused.
  [[nodiscard]] virtual Result<void> set_mode_at(const Dir& at, std::string_view name,
                                                 std::uint32_t mode) = 0;
  [[nodiscard]] virtual Result<void> set_mtime(const Handle& handle, std::int64_t mtime_ns) = 0;
  /// Of the name itself: a symlink is not followed.
  [[nodiscard]] virtual Result<void> set_mtime_at(const Dir& at, std::string_view name,
                                                  std::int64_t mtime_ns) = 0;

  [[nodiscard]] virtual Result<void> make_dir(const Dir& at, std::string_view name,
                                              std::uint32_t mode) = 0;
  [[nodiscard]] virtual Result<void> make_symlink(const Dir& at, std::string_view name,
                                                  const std::string& target) = 0;
  [[nodiscard]] virtual Result<void> rename(const Dir& from_dir, std::string_view from,
                                            const Dir& to_dir, std::string_view to,
                                            RenameMode mode) = 0;
  /// Removes a file or symlink, or an empty directory.
  [[nodiscard]] virtual Result<void> remove_file(const Dir& at, std::string_view name) = 0;
  [[nodiscard]] virtual Result<void> remove_dir(const Dir& at, std::string_view name) = 0;

  /// Locks for other descriptors and processes until the handle closes. False: somebody else has
  /// it.
  [[nodiscard]] virtual Result<bool> try_lock(const Handle& handle) = 0;

  [[nodiscard]] virtual Result<void> sync_data(const File& file) = 0;
  [[nodiscard]] virtual Result<void> sync(const Handle& handle) = 0;
  /// The whole file system that `dir` lies on.
  [[nodiscard]] virtual Result<void> sync_all(const Dir& dir) = 0;

  /// Permission bits that creation takes away (umask).
  [[nodiscard]] virtual std::uint32_t creation_mask() const = 0;
  /// Changes with every boot of the system; empty if unknown.
  [[nodiscard]] virtual std::string boot_id() = 0;

 private:
  friend class Handle;
  virtual void close(int fd) noexcept = 0;
};

inline Handle::~Handle() {
  if (io_ != nullptr) io_->close(fd_);
}

/// os_error, with the codes that the rules above promise.
[[nodiscard]] Error io_error(int errno_value, std::string_view doing,
                             std::string_view subject = {});

}  // namespace kith::storage
