// Answers of a node as JSON lines (docs/cli.md holds the schema). Pure functions.
//
// Rules: every line is one object with "v":1 and "event", in this order, and ends with a newline.
// Times are RFC 3339 in UTC, spans and sizes are integers with their unit in the name (bytes where
// none is given), ids are hexadecimal. Lines are ASCII: everything else is escaped, so that no name
// can move a cursor. No secret is ever written, links and invites excepted.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "node/api/share_request.hpp"
#include "node/engine/command.hpp"
#include "proto/result.hpp"

namespace kith::node {

/// Keeps the order in which members were added.
using Json = nlohmann::ordered_json;

/// What a line is to whoever sends it: progress may be replaced by later progress, the last line
/// ends the answer.
enum class LineKind { kProgress, kItem, kLast };
struct Line {
  LineKind kind = LineKind::kItem;
  Json json;
  /// Bytes that go before the line, behind a `data` line that tells how many they are. Empty: none.
  std::string data = {};
};

/// "malformed", "not-found", …: stable names for scripts.
[[nodiscard]] std::string_view code_name(Errc code);
/// The exit code of a command that fails with `code` (docs/cli.md).
[[nodiscard]] int exit_code(Errc code);

/// A reply or an update as docs/cli.md shows it.
[[nodiscard]] Line to_line(const Reply& reply);
[[nodiscard]] Line to_line(const ShareUpdate& update);
/// The lines `error` and `node`.
[[nodiscard]] Json to_json(const Error& error);
[[nodiscard]] Json to_json(const NodeEvent& event);
/// A `done` line without fields of its own.
[[nodiscard]] Json done_line();
/// `length` bytes follow behind it, then the next line.
[[nodiscard]] Json data_line(std::size_t length);
/// The answer to a fetch that goes on without its client.
[[nodiscard]] Json detached_line(const ShareId& share);

/// "2026-11-23T22:04:16Z"; milliseconds are cut off.
[[nodiscard]] std::string to_rfc3339(UnixMillis time);

/// One line with its newline. Strings that are not UTF-8 get U+FFFD for what cannot be carried.
[[nodiscard]] std::string dump_line(const Json& json);

}  // namespace kith::node
