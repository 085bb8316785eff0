// SPDX-License-Identifier: Apache-2.0
#include "index/sqlite_index.h"

#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <system_error>
#include <utility>

#include "index/damaged_file.h"
#include "index/row_loader.h"
#include "index/row_values.h"
#include "index/schema.h"

namespace fairlead::index {
namespace {

constexpr std::string_view kFindDocument =
    "SELECT body, checked FROM document WHERE registry = ?1 AND repository = ?2 AND name = ?3";

// Opened, brought to our version and ready to be written to.
Result<Database> open_for_writing(const std::string& path) {
  auto database = Database::open(path, Database::Mode::ReadWrite);
  if (!database) return database;
  // Before anything is changed: the file may be of a newer version.
  if (const auto version = version_of(*database); !version) {
    return std::unexpected(version.error());
  }
  // FULL: a transaction that was committed survives the loss of power, too.
  constexpr const char* kSettings =
      "PRAGMA page_size = 16384; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA "
      "journal_size_limit = 67108864";
  if (auto set = database->execute(kSettings); !set) return std::unexpected(set.error());
  if (auto migrated = migrate(*database); !migrated) return std::unexpected(migrated.error());
  database->set_checkpoint_on_close(true);
  return database;
}

// The damaged file goes out of the way first.
Result<Database> open_anew(const std::string& path) {
  if (auto moved = move_aside(path, std::chrono::system_clock::now()); !moved) {
    return std::unexpected(std::move(moved).error());
  }
  return open_for_writing(path);
}

// There is nothing but the file to be read.
bool is_without_log(const std::string& path) {
  std::error_code ec;
  const auto bytes = std::filesystem::file_size(path + "-wal", ec);
  return ec || bytes == 0;
}

}  // namespace

SqliteIndex::SqliteIndex(std::string path, SqliteIndexOptions options)
    : path_(std::move(path)), options_(std::move(options)) {}

SqliteIndex::~SqliteIndex() = default;

// --- opening ---

Result<std::unique_ptr<SqliteIndex>> SqliteIndex::open(const std::string& path,
                                                       SqliteIndexOptions options) {
  std::unique_ptr<SqliteIndex> index(new SqliteIndex(path, std::move(options)));
  auto loaded = index->load_for_writing();
  if (!loaded && loaded.error().code == Code::Corrupt) {
    auto moved = move_aside(path, std::chrono::system_clock::now());
    if (!moved) return std::unexpected(std::move(moved).error());
    index->moved_aside_ = *std::move(moved);
    loaded = index->load_for_writing();
  }
  if (!loaded && (loaded.error().code == Code::Io || loaded.error().code == Code::NoSpace) &&
      index->load_for_a_full_disk()) {
    loaded = {};
  }
  if (loaded) loaded = index->start_writing();
  if (!loaded) return std::unexpected(std::move(loaded).error().within(path));
  return index;
}

Result<std::unique_ptr<SqliteIndex>> SqliteIndex::open_read_only(const std::string& path) {
  std::error_code ec;
  const auto bytes = std::filesystem::file_size(path, ec);
  if (ec) return errno_error(ec.value(), "open " + path);
  std::unique_ptr<SqliteIndex> index(new SqliteIndex(path, {}));
  if (bytes == 0) {
    index->mirror_ = std::make_unique<MemoryIndex>();
    return index;
  }
  auto loaded = index->load(Database::Mode::ReadOnly);
  // While another process writes, the parts of a load may not fit together, if rarely.
  if (!loaded && loaded.error().code == Code::Corrupt) {
    loaded = index->load(Database::Mode::ReadOnly);
  }
  if (!loaded && loaded.error().code == Code::Io) {
    // No file can be made beside it.
    if (is_without_log(path)) loaded = index->load(Database::Mode::Immutable);
  }
  if (!loaded) return std::unexpected(std::move(loaded).error().within(path));
  return index;
}

Result<void> SqliteIndex::load_for_writing() {
  writer_.reset();
  documents_.reset();
  auto database = open_for_writing(path_);
  if (!database) return std::unexpected(std::move(database).error());
  if (auto loaded = load(Database::Mode::ReadOnly); !loaded) return loaded;
  auto writer = RowWriter::open(*std::move(database), *mirror_, options_.documents);
  if (!writer) return std::unexpected(std::move(writer).error());
  writer_ = *std::move(writer);
  return {};
}

// Even to read in WAL mode needs some space, and eviction, which would make it, an index. Nobody
// else writes to it, and we do when there is room (write_rows).
Result<void> SqliteIndex::load_for_a_full_disk() {
  writer_.reset();
  documents_.reset();
  if (::access(path_.c_str(), W_OK) != 0) return errno_error(errno, "open");
  if (!is_without_log(path_)) return internal_error(Code::NoSpace, "has a log");
  return load(Database::Mode::Immutable);
}

// The version is looked at again: without writing, an older one cannot be read.
Result<void> SqliteIndex::load(Database::Mode mode) {
  mirror_ = std::make_unique<MemoryIndex>(options_.unstored_capacity);
  auto database = Database::open(path_, mode);
  if (!database) return std::unexpected(std::move(database).error());
  const auto version = version_of(*database);
  if (!version) return std::unexpected(version.error());
  if (*version == 0) return {};  // made, and nothing written yet
  if (*version < schema_version()) {
    return internal_error(Code::Unsupported, "is of the older version " + std::to_string(*version) +
                                                 "; `fairlead serve` brings it to " +
                                                 std::to_string(schema_version()));
  }
  const auto skipped = load_rows(path_, mode, *mirror_);
  if (!skipped) return std::unexpected(skipped.error());
  skipped_rows_ = *skipped;
  auto reader = open_reader(path_, mode);
  if (!reader) return std::unexpected(std::move(reader).error());
  documents_ = *std::move(reader);
  return {};
}

Result<SqliteIndex::Reader> SqliteIndex::open_reader(const std::string& path, Database::Mode mode) {
  auto database = Database::open(path, mode);
  if (!database) return std::unexpected(std::move(database).error());
  auto find = database->prepare(kFindDocument);
  if (!find) return std::unexpected(std::move(find).error());
  return Reader{*std::move(database), *std::move(find)};
}

std::optional<SqliteIndex::FileId> SqliteIndex::file_id(const std::string& path) {
  struct stat status{};
  if (::stat(path.c_str(), &status) != 0) return std::nullopt;
  return FileId{.device = status.st_dev, .number = status.st_ino};
}

Result<void> SqliteIndex::start_writing() {
  file_ = file_id(path_);
  if (!file_) return errno_error(errno, "stat");
  journal_ = std::make_unique<Journal>(options_.journal,
                                       [this](const Changes& changes) { return write(changes); });
  mirror_->set_listener(*journal_);
  return {};
}

// --- writing, by the journal's thread ---

Result<void> SqliteIndex::write(const Changes& changes) {
  if (!file_ || file_id(path_) != file_) {
    return write_anew({.code = Code::NotFound, .context = "it is gone"});
  }
  auto written = write_rows(changes);
  if (written) return written;
  if (written.error().code == Code::Corrupt) return write_anew(std::move(written).error());
  return std::unexpected(std::move(written).error().within("write " + path_));
}

// Without a writer, the disk was full at the start, and the file holds what was read then.
Result<void> SqliteIndex::write_rows(const Changes& changes) {
  if (!writer_) {
    {
      // What reads it as a file that nobody writes to goes first.
      const std::lock_guard lock(documents_mutex_);
      documents_.reset();
    }
    auto database = open_for_writing(path_);
    if (!database) return std::unexpected(std::move(database).error());
    if (auto begun = begin_writing(*std::move(database)); !begun) return begun;
  }
  return writer_->write(changes);
}

Result<void> SqliteIndex::begin_writing(Database database) {
  auto writer = RowWriter::open(std::move(database), *mirror_, options_.documents);
  if (!writer) return std::unexpected(std::move(writer).error());
  auto reader = open_reader(path_, Database::Mode::ReadOnly);
  if (!reader) return std::unexpected(std::move(reader).error());
  writer_ = *std::move(writer);
  const std::lock_guard lock(documents_mutex_);
  documents_ = *std::move(reader);
  return {};
}

// A fresh file for all that the mirror knows; what was to be written is not yet, so that is an
// error still. The documents of the old one are lost.
Result<void> SqliteIndex::write_anew(Error reason) {
  {
    const std::lock_guard lock(documents_mutex_);
    documents_.reset();
  }
  writer_.reset();
  file_.reset();
  const auto begun = [&]() -> Result<void> {
    auto database = reason.code == Code::Corrupt ? open_anew(path_) : open_for_writing(path_);
    if (!database && database.error().code == Code::Corrupt) database = open_anew(path_);
    if (!database) return std::unexpected(std::move(database).error());
    return begin_writing(*std::move(database));
  }();
  if (!begun) return std::unexpected(Error(begun.error()).within("make " + path_ + " anew"));
  file_ = file_id(path_);
  mirror_->announce_all();
  reason.context += "; it is made anew from memory";
  return std::unexpected(std::move(reason).within("write " + path_));
}

Result<void> SqliteIndex::flush() {
  if (!journal_) return {};
  return journal_->flush();
}

// --- documents ---

void SqliteIndex::put_document(const DocumentKey& key, DocumentInfo info) {
  if (!journal_ || info.body.size() > options_.most_document_bytes) return;
  journal_->put_document(key, std::move(info));
}

std::optional<DocumentInfo> SqliteIndex::document(const DocumentKey& key) const {
  if (journal_) {
    if (const auto pending = journal_->document(key)) return *pending;
  }
  const std::lock_guard lock(documents_mutex_);
  if (!documents_) return std::nullopt;
  Statement& find = documents_->find;
  const auto row = find.bind(1, key.registry).bind(2, key.repository).bind(3, key.name).step();
  if (!row || !*row) return std::nullopt;  // what cannot be read is asked for again
  const auto checked = time_from_row(find.integer(1));
  std::optional<DocumentInfo> info;
  if (checked) info = {.body = std::string(find.text(0)), .checked = *checked};
  find.reset();
  return info;
}

// --- what the mirror does ---

bool SqliteIndex::has_link(std::string_view registry, std::string_view repository,
                           const oci::Digest& digest) const {
  return mirror_->has_link(registry, repository, digest);
}

void SqliteIndex::add_link(std::string_view registry, std::string_view repository,
                           const oci::Digest& digest) {
  mirror_->add_link(registry, repository, digest);
}
void SqliteIndex::remove_link(std::string_view registry, std::string_view repository,
                              const oci::Digest& digest) {
  mirror_->remove_link(registry, repository, digest);
}

std::optional<ContentInfo> SqliteIndex::content(const oci::Digest& digest) const {
  return mirror_->content(digest);
}

void SqliteIndex::describe(const oci::Digest& digest, std::string media_type, std::uint64_t size) {
  mirror_->describe(digest, std::move(media_type), size);
}

void SqliteIndex::add_stored(const oci::Digest& digest, std::string media_type, std::uint64_t size,
                             DigestList names, WallTime now) {
  mirror_->add_stored(digest, std::move(media_type), size, std::move(names), now);
}

void SqliteIndex::remove_stored(const oci::Digest& digest) { mirror_->remove_stored(digest); }

void SqliteIndex::unstore(const oci::Digest& digest) { mirror_->unstore(digest); }

void SqliteIndex::touch(const oci::Digest& digest, WallTime now) { mirror_->touch(digest, now); }

Index::Totals SqliteIndex::totals() const { return mirror_->totals(); }

void SqliteIndex::for_each_stored(const ContentVisitor& visit) const {
  mirror_->for_each_stored(visit);
}

void SqliteIndex::for_each_link(const LinkVisitor& visit) const { mirror_->for_each_link(visit); }

std::optional<TagInfo> SqliteIndex::tag(const TagKey& key) const { return mirror_->tag(key); }

void SqliteIndex::put_tag(const TagKey& key, TagInfo info) {
  mirror_->put_tag(key, std::move(info));
}

void SqliteIndex::remove_tag(const TagKey& key) { mirror_->remove_tag(key); }

std::vector<std::string> SqliteIndex::variants(std::string_view registry,
                                               std::string_view repository,
                                               std::string_view tag) const {
  return mirror_->variants(registry, repository, tag);
}

void SqliteIndex::remove_tags(std::string_view registry, std::string_view repository,
                              std::string_view tag) {
  mirror_->remove_tags(registry, repository, tag);
}

std::vector<std::string> SqliteIndex::remove_tags_of(std::string_view registry,
                                                     std::string_view repository,
                                                     const oci::Digest& digest) {
  return mirror_->remove_tags_of(registry, repository, digest);
}

void SqliteIndex::for_each_tag(const TagVisitor& visit) const { mirror_->for_each_tag(visit); }

WallTime SqliteIndex::first_seen(std::string_view registry, std::string_view repository,
                                 const oci::Digest& digest, WallTime now) {
  return mirror_->first_seen(registry, repository, digest, now);
}

std::optional<WallTime> SqliteIndex::seen(std::string_view registry, std::string_view repository,
                                          const oci::Digest& digest) const {
  return mirror_->seen(registry, repository, digest);
}

}  // namespace fairlead::index
