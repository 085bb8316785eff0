// SPDX-License-Identifier: Apache-2.0
#include "index/memory_index.h"

#include <algorithm>
#include <utility>

namespace fairlead::index {
namespace {

constexpr std::chrono::milliseconds kOneUse{10};
constexpr std::chrono::minutes kMostAhead{5};  // of two clocks that are both right
constexpr int kMaxDepth = 8;                   // of indexes in indexes
constexpr std::size_t kMaxDocuments = 1024;

// The first digits: what is restored in the order of digests then fills one shard after the other,
// each small enough for the processor's cache. Shards count 64, so that is six bits.
std::size_t shard_number(const oci::Digest& digest) {
  const auto value = [](char c) {
    return static_cast<std::size_t>(c <= '9' ? c - '0' : c - 'a' + 10);
  };
  const std::string_view hex = digest.hex();
  return value(hex[0]) << 2 | value(hex[1]) >> 2;
}

// A time that only a clock that was wrong can have written: it would stand until it has come.
bool is_ahead(WallTime recorded, WallTime now) { return recorded > now + kMostAhead; }

bool holds(const std::vector<MemoryIndex::RepositoryId>& ids, MemoryIndex::RepositoryId id) {
  return std::ranges::find(ids, id) != ids.end();
}

}  // namespace

MemoryIndex::MemoryIndex(std::size_t capacity)
    : shard_capacity_(std::max<std::size_t>(1, capacity / kShards)) {}

MemoryIndex::Shard& MemoryIndex::shard_of(const oci::Digest& digest) {
  return shards_[shard_number(digest)];
}

const MemoryIndex::Shard& MemoryIndex::shard_of(const oci::Digest& digest) const {
  return shards_[shard_number(digest)];
}

// Drops an entry, bucket by bucket, as the hand of a clock goes round. Not the first of the
// container: that is the one inserted last, so a full index would learn nothing any more.
void MemoryIndex::drop_one_unstored(Shard& shard) {
  for (;;) {
    const std::size_t bucket = shard.hand++ % shard.entries.bucket_count();
    for (auto it = shard.entries.begin(bucket); it != shard.entries.end(bucket); ++it) {
      if (it->second.info.is_stored) continue;
      const oci::Digest digest = it->first;
      shard.entries.erase(digest);
      --shard.unstored;
      if (listener_ != nullptr) listener_->content_changed(digest);
      return;
    }
  }
}

MemoryIndex::Entry& MemoryIndex::find_or_add(Shard& shard, const oci::Digest& digest) {
  if (const auto found = shard.entries.find(digest); found != shard.entries.end()) {
    return found->second;
  }
  if (shard.unstored >= shard_capacity_) drop_one_unstored(shard);
  ++shard.unstored;
  return shard.entries[digest];
}

// --- links ---

std::optional<MemoryIndex::RepositoryId> MemoryIndex::known_repository(
    std::string_view registry, std::string_view repository) const {
  const std::string key = join({registry, repository});
  const std::shared_lock lock(repositories_mutex_);
  const auto found = repository_ids_.find(key);
  if (found == repository_ids_.end()) return std::nullopt;
  return found->second;
}

MemoryIndex::RepositoryId MemoryIndex::repository_id(std::string_view registry,
                                                     std::string_view repository) {
  if (const auto known = known_repository(registry, repository)) return *known;
  const std::unique_lock lock(repositories_mutex_);
  const auto next = static_cast<RepositoryId>(repositories_.size());
  const auto [at, is_new] = repository_ids_.try_emplace(join({registry, repository}), next);
  if (is_new) repositories_.push_back({std::string(registry), std::string(repository)});
  return at->second;
}

MemoryIndex::RepositoryName MemoryIndex::repository_name(RepositoryId id) const {
  const std::shared_lock lock(repositories_mutex_);
  return repositories_.at(id);
}

bool MemoryIndex::has_link(std::string_view registry, std::string_view repository,
                           const oci::Digest& digest) const {
  const auto id = known_repository(registry, repository);
  if (!id) return false;
  const Shard& shard = shard_of(digest);
  const std::lock_guard lock(shard.mutex);
  const auto found = shard.entries.find(digest);
  return found != shard.entries.end() && holds(found->second.repositories, *id);
}

void MemoryIndex::add_link(std::string_view registry, std::string_view repository,
                           const oci::Digest& digest) {
  const RepositoryId id = repository_id(registry, repository);
  Shard& shard = shard_of(digest);
  const std::lock_guard lock(shard.mutex);
  Entry& entry = find_or_add(shard, digest);
  if (holds(entry.repositories, id)) return;
  entry.repositories.push_back(id);
  if (listener_ != nullptr) listener_->content_changed(digest);
}

void MemoryIndex::remove_link(std::string_view registry, std::string_view repository,
                              const oci::Digest& digest) {
  const auto id = known_repository(registry, repository);
  if (!id) return;
  Shard& shard = shard_of(digest);
  const std::lock_guard lock(shard.mutex);
  const auto found = shard.entries.find(digest);
  if (found == shard.entries.end() || std::erase(found->second.repositories, *id) == 0) return;
  if (listener_ != nullptr) listener_->content_changed(digest);
}

// --- content ---

std::optional<ContentInfo> MemoryIndex::content(const oci::Digest& digest) const {
  const Shard& shard = shard_of(digest);
  const std::lock_guard lock(shard.mutex);
  const auto found = shard.entries.find(digest);
  if (found == shard.entries.end() || !found->second.is_described) return std::nullopt;
  return found->second.info;
}

void MemoryIndex::describe(const oci::Digest& digest, std::string media_type, std::uint64_t size) {
  Shard& shard = shard_of(digest);
  const std::lock_guard lock(shard.mutex);
  Entry& entry = find_or_add(shard, digest);
  const bool changes_size = !entry.info.is_stored && entry.info.size != size;
  const bool changes_type = entry.info.media_type != media_type &&
                            (!entry.info.is_stored || entry.info.media_type.empty());
  if (entry.is_described && !changes_size && !changes_type) return;
  entry.is_described = true;
  if (changes_type) entry.info.media_type = std::move(media_type);
  if (changes_size) entry.info.size = size;
  if (listener_ != nullptr) listener_->content_changed(digest);
}

void MemoryIndex::add_stored(const oci::Digest& digest, std::string media_type, std::uint64_t size,
                             DigestList names, WallTime now) {
  {
    Shard& shard = shard_of(digest);
    const std::lock_guard lock(shard.mutex);
    Entry& entry = find_or_add(shard, digest);
    const bool has_type = entry.info.is_stored && !entry.info.media_type.empty();
    if (has_type || media_type.empty()) media_type = std::move(entry.info.media_type);
    if (entry.info.is_stored) {
      stored_bytes_ -= entry.info.size;
    } else {
      --shard.unstored;
      ++stored_contents_;
    }
    stored_bytes_ += size;
    entry.info = {
        .media_type = std::move(media_type),
        .size = size,
        .is_stored = true,
        .created = now,
        .last_use = is_ahead(entry.info.last_use, now) ? now : std::max(now, entry.info.last_use),
        .names = names};
    entry.is_described = true;
    if (listener_ != nullptr) listener_->content_changed(digest);
  }
  raise_last_use(names, now, 0);
}

void MemoryIndex::remove_stored(const oci::Digest& digest) {
  Shard& shard = shard_of(digest);
  const std::lock_guard lock(shard.mutex);
  const auto found = shard.entries.find(digest);
  if (found == shard.entries.end()) return;
  if (found->second.info.is_stored) {
    stored_bytes_ -= found->second.info.size;
    --stored_contents_;
  } else {
    --shard.unstored;
  }
  shard.entries.erase(found);
  if (listener_ != nullptr) listener_->content_changed(digest);
}

void MemoryIndex::unstore(const oci::Digest& digest) {
  Shard& shard = shard_of(digest);
  const std::lock_guard lock(shard.mutex);
  const auto found = shard.entries.find(digest);
  if (found == shard.entries.end() || !found->second.info.is_stored) return;
  if (shard.unstored >= shard_capacity_) drop_one_unstored(shard);
  ContentInfo& info = found->second.info;
  stored_bytes_ -= info.size;
  --stored_contents_;
  ++shard.unstored;
  info = {.media_type = std::move(info.media_type), .size = info.size};
  if (listener_ != nullptr) listener_->content_changed(digest);
}

void MemoryIndex::touch(const oci::Digest& digest, WallTime now) {
  DigestList names;
  {
    Shard& shard = shard_of(digest);
    const std::lock_guard lock(shard.mutex);
    const auto found = shard.entries.find(digest);
    if (found == shard.entries.end() || !found->second.info.is_stored) return;
    ContentInfo& info = found->second.info;
    if (now < info.last_use + kOneUse && !is_ahead(info.last_use, now)) return;
    info.last_use = now;
    names = info.names;
    if (listener_ != nullptr) listener_->content_used(digest);
  }
  raise_last_use(names, now, 0);
}

// Nothing that is named may look older than what names it, or an image would lose its layers
// before its manifest.
void MemoryIndex::raise_last_use(const DigestList& digests, WallTime now, int depth) {
  for (const oci::Digest& digest : digests) {
    DigestList names;
    {
      Shard& shard = shard_of(digest);
      const std::lock_guard lock(shard.mutex);
      const auto found = shard.entries.find(digest);
      if (found == shard.entries.end() || !found->second.info.is_stored) continue;
      ContentInfo& info = found->second.info;
      if (now <= info.last_use && !is_ahead(info.last_use, now)) continue;
      info.last_use = now;
      names = info.names;
      if (listener_ != nullptr) listener_->content_used(digest);
    }
    if (depth < kMaxDepth) raise_last_use(names, now, depth + 1);
  }
}

Index::Totals MemoryIndex::totals() const {
  return {.bytes = stored_bytes_.load(), .contents = stored_contents_.load()};
}

void MemoryIndex::for_each_stored(const ContentVisitor& visit) const {
  for (const Shard& shard : shards_) {
    const std::lock_guard lock(shard.mutex);
    for (const auto& [digest, entry] : shard.entries) {
      if (entry.info.is_stored) visit(digest, entry.info);
    }
  }
}

void MemoryIndex::for_each_link(const LinkVisitor& visit) const {
  for (const Shard& shard : shards_) {
    const std::lock_guard lock(shard.mutex);
    for (const auto& [digest, entry] : shard.entries) {
      for (const RepositoryId id : entry.repositories) {
        const std::shared_lock names(repositories_mutex_);
        visit(repositories_[id].registry, repositories_[id].name, digest);
      }
    }
  }
}

void MemoryIndex::announce_all() const {
  if (listener_ == nullptr) return;
  for (const Shard& shard : shards_) {
    const std::lock_guard lock(shard.mutex);
    for (const auto& [digest, entry] : shard.entries) listener_->content_changed(digest);
  }
  for_each_tag([this](const TagKey& key, const TagInfo&) { listener_->tag_changed(key); });
  const std::shared_lock lock(tags_mutex_);
  for (const auto& [text, time] : first_seen_) {
    const auto [registry, repository, digest] = split<3>(text);
    listener_->first_seen_added(registry, repository, *oci::Digest::parse(digest));
  }
}

std::optional<MemoryIndex::Entry> MemoryIndex::entry(const oci::Digest& digest) const {
  const Shard& shard = shard_of(digest);
  const std::lock_guard lock(shard.mutex);
  const auto found = shard.entries.find(digest);
  if (found == shard.entries.end()) return std::nullopt;
  return found->second;
}

void MemoryIndex::restore(const oci::Digest& digest, Entry entry) {
  const bool is_stored = entry.info.is_stored;
  const std::uint64_t size = entry.info.size;
  Shard& shard = shard_of(digest);
  const std::lock_guard lock(shard.mutex);
  if (!shard.entries.try_emplace(digest, std::move(entry)).second) return;
  if (!is_stored) {
    ++shard.unstored;
    return;
  }
  stored_bytes_ += size;
  ++stored_contents_;
}

void MemoryIndex::reserve(std::size_t contents) {
  for (Shard& shard : shards_) {
    const std::lock_guard lock(shard.mutex);
    shard.entries.reserve(contents / kShards * 9 / 8);
  }
}

// --- tags ---

std::optional<TagInfo> MemoryIndex::tag(const TagKey& key) const {
  const std::string repository = join({key.registry, key.repository});
  const std::string text = join({key.tag, key.variant});
  const std::shared_lock lock(tags_mutex_);
  const auto tags = tags_.find(repository);
  if (tags == tags_.end()) return std::nullopt;
  const auto found = tags->second.find(text);
  if (found == tags->second.end()) return std::nullopt;
  return found->second;
}

void MemoryIndex::put_tag(const TagKey& key, TagInfo info) {
  const std::string repository = join({key.registry, key.repository});
  std::string text = join({key.tag, key.variant});
  const std::unique_lock lock(tags_mutex_);
  tags_[repository].insert_or_assign(std::move(text), std::move(info));
  if (listener_ != nullptr) listener_->tag_changed(key);
}

void MemoryIndex::remove_tag(const TagKey& key) {
  const std::string text = join({key.tag, key.variant});
  const std::unique_lock lock(tags_mutex_);
  const auto tags = tags_.find(join({key.registry, key.repository}));
  if (tags == tags_.end() || tags->second.erase(text) == 0) return;
  if (tags->second.empty()) tags_.erase(tags);
  if (listener_ != nullptr) listener_->tag_changed(key);
}

std::vector<std::string> MemoryIndex::variants(std::string_view registry,
                                               std::string_view repository,
                                               std::string_view tag) const {
  const std::string prefix = join({tag, ""});
  std::vector<std::string> variants;
  const std::shared_lock lock(tags_mutex_);
  const auto tags = tags_.find(join({registry, repository}));
  if (tags == tags_.end()) return variants;
  for (auto it = tags->second.lower_bound(prefix);
       it != tags->second.end() && it->first.starts_with(prefix); ++it) {
    variants.push_back(it->first.substr(prefix.size()));
  }
  return variants;
}

void MemoryIndex::remove_tags(std::string_view registry, std::string_view repository,
                              std::string_view tag) {
  for (const std::string& variant : variants(registry, repository, tag)) {
    remove_tag({registry, repository, tag, variant});
  }
}

std::vector<std::string> MemoryIndex::remove_tags_of(std::string_view registry,
                                                     std::string_view repository,
                                                     const oci::Digest& digest) {
  std::vector<std::string> found;
  {
    // A repository may have a hundred thousand tags: those who only read go on meanwhile.
    const std::shared_lock lock(tags_mutex_);
    const auto tags = tags_.find(join({registry, repository}));
    if (tags == tags_.end()) return found;
    for (const auto& [text, info] : tags->second) {
      if (info.digest != digest) continue;
      std::string tag(split<2>(text)[0]);
      if (found.empty() || found.back() != tag) found.push_back(std::move(tag));
    }
  }
  for (const std::string& tag : found) remove_tags(registry, repository, tag);
  return found;
}

void MemoryIndex::for_each_tag(const TagVisitor& visit) const {
  const std::shared_lock lock(tags_mutex_);
  for (const auto& [place, tags] : tags_) {
    const auto [registry, repository] = split<2>(place);
    for (const auto& [text, info] : tags) {
      const auto [tag, variant] = split<2>(text);
      visit({registry, repository, tag, variant}, info);
    }
  }
}

// --- first seen ---

WallTime MemoryIndex::first_seen(std::string_view registry, std::string_view repository,
                                 const oci::Digest& digest, WallTime now) {
  std::string key = join({registry, repository, digest.str()});
  const std::unique_lock lock(tags_mutex_);
  const auto [at, is_new] = first_seen_.try_emplace(std::move(key), now);
  const bool is_wrong = is_ahead(at->second, now);
  if (is_wrong) at->second = now;
  if ((is_new || is_wrong) && listener_ != nullptr) {
    listener_->first_seen_added(registry, repository, digest);
  }
  return std::min(at->second, now);
}

std::optional<WallTime> MemoryIndex::seen(std::string_view registry, std::string_view repository,
                                          const oci::Digest& digest) const {
  const std::string key = join({registry, repository, digest.str()});
  const std::shared_lock lock(tags_mutex_);
  const auto found = first_seen_.find(key);
  if (found == first_seen_.end()) return std::nullopt;
  return found->second;
}

// --- documents ---

void MemoryIndex::put_document(const DocumentKey& key, DocumentInfo info) {
  std::string text = join({key.registry, key.repository, key.name});
  const std::unique_lock lock(tags_mutex_);
  if (documents_.size() >= kMaxDocuments && !documents_.contains(text)) {
    documents_.erase(documents_.begin());
  }
  documents_.insert_or_assign(std::move(text), std::move(info));
}

std::optional<DocumentInfo> MemoryIndex::document(const DocumentKey& key) const {
  const std::string text = join({key.registry, key.repository, key.name});
  const std::shared_lock lock(tags_mutex_);
  const auto found = documents_.find(text);
  if (found == documents_.end()) return std::nullopt;
  return found->second;
}

}  // namespace fairlead::index
