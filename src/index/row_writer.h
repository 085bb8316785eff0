// SPDX-License-Identifier: Apache-2.0
// RowWriter: brings rows of index.db to the mirror's present state, key by key. Used by one thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "index/journal.h"
#include "index/memory_index.h"
#include "index/sqlite.h"

namespace fairlead::index {

// Of all documents; those written longest ago go.
struct DocumentLimits {
  std::uint64_t count = 0;
  std::uint64_t bytes = 0;  // of their bodies
};

class RowWriter {
 public:
  // `database` is of our version; `mirror` must outlive this.
  static Result<RowWriter> open(Database database, const MemoryIndex& mirror,
                                const DocumentLimits& limits);

  // All or nothing.
  Result<void> write(const Changes& changes);

 private:
  using RepositoryId = MemoryIndex::RepositoryId;
  struct Statements {
    Statement put_content, delete_content, use_content;
    Statement links_of, add_link, delete_link, delete_links;
    Statement add_repository, find_repository;
    Statement put_tag, delete_tag;
    Statement put_first_seen;
    Statement compare_document, put_document, drop_document;
  };
  static Result<Statements> prepare(Database& database);

  RowWriter(Database database, Statements statements, const MemoryIndex& mirror,
            const DocumentLimits& limits);

  Result<void> write_rows(const Changes& changes);
  Result<void> write_content(const oci::Digest& digest);
  Result<void> write_links(const oci::Digest& digest, const std::vector<RepositoryId>& linked);
  Result<void> write_use(const oci::Digest& digest);
  Result<void> write_tag(std::string_view key);
  Result<void> write_first_seen(std::string_view key);
  Result<void> write_documents(const Changes& changes);
  Result<void> write_document(std::string_view key, const DocumentInfo& info);
  Result<void> bound_documents();
  Result<std::int64_t> repository_row(RepositoryId id);

  Database database_;  // before what hangs on it
  Statements statements_;
  const MemoryIndex* mirror_;
  DocumentLimits limits_;
  std::optional<DocumentLimits> documents_;  // what there is; unknown until the first is written
  std::vector<std::optional<std::int64_t>> repository_rows_;  // by the mirror's number
};

}  // namespace fairlead::index
