// SPDX-License-Identifier: Apache-2.0
#include "s3/oci_layout.h"

#include <algorithm>
#include <utility>

namespace fairlead::s3 {
namespace {

using oci_layout::ListedManifest;

std::unexpected<Error> not_found(std::string context) {
  return upstream_error(Code::NotFound, Retry::No, std::move(context));
}

// What the names of all of its manifests begin with.
std::string names_of(const std::string& repository) { return repository + "\n"; }

std::string name_of(const std::string& repository, const oci::Digest& digest) {
  return names_of(repository) + digest.str();
}

bool is_of_nothing(const oci::Digest& digest) {
  return digest == oci::digest_of(digest.algorithm(), {});
}

}  // namespace

OciLayout::OciLayout(ObjectReader& objects, std::string root, const Clock& clock)
    : objects_(objects),
      root_(std::move(root)),
      indexes_(objects, root_, clock),
      shared_(objects, root_, clock),
      listed_(kMaxListed, kListed, clock) {}

async::Task<Result<Tagged>> OciLayout::resolve(std::string repository, std::string tag) {
  const auto index = co_await indexes_.read(repository);
  if (!index) co_return std::unexpected(index.error());
  const auto listed = std::ranges::find(**index, tag, &ListedManifest::tag);
  if (listed == (*index)->end()) {
    co_return not_found("the bucket has no tag " + tag + " of " + repository);
  }
  listed_.put(name_of(repository, listed->digest), listed->media_type);
  co_return Tagged{.digest = listed->digest, .media_type = listed->media_type};
}

async::Task<Result<Place>> OciLayout::find(std::string repository, oci::Digest digest, Held held) {
  std::string media_type;
  if (held == Held::AsManifest) {
    auto listed = co_await listed_type(repository, digest);
    if (!listed) co_return std::unexpected(std::move(listed.error()));
    media_type = *std::move(listed);
  }
  std::string key = oci_layout::blob_key(root_, repository, digest);
  const auto head = co_await objects_.head(key);
  if (!head) co_return std::unexpected(head.error());
  Place place{.key = std::move(key), .size = head->size};
  if (head->size == 0 && !is_of_nothing(digest)) {
    auto shared = co_await shared_.find(digest);
    if (!shared) co_return std::unexpected(std::move(shared.error()));
    place = *std::move(shared);
  }
  place.media_type = std::move(media_type);
  co_return place;
}

async::Task<Result<Place>> OciLayout::find_shared(oci::Digest digest) {
  co_return co_await shared_.find_in_store(std::move(digest));
}

async::Task<Result<std::vector<std::string>>> OciLayout::tags(std::string repository) {
  const auto index = co_await indexes_.read(std::move(repository));
  if (!index) co_return std::unexpected(index.error());
  std::vector<std::string> tags;
  for (const ListedManifest& listed : **index) {
    if (!listed.tag.empty()) tags.push_back(listed.tag);
  }
  std::ranges::sort(tags);
  tags.erase(std::unique(tags.begin(), tags.end()), tags.end());
  co_return tags;
}

void OciLayout::forget(const std::string& repository) {
  listed_.erase_all(names_of(repository));
  indexes_.forget(repository);
  shared_.forget(repository);
}

async::Task<Result<std::string>> OciLayout::listed_type(std::string repository,
                                                        oci::Digest digest) {
  const std::string name = name_of(repository, digest);
  if (auto known = listed_.find(name)) co_return *std::move(known);
  const auto index = co_await indexes_.read(repository);
  if (!index) co_return std::unexpected(index.error());
  const auto listed = std::ranges::find(**index, digest, &ListedManifest::digest);
  if (listed == (*index)->end()) {
    co_return not_found("the bucket has no manifest " + digest.str() + " of " + repository);
  }
  listed_.put(name, listed->media_type);
  co_return listed->media_type;
}

}  // namespace fairlead::s3
