// SPDX-License-Identifier: Apache-2.0
#include "index/row_writer.h"

#include <algorithm>
#include <utility>

#include "index/row_values.h"

namespace fairlead::index {
namespace {

constexpr std::string_view kPutContent =
    "INSERT INTO content (digest, media_type, size, is_stored, created, last_use, names)"
    " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) ON CONFLICT (digest) DO UPDATE SET media_type = ?2,"
    " size = ?3, is_stored = ?4, created = ?5, last_use = ?6, names = ?7";
constexpr std::string_view kPutTag =
    "INSERT OR REPLACE INTO tag"
    " (registry, repository, tag, variant, digest, media_type, size, etag, checked)"
    " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)";
// A row that is replaced gets a new number: the lowest is the one written longest ago.
constexpr std::string_view kPutDocument =
    "INSERT OR REPLACE INTO document (registry, repository, name, checked, body)"
    " VALUES (?1, ?2, ?3, ?4, ?5)";
constexpr std::string_view kCompareDocument =
    "SELECT length(body), checked, body = ?4 FROM document"
    " WHERE registry = ?1 AND repository = ?2 AND name = ?3";
constexpr std::string_view kDropDocument =
    "DELETE FROM document WHERE id = (SELECT min(id) FROM document) RETURNING length(body)";

// What is asked for all the time and stays the same is not written all the time: the time that its
// row tells may be this much too early.
constexpr std::int64_t kLateMicroseconds = 60'000'000;

}  // namespace

Result<RowWriter::Statements> RowWriter::prepare(Database& database) {
  std::optional<Error> failed;
  const auto make = [&](std::string_view sql) {
    auto statement = database.prepare(sql);
    if (!statement && !failed) failed = statement.error();
    return statement ? *std::move(statement) : Statement();
  };
  Statements statements{
      .put_content = make(kPutContent),
      .delete_content = make("DELETE FROM content WHERE digest = ?1"),
      .use_content = make("UPDATE content SET last_use = ?2 WHERE digest = ?1"),
      .links_of = make("SELECT repository FROM link WHERE digest = ?1"),
      .add_link = make("INSERT INTO link (digest, repository) VALUES (?1, ?2)"),
      .delete_link = make("DELETE FROM link WHERE digest = ?1 AND repository = ?2"),
      .delete_links = make("DELETE FROM link WHERE digest = ?1"),
      .add_repository = make("INSERT INTO repository (registry, name) VALUES (?1, ?2)"
                             " ON CONFLICT DO NOTHING"),
      .find_repository = make("SELECT id FROM repository WHERE registry = ?1 AND name = ?2"),
      .put_tag = make(kPutTag),
      .delete_tag = make("DELETE FROM tag WHERE registry = ?1 AND repository = ?2 AND tag = ?3"
                         " AND variant = ?4"),
      .put_first_seen = make("INSERT OR REPLACE INTO first_seen"
                             " (registry, repository, digest, seen) VALUES (?1, ?2, ?3, ?4)"),
      .compare_document = make(kCompareDocument),
      .put_document = make(kPutDocument),
      .drop_document = make(kDropDocument),
  };
  if (failed) return std::unexpected(*std::move(failed));
  return statements;
}

Result<RowWriter> RowWriter::open(Database database, const MemoryIndex& mirror,
                                  const DocumentLimits& limits) {
  auto statements = prepare(database);
  if (!statements) return std::unexpected(std::move(statements).error());
  return RowWriter(std::move(database), *std::move(statements), mirror, limits);
}

RowWriter::RowWriter(Database database, Statements statements, const MemoryIndex& mirror,
                     const DocumentLimits& limits)
    : database_(std::move(database)),
      statements_(std::move(statements)),
      mirror_(&mirror),
      limits_(limits) {}

Result<void> RowWriter::write(const Changes& changes) {
  auto transaction = Transaction::begin(database_);
  if (!transaction) return std::unexpected(transaction.error());
  auto written = write_rows(changes);
  if (written) written = transaction->commit();
  // Rows that were added or removed go with the transaction.
  if (!written) {
    repository_rows_.clear();
    documents_.reset();
  }
  return written;
}

Result<void> RowWriter::write_rows(const Changes& changes) {
  // In the order of the rows: neighbours share pages.
  std::vector<const oci::Digest*> contents;
  contents.reserve(changes.contents.size());
  for (const auto& digest : changes.contents) contents.push_back(&digest);
  std::ranges::sort(contents, {}, [](const auto* digest) -> const auto& { return *digest; });
  for (const auto* digest : contents) {
    if (auto written = write_content(*digest); !written) return written;
  }
  for (const auto& digest : changes.uses) {
    if (changes.contents.contains(digest)) continue;
    if (auto written = write_use(digest); !written) return written;
  }
  for (const auto& key : changes.tags) {
    if (auto written = write_tag(key); !written) return written;
  }
  for (const auto& key : changes.first_seen) {
    if (auto written = write_first_seen(key); !written) return written;
  }
  return write_documents(changes);
}

Result<void> RowWriter::write_content(const oci::Digest& digest) {
  const auto entry = mirror_->entry(digest);
  if (!entry) {
    if (auto gone = statements_.delete_content.bind(1, digest.str()).run(); !gone) return gone;
    return statements_.delete_links.bind(1, digest.str()).run();
  }
  const std::string names = to_row(entry->info.names);
  auto written = !entry->is_described ? statements_.delete_content.bind(1, digest.str()).run()
                                      : statements_.put_content.bind(1, digest.str())
                                            .bind(2, entry->info.media_type)
                                            .bind(3, to_row(entry->info.size))
                                            .bind(4, std::int64_t{entry->info.is_stored})
                                            .bind(5, to_row(entry->info.created))
                                            .bind(6, to_row(entry->info.last_use))
                                            .bind(7, names)
                                            .run();
  if (!written) return written;
  return write_links(digest, entry->repositories);
}

// Only what differs: a base layer may be linked to thousands of repositories.
Result<void> RowWriter::write_links(const oci::Digest& digest,
                                    const std::vector<RepositoryId>& linked) {
  std::vector<std::int64_t> wanted;
  for (const RepositoryId id : linked) {
    const auto row = repository_row(id);
    if (!row) return std::unexpected(row.error());
    wanted.push_back(*row);
  }
  std::ranges::sort(wanted);

  std::vector<std::int64_t> present;  // in order, as the primary key is
  statements_.links_of.bind(1, digest.str());
  for (;;) {
    const auto row = statements_.links_of.step();
    if (!row) return std::unexpected(row.error());
    if (!*row) break;
    present.push_back(statements_.links_of.integer(0));
  }
  std::ranges::sort(present);

  for (const std::int64_t row : wanted) {
    if (std::ranges::binary_search(present, row)) continue;
    auto added = statements_.add_link.bind(1, digest.str()).bind(2, row).run();
    if (!added) return added;
  }
  for (const std::int64_t row : present) {
    if (std::ranges::binary_search(wanted, row)) continue;
    auto deleted = statements_.delete_link.bind(1, digest.str()).bind(2, row).run();
    if (!deleted) return deleted;
  }
  return {};
}

Result<void> RowWriter::write_use(const oci::Digest& digest) {
  const auto info = mirror_->content(digest);
  if (!info) return {};  // removed since: that has an entry of its own
  return statements_.use_content.bind(1, digest.str()).bind(2, to_row(info->last_use)).run();
}

Result<void> RowWriter::write_tag(std::string_view key) {
  const auto [registry, repository, tag, variant] = split<4>(key);
  const auto info = mirror_->tag({registry, repository, tag, variant});
  Statement& statement = info ? statements_.put_tag : statements_.delete_tag;
  statement.bind(1, registry).bind(2, repository).bind(3, tag).bind(4, variant);
  if (!info) return statement.run();
  if (info->size) {
    statement.bind(7, to_row(*info->size));
  } else {
    statement.bind_null(7);
  }
  return statement.bind(5, info->digest.str())
      .bind(6, info->media_type)
      .bind(8, info->etag)
      .bind(9, to_row(info->checked))
      .run();
}

Result<void> RowWriter::write_first_seen(std::string_view key) {
  const auto [registry, repository, digest] = split<3>(key);
  const auto parsed = oci::Digest::parse(digest);
  const auto seen = parsed ? mirror_->seen(registry, repository, *parsed) : std::nullopt;
  if (!seen) return {};
  return statements_.put_first_seen.bind(1, registry)
      .bind(2, repository)
      .bind(3, digest)
      .bind(4, to_row(*seen))
      .run();
}

Result<void> RowWriter::write_documents(const Changes& changes) {
  if (changes.documents.empty()) return {};
  std::vector<const TextMap<Changes::Document>::value_type*> in_order;
  for (const auto& document : changes.documents) in_order.push_back(&document);
  std::ranges::sort(in_order, {}, [](const auto* document) { return document->second.number; });
  if (!documents_) {
    const auto count = database_.integer("SELECT count(*) FROM document");
    if (!count) return std::unexpected(count.error());
    const auto bytes = database_.integer("SELECT coalesce(sum(length(body)), 0) FROM document");
    if (!bytes) return std::unexpected(bytes.error());
    documents_ = {.count = static_cast<std::uint64_t>(*count),
                  .bytes = static_cast<std::uint64_t>(*bytes)};
  }
  for (const auto* document : in_order) {
    auto written = write_document(document->first, *document->second.info);
    if (!written) return written;
  }
  return bound_documents();
}

Result<void> RowWriter::write_document(std::string_view key, const DocumentInfo& info) {
  const auto [registry, repository, name] = split<3>(key);
  Statement& compare = statements_.compare_document;
  const auto known =
      compare.bind(1, registry).bind(2, repository).bind(3, name).bind_bytes(4, info.body).step();
  if (!known) return std::unexpected(known.error());
  if (*known) {
    const auto size = static_cast<std::uint64_t>(compare.integer(0));
    const std::int64_t later = to_row(info.checked) - compare.integer(1);
    const bool is_same = compare.integer(2) != 0;
    compare.reset();
    if (is_same && later >= 0 && later < kLateMicroseconds) return {};
    --documents_->count;
    documents_->bytes -= size;
  }
  ++documents_->count;
  documents_->bytes += info.body.size();
  return statements_.put_document.bind(1, registry)
      .bind(2, repository)
      .bind(3, name)
      .bind(4, to_row(info.checked))
      .bind_bytes(5, info.body)
      .run();
}

Result<void> RowWriter::bound_documents() {
  while (documents_->count > limits_.count || documents_->bytes > limits_.bytes) {
    const auto dropped = statements_.drop_document.step();
    if (!dropped) return std::unexpected(dropped.error());
    if (!*dropped) return {};
    --documents_->count;
    documents_->bytes -= static_cast<std::uint64_t>(statements_.drop_document.integer(0));
    if (auto ended = statements_.drop_document.run(); !ended) return ended;
  }
  return {};
}

Result<std::int64_t> RowWriter::repository_row(RepositoryId id) {
  if (repository_rows_.size() <= id) repository_rows_.resize(std::size_t{id} + 1);
  if (repository_rows_[id]) return *repository_rows_[id];
  const auto [registry, name] = mirror_->repository_name(id);
  auto added = statements_.add_repository.bind(1, registry).bind(2, name).run();
  if (!added) return std::unexpected(added.error());
  auto row = statements_.find_repository.bind(1, registry).bind(2, name).step();
  if (!row) return std::unexpected(row.error());
  if (!*row) return internal_error(Code::Corrupt, "a repository that was added is not there");
  const std::int64_t found = statements_.find_repository.integer(0);
  statements_.find_repository.reset();
  repository_rows_[id] = found;
  return found;
}

}  // namespace fairlead::index
