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

}  // namespace kith::storage
