// The log: structured lines, written by a thread of their own. A full queue drops the oldest lines
// and a blocked stderr stops nobody. Every text is escaped here: a peer may have named what is in
// it. Secrets never get here.
#pragma once

#include <memory>
#include <string>

#include "node/engine/outbox.hpp"
#include "proto/result.hpp"

namespace spdlog {
class logger;
}

namespace kith::node {

class Log {
 public:
  /// `path` empty: stderr. Levels as in RuntimeOptions.
  [[nodiscard]] static Result<Log> open(const std::string& path, int level);
  /// Any thread.
  void write(LogLevel level, const std::string& text) const;

 private:
  std::shared_ptr<spdlog::logger> logger_;
  std::shared_ptr<void> threads_;  // ends first: its thread writes by the logger
};

}  // namespace kith::node
