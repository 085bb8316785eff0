// SPDX-License-Identifier: Apache-2.0
// MemoryIndex: an Index that lives as long as the process, and the mirror of one that lives longer.
//
// Sharded by digest: what concerns one content is behind one short lock. A repository's name is
// kept once, links are numbers. What is described or linked but not stored is only a memory of
// what a registry said: of that a full shard drops entries of its own choosing. What is stored is
// never dropped.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <functional>
#include <map>
#include <mutex>
#include <shared_mutex>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "index/index.h"
#include "index/key_text.h"

namespace fairlead::index {

// Hears of every change, after it was made; the Journal of an index on disk is one. Called with a
// lock of the index held: must be short and must not call the index.
class ChangeListener {
 public:
  virtual ~ChangeListener() = default;
  virtual void content_changed(const oci::Digest& digest) = 0;  // its entry or its links
  virtual void content_used(const oci::Digest& digest) = 0;     // only its last use
  virtual void tag_changed(const TagKey& key) = 0;
  virtual void first_seen_added(std::string_view registry, std::string_view repository,
                                const oci::Digest& digest) = 0;
};

class MemoryIndex final : public Index {
 public:
  // Keeps at most about `capacity` contents that are not stored.
  explicit MemoryIndex(std::size_t capacity = 1'000'000);

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

  Result<void> flush() override { return {}; }

  // --- for an index on disk that this is the mirror of ---

  // Before there are other threads; `listener` must outlive this.
  void set_listener(ChangeListener& listener) { listener_ = &listener; }

  using RepositoryId = std::uint32_t;  // valid as long as this lives
  struct RepositoryName {
    std::string registry;
    std::string name;
  };
  RepositoryId repository_id(std::string_view registry, std::string_view repository);
  [[nodiscard]] RepositoryName repository_name(RepositoryId id) const;

  // All that is known of one content; nullopt: nothing.
  struct Entry {
    ContentInfo info;
    std::vector<RepositoryId> repositories;  // linked to it
    bool is_described = false;               // `info` says something; else there are links only
  };
  [[nodiscard]] std::optional<Entry> entry(const oci::Digest& digest) const;
  // Enters what was written earlier, for the listener is no change. Thread-safe.
  void restore(const oci::Digest& digest, Entry entry);
  void reserve(std::size_t contents);
  // Tells the listener of everything there is, as if it had changed.
  void announce_all() const;

 private:
  static constexpr std::size_t kShards = 64;
  struct Shard {
    mutable std::mutex mutex;
    std::unordered_map<oci::Digest, Entry> entries;
    std::size_t unstored = 0;
    std::size_t hand = 0;  // where entries are dropped next
  };
  Shard& shard_of(const oci::Digest& digest);
  const Shard& shard_of(const oci::Digest& digest) const;
  Entry& find_or_add(Shard& shard, const oci::Digest& digest);
  [[nodiscard]] std::optional<RepositoryId> known_repository(std::string_view registry,
                                                             std::string_view repository) const;
  void raise_last_use(const DigestList& digests, WallTime now, int depth);
  void drop_one_unstored(Shard& shard);

  std::size_t shard_capacity_;
  std::array<Shard, kShards> shards_;
  std::atomic<std::uint64_t> stored_bytes_{0};
  std::atomic<std::uint64_t> stored_contents_{0};
  ChangeListener* listener_ = nullptr;

  mutable std::shared_mutex repositories_mutex_;
  TextMap<RepositoryId> repository_ids_;  // "registry\nrepository"
  std::vector<RepositoryName> repositories_;

  mutable std::shared_mutex tags_mutex_;
  using Tags = std::map<std::string, TagInfo, std::less<>>;  // "tag\nvariant"
  TextMap<Tags> tags_;                                       // "registry\nrepository"; none empty
  TextMap<WallTime> first_seen_;                             // "registry\nrepository\ndigest"
  TextMap<DocumentInfo> documents_;                          // "registry\nrepository\nname"
};

}  // namespace fairlead::index
