#include "tools/kith/background.hpp"

#include <array>
#include <cerrno>
#include <csignal>
#include <fcntl.h>
#include <optional>
#include <poll.h>
#include <string>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <vector>

#include "tools/kith/client.hpp"
#include "tools/kith/fields.hpp"
#include "tools/kith/node_access.hpp"

namespace kith::cli {
namespace {

using node::Json;
using node::UniqueFd;

// A process that ends holds the lock a moment longer than it answers.
constexpr int kEndTries = 250;
constexpr int kEndPauseMs = 20;

std::string start_log(const std::string& home) { return home + "/log/start.log"; }

std::vector<std::string> arguments_of(const Context& context) {
  std::vector<std::string> out{"kith", "node", "--background", "--json", "--home", context.home};
  const auto add = [&](const char* name, const std::string& value) {
    if (value.empty()) return;
    out.emplace_back(name);
    out.push_back(value);
  };
  add("--listen", context.node.listen);
  add("--advertise", context.node.advertise);
  add("--limit", context.node.limit);
  for (const std::string& address : context.node.bootstrap) add("--bootstrap", address);
  if (context.out.options().verbose) out.emplace_back("-v");
  return out;
}

/// In the child, between fork and exec: system calls only. Descriptors that the command inherited
/// stay behind: a lock among them would be held for as long as the node lives.
[[noreturn]] void become_node(char* const* arguments, int in, int out, int log) {
  ::setsid();
  ::dup2(in, STDIN_FILENO);
  ::dup2(out, STDOUT_FILENO);
  ::dup2(log, STDERR_FILENO);
  ::closefrom(STDERR_FILENO + 1);
  sigset_t none;
  sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  ::signal(SIGPIPE, SIG_DFL);
  if (::chdir("/") == 0) ::execv("/proc/self/exe", arguments);
  ::_exit(1);
}

struct Child {
  pid_t pid = -1;
  UniqueFd lines;  // its stdout
};

Result<Child> spawn(const Context& context) {
  const std::string log = start_log(context.home);
  if (::mkdir((context.home + "/log").c_str(), 0700) != 0 && errno != EEXIST) {
    return os_error(errno, "cannot make the directory of the log", context.home + "/log");
  }
  const UniqueFd in(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  const UniqueFd error(::open(log.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
  std::array<int, 2> ends{-1, -1};
  if (!error || ::pipe2(ends.data(), O_CLOEXEC) != 0) return os_error(errno, "cannot open", log);
  Child child;
  child.lines.reset(ends[0]);
  const UniqueFd out(ends[1]);
  std::vector<std::string> words = arguments_of(context);
  std::vector<char*> arguments;
  for (std::string& word : words) arguments.push_back(word.data());
  arguments.push_back(nullptr);
  child.pid = ::fork();
  if (child.pid == 0) become_node(arguments.data(), in.get(), out.get(), error.get());
  if (child.pid < 0) return os_error(errno, "cannot start a process");
  return child;
}

/// Reads the child's lines until one says how it went.
class Lines {
 public:
  /// The line that says `ready` or `error`; nothing when the output ended without one.
  std::optional<Json> next(int fd) {
    std::array<char, 4096> bytes;
    for (;;) {
      if (auto line = take()) return line;
      const ssize_t size = ::read(fd, bytes.data(), bytes.size());
      if (size < 0 && errno == EINTR) continue;
      if (size <= 0) return {};
      text_.append(bytes.data(), static_cast<std::size_t>(size));
    }
  }

 private:
  std::optional<Json> take() {
    for (;;) {
      const std::size_t end = text_.find('\n');
      if (end == std::string::npos) return {};
      Json line = Json::parse(text_.substr(0, end), nullptr, false);
      text_.erase(0, end + 1);
      const std::string event = line.is_object() ? raw(line, "event") : std::string();
      if (event == "ready" || event == "error") return line;
    }
  }
  std::string text_;
};

Error error_of(const Json& line) {
  const std::string code = raw(line, "code");
  Error out =
      local_error(Errc::kInternal, raw(line, "what"), raw(line, "subject"), raw(line, "hint"));
  for (int i = 0; i <= static_cast<int>(Errc::kInternal); ++i) {
    if (node::code_name(static_cast<Errc>(i)) == code) out.code = static_cast<Errc>(i);
  }
  return out;
}

Result<Json> ask_status(const Context& context, const NodeAccess& access) {
  Json status;
  KITH_TRY(const CallEnd end,
           call(access.connection, "status", "{}", context.signals.fd(),
                [&](std::string_view line) { status = Json::parse(line, nullptr, false); }));
  if (end == CallEnd::kSignal) return local_error(Errc::kCancelled, "interrupted");
  if (end == CallEnd::kLost || !status.is_object()) {
    return local_error(Errc::kClosed, "the node ended", context.home);
  }
  return Result<Json>(boost::system::in_place_value, std::move(status));
}

Result<Started> running_already(const Context& context, const Holder& holder) {
  if (holder.kind == HolderKind::kCommand) {
    return local_error(Errc::kConflict, "another command runs the node of this home",
                       "process " + std::to_string(holder.pid), "end it, or wait until it is done");
  }
  KITH_TRY(const NodeAccess access, reach_running_node(context));
  Started out;
  KITH_TRY(out.status, ask_status(context, access));
  KITH_CHECK(check_no_node_option(context.node));
  out.already = true;
  return out;
}

/// Two may have started one at the same time: then the other's node is as good.
Result<Started> failed_start(const Context& context, const Error& error) {
  const auto holder = lock_holder(context.home);
  if (error.code == Errc::kConflict && holder) return running_already(context, *holder);
  return error;
}

Result<Started> start_new(Context& context) {
  KITH_TRY(const Child child, spawn(context));
  std::array<pollfd, 2> wait{pollfd{child.lines.get(), POLLIN, 0},
                             pollfd{context.signals.fd(), POLLIN, 0}};
  while (::poll(wait.data(), wait.size(), -1) < 0 && errno == EINTR) {
  }
  if (wait[0].revents == 0) return local_error(Errc::kCancelled, "interrupted");
  const auto line = Lines().next(child.lines.get());
  if (!line) {
    return local_error(Errc::kClosed, "the node ended at once", start_log(context.home),
                       "that file may say why");
  }
  if (raw(*line, "event") == "error") return failed_start(context, error_of(*line));
  Started out;
  out.status = *line;
  return out;
}

}  // namespace

Result<void> check_no_node_option(const NodeFlags& flags) {
  const auto given = [](const char* option, const char* hint) {
    return local_error(Errc::kUsage, "a node is running, and this is an option for its start",
                       option, hint);
  };
  constexpr auto kRestart = "end it with kith stop, then start it with the option";
  if (!flags.limit.empty()) return given("--limit", "kith config limit RATE sets it at once");
  if (!flags.listen.empty()) return given("--listen", kRestart);
  if (!flags.advertise.empty()) return given("--advertise", kRestart);
  if (!flags.bootstrap.empty()) return given("--bootstrap", kRestart);
  return {};
}

Result<Started> start_background(Context& context) {
  KITH_CHECK(make_home(context.home));
  for (int i = 0;; ++i) {
    const auto holder = lock_holder(context.home);
    if (!holder) return start_new(context);
    auto started = running_already(context, *holder);
    // The node that was asked was just ending: then it is our turn.
    const bool again = !started && started.error().code == Errc::kClosed && i < kEndTries;
    if (!again) return started;
    pollfd wait{context.signals.fd(), POLLIN, 0};
    if (::poll(&wait, 1, kEndPauseMs) > 0) return local_error(Errc::kCancelled, "interrupted");
  }
}

Result<bool> ensure_background(Context& context) {
  KITH_CHECK(make_home(context.home));
  if (lock_holder(context.home)) return false;
  KITH_TRY(const Started started, start_background(context));
  context.out.note("started a node in the background, process " +
                   std::to_string(number(started.status, "pid")) + "; kith stop ends it");
  return !started.already;
}

}  // namespace kith::cli
