// SQLite as RAII values. One Db and its statements belong to one thread at a time (opened without
// SQLite's own mutexes). Errors are Results: a damaged file is kIo and says so, a full disk
// kNoSpace.
//
// Stmt: bind with 1-based positions, step, read columns with 0-based positions. A view returned by
// a column function lives until the next step, reset or bind.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "proto/bytes.hpp"
#include "proto/result.hpp"

struct sqlite3;
struct sqlite3_stmt;

namespace kith::storage {

class Db;

class Stmt {
 public:
  Stmt() = default;

  Stmt& bind(int position, std::int64_t value);
  Stmt& bind_blob(int position, Bytes value);
  Stmt& bind_text(int position, std::string_view value);

  /// True: a row is there. False: done, and the statement is reset.
  [[nodiscard]] Result<bool> step();
  /// Runs a statement without rows to its end, and resets it.
  [[nodiscard]] Result<void> run();
  /// Drops the rows that were not read.
  void reset();

  [[nodiscard]] std::int64_t integer(int column) const;
  [[nodiscard]] Bytes blob(int column) const;
  [[nodiscard]] std::string_view text(int column) const;
  template <class Fixed>
  [[nodiscard]] Fixed fixed(int column) const {
    return Fixed::from(blob(column)).value_or(Fixed{});
  }

 private:
  friend class Db;
  struct Finalize {
    void operator()(sqlite3_stmt* stmt) const;
  };
  Stmt(Db& db, sqlite3_stmt* stmt) : db_(&db), stmt_(stmt) {}
  Db* db_ = nullptr;
  std::unique_ptr<sqlite3_stmt, Finalize> stmt_;
};

enum class DbMode : std::uint8_t { kReadWrite, kReadOnly, kMemory };

class Db {
 public:
  /// kReadWrite makes the file (0600) if it is missing. Sets synchronous=NORMAL, foreign keys and a
  /// busy time of 5 s, and turns off whatever trusts the schema. The file itself is not changed:
  /// the caller checks first that it is the right one, then turns WAL on.
  [[nodiscard]] static Result<std::unique_ptr<Db>> open(const std::string& path, DbMode mode);

  /// The file was found sound. Before this, closing does not move what waits in the WAL into it: a
  /// file that is refused must stay as it is, with its WAL.
  void accept_file();

  /// One or several statements without results.
  [[nodiscard]] Result<void> exec(const char* sql);
  /// The text must be a constant: it names the statement in errors.
  [[nodiscard]] Result<Stmt> prepare(const char* sql);
  /// The first column of the only row of a query.
  [[nodiscard]] Result<std::int64_t> query_integer(const char* sql);
  [[nodiscard]] std::int64_t last_insert_id() const;
  [[nodiscard]] std::int64_t changes() const;
  [[nodiscard]] bool in_transaction() const;

 private:
  friend class Stmt;
  struct Close {
    void operator()(sqlite3* db) const;
  };
  Db() = default;
  [[nodiscard]] Error error(std::string_view doing) const;
  std::string path_;
  std::unique_ptr<sqlite3, Close> db_;
};

/// BEGIN IMMEDIATE … COMMIT; rolls back unless committed.
class Transaction {
 public:
  [[nodiscard]] static Result<Transaction> begin(Db& db);
  Transaction(Transaction&& other) noexcept : db_(std::exchange(other.db_, nullptr)) {}
  Transaction& operator=(Transaction&&) = delete;
  ~Transaction();
  [[nodiscard]] Result<void> commit();

 private:
  explicit Transaction(Db& db) : db_(&db) {}
  Db* db_;
};

}  // namespace kith::storage
