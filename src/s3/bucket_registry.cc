// SPDX-License-Identifier: Apache-2.0
#include "s3/bucket_registry.h"

#include <utility>

namespace fairlead::s3 {
namespace {

using upstream::ContentHead;
using upstream::Document;
using upstream::Download;
using upstream::Location;

// What is no failure of the bucket: InvalidArgument is the question's (a range that is none).
bool is_final(const Error& ours) {
  return ours.code == Code::InvalidArgument || ours.code == Code::Cancelled;
}

// The registry does not do its work, whoever asks.
bool is_away(const Error& theirs) {
  return theirs.code == Code::Unavailable || theirs.code == Code::Timeout ||
         theirs.code == Code::TooManyRequests || theirs.code == Code::Corrupt;
}

// Neither the bucket nor the registry. The bucket might have what the registry does not find.
Error both(Error ours, Error theirs) {
  if (theirs.code == Code::NotFound) {
    theirs.code = Code::Unavailable;
    theirs.retry = Retry::Yes;
  }
  theirs.context += "; and " + ours.context;
  return theirs;
}

}  // namespace

BucketRegistry::BucketRegistry(BucketRegistryOptions options, std::unique_ptr<Layout> layout,
                               ObjectReader& objects, upstream::Registry* behind,
                               ChangedRepositories& changed, const Clock& clock)
    : options_(std::move(options)),
      bucket_content_(options_.name, std::move(layout), objects, clock),
      behind_(behind),
      changed_(changed) {}

BucketRegistry::~BucketRegistry() = default;

BucketContent& BucketRegistry::bucket() {
  for (const std::string& repository : changed_.since(seen_)) bucket_content_.forget(repository);
  return bucket_content_;
}

template <class T, class AskBehind>
async::Task<Result<T>> BucketRegistry::or_behind(Result<T> ours, AskBehind ask_behind) {
  if (ours || behind_ == nullptr || is_final(ours.error())) co_return ours;
  auto theirs = co_await ask_behind();
  if (theirs || ours.error().code == Code::NotFound) co_return theirs;
  co_return std::unexpected(both(std::move(ours.error()), std::move(theirs.error())));
}

async::Task<Result<ContentHead>> BucketRegistry::head_manifest(std::string repository,
                                                               std::string reference,
                                                               std::string accept) {
  auto ours = co_await bucket().head_manifest(repository, reference);
  co_return co_await or_behind(std::move(ours), [&] {
    return behind_->head_manifest(std::move(repository), std::move(reference), std::move(accept));
  });
}

async::Task<Result<Download>> BucketRegistry::get_manifest(std::string repository,
                                                           std::string reference,
                                                           std::string accept) {
  auto ours = co_await bucket().get_manifest(repository, reference);
  co_return co_await or_behind(std::move(ours), [&] {
    return behind_->get_manifest(std::move(repository), std::move(reference), std::move(accept));
  });
}

async::Task<Result<ContentHead>> BucketRegistry::head_blob(std::string repository,
                                                           oci::Digest digest) {
  auto ours = co_await bucket().head_blob(repository, digest);
  co_return co_await or_behind(std::move(ours), [&] {
    return behind_->head_blob(std::move(repository), std::move(digest));
  });
}

async::Task<Result<Download>> BucketRegistry::get_blob(std::string repository, oci::Digest digest,
                                                       std::uint64_t offset,
                                                       std::optional<std::uint64_t> length) {
  auto ours = co_await bucket().get_blob(repository, digest, offset, length);
  co_return co_await or_behind(std::move(ours), [&] {
    return behind_->get_blob(std::move(repository), std::move(digest), offset, length);
  });
}

async::Task<Result<Document>> BucketRegistry::get_document(std::string repository,
                                                           std::string path_and_query,
                                                           std::string accept, std::size_t limit) {
  if (behind_ == nullptr) {
    co_return co_await bucket().get_document(std::move(repository), std::move(path_and_query),
                                             limit);
  }
  auto theirs = co_await behind_->get_document(repository, path_and_query, accept, limit);
  if (theirs || !is_away(theirs.error())) co_return theirs;
  auto ours =
      co_await bucket().get_document(std::move(repository), std::move(path_and_query), limit);
  if (ours) co_return ours;
  if (ours.error().code == Code::NotFound) co_return theirs;
  co_return std::unexpected(both(std::move(ours.error()), std::move(theirs.error())));
}

async::Task<Result<std::optional<Location>>> BucketRegistry::locate_blob(std::string repository,
                                                                         oci::Digest digest) {
  auto place = co_await bucket().find(repository, digest, Held::AsBlob);
  if (!place && place.error().code == Code::NotFound && behind_ != nullptr) {
    place = co_await confirmed_place(std::move(repository), std::move(digest));
  }
  co_return co_await locate(std::move(place), "application/octet-stream");
}

async::Task<Result<std::optional<Location>>> BucketRegistry::locate_manifest(
    std::string repository, oci::Digest digest, std::string media_type) {
  if (media_type.empty()) {
    auto head = co_await bucket().head_manifest(repository, digest.str());
    if (!head) co_return std::nullopt;
    media_type = std::move(head->media_type);
  }
  auto place = co_await bucket().find(std::move(repository), std::move(digest), Held::AsManifest);
  co_return co_await locate(std::move(place), std::move(media_type));
}

async::Task<Result<Place>> BucketRegistry::confirmed_place(std::string repository,
                                                           oci::Digest digest) {
  auto place = co_await bucket().find_shared(digest);
  if (!place) co_return place;
  const auto held = co_await behind_->head_blob(repository, digest);
  if (!held) co_return std::unexpected(held.error());
  if (held->size && *held->size != place->size) {
    co_return upstream_error(
        Code::Corrupt, Retry::No,
        "registry " + options_.name + ": it and its bucket differ about " + digest.str());
  }
  bucket().remember_blob(repository, digest, *place);
  co_return place;
}

// Without a URL the bytes are asked for here, and then it is told why.
async::Task<std::optional<Location>> BucketRegistry::locate(Result<Place> place,
                                                            std::string media_type) {
  if (!place) co_return std::nullopt;
  auto url = co_await bucket().presign(*std::move(place), std::move(media_type), options_.expiry);
  if (!url) co_return std::nullopt;
  co_return Location{.url = *std::move(url)};
}

async::Task<Result<upstream::ChangeAnswer>> BucketRegistry::change(upstream::Change change) {
  if (behind_ == nullptr) co_return co_await Registry::change(std::move(change));
  const std::string repository = change.repository;
  const bool adds_or_removes = change.method != "GET" && change.method != "PATCH";
  auto answer = co_await behind_->change(std::move(change));
  // Where no answer came, it may have been done all the same.
  if (adds_or_removes && (!answer || answer->is_success())) changed_.note(repository);
  co_return answer;
}

async::Task<Result<Document>> BucketRegistry::list_repositories(std::string query,
                                                                std::size_t limit) {
  if (behind_ == nullptr) {
    co_return co_await Registry::list_repositories(std::move(query), limit);
  }
  co_return co_await behind_->list_repositories(std::move(query), limit);
}

std::optional<upstream::Quota> BucketRegistry::quota() const {
  return behind_ == nullptr ? std::nullopt : behind_->quota();
}

}  // namespace fairlead::s3
