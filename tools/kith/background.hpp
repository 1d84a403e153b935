// A node in the background: this program once more, as `kith node`, in a session of its own.
#pragma once

#include "node/api/json.hpp"
#include "proto/result.hpp"
#include "tools/kith/context.hpp"

namespace kith::cli {

struct Started {
  node::Json status;     // of the node, as `kith status --json` gives it
  bool already = false;  // it ran before
};

/// Error kUsage if the command line has an option of a node: for where one runs already, which
/// would not hear of it.
[[nodiscard]] Result<void> check_no_node_option(const NodeFlags& flags);

/// Returns when the node answers. If it ends instead, with what it said. kConflict where another
/// command runs the node of this home; kUsage where one runs and options for it were given.
[[nodiscard]] Result<Started> start_background(Context& context);

/// For a command with --detach: the node in the background, unless one runs already in whichever
/// process. Says that it was started. True: it was, with the options of the command.
[[nodiscard]] Result<bool> ensure_background(Context& context);

}  // namespace kith::cli
