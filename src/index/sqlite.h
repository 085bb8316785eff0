// SPDX-License-Identifier: Apache-2.0
// Database and Statement: SQLite with owners and Results; sqlite.cc is the only file that includes
// sqlite3.h.
//
// A Database and its statements are used by one thread at a time. Statements must not outlive it.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/error.h"

struct sqlite3;
struct sqlite3_stmt;

namespace fairlead::index {

class Statement {
 public:
  Statement() = default;  // nothing: to be assigned to

  // Parameters count from 1, and stay bound from one run to the next. Text and bytes are not
  // copied: they outlive the run.
  Statement& bind(int parameter, std::string_view text);
  Statement& bind(int parameter, std::int64_t number);
  Statement& bind_bytes(int parameter, std::string_view bytes);
  Statement& bind_null(int parameter);

  // Runs on to the next row. False: there is none, and the next step begins anew.
  Result<bool> step();
  // Runs from the beginning to the end, for what makes no rows.
  Result<void> run();
  void reset();

  // Columns count from 0. What is viewed is valid until the next step or reset.
  [[nodiscard]] std::string_view text(int column) const;
  [[nodiscard]] std::int64_t integer(int column) const;
  [[nodiscard]] bool is_null(int column) const;

 private:
  friend class Database;
  struct Finalize {
    void operator()(sqlite3_stmt* statement) const;
  };
  explicit Statement(sqlite3_stmt* statement) : statement_(statement) {}

  std::unique_ptr<sqlite3_stmt, Finalize> statement_;
};

class Database {
 public:
  enum class Mode {
    ReadWrite,  // makes the file where there is none
    ReadOnly,
    Immutable,  // a file that nobody writes to, where no file can be made beside it
  };
  static Result<Database> open(const std::string& path, Mode mode);

  Result<void> execute(const char* sql);
  Result<Statement> prepare(std::string_view sql);
  // The first column of the first row.
  Result<std::int64_t> integer(std::string_view sql);

  // Whether closing the last connection may copy the log into the file. As opened: not.
  void set_checkpoint_on_close(bool is_wanted);

 private:
  struct Close {
    void operator()(sqlite3* database) const;
  };
  explicit Database(sqlite3* database) : database_(database) {}

  std::unique_ptr<sqlite3, Close> database_;
};

// All or nothing: what was done since begin() is undone unless commit() succeeds.
class Transaction {
 public:
  static Result<Transaction> begin(Database& database);
  ~Transaction();
  Transaction(Transaction&& other) noexcept;
  Transaction& operator=(Transaction&&) = delete;

  Result<void> commit();

 private:
  explicit Transaction(Database& database) : database_(&database) {}
  Database* database_;  // null: nothing to undo
};

}  // namespace fairlead::index
