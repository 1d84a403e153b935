#include "storage/space.hpp"

#include <algorithm>

namespace kith::storage {
namespace {

constexpr std::uint64_t kReservePart = 100;

void count(const FileInfo& file, TreeBytes& sum) {
  sum.size += file.size;
  sum.allocated += std::min(file.allocated, file.size);
}

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

Result<TreeBytes> tree_bytes(FileIo& io, const Dir& at, const std::string& name) {
  KITH_TRY(const FileInfo top, io.stat_at(at, name));
  TreeBytes sum;
  if (top.kind != NodeKind::kDirectory) {
    count(top, sum);
    return sum;
  }
  std::vector<std::string> paths = {name};
  while (!paths.empty()) {
    const std::string path = std::move(paths.back());
    paths.pop_back();
    const auto dir = io.open_dir(at, path);
    if (!dir) continue;
    KITH_TRY(const auto items, io.list(*dir));
    for (const DirItem& item : items) {
      if (item.kind == NodeKind::kDirectory) paths.push_back(path + "/" + item.name);
      if (item.kind != NodeKind::kFile) continue;
      if (const auto info = io.stat_at(*dir, item.name)) count(*info, sum);
    }
  }
  return sum;
}

}  // namespace kith::storage
