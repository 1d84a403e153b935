#include "tools/kith/signals.hpp"

#include <csignal>
#include <poll.h>
#include <sys/signalfd.h>
#include <unistd.h>

namespace kith::cli {
namespace {

sigset_t both() {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGINT);
  sigaddset(&set, SIGTERM);
  return set;
}

}  // namespace

Signals::Signals() {
  std::signal(SIGPIPE, SIG_IGN);
  const sigset_t set = both();
  pthread_sigmask(SIG_BLOCK, &set, nullptr);
  fd_.reset(::signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC));
}

std::optional<int> Signals::take() {
  signalfd_siginfo info{};
  if (::read(fd_.get(), &info, sizeof info) != static_cast<ssize_t>(sizeof info)) return {};
  const sigset_t set = both();
  pthread_sigmask(SIG_UNBLOCK, &set, nullptr);
  if (!taken_) taken_ = static_cast<int>(info.ssi_signo);
  return static_cast<int>(info.ssi_signo);
}

bool Signals::pending() const {
  pollfd look{fd_.get(), POLLIN, 0};
  return ::poll(&look, 1, 0) > 0;
}

int exit_code_of_signal(int signal) { return 128 + signal; }

}  // namespace kith::cli
