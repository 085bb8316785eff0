// SPDX-License-Identifier: Apache-2.0
// SqliteIndex: the Index that outlives the process, in one SQLite file (docs/on-disk-format.md).
//
// All answers come from a mirror in memory, all changes are made there; the journal's thread
// brings the file up to date behind them. Documents alone are read from the file. A file that
// cannot be written does not stop anybody: what is to be written waits, and only flush() tells.
// A file that turns out to be damaged or gone while it is in use is made anew from the mirror.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "index/index.h"
#include "index/journal.h"
#include "index/memory_index.h"
#include "index/row_writer.h"
#include "index/sqlite.h"

namespace fairlead::index {

struct SqliteIndexOptions {
  Journal::Options journal;
  // That are kept; those written longest ago go.
  DocumentLimits documents{.count = 20'000, .bytes = 512 << 20};
  std::size_t most_document_bytes = 8 << 20;  // of one; a larger one is not kept
  std::size_t unstored_capacity = 1'000'000;  // contents that are not stored, about
};

class SqliteIndex final : public Index {
 public:
  // For the one process that holds the lock of the cache directory. Makes the file where there is
  // none. A damaged one is moved aside to "<path>.damaged-<time>" and made anew, empty. One that
  // cannot be written to for want of space is read, and written to later. Errors: Unsupported, it
  // is of a newer version, and left as it is; Io, it cannot be opened.
  static Result<std::unique_ptr<SqliteIndex>> open(const std::string& path,
                                                   SqliteIndexOptions options = {});

  // What is in the file now, also while another process writes to it. Changes are not written.
  // Errors: NotFound; Corrupt; Unsupported; Io.
  static Result<std::unique_ptr<SqliteIndex>> open_read_only(const std::string& path);

  // Writes what is left.
  ~SqliteIndex() override;

  // Where the damaged file went that was found at opening; empty: there was none.
  [[nodiscard]] const std::string& moved_aside() const { return moved_aside_; }
  [[nodiscard]] bool was_rebuilt() const { return !moved_aside_.empty(); }
  // Rows found at opening that made no sense.
  [[nodiscard]] std::uint64_t skipped_rows() const { return skipped_rows_; }

  [[nodiscard]] bool has_link(std::string_view registry, std::string_view repository,
                              const oci::Digest& digest) const override;
  void add_link(std::string_view registry, std::string_view repository,
                const oci::Digest& digest) override;
  void remove_link(std::string_view registry, std::string_view repository,
                   const oci::Digest& digest) override;

  [[nodiscard]] std::optional<ContentInfo> content(const oci::Digest& digest) const override;
  void describe(const oci::Digest& digest, std::string media_type, std::uint64_t size) override;
  void add_stored(const oci::Digest& digest, std::string media_type, std::uint64_t size,
                  DigestList names, WallTime now) override;
  void remove_stored(const oci::Digest& digest) override;
  void unstore(const oci::Digest& digest) override;
  void touch(const oci::Digest& digest, WallTime now) override;
  [[nodiscard]] Totals totals() const override;
  void for_each_stored(const ContentVisitor& visit) const override;
  void for_each_link(const LinkVisitor& visit) const override;

  [[nodiscard]] std::optional<TagInfo> tag(const TagKey& key) const override;
  void put_tag(const TagKey& key, TagInfo info) override;
  void remove_tag(const TagKey& key) override;
  [[nodiscard]] std::vector<std::string> variants(std::string_view registry,
                                                  std::string_view repository,
                                                  std::string_view tag) const override;
  void remove_tags(std::string_view registry, std::string_view repository,
                   std::string_view tag) override;
  std::vector<std::string> remove_tags_of(std::string_view registry, std::string_view repository,
                                          const oci::Digest& digest) override;
  void for_each_tag(const TagVisitor& visit) const override;

  WallTime first_seen(std::string_view registry, std::string_view repository,
                      const oci::Digest& digest, WallTime now) override;
  [[nodiscard]] std::optional<WallTime> seen(std::string_view registry, std::string_view repository,
                                             const oci::Digest& digest) const override;

  void put_document(const DocumentKey& key, DocumentInfo info) override;
  [[nodiscard]] std::optional<DocumentInfo> document(const DocumentKey& key) const override;

  Result<void> flush() override;

 private:
  // Which file a path names; one that was deleted and made anew is another.
  struct FileId {
    std::uint64_t device = 0;
    std::uint64_t number = 0;
    friend bool operator==(const FileId&, const FileId&) = default;
  };
  static std::optional<FileId> file_id(const std::string& path);

  SqliteIndex(std::string path, SqliteIndexOptions options);
  Result<void> load(Database::Mode mode);
  Result<void> load_for_writing();
  Result<void> load_for_a_full_disk();
  Result<void> start_writing();
  Result<void> begin_writing(Database database);
  // By the journal's thread.
  Result<void> write_rows(const Changes& changes);
  Result<void> write(const Changes& changes);
  Result<void> write_anew(Error reason);

  const std::string path_;
  const SqliteIndexOptions options_;
  std::string moved_aside_;
  std::uint64_t skipped_rows_ = 0;

  std::unique_ptr<MemoryIndex> mirror_;
  // Of the journal's thread, once there is one. Closed last, it leaves no log behind.
  std::optional<RowWriter> writer_;
  std::optional<FileId> file_;

  struct Reader {
    Database database;
    Statement find;
  };
  static Result<Reader> open_reader(const std::string& path, Database::Mode mode);
  mutable std::mutex documents_mutex_;
  mutable std::optional<Reader> documents_;

  std::unique_ptr<Journal> journal_;  // null: read-only. Its thread uses all of the above.
};

}  // namespace fairlead::index
