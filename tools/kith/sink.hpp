// A standard stream to write to, whose reader may not read: waiting for it ends with a signal.
#pragma once

#include <string_view>

#include "node/api/unique_fd.hpp"
#include "tools/kith/signals.hpp"

namespace kith::cli {

class Sink {
 public:
  /// Writes to `fd`, which stays open elsewhere and keeps its flags: others have it, too.
  explicit Sink(int fd) : fd_(fd) {}
  /// From now on a signal ends waiting for the reader. `signals` outlives what is written.
  void heed(const Signals& signals) { signals_ = &signals; }
  /// Writes all of it, waiting for the reader as long as it takes. Behind the first failure nothing
  /// is written any more.
  void write(std::string_view bytes);
  /// errno of the first failure. EINTR: a signal came while the reader did not read, or before it
  /// went away.
  [[nodiscard]] int error() const { return error_; }

 private:
  void open();
  [[nodiscard]] bool wait_for_reader() const;
  [[nodiscard]] bool signal_came() const;
  int fd_;
  node::UniqueFd
      own_;  // the same file, opened again so that writing does not block, where that works
  std::size_t most_ = 0;  // bytes at once that do not block after poll() said so; 0: not opened yet
  const Signals* signals_ = nullptr;
  int error_ = 0;
};

}  // namespace kith::cli
