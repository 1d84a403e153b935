// One line that says how far something is. Pure.
#pragma once

#include <cstddef>
#include <string>

#include "node/api/json.hpp"

namespace kith::cli {

/// `progress` is a progress line of the API: of a fetch, a share, a join. At most `width` columns,
/// escaped; what matters least (bar, then name) is left out where there is no room.
[[nodiscard]] std::string format_progress(const node::Json& progress, std::size_t width);

}  // namespace kith::cli
