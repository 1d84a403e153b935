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

/// Returns when the node answers. If it ends instead, with what it said. kConflict where another
/// command runs the node of this home.
[[nodiscard]] Result<Started> start_background(Context& context);

/// For a command with --detach: the node in the background, unless one runs already in whichever
/// process. Says that it was started.
[[nodiscard]] Result<void> ensure_background(Context& context);

}  // namespace kith::cli
