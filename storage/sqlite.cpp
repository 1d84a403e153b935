#include "storage/sqlite.hpp"

#include <cerrno>
#include <fcntl.h>
#include <sqlite3.h>
#include <unistd.h>

#include "proto/assert.hpp"
#include "storage/may_block.hpp"

namespace kith::storage {
namespace {

constexpr int kBusyMillis = 5'000;

Errc code_of(int sqlite_code) {
  switch (sqlite_code & 0xff) {
    case SQLITE_FULL:
      return Errc::kNoSpace;
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      return Errc::kTimeout;
    case SQLITE_CONSTRAINT:
      return Errc::kConflict;
    case SQLITE_READONLY:
    case SQLITE_PERM:
    case SQLITE_AUTH:
      return Errc::kRefused;
    default:
      return Errc::kIo;
  }
}

bool is_damage(int sqlite_code) {
  const int primary = sqlite_code & 0xff;
  return primary == SQLITE_CORRUPT || primary == SQLITE_NOTADB;
}

// SQLite would make the file with the umask's permissions; the catalog holds keys.
Result<void> make_private(const std::string& path) {
  const int fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (fd < 0) return os_error(errno, "opening the catalog", path);
  ::close(fd);
  return {};
}

int flags_of(DbMode mode) {
  constexpr int kCommon = SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE;
  switch (mode) {
    case DbMode::kReadWrite:
      return kCommon | SQLITE_OPEN_READWRITE;
    case DbMode::kReadOnly:
      return kCommon | SQLITE_OPEN_READONLY;
    case DbMode::kMemory:
      return kCommon | SQLITE_OPEN_READWRITE | SQLITE_OPEN_MEMORY;
  }
  return kCommon;
}

void distrust_schema(sqlite3* db) {
  sqlite3_db_config(db, SQLITE_DBCONFIG_DEFENSIVE, 1, nullptr);
  sqlite3_db_config(db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, nullptr);
  sqlite3_db_config(db, SQLITE_DBCONFIG_DQS_DML, 0, nullptr);
  sqlite3_db_config(db, SQLITE_DBCONFIG_DQS_DDL, 0, nullptr);
  sqlite3_db_config(db, SQLITE_DBCONFIG_ENABLE_FKEY, 1, nullptr);
}

}  // namespace

void Stmt::Finalize::operator()(sqlite3_stmt* stmt) const { sqlite3_finalize(stmt); }

Stmt& Stmt::bind(int position, std::int64_t value) {
  KITH_ASSERT(sqlite3_bind_int64(stmt_.get(), position, value) == SQLITE_OK);
  return *this;
}

Stmt& Stmt::bind_blob(int position, Bytes value) {
  // A null pointer would bind NULL; an empty blob is a value.
  const void* data = value.empty() ? static_cast<const void*>("") : value.data();
  KITH_ASSERT(sqlite3_bind_blob64(stmt_.get(), position, data, value.size(), SQLITE_TRANSIENT) ==
              SQLITE_OK);
  return *this;
}

Stmt& Stmt::bind_text(int position, std::string_view value) {
  const char* data = value.empty() ? "" : value.data();
  KITH_ASSERT(sqlite3_bind_text64(stmt_.get(), position, data, value.size(), SQLITE_TRANSIENT,
                                  SQLITE_UTF8) == SQLITE_OK);
  return *this;
}

Result<bool> Stmt::step() {
  assert_may_block();
  const int code = sqlite3_step(stmt_.get());
  if (code == SQLITE_ROW) return true;
  if (code == SQLITE_DONE) {
    sqlite3_reset(stmt_.get());
    return false;
  }
  Error error = db_->error(sqlite3_sql(stmt_.get()));
  sqlite3_reset(stmt_.get());
  return error;
}

Result<void> Stmt::run() {
  KITH_TRY(const bool row, step());
  if (row) reset();
  return {};
}

void Stmt::reset() { sqlite3_reset(stmt_.get()); }

std::int64_t Stmt::integer(int column) const { return sqlite3_column_int64(stmt_.get(), column); }

Bytes Stmt::blob(int column) const {
  const void* data = sqlite3_column_blob(stmt_.get(), column);
  const auto size = static_cast<std::size_t>(sqlite3_column_bytes(stmt_.get(), column));
  return {static_cast<const std::uint8_t*>(data), size};
}

std::string_view Stmt::text(int column) const { return as_text(blob(column)); }

void Db::Close::operator()(sqlite3* db) const { sqlite3_close_v2(db); }

Result<std::unique_ptr<Db>> Db::open(const std::string& path, DbMode mode) {
  assert_may_block();
  if (mode == DbMode::kReadWrite) KITH_CHECK(make_private(path));
  std::unique_ptr<Db> db(new Db());
  db->path_ = path;
  sqlite3* raw = nullptr;
  const int code = sqlite3_open_v2(path.c_str(), &raw, flags_of(mode), nullptr);
  db->db_.reset(raw);
  if (code != SQLITE_OK) return db->error("opening");
  sqlite3_busy_timeout(raw, kBusyMillis);
  distrust_schema(raw);
  sqlite3_db_config(raw, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, nullptr);
  if (mode != DbMode::kReadOnly) KITH_CHECK(db->exec("PRAGMA synchronous=NORMAL"));
  return db;
}

void Db::accept_file() {
  sqlite3_db_config(db_.get(), SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 0, nullptr);
}

Result<void> Db::exec(const char* sql) {
  assert_may_block();
  if (sqlite3_exec(db_.get(), sql, nullptr, nullptr, nullptr) != SQLITE_OK) return error(sql);
  return {};
}

Result<Stmt> Db::prepare(const char* sql) {
  sqlite3_stmt* stmt = nullptr;
  const int code =
      sqlite3_prepare_v3(db_.get(), sql, -1, SQLITE_PREPARE_PERSISTENT, &stmt, nullptr);
  if (code != SQLITE_OK) return error(sql);
  return Stmt(*this, stmt);
}

Result<std::int64_t> Db::query_integer(const char* sql) {
  KITH_TRY(Stmt stmt, prepare(sql));
  KITH_TRY(const bool row, stmt.step());
  if (!row) return local_error(Errc::kNotFound, "the catalog has no such value", sql);
  return stmt.integer(0);
}

std::int64_t Db::last_insert_id() const { return sqlite3_last_insert_rowid(db_.get()); }
std::int64_t Db::changes() const { return sqlite3_changes64(db_.get()); }
bool Db::in_transaction() const { return sqlite3_get_autocommit(db_.get()) == 0; }

Error Db::error(std::string_view doing) const {
  const int code = sqlite3_extended_errcode(db_.get());
  if (is_damage(code)) {
    return local_error(
        Errc::kIo, "the catalog is damaged (" + std::string(sqlite3_errmsg(db_.get())) + ")", path_,
        "nothing was changed; restore the file from a backup or move it away");
  }
  std::string what = "catalog: " + std::string(sqlite3_errmsg(db_.get())) + " while: ";
  what += doing.substr(0, doing.find('\n'));
  return local_error(code_of(code), std::move(what), path_);
}

Result<Transaction> Transaction::begin(Db& db) {
  KITH_CHECK(db.exec("BEGIN IMMEDIATE"));
  return Transaction(db);
}

Result<void> Transaction::commit() {
  KITH_CHECK(db_->exec("COMMIT"));
  db_ = nullptr;
  return {};
}

Transaction::~Transaction() {
  // Where SQLite has rolled back by itself (a full disk), there is nothing left to undo.
  if (db_ != nullptr && db_->in_transaction()) (void)db_->exec("ROLLBACK");
}

}  // namespace kith::storage
