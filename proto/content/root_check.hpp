// What a root must fulfil beyond its form. Used by Root::decode only.
#pragma once

#include "proto/content/root.hpp"

namespace kith {

/// Name, chunking, every page reference, the order of the pages, and the totals: what can be summed
/// over the pages equals them, the rest lies where it can. Blame peer.
[[nodiscard]] Result<void> check_root(const Root& root);

}  // namespace kith
