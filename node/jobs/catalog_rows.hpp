// The engine's catalog writes as rows, and the rows as what the engine is given at start. Called on
// the catalog thread, and by the simulator.
#pragma once

#include <string>

#include "node/engine/catalog_write.hpp"
#include "storage/catalog.hpp"

namespace kith::node {

/// Executes one write within the caller's transaction. `boot` goes with have-rows.
[[nodiscard]] Result<void> execute(storage::Catalog& catalog, const CatalogBody& body,
                                   const std::string& boot);
/// Everything that is saved. Rows written in another boot than `boot` are marked so.
[[nodiscard]] Result<SavedState> load_state(storage::Catalog& catalog, const std::string& boot);

}  // namespace kith::node
