// SPDX-License-Identifier: Apache-2.0
// Index: what is known about content besides its bytes.
//
//   content    digest -> media type and size, whether it is stored, when it was last used
//   links      (registry, repository, digest): this repository is known to hold this content
//   tags       (registry, repository, tag, variant) -> digest, when that was last confirmed
//   first seen (registry, repository, digest) -> when a tag was first known to mean it
//   documents  lists that an upstream made, kept for when it is away
//
// A link is the permission to serve stored content through a repository. The attack it stops:
// asking a public repository for the digest of a private layer that somebody else pulled.
//
// All times are wall time, given by the caller: they outlive the process.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/error.h"
#include "index/digest_list.h"
#include "oci/digest.h"

namespace fairlead::index {

struct ContentInfo {
  std::string media_type;  // of a manifest, as a registry gave it; empty: a blob
  std::uint64_t size = 0;  // bytes
  bool is_stored = false;  // else only described; what follows is of stored content
  WallTime created{};      // when it came into the store
  WallTime last_use{};     // never before that of a stored manifest that names it
  DigestList names;        // what a manifest names: children, config, layers
};

// Which tag, seen how: registries may answer one tag with different manifests, depending on the
// media types that the client accepts. Its parts outlive the call they are passed to.
struct TagKey {
  std::string_view registry;
  std::string_view repository;
  std::string_view tag;
  std::string_view variant;  // empty: all usual types are accepted
};

struct TagInfo {
  oci::Digest digest;
  std::string media_type;
  std::optional<std::uint64_t> size;  // bytes of the manifest, where the upstream tells
  std::string etag;                   // the upstream's, empty: none
  WallTime checked{};                 // when the upstream last said so
};

struct DocumentKey {
  std::string_view registry;
  std::string_view repository;
  std::string_view name;  // "tags", "referrers/sha256:..."
};

struct DocumentInfo {
  std::string body;
  WallTime checked{};
};

// Thread-safe. Calls do not block for longer than a few map lookups, but for those that say so.
class Index {
 public:
  virtual ~Index() = default;

  // --- links ---

  [[nodiscard]] virtual bool has_link(std::string_view registry, std::string_view repository,
                                      const oci::Digest& digest) const = 0;
  virtual void add_link(std::string_view registry, std::string_view repository,
                        const oci::Digest& digest) = 0;
  virtual void remove_link(std::string_view registry, std::string_view repository,
                           const oci::Digest& digest) = 0;

  // --- content ---

  [[nodiscard]] virtual std::optional<ContentInfo> content(const oci::Digest& digest) const = 0;

  // What a registry said of content, stored or not. Of stored content it changes neither the size
  // nor a media type that is known.
  virtual void describe(const oci::Digest& digest, std::string media_type, std::uint64_t size) = 0;

  // It is in the store now, `created` = `last_use` = `now`. A media type does not replace that of
  // stored content, nor an empty one any. A use of what it names.
  virtual void add_stored(const oci::Digest& digest, std::string media_type, std::uint64_t size,
                          DigestList names, WallTime now) = 0;

  // It is not in the store any more: forgotten with all its links.
  virtual void remove_stored(const oci::Digest& digest) = 0;

  // It is not in the store any more, and may be elsewhere: its media type, size and links stay, for
  // as long as those of content that was never stored.
  virtual void unstore(const oci::Digest& digest) = 0;

  // A use of it and, for a manifest, of all stored content that it names, and that names in turn.
  // Two uses within 10 ms count as one. A time before the last use changes nothing, unless the last
  // use is more than five minutes ahead: a clock was wrong then, and `now` stands.
  virtual void touch(const oci::Digest& digest, WallTime now) = 0;

  // Bytes of all stored content, and how many there are.
  struct Totals {
    std::uint64_t bytes = 0;
    std::uint64_t contents = 0;
  };
  [[nodiscard]] virtual Totals totals() const = 0;

  // Every stored content, in no order. `visit` must not call the index. Other callers may have to
  // wait for up to some milliseconds: not for the request path.
  using ContentVisitor = std::function<void(const oci::Digest&, const ContentInfo&)>;
  virtual void for_each_stored(const ContentVisitor& visit) const = 0;

  // Every repository that is linked to `digest`, as (registry, repository). Not for the request
  // path.
  using LinkVisitor = std::function<void(std::string_view registry, std::string_view repository,
                                         const oci::Digest& digest)>;
  virtual void for_each_link(const LinkVisitor& visit) const = 0;

  // --- tags ---

  [[nodiscard]] virtual std::optional<TagInfo> tag(const TagKey& key) const = 0;
  virtual void put_tag(const TagKey& key, TagInfo info) = 0;
  virtual void remove_tag(const TagKey& key) = 0;

  // The variants of one tag that are known, in order.
  [[nodiscard]] virtual std::vector<std::string> variants(std::string_view registry,
                                                          std::string_view repository,
                                                          std::string_view tag) const = 0;
  // All variants of one tag.
  virtual void remove_tags(std::string_view registry, std::string_view repository,
                           std::string_view tag) = 0;
  // All variants of every tag of this repository that means `digest` in one of them. Which tags
  // these were, in order. Looks at all tags of the repository.
  virtual std::vector<std::string> remove_tags_of(std::string_view registry,
                                                  std::string_view repository,
                                                  const oci::Digest& digest) = 0;

  using TagVisitor = std::function<void(const TagKey&, const TagInfo&)>;
  virtual void for_each_tag(const TagVisitor& visit) const = 0;

  // --- first seen ---

  // When a tag of this repository was first known to mean `digest`: what is remembered, else
  // `now`, which is remembered then, also where what is remembered is more than five minutes ahead:
  // a clock was wrong. Never after `now`. Survives the removal of the content.
  virtual WallTime first_seen(std::string_view registry, std::string_view repository,
                              const oci::Digest& digest, WallTime now) = 0;
  // nullopt: never.
  [[nodiscard]] virtual std::optional<WallTime> seen(std::string_view registry,
                                                     std::string_view repository,
                                                     const oci::Digest& digest) const = 0;

  // --- documents ---

  virtual void put_document(const DocumentKey& key, DocumentInfo info) = 0;
  // Blocks (disk).
  [[nodiscard]] virtual std::optional<DocumentInfo> document(const DocumentKey& key) const = 0;

  // Blocks until all that was changed before the call survives a crash. An error: it does not.
  virtual Result<void> flush() = 0;
};

}  // namespace fairlead::index
