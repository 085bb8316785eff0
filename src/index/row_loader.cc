// SPDX-License-Identifier: Apache-2.0
#include "index/row_loader.h"

#include <algorithm>
#include <array>
#include <optional>
#include <thread>
#include <unordered_map>
#include <utility>
#include <vector>

#include "index/row_values.h"

namespace fairlead::index {
namespace {

using RepositoryIds = std::unordered_map<std::int64_t, MemoryIndex::RepositoryId>;

bool is_name(std::string_view text) { return text.find('\n') == std::string_view::npos; }

// Calls `take` with each row; it answers whether the row makes sense. How many did not.
template <class Take>
Result<std::uint64_t> for_each_row(Database& database, std::string_view sql, const Take& take) {
  auto rows = database.prepare(sql);
  if (!rows) return std::unexpected(rows.error());
  std::uint64_t skipped = 0;
  for (;;) {
    const auto row = rows->step();
    if (!row) return std::unexpected(row.error());
    if (!*row) return skipped;
    if (!take(*rows)) ++skipped;
  }
}

// Rows in the order of their first column, a digest: those of a part. What comes after it is read
// as well: it has to be what the next part begins with, or the order of the file is not what a
// search in it relies on.
class PartRows {
 public:
  // `select` has the first digest as its parameter; `to` ends the part.
  Result<void> begin(Database& database, std::string_view select, std::string_view from,
                     std::string to) {
    auto statement = database.prepare(select);
    if (!statement) return std::unexpected(statement.error());
    statement_ = *std::move(statement);
    statement_.bind(1, from);
    to_ = std::move(to);
    auto begun = next();
    first_ = has_row_ ? std::string(digest()) : after_;
    return begun;
  }

  Result<void> next() {
    const auto row = statement_.step();
    if (!row) return std::unexpected(row.error());
    has_row_ = *row && digest() < to_;
    if (*row && !has_row_) after_ = digest();
    return {};
  }

  [[nodiscard]] bool has_row() const { return has_row_; }
  [[nodiscard]] const Statement& row() const { return statement_; }
  [[nodiscard]] std::string_view digest() const { return statement_.text(0); }

  // Of the first row, and of the first after the part; empty: there is none.
  [[nodiscard]] const std::string& first() const { return first_; }
  [[nodiscard]] const std::string& after() const { return after_; }

 private:
  Statement statement_;
  std::string to_;
  std::string first_;
  std::string after_;
  bool has_row_ = false;
};

std::unexpected<Error> out_of_order() {
  return internal_error(Code::Corrupt, "rows are not in their order");
}

// One part of the digests, [from, to) as text: its contents merged with their links.
class PartLoader {
 public:
  PartLoader(const RepositoryIds& repositories, MemoryIndex& mirror)
      : repositories_(repositories), mirror_(mirror) {}

  Result<void> load(const std::string& path, Database::Mode mode, const std::string& from,
                    const std::string& to) {
    auto opened = Database::open(path, mode);
    if (!opened) return std::unexpected(std::move(opened).error());
    Database database = *std::move(opened);
    // One state of the file for both statements.
    if (auto begun = database.execute("BEGIN"); !begun) return begun;
    PartRows contents;
    PartRows links;
    if (auto begun = contents.begin(database, kContents, from, to); !begun) return begun;
    if (auto begun = links.begin(database, kLinks, from, to); !begun) return begun;
    while (contents.has_row() || links.has_row()) {
      if (auto merged = merge_one(contents, links); !merged) return merged;
    }
    first_ = {contents.first(), links.first()};
    after_ = {contents.after(), links.after()};
    return {};
  }

  [[nodiscard]] std::uint64_t skipped() const { return skipped_; }
  // What follows this part is what `next` began with; without one, nothing is to follow.
  [[nodiscard]] bool is_followed_by(const PartLoader* next) const {
    return after_ == (next != nullptr ? next->first_ : Edge{});
  }

 private:
  using Edge = std::array<std::string, 2>;  // a content, a link
  static constexpr std::string_view kContents =
      "SELECT digest, media_type, size, is_stored, created, last_use, names FROM content"
      " WHERE digest >= ?1 ORDER BY digest";
  static constexpr std::string_view kLinks =
      "SELECT digest, repository FROM link WHERE digest >= ?1 ORDER BY digest";

  // The lowest digest of both, with its content and all its links.
  Result<void> merge_one(PartRows& contents, PartRows& links) {
    const bool has_content =
        contents.has_row() && (!links.has_row() || contents.digest() <= links.digest());
    const std::string_view lowest = (has_content ? contents : links).digest();
    if (lowest <= last_) return out_of_order();
    last_ = lowest;

    MemoryIndex::Entry entry;
    bool is_sound = true;
    if (has_content) {
      is_sound = read_content(contents.row(), entry);
      if (!is_sound) ++skipped_;
      if (auto next = contents.next(); !next) return next;
    }
    while (links.has_row() && links.digest() == last_) {
      const auto repository = repositories_.find(links.row().integer(1));
      if (repository == repositories_.end()) {
        ++skipped_;
      } else {
        entry.repositories.push_back(repository->second);
      }
      if (auto next = links.next(); !next) return next;
    }
    auto digest = oci::Digest::parse(last_);
    if (!digest) {
      ++skipped_;
    } else if (is_sound && (entry.is_described || !entry.repositories.empty())) {
      mirror_.restore(*digest, std::move(entry));
    }
    return {};
  }

  static bool read_content(const Statement& row, MemoryIndex::Entry& entry) {
    const auto size = size_from_row(row.integer(2));
    const auto created = time_from_row(row.integer(4));
    const auto last_use = time_from_row(row.integer(5));
    auto names = digests_from_row(row.text(6));
    if (!size || !created || !last_use || !names) return false;
    entry.info = {.media_type = std::string(row.text(1)),
                  .size = *size,
                  .is_stored = row.integer(3) != 0,
                  .created = *created,
                  .last_use = *last_use,
                  .names = *std::move(names)};
    entry.is_described = true;
    return true;
  }

  const RepositoryIds& repositories_;
  MemoryIndex& mirror_;
  std::string last_;
  Edge first_;
  Edge after_;
  std::uint64_t skipped_ = 0;
};

// Text before all digests, between them, and after all: parts of equal size.
std::vector<std::string> bounds() {
  constexpr std::string_view kHex = "0123456789abcdef";
  const std::size_t parts = std::clamp<std::size_t>(std::thread::hardware_concurrency(), 1, 8);
  std::vector<std::string> bounds{""};
  for (std::size_t i = 1; i < parts; ++i) {
    bounds.push_back(std::string("sha256:") + kHex[i * kHex.size() / parts]);
  }
  bounds.emplace_back("t");
  return bounds;
}

Result<std::uint64_t> load_contents(const std::string& path, Database::Mode mode,
                                    const RepositoryIds& repositories, MemoryIndex& mirror) {
  const std::vector<std::string> bounds = index::bounds();
  const std::size_t count = bounds.size() - 1;
  std::vector<PartLoader> parts(count, PartLoader(repositories, mirror));
  std::vector<Result<void>> results(count);
  {
    std::vector<std::jthread> threads;
    threads.reserve(count);
    for (std::size_t i = 0; i < count; ++i) {
      threads.emplace_back(
          [&, i] { results[i] = parts[i].load(path, mode, bounds[i], bounds[i + 1]); });
    }
  }
  std::uint64_t skipped = 0;
  for (std::size_t i = 0; i < count; ++i) {
    if (!results[i]) return std::unexpected(results[i].error());
    if (!parts[i].is_followed_by(i + 1 < count ? &parts[i + 1] : nullptr)) return out_of_order();
    skipped += parts[i].skipped();
  }
  return skipped;
}

Result<std::uint64_t> load_repositories(Database& database, RepositoryIds& ids,
                                        MemoryIndex& mirror) {
  return for_each_row(database, "SELECT id, registry, name FROM repository",
                      [&](const Statement& row) {
                        if (!is_name(row.text(1)) || !is_name(row.text(2))) return false;
                        ids.emplace(row.integer(0), mirror.repository_id(row.text(1), row.text(2)));
                        return true;
                      });
}

Result<std::uint64_t> load_tags(Database& database, MemoryIndex& mirror) {
  return for_each_row(
      database,
      "SELECT registry, repository, tag, variant, digest, media_type, size, etag, checked FROM tag",
      [&](const Statement& row) {
        for (int part = 0; part < 4; ++part) {
          if (!is_name(row.text(part))) return false;
        }
        auto digest = oci::Digest::parse(row.text(4));
        const auto size = size_from_row(row.integer(6));
        const auto checked = time_from_row(row.integer(8));
        if (!digest || !size || !checked) return false;
        mirror.put_tag({row.text(0), row.text(1), row.text(2), row.text(3)},
                       {.digest = *std::move(digest),
                        .media_type = std::string(row.text(5)),
                        .size = row.is_null(6) ? std::nullopt : size,
                        .etag = std::string(row.text(7)),
                        .checked = *checked});
        return true;
      });
}

Result<std::uint64_t> load_first_seen(Database& database, MemoryIndex& mirror) {
  return for_each_row(database, "SELECT registry, repository, digest, seen FROM first_seen",
                      [&](const Statement& row) {
                        const auto digest = oci::Digest::parse(row.text(2));
                        const auto seen = time_from_row(row.integer(3));
                        if (!is_name(row.text(0)) || !is_name(row.text(1))) return false;
                        if (!digest || !seen) return false;
                        mirror.first_seen(row.text(0), row.text(1), *digest, *seen);
                        return true;
                      });
}

}  // namespace

Result<std::uint64_t> load_rows(const std::string& path, Database::Mode mode, MemoryIndex& mirror) {
  auto database = Database::open(path, mode);
  if (!database) return std::unexpected(database.error());
  // Also reads every page that says how many there are.
  const auto contents = database->integer("SELECT count(*) FROM content");
  if (!contents) return std::unexpected(contents.error());
  mirror.reserve(static_cast<std::size_t>(std::max<std::int64_t>(0, *contents)));

  RepositoryIds repositories;
  std::uint64_t skipped = 0;
  for (const auto& count : {load_repositories(*database, repositories, mirror),
                            load_contents(path, mode, repositories, mirror),
                            load_tags(*database, mirror), load_first_seen(*database, mirror)}) {
    if (!count) return std::unexpected(count.error());
    skipped += *count;
  }
  return skipped;
}

}  // namespace fairlead::index
