// SPDX-License-Identifier: Apache-2.0
#include "index/schema.h"

#include <array>
#include <string>

namespace fairlead::index {
namespace {

// Times are microseconds since 1970, UTC.
constexpr std::string_view kVersion1 = R"sql(
CREATE TABLE content (
  digest     TEXT PRIMARY KEY,
  media_type TEXT NOT NULL,
  size       INTEGER NOT NULL,
  is_stored  INTEGER NOT NULL,
  created    INTEGER NOT NULL,
  last_use   INTEGER NOT NULL,
  names      TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE repository (
  id       INTEGER PRIMARY KEY,
  registry TEXT NOT NULL,
  name     TEXT NOT NULL,
  UNIQUE (registry, name)
) STRICT;

CREATE TABLE link (
  digest     TEXT NOT NULL,
  repository INTEGER NOT NULL,
  PRIMARY KEY (digest, repository)
) STRICT, WITHOUT ROWID;

CREATE TABLE tag (
  registry   TEXT NOT NULL,
  repository TEXT NOT NULL,
  tag        TEXT NOT NULL,
  variant    TEXT NOT NULL,
  digest     TEXT NOT NULL,
  media_type TEXT NOT NULL,
  size       INTEGER,
  etag       TEXT NOT NULL,
  checked    INTEGER NOT NULL,
  PRIMARY KEY (registry, repository, tag, variant)
) STRICT, WITHOUT ROWID;

CREATE TABLE first_seen (
  registry   TEXT NOT NULL,
  repository TEXT NOT NULL,
  digest     TEXT NOT NULL,
  seen       INTEGER NOT NULL,
  PRIMARY KEY (registry, repository, digest)
) STRICT, WITHOUT ROWID;

CREATE TABLE document (
  id         INTEGER PRIMARY KEY,
  registry   TEXT NOT NULL,
  repository TEXT NOT NULL,
  name       TEXT NOT NULL,
  checked    INTEGER NOT NULL,
  body       BLOB NOT NULL,
  UNIQUE (registry, repository, name)
) STRICT;
)sql";

constexpr std::array kMigrations{kVersion1};

Result<void> apply(Database& database, std::string_view step, std::int64_t version) {
  auto transaction = Transaction::begin(database);
  if (!transaction) return std::unexpected(transaction.error());
  const std::string sql = std::string(step) +
                          "; PRAGMA application_id = " + std::to_string(kApplicationId) +
                          "; PRAGMA user_version = " + std::to_string(version);
  if (auto applied = database.execute(sql.c_str()); !applied) return applied;
  return transaction->commit();
}

}  // namespace

std::span<const std::string_view> migrations() { return kMigrations; }

std::int64_t schema_version() { return std::ssize(kMigrations); }

Result<std::int64_t> version_of(Database& database, std::int64_t ours) {
  const auto application = database.integer("PRAGMA application_id");
  if (!application) return application;
  const auto version = database.integer("PRAGMA user_version");
  if (!version) return version;
  if (*application == kApplicationId && *version > ours) {
    return internal_error(Code::Unsupported,
                          "is of version " + std::to_string(*version) + ", this program knows " +
                              std::to_string(ours) +
                              "; run the newer program that wrote it, or delete the file: it is "
                              "rebuilt from the stored files and the registries");
  }
  if (*application == kApplicationId && *version > 0) return version;
  const auto tables = database.integer("SELECT count(*) FROM sqlite_schema");
  if (!tables) return tables;
  if (*application == 0 && *version == 0 && *tables == 0) return 0;
  return internal_error(Code::Corrupt, "is not an index of this program");
}

Result<void> migrate(Database& database, std::span<const std::string_view> steps) {
  const auto version = version_of(database, std::ssize(steps));
  if (!version) return std::unexpected(version.error());
  for (std::int64_t done = *version; done < std::ssize(steps); ++done) {
    auto applied = apply(database, steps[static_cast<std::size_t>(done)], done + 1);
    if (!applied) return applied;
  }
  return {};
}

}  // namespace fairlead::index
