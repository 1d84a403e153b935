#include "tools/kith/sink.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>
#include <fcntl.h>
#include <poll.h>
#include <string>
#include <sys/stat.h>
#include <unistd.h>

namespace kith::cli {
namespace {

constexpr int kLastWordsMs = 1000;

}  // namespace

void Sink::write(std::string_view bytes) {
  if (most_ == 0) open();
  while (!bytes.empty() && error_ == 0) {
    if (!wait_for_reader()) {
      error_ = EINTR;
      return;
    }
    const ssize_t size = ::write(fd_, bytes.data(), std::min(bytes.size(), most_));
    if (size >= 0) {
      bytes.remove_prefix(static_cast<std::size_t>(size));
    } else if (errno != EAGAIN && errno != EINTR) {
      error_ = errno == EPIPE && signal_came() ? EINTR : errno;
    }
  }
}

/// O_NONBLOCK belongs to the open file, which the shell has, too: pipes and terminals are opened
/// once more. What cannot be is written in small portions, for which there is room where poll()
/// says that there is some.
void Sink::open() {
  struct stat info {};
  const bool known = ::fstat(fd_, &info) == 0;
  most_ = known && S_ISREG(info.st_mode) ? SSIZE_MAX : PIPE_BUF;
  if (!known || (!S_ISFIFO(info.st_mode) && ::isatty(fd_) != 1)) return;
  const std::string path = "/proc/self/fd/" + std::to_string(fd_);
  own_.reset(::open(path.c_str(), O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC));
  if (!own_) return;
  fd_ = own_.get();
  most_ = SSIZE_MAX;
}

/// False: a signal came first. After one the last words of a command wait for a moment only.
bool Sink::wait_for_reader() const {
  const bool ending = signals_ != nullptr && signals_->taken();
  const int signal_fd = signals_ != nullptr ? signals_->fd() : -1;
  std::array<pollfd, 2> wait{pollfd{fd_, POLLOUT, 0}, pollfd{signal_fd, POLLIN, 0}};
  while (::poll(wait.data(), wait.size(), ending ? kLastWordsMs : -1) < 0 && errno == EINTR) {
  }
  return wait[0].revents != 0;
}

bool Sink::signal_came() const {
  return signals_ != nullptr && (signals_->taken() || signals_->pending());
}

}  // namespace kith::cli
