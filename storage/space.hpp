// The reserve: what a fetch leaves free of a file system, so that other programs, and the user, can
// go on when it stops.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "storage/file_io.hpp"

namespace kith::storage {

/// Of a file system of which the user said nothing: a hundredth, at most so much.
inline constexpr std::uint64_t kReserveMax = std::uint64_t{1} << 30;

/// Bytes that stay free. `min_free`: what the user said, in bytes; 0: none.
[[nodiscard]] std::uint64_t reserve_of(const FileSystemInfo& system,
                                       std::optional<std::uint64_t> min_free);

/// Whether `more` bytes can be written to the file system of `handle` without reaching into the
/// reserve. kNoSpace if not; `place` is the path that is told.
[[nodiscard]] Result<void> check_room(FileIo& io, const Handle& handle,
                                      std::optional<std::uint64_t> min_free, std::uint64_t more,
                                      const std::string& place);

/// What the files of a tree take.
struct TreeBytes {
  std::uint64_t size = 0;       // the sum of their sizes
  std::uint64_t allocated = 0;  // of these, bytes that the file system has room for already
};

/// Of the tree, or the file, `name` in `at`; what cannot be entered counts nothing. kNotFound.
[[nodiscard]] Result<TreeBytes> tree_bytes(FileIo& io, const Dir& at, const std::string& name);

}  // namespace kith::storage
