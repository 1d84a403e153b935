// From a command's name and JSON arguments to the command itself (docs/api.md, docs/cli.md). Pure:
// the server uses it on what arrives, the command line on what it is about to send, so that wrong
// usage is found before a node is started for it.
#pragma once

#include <string_view>
#include <variant>
#include <vector>

#include "node/api/json.hpp"
#include "node/api/share_request.hpp"
#include "node/engine/command.hpp"
#include "proto/result.hpp"

namespace kith::node {

/// End the node.
struct StopRequest {};

struct ApiRequest {
  std::variant<CommandBody, ShareRequest, StopRequest> body;
  /// The command goes on when its client leaves.
  bool detached = false;
};

/// The names of all commands, sorted.
[[nodiscard]] std::vector<std::string_view> command_names();

/// The arguments of a request's body: one JSON object, UTF-8, nested at most 4 deep, with at
/// most 64 members. An empty body stands for no arguments. kMalformed otherwise.
[[nodiscard]] Result<Json> parse_arguments(std::string_view body);

/// kNotFound for an unknown command; kUsage or kMalformed, with the argument's name as the subject,
/// for wrong arguments. Relative paths are refused: the client's directory is not the node's.
[[nodiscard]] Result<ApiRequest> parse_request(std::string_view command, const Json& arguments);

}  // namespace kith::node
