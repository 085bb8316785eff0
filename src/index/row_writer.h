// SPDX-License-Identifier: Apache-2.0
// RowWriter: brings rows of index.db to the mirror's present state, key by key. Used by one thread.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "index/journal.h"
#include "index/memory_index.h"
#include "index/sqlite.h"

namespace fairlead::index {

class RowWriter {
 public:
  // `database` is of our version; `mirror` must outlive this. Of all documents, the
  // `most_documents` written last are kept.
  static Result<RowWriter> open(Database database, const MemoryIndex& mirror,
                                std::size_t most_documents);

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
    Statement put_document, bound_documents;
  };
  static Result<Statements> prepare(Database& database);

  RowWriter(Database database, Statements statements, const MemoryIndex& mirror,
            std::size_t most_documents);

  Result<void> write_rows(const Changes& changes);
  Result<void> write_content(const oci::Digest& digest);
  Result<void> write_links(const oci::Digest& digest, const std::vector<RepositoryId>& linked);
  Result<void> write_use(const oci::Digest& digest);
  Result<void> write_tag(std::string_view key);
  Result<void> write_first_seen(std::string_view key);
  Result<void> write_documents(const Changes& changes);
  Result<std::int64_t> repository_row(RepositoryId id);

  Database database_;  // before what hangs on it
  Statements statements_;
  const MemoryIndex* mirror_;
  std::size_t most_documents_;
  std::vector<std::optional<std::int64_t>> repository_rows_;  // by the mirror's number
};

}  // namespace fairlead::index
