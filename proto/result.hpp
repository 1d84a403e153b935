// Expected failures are values. Result<T> holds a T or an Error; an Error says what happened, to
// what, what to do, and whose fault it was. No exception crosses a module boundary.
#pragma once

#include <boost/system/result.hpp>
#include <string>
#include <string_view>
#include <utility>

namespace kith {

/// What kind of failure. The command line maps these to exit codes (docs/cli.md).
enum class Errc {
  kMalformed,  // bytes or text that do not parse
  kLimit,      // legal form, but over a limit of ours
  kRefused,    // understood and not permitted
  kNotFound,
  kExists,        // a destination is there already
  kConflict,      // the state does not allow it now
  kVerification,  // a hash, signature or seal does not match
  kNoSpace,
  kIo,  // the operating system reported an error
  kTimeout,
  kUnreachable,
  kClosed,       // the other side ended, or we are shutting down
  kUnsupported,  // a newer version; what a share, or a file system, cannot hold
  kUsage,        // wrong arguments
  kChanged,      // a file changed under us
  kCancelled,
  kInternal,
};

/// Whose fault. Peers are penalised for kPeer only.
enum class Blame { kLocal, kPeer, kNetwork };

struct Error {
  Errc code = Errc::kInternal;
  Blame blame = Blame::kLocal;
  std::string what;     // what happened, one clause, no full stop
  std::string subject;  // to what: a path, a link, a device; may be empty
  std::string hint;     // what to do next; may be empty
};

template <class T = void>
using Result = boost::system::result<T, Error>;

/// A fault of this machine or its user.
[[nodiscard]] inline Error local_error(Errc code, std::string what, std::string subject = {},
                                       std::string hint = {}) {
  return {code, Blame::kLocal, std::move(what), std::move(subject), std::move(hint)};
}
/// A fault of whoever sent the bytes.
[[nodiscard]] inline Error peer_error(Errc code, std::string what) {
  return {code, Blame::kPeer, std::move(what), {}, {}};
}
/// A fault of the way between: a connection or datagram that was damaged or ended.
[[nodiscard]] inline Error network_error(Errc code, std::string what) {
  return {code, Blame::kNetwork, std::move(what), {}, {}};
}
/// An errno of the operating system, with its text. ENOSPC and EDQUOT become kNoSpace.
[[nodiscard]] Error os_error(int errno_value, std::string_view doing, std::string subject = {});

/// "what: subject (hint)", for logs and one-line messages.
[[nodiscard]] std::string to_string(const Error& error);

/// Calling value() on a failed Result is a bug of ours: aborts.
[[noreturn]] void throw_exception_from_error(const Error& error, const boost::source_location& at);

}  // namespace kith

#define KITH_CONCAT_IMPL(a, b) a##b
#define KITH_CONCAT(a, b) KITH_CONCAT_IMPL(a, b)
/// KITH_TRY(auto x, f()); declares x from a successful f(), or returns its error.
#define KITH_TRY(declaration, expression) \
  KITH_TRY_IMPL(declaration, expression, KITH_CONCAT(kith_result_, __LINE__))
#define KITH_TRY_IMPL(declaration, expression, name) \
  auto name = (expression);                          \
  if (!name) return std::move(name).error();         \
  declaration = std::move(*name)
/// KITH_CHECK(f()); returns the error of a failed Result<void>.
#define KITH_CHECK(expression)                             \
  do {                                                     \
    if (auto kith_checked = (expression); !kith_checked) { \
      return std::move(kith_checked).error();              \
    }                                                      \
  } while (false)
