// SPDX-License-Identifier: Apache-2.0
#include "cache/protection.h"

#include <algorithm>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <utility>

#include "cache/fingerprint.h"

namespace fairlead::cache {
namespace {

// There are many links and few repositories.
class RepositoryMatcher {
 public:
  explicit RepositoryMatcher(const std::vector<ImagePattern>& keep) : keep_(keep) {}

  bool covers_all_of(std::string_view registry, std::string_view repository) {
    std::string name = std::string(registry).append("/").append(repository);
    if (const auto known = known_.find(name); known != known_.end()) return known->second;
    const bool covered = std::ranges::any_of(keep_, [&](const ImagePattern& pattern) {
      return !pattern.tag && pattern.matches_repository(registry, repository);
    });
    return known_.emplace(std::move(name), covered).first->second;
  }

 private:
  const std::vector<ImagePattern>& keep_;
  std::unordered_map<std::string, bool> known_;
};

struct Tag {
  std::string registry;
  std::string repository;
  std::string name;
  oci::Digest digest;
};

// Copied out, for the index is locked while it is visited, and patterns take their time.
std::vector<Tag> tags_of(const index::Index& index) {
  std::vector<Tag> tags;
  index.for_each_tag([&](const index::TagKey& key, const index::TagInfo& info) {
    tags.push_back({std::string(key.registry), std::string(key.repository), std::string(key.tag),
                    info.digest});
  });
  return tags;
}

bool is_kept_tag(const std::vector<ImagePattern>& keep, const Tag& tag) {
  return std::ranges::any_of(keep, [&](const ImagePattern& pattern) {
    return pattern.tag && pattern.matches_tag(tag.name) &&
           pattern.matches_repository(tag.registry, tag.repository);
  });
}

// `roots` and all that they name, level by level.
void add_closure(const index::Index& index, std::vector<oci::Digest> roots,
                 std::vector<std::uint64_t>& covered) {
  std::unordered_set<std::uint64_t> seen;
  while (!roots.empty()) {
    const oci::Digest digest = std::move(roots.back());
    roots.pop_back();
    if (!seen.insert(fingerprint(digest)).second) continue;
    if (auto known = index.content(digest))
      std::ranges::copy(known->names, std::back_inserter(roots));
  }
  covered.insert(covered.end(), seen.begin(), seen.end());
}

}  // namespace

Protection::Protection(const index::Index& index, const std::vector<ImagePattern>& keep) {
  const auto has_tag = [](const ImagePattern& pattern) { return pattern.tag.has_value(); };
  if (!std::ranges::all_of(keep, has_tag)) {
    RepositoryMatcher matcher(keep);
    index.for_each_link(
        [&](std::string_view registry, std::string_view repository, const oci::Digest& digest) {
          if (matcher.covers_all_of(registry, repository)) covered_.push_back(fingerprint(digest));
        });
  }
  if (std::ranges::any_of(keep, has_tag)) {
    std::vector<oci::Digest> roots;
    for (Tag& tag : tags_of(index)) {
      if (is_kept_tag(keep, tag)) roots.push_back(std::move(tag.digest));
    }
    add_closure(index, std::move(roots), covered_);
  }
  std::ranges::sort(covered_);
  covered_.erase(std::ranges::unique(covered_).begin(), covered_.end());
}

bool Protection::covers(const oci::Digest& digest) const {
  return !covered_.empty() && std::ranges::binary_search(covered_, fingerprint(digest));
}

}  // namespace fairlead::cache
