#include "proto/result.hpp"

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <system_error>

namespace kith {

namespace {

/// What to do about it, where that does not depend on what was being done.
const char* hint_of(int errno_value) {
  switch (errno_value) {
    case ENOSPC:
      return "the disk is full: make room on it, then try again";
    case EDQUOT:
      return "this user has no room left there: make some, then try again";
    case EACCES:
    case EPERM:
      return "this user may not do that: see the owner and the mode of it, and of its directory";
    case EROFS:
      return "nothing can be written there: mount it for writing, or take another place";
    default:
      return "";
  }
}

}  // namespace

Error os_error(int errno_value, std::string_view doing, std::string subject) {
  const Errc code = errno_value == ENOSPC || errno_value == EDQUOT  ? Errc::kNoSpace
                    : errno_value == ENOENT                         ? Errc::kNotFound
                    : errno_value == EEXIST                         ? Errc::kExists
                    : errno_value == EACCES || errno_value == EPERM ? Errc::kRefused
                                                                    : Errc::kIo;
  std::string what(doing);
  what += ": ";
  what += std::generic_category().message(errno_value);
  return {code, Blame::kLocal, std::move(what), std::move(subject), hint_of(errno_value)};
}

std::string to_string(const Error& error) {
  std::string out = error.what;
  if (!error.subject.empty()) out += ": " + error.subject;
  if (!error.hint.empty()) out += " (" + error.hint + ")";
  return out;
}

void throw_exception_from_error(const Error& error, const boost::source_location& at) {
  std::fprintf(stderr, "kith: internal error: unchecked result: %s (%s:%u)\n",
               to_string(error).c_str(), at.file_name(), static_cast<unsigned>(at.line()));
  std::abort();
}

}  // namespace kith
