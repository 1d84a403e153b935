// The catalog's tables and their history. user_version counts the migrations that were applied; a
// file with more of them than this program knows was made by a newer kith and is left alone.
#pragma once

#include <cstdint>

#include "storage/sqlite.hpp"

namespace kith::storage {

/// "kith" in ASCII: marks the file as ours.
inline constexpr std::int64_t kApplicationId = 0x6b697468;
/// Of this program.
[[nodiscard]] std::int64_t schema_version();

/// Brings an empty or older catalog to schema_version(), in one transaction. Errors: kUnsupported
/// for a newer one, kIo for a database of something else.
[[nodiscard]] Result<void> migrate(Db& db);
/// The same checks for a reader, which changes nothing.
[[nodiscard]] Result<void> check_schema(Db& db);

}  // namespace kith::storage
