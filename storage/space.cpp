#include "storage/space.hpp"

#include <algorithm>

namespace kith::storage {
namespace {

constexpr std::uint64_t kReservePart = 100;

}  // namespace

std::uint64_t reserve_of(const FileSystemInfo& system, std::optional<std::uint64_t> min_free) {
  return min_free.value_or(std::min(system.total_bytes / kReservePart, kReserveMax));
}

Result<void> check_room(FileIo& io, const Handle& handle, std::optional<std::uint64_t> min_free,
                        std::uint64_t more, const std::string& place) {
  KITH_TRY(const FileSystemInfo system, io.file_system(handle));
  const std::uint64_t reserve = reserve_of(system, min_free);
  if (system.free_bytes >= reserve && system.free_bytes - reserve >= more) return {};
  return local_error(Errc::kNoSpace,
                     "only " + std::to_string(system.free_bytes) + " bytes are free, of which " +
                         std::to_string(reserve) + " are to stay so; what came is kept",
                     place,
                     "make room, then give the same command again; min_free sets what stays");
}

}  // namespace kith::storage
