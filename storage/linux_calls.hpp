// What only Linux has, or has in a better form. Everything returns 0 or a descriptor, or −1 and
// errno, as a system call does.
#pragma once

#include <cstdint>
#include <string>

namespace kith::storage::linux_calls {

/// openat2(RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS), or, on kernels without it, a walk that opens one
/// component after the other with O_NOFOLLOW. `path` is relative, without "." and ".." components.
[[nodiscard]] int open_beneath(int dir, const std::string& path, int flags);

[[nodiscard]] int rename_no_replace(int from_dir, const char* from, int to_dir, const char* to);
[[nodiscard]] int rename_exchange(int from_dir, const char* from, int to_dir, const char* to);

/// fallocate of [0, size). EOPNOTSUPP on tmpfs, which would clear every page now for contents that
/// come soon after: a pass over memory that nobody needs.
[[nodiscard]] int allocate(int fd, std::uint64_t size);
/// Starts write-back of the whole file; errors are left for the sync that follows.
void start_writeback(int fd);
/// The same, and waits for it. Not durable: metadata and the cache of the disk are left alone.
[[nodiscard]] int finish_writeback(int fd);
/// chmod of a name that may not be readable; ELOOP on a symlink.
[[nodiscard]] int chmod_no_follow(int dir, const char* name, unsigned mode);
/// The umask, without changing it even for a moment; 077 if it cannot be known.
[[nodiscard]] unsigned current_umask();
/// /proc/sys/kernel/random/boot_id, or "".
[[nodiscard]] std::string boot_id();

}  // namespace kith::storage::linux_calls
