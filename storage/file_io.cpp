#include "storage/file_io.hpp"

#include <algorithm>
#include <array>
#include <cerrno>

namespace kith::storage {

const char* foreign_file_system(std::uint64_t type) {
  struct Row {
    std::uint64_t magic;
    const char* name;
  };
  static constexpr std::array kRows = {
      Row{0x6969, "NFS"},    Row{0x517b, "SMB"}, Row{0xff534d42, "CIFS"},  Row{0xfe534d42, "SMB"},
      Row{0x01021997, "9P"}, Row{0x4d44, "FAT"}, Row{0x2011bab0, "exFAT"},
  };
  const auto row = std::ranges::find(kRows, type & 0xffffffff, &Row::magic);
  return row == kRows.end() ? nullptr : row->name;
}

Error io_error(int errno_value, std::string_view doing, std::string_view subject) {
  Error error = os_error(errno_value, doing, std::string(subject));
  if (errno_value == ELOOP || errno_value == EXDEV || errno_value == ENOTDIR)
    error.code = Errc::kRefused;
  if (errno_value == EOPNOTSUPP || errno_value == ENOSYS || errno_value == EROFS) {
    error.code = Errc::kUnsupported;
  }
  // Of this process, not of the disk: nothing of what the disk holds is known by it.
  if (errno_value == EMFILE || errno_value == ENFILE || errno_value == ENOMEM) {
    error.code = Errc::kLimit;
  }
  return error;
}

}  // namespace kith::storage
