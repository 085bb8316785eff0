// SPDX-License-Identifier: Apache-2.0
#include "s3/distribution_layout.h"

#include <algorithm>
#include <utility>

#include "s3/distribution_keys.h"
#include "s3/empty_pages.h"

namespace fairlead::s3 {
namespace {

std::unexpected<Error> corrupt(std::string context) {
  return upstream_error(Code::Corrupt, Retry::No, std::move(context));
}

}  // namespace

DistributionLayout::DistributionLayout(ObjectReader& objects, std::string root)
    : objects_(objects), root_(std::move(root)) {}

async::Task<Result<Tagged>> DistributionLayout::resolve(std::string repository, std::string tag) {
  auto digest = co_await read_link(distribution::tag_link(root_, repository, tag));
  if (!digest) co_return std::unexpected(std::move(digest.error()));
  co_return Tagged{.digest = *std::move(digest)};
}

async::Task<Result<Place>> DistributionLayout::find(std::string repository, oci::Digest digest,
                                                    Held held) {
  Result<void> linked;
  if (held == Held::AsBlob) {
    linked = co_await check_link(distribution::layer_link(root_, repository, digest), digest);
  }
  const bool is_no_layer = !linked && linked.error().code == Code::NotFound;
  if (held == Held::AsManifest || is_no_layer) {
    linked = co_await check_link(distribution::revision_link(root_, repository, digest), digest);
  }
  if (!linked) co_return std::unexpected(std::move(linked.error()));

  std::string key = distribution::blob_key(root_, digest);
  auto head = co_await objects_.head(key);
  if (!head) co_return std::unexpected(std::move(head.error()));
  co_return Place{.key = std::move(key), .size = head->size};
}

async::Task<Result<std::vector<std::string>>> DistributionLayout::tags(std::string repository) {
  const std::string prefix = distribution::tags_prefix(root_, repository);
  ListRequest request{.prefix = prefix, .delimiter = "/"};
  std::vector<std::string> tags;
  EmptyPages empty_pages;
  do {
    auto page = co_await objects_.list(request);
    if (!page) co_return std::unexpected(std::move(page.error()));
    const std::size_t before = tags.size();
    for (const std::string& listed : page->prefixes) {
      if (auto tag = distribution::tag_of(listed, prefix)) tags.push_back(*std::move(tag));
    }
    if (tags.size() > kMaxTags) {
      co_return upstream_error(Code::TooLarge, Retry::No,
                               repository + " has more tags than are listed");
    }
    if (auto goes_on = empty_pages.note(tags.size() == before); !goes_on) {
      co_return std::unexpected(std::move(goes_on.error()));
    }
    request.continuation = std::move(page->continuation);
  } while (!request.continuation.empty());
  if (tags.empty()) {
    co_return upstream_error(Code::NotFound, Retry::No, "the bucket has no tags of " + repository);
  }
  std::ranges::sort(tags);
  co_return tags;
}

async::Task<Result<oci::Digest>> DistributionLayout::read_link(std::string key) {
  const auto text = co_await objects_.get_text(key, distribution::kMaxLink);
  if (!text && text.error().code != Code::TooLarge) co_return std::unexpected(text.error());
  auto digest = text ? distribution::parse_link(*text) : std::nullopt;
  if (!digest) co_return corrupt(key + " in the bucket is not a link");
  co_return *std::move(digest);
}

async::Task<Result<void>> DistributionLayout::check_link(std::string key, oci::Digest digest) {
  const auto linked = co_await read_link(key);
  if (!linked) co_return std::unexpected(linked.error());
  if (*linked != digest) co_return corrupt(key + " in the bucket is a link to something else");
  co_return Result<void>{};
}

}  // namespace fairlead::s3
