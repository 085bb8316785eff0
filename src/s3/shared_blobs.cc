// SPDX-License-Identifier: Apache-2.0
#include "s3/shared_blobs.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "async/all_of.h"
#include "oci/name.h"
#include "s3/empty_pages.h"
#include "s3/oci_layout_index.h"

namespace fairlead::s3 {
namespace {

constexpr std::chrono::minutes kPatience{2};  // with another's listing

std::unexpected<Error> not_found(const std::string& what) {
  return upstream_error(Code::NotFound, Retry::No, "the bucket has no bytes of " + what);
}

}  // namespace

SharedBlobs::SharedBlobs(ObjectReader& objects, std::string root, const Clock& clock)
    : objects_(objects),
      root_(std::move(root)),
      clock_(clock),
      places_(kMaxPlaces, kPlaceRemembered, clock),
      nowhere_(kMaxPlaces, kNowhereRemembered, clock) {}

async::Task<Result<Place>> SharedBlobs::find(oci::Digest digest) {
  if (auto known = places_.find(digest.str())) {
    auto place = co_await look(*std::move(known));
    if (place || place.error().code != Code::NotFound) co_return place;
    places_.erase(digest.str());  // it was moved: the repository it lay in was removed
  }
  if (nowhere_.find(digest.str())) co_return not_found(digest.str());
  auto place = co_await find_in_store(digest);
  if (!place && place.error().code == Code::NotFound) place = co_await search_repositories(digest);
  if (place) places_.put(digest.str(), place->key);
  if (!place && place.error().code == Code::NotFound) nowhere_.put(digest.str(), true);
  co_return place;
}

void SharedBlobs::forget(const std::string& repository) {
  nowhere_.erase_all("");
  const bool is_known =
      !repositories_ || std::ranges::find(*repositories_, repository) != repositories_->end();
  if (!is_known) listed_until_ = {};
}

async::Task<Result<Place>> SharedBlobs::find_in_store(oci::Digest digest) {
  co_return co_await look(oci_layout::shared_key(root_, digest));
}

async::Task<Result<Place>> SharedBlobs::look(std::string key) {
  const auto head = co_await objects_.head(key);
  if (!head) co_return std::unexpected(head.error());
  if (head->size == 0) co_return not_found(key);
  co_return Place{.key = std::move(key), .size = head->size};
}

async::Task<Result<Place>> SharedBlobs::search_repositories(oci::Digest digest) {
  const auto names = co_await repositories();
  if (!names) co_return std::unexpected(names.error());
  std::optional<Error> failure;  // where one was not answered, the blob may be
  for (std::size_t from = 0; from < (*names)->size(); from += kAtOnce) {
    std::vector<async::Task<Result<Place>>> looks;
    for (std::size_t i = from; i < std::min(from + kAtOnce, (*names)->size()); ++i) {
      looks.push_back(look(oci_layout::blob_key(root_, (**names)[i], digest)));
    }
    auto places = co_await async::all_of(std::move(looks));
    for (Result<Place>& place : places) {
      if (place) co_return std::move(place);
      if (place.error().code != Code::NotFound) failure = std::move(place.error());
    }
    if (failure) co_return std::unexpected(*std::move(failure));
  }
  co_return not_found(digest.str());
}

async::Task<Result<SharedBlobs::Repositories>> SharedBlobs::repositories() {
  if (repositories_ && clock_.steady() < listed_until_) co_return repositories_;
  auto listed = co_await listing_.run([this] { return list_repositories(); },
                                      std::chrono::steady_clock::now() + kPatience);
  if (listed) {
    repositories_ = *listed;
    listed_until_ = clock_.steady() + kListRemembered;
  }
  co_return listed;
}

async::Task<Result<SharedBlobs::Repositories>> SharedBlobs::list_repositories() {
  std::vector<std::string> found;
  Directories directories{.waiting = {oci_layout::root_prefix(root_)}, .seen = 1};
  while (!directories.waiting.empty()) {
    const std::size_t count = std::min(kAtOnce, directories.waiting.size());
    const auto end = directories.waiting.begin() + static_cast<std::ptrdiff_t>(count);
    const std::vector<std::string> prefixes(directories.waiting.begin(), end);
    directories.waiting.erase(directories.waiting.begin(), end);

    std::vector<async::Task<Result<Listing>>> lists;
    lists.reserve(prefixes.size());
    for (const std::string& prefix : prefixes) lists.push_back(list_directory(prefix));
    auto listings = co_await async::all_of(std::move(lists));
    for (std::size_t i = 0; i < listings.size(); ++i) {
      if (!listings[i]) co_return std::unexpected(std::move(listings[i].error()));
      sort_out(prefixes[i], *std::move(listings[i]), found, directories);
    }
  }
  co_return std::make_shared<const std::vector<std::string>>(std::move(found));
}

// All pages, as one; not more directories than are listed.
async::Task<Result<Listing>> SharedBlobs::list_directory(std::string prefix) {
  ListRequest request{.prefix = std::move(prefix), .delimiter = "/"};
  Listing whole;
  EmptyPages empty_pages;
  do {
    auto page = co_await objects_.list(request);
    if (!page) co_return page;
    const bool is_empty = page->objects.empty() && page->prefixes.empty();
    if (auto goes_on = empty_pages.note(is_empty); !goes_on) {
      co_return std::unexpected(std::move(goes_on.error()));
    }
    std::ranges::move(page->objects, std::back_inserter(whole.objects));
    std::ranges::move(page->prefixes, std::back_inserter(whole.prefixes));
    request.continuation = std::move(page->continuation);
  } while (!request.continuation.empty() &&
           whole.objects.size() + whole.prefixes.size() < kMaxRepositories);
  co_return whole;
}

// A directory is a repository, or stands above some, or both.
void SharedBlobs::sort_out(const std::string& prefix, Listing listing,
                           std::vector<std::string>& found, Directories& directories) const {
  const std::size_t root_size = oci_layout::root_prefix(root_).size();
  const std::string index = prefix + "index.json";
  const bool is_repository =
      std::ranges::find(listing.objects, index, &ListedObject::key) != listing.objects.end();
  if (is_repository && prefix.size() > root_size) {
    found.push_back(prefix.substr(root_size, prefix.size() - root_size - 1));
  }
  const std::string blobs = prefix + "blobs/";
  for (std::string& below : listing.prefixes) {
    if (directories.seen == kMaxRepositories) return;
    if (below.size() <= root_size || (is_repository && below == blobs)) continue;
    const std::string_view name = std::string_view(below).substr(root_size);
    // Not _blobstore, .uploads and whatever else begins with such a character.
    if (!oci::is_repository_name(name.substr(0, name.size() - 1))) continue;
    ++directories.seen;
    directories.waiting.push_back(std::move(below));
  }
}

}  // namespace fairlead::s3
