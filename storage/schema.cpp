#include "storage/schema.hpp"

#include <array>
#include <string>

namespace kith::storage {
namespace {

// Ids are blobs, paths are blobs (Linux paths need not be UTF-8), times are ms since 1970. Numbers
// of shares are never reused (AUTOINCREMENT), so that index rows of a deleted share can be swept
// later. No row per file, none per chunk but the two indexes.
constexpr const char* kVersion1 = R"(
CREATE TABLE setting(
  name TEXT PRIMARY KEY,
  value BLOB NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE swarm(
  id BLOB PRIMARY KEY,
  secret BLOB NOT NULL
) STRICT;

CREATE TABLE roster_op(
  seq INTEGER PRIMARY KEY,
  swarm BLOB NOT NULL,
  id BLOB NOT NULL,
  op BLOB NOT NULL,
  UNIQUE(swarm, id)
) STRICT;

CREATE TABLE wraps(
  swarm BLOB NOT NULL,
  epoch BLOB NOT NULL,
  wraps BLOB NOT NULL,
  PRIMARY KEY(swarm, epoch)
) STRICT;

CREATE TABLE peer(
  swarm BLOB NOT NULL,
  device BLOB NOT NULL,
  endpoints BLOB NOT NULL,
  seen INTEGER NOT NULL,
  PRIMARY KEY(swarm, device)
) STRICT;

CREATE TABLE share(
  number INTEGER PRIMARY KEY AUTOINCREMENT,
  id BLOB NOT NULL UNIQUE,
  swarm BLOB NOT NULL,
  name TEXT NOT NULL,
  key BLOB NOT NULL,
  root BLOB NOT NULL
) STRICT;

CREATE TABLE page(
  share INTEGER NOT NULL,
  number INTEGER NOT NULL,
  ciphertext BLOB NOT NULL,
  PRIMARY KEY(share, number)
) STRICT;

CREATE TABLE copy(
  id INTEGER PRIMARY KEY,
  share INTEGER NOT NULL REFERENCES share(number),
  state INTEGER NOT NULL,
  flags INTEGER NOT NULL,
  directory BLOB NOT NULL,
  name BLOB NOT NULL,
  path BLOB NOT NULL,
  dev INTEGER NOT NULL,
  inode INTEGER NOT NULL
) STRICT;
CREATE INDEX copy_by_share ON copy(share);

CREATE TABLE have(
  copy INTEGER NOT NULL,
  durable INTEGER NOT NULL,
  number INTEGER NOT NULL,
  boot TEXT NOT NULL,
  bits BLOB NOT NULL,
  PRIMARY KEY(copy, durable, number)
) STRICT;

CREATE TABLE filestat(
  copy INTEGER NOT NULL,
  page INTEGER NOT NULL,
  stats BLOB NOT NULL,
  PRIMARY KEY(copy, page)
) STRICT;

CREATE TABLE chunk_index(
  id8 INTEGER NOT NULL,
  share INTEGER NOT NULL,
  chunk INTEGER NOT NULL,
  PRIMARY KEY(id8, share, chunk)
) STRICT, WITHOUT ROWID;

CREATE TABLE plain_index(
  plain8 INTEGER NOT NULL,
  share INTEGER NOT NULL,
  chunk INTEGER NOT NULL,
  PRIMARY KEY(plain8, share, chunk)
) STRICT, WITHOUT ROWID;
)";

// The hashes of the two indexes (kind 0: of ciphertext, 1: of plaintext) by share, 8 bytes each, in
// order of the chunks: to sweep what a deleted share left, and to take over what a new version of a
// share has in common with the one before. As an index of SQLite they would take three times the
// room, and every insertion would meet two pages at random, not one.
constexpr const char* kVersion2 = R"(
DELETE FROM chunk_index;
DELETE FROM plain_index;
CREATE TABLE hash_run(
  share INTEGER NOT NULL,
  kind INTEGER NOT NULL,
  first INTEGER NOT NULL,
  hashes BLOB NOT NULL,
  PRIMARY KEY(share, kind, first)
) STRICT, WITHOUT ROWID;
)";

// Globs of a copy that takes only a part of its share, each followed by a NUL. How far the scrub is
// with a copy: see storage/catalog.hpp.
constexpr const char* kVersion3 = R"(
ALTER TABLE copy ADD COLUMN part BLOB NOT NULL DEFAULT x'';
CREATE TABLE scrub(
  copy INTEGER PRIMARY KEY,
  next INTEGER NOT NULL,
  ended INTEGER NOT NULL,
  damaged INTEGER NOT NULL,
  repaired INTEGER NOT NULL
) STRICT;
)";

// A share may be held in several swarms: each copy is in one.
constexpr const char* kVersion4 = R"(
ALTER TABLE copy ADD COLUMN swarm BLOB NOT NULL DEFAULT x'';
UPDATE copy SET swarm = (SELECT swarm FROM share WHERE share.number = copy.share);
)";

constexpr std::array kMigrations = {kVersion1, kVersion2, kVersion3, kVersion4};

Result<std::int64_t> checked_version(Db& db) {
  KITH_TRY(const std::int64_t version, db.query_integer("PRAGMA user_version"));
  KITH_TRY(const std::int64_t application, db.query_integer("PRAGMA application_id"));
  KITH_TRY(const std::int64_t objects, db.query_integer("SELECT count(*) FROM sqlite_schema"));
  const bool fresh = version == 0 && application == 0 && objects == 0;
  if (!fresh && application != kApplicationId) {
    return local_error(Errc::kIo, "the catalog is a database of another program");
  }
  if (version > schema_version()) {
    return local_error(Errc::kUnsupported, "the catalog was made by a newer version of kith", {},
                       "install that version again, or use another home");
  }
  if (version < 0)
    return local_error(Errc::kIo, "the catalog is damaged (its version is negative)");
  return version;
}

}  // namespace

std::int64_t schema_version() { return std::int64_t{kMigrations.size()}; }

Result<void> migrate(Db& db) {
  KITH_TRY(Transaction transaction, Transaction::begin(db));
  KITH_TRY(const std::int64_t version, checked_version(db));
  if (version == schema_version()) return {};
  for (auto i = static_cast<std::size_t>(version); i < kMigrations.size(); ++i) {
    KITH_CHECK(db.exec(kMigrations[i]));
  }
  const std::string mark = "PRAGMA application_id=" + std::to_string(kApplicationId) +
                           "; PRAGMA user_version=" + std::to_string(schema_version());
  KITH_CHECK(db.exec(mark.c_str()));
  return transaction.commit();
}

Result<void> check_schema(Db& db) {
  KITH_TRY(const std::int64_t version, checked_version(db));
  if (version != schema_version()) {
    return local_error(Errc::kConflict, "the catalog has not been brought up to date yet");
  }
  return {};
}

}  // namespace kith::storage
