#include "storage/file_io.hpp"

#include <cerrno>

namespace kith::storage {

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
