// SIGINT and SIGTERM as a readable descriptor, so that whoever waits for a socket waits for them
// too. Made before any thread starts: threads inherit the mask, and no signal hits one of them.
#pragma once

#include <optional>

#include "node/api/unique_fd.hpp"

namespace kith::cli {

class Signals {
 public:
  /// Blocks both signals in this thread, and ignores SIGPIPE: a reader that went away is an error
  /// of write().
  Signals();
  [[nodiscard]] int fd() const { return fd_.get(); }
  /// The signal that came, if one did; does not wait. Once one was taken, the next of them ends the
  /// process at once: nobody has to wait for an orderly end.
  [[nodiscard]] std::optional<int> take();
  /// One has come that was not taken yet.
  [[nodiscard]] bool pending() const;
  /// The first that was taken, if one was.
  [[nodiscard]] std::optional<int> taken() const { return taken_; }

 private:
  node::UniqueFd fd_;
  std::optional<int> taken_;
};

/// 130 for SIGINT, 143 for SIGTERM.
[[nodiscard]] int exit_code_of_signal(int signal);

}  // namespace kith::cli
