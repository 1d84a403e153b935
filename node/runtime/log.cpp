#include "node/runtime/log.hpp"

#include <spdlog/async.h>
#include <spdlog/sinks/rotating_file_sink.h>
#include <spdlog/sinks/stdout_color_sinks.h>

#include "proto/text.hpp"

namespace kith::node {
namespace {

constexpr std::size_t kQueue = 8'192;
constexpr std::size_t kFileBytes = 8 * 1024 * 1024;
constexpr std::size_t kFiles = 3;

spdlog::level::level_enum to_spdlog(LogLevel level) {
  switch (level) {
    case LogLevel::kDebug:
      return spdlog::level::debug;
    case LogLevel::kInfo:
      return spdlog::level::info;
    case LogLevel::kWarning:
      return spdlog::level::warn;
    case LogLevel::kError:
      return spdlog::level::err;
  }
  return spdlog::level::info;
}

}  // namespace

Result<Log> Log::open(const std::string& path, int level) {
  Log log;
  const auto threads = std::make_shared<spdlog::details::thread_pool>(kQueue, 1U);
  log.threads_ = threads;
  try {
    spdlog::sink_ptr sink;
    if (path.empty()) {
      sink = std::make_shared<spdlog::sinks::stderr_color_sink_mt>();
    } else {
      sink = std::make_shared<spdlog::sinks::rotating_file_sink_mt>(path, kFileBytes, kFiles);
    }
    log.logger_ = std::make_shared<spdlog::async_logger>(
        "kith", sink, threads, spdlog::async_overflow_policy::overrun_oldest);
  } catch (const spdlog::spdlog_ex& e) {
    return local_error(Errc::kIo, std::string("cannot open the log: ") + e.what(), path);
  }
  log.logger_->set_pattern("%Y-%m-%dT%H:%M:%S.%e%z %l %v");
  constexpr LogLevel kLevels[] = {LogLevel::kError, LogLevel::kWarning, LogLevel::kInfo,
                                  LogLevel::kDebug};
  log.logger_->set_level(to_spdlog(kLevels[std::clamp(level, 0, 3)]));
  log.logger_->flush_on(spdlog::level::warn);
  return log;
}

void Log::write(LogLevel level, const std::string& text) const {
  // Names of files come from other people: a line end in one would begin a line of its own.
  logger_->log(to_spdlog(level), escape(text));
}

}  // namespace kith::node
