// The client's side of the API: one command on one connection (docs/api.md).
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "node/api/unique_fd.hpp"
#include "proto/result.hpp"

namespace kith::cli {

enum class CallEnd {
  kComplete,  // the last line came
  kLost,      // the node ended before it
  kSignal,    // `signal_fd` became readable: the caller decides
};

/// Gets each line of the answer, with its newline.
using OnLine = std::function<void(std::string_view line)>;
/// Gets the bytes that a `data` line tells of, in portions.
using OnData = std::function<void(std::string_view bytes)>;

/// Sends a command over `connection` and hands out the lines of the answer as they come. Returns
/// when the answer is complete, or lost, or when there is something to read on `signal_fd`; closing
/// the connection then tells the node. Errors: the other side does not speak this API
/// (kUnsupported), or has no room for another client (kConflict).
[[nodiscard]] Result<CallEnd> call(const node::UniqueFd& connection, std::string_view command,
                                   const std::string& arguments, int signal_fd,
                                   const OnLine& on_line, const OnData& on_data = {});

}  // namespace kith::cli
