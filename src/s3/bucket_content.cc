// SPDX-License-Identifier: Apache-2.0
#include "s3/bucket_content.h"

#include <algorithm>
#include <utility>

#include "oci/manifest.h"
#include "oci/name.h"
#include "oci/operation.h"
#include "oci/tag_list.h"

namespace fairlead::s3 {
namespace {

constexpr std::chrono::hours kTypeRemembered{24};  // it never changes
constexpr std::string_view kBlob = "application/octet-stream";

// What the names of all its blobs, or manifests, begin with.
std::string names_of(const std::string& repository, Held held) {
  return (held == Held::AsBlob ? "blob " : "manifest ") + repository + " ";
}

std::string name_of(const std::string& repository, const oci::Digest& digest, Held held) {
  return names_of(repository, held) + digest.str();
}

// As whoever answers a registry's client has to hear it: it is not the client who asks too much.
Error as_registrys(Error error, const std::string& registry) {
  if (error.code == Code::Unauthorized || error.code == Code::Denied ||
      error.code == Code::InvalidArgument || error.code == Code::TooManyRequests) {
    error.code = Code::Unavailable;
  }
  // How its keys are made is no client's business.
  if (error.code == Code::NotFound) error.context = "it is not in its bucket";
  return std::move(error).within("registry " + registry);
}

class TextBody final : public upstream::Body {
 public:
  explicit TextBody(std::string text) : text_(std::move(text)) {}

  async::Task<Result<ByteView>> read() override {
    constexpr std::size_t kPiece = std::size_t{256} << 10;
    const std::string_view piece = std::string_view(text_).substr(position_, kPiece);
    position_ += piece.size();
    co_return as_byte_view(piece);
  }

 private:
  const std::string text_;
  std::size_t position_ = 0;
};

// An object's bytes, as the registry's.
class BlobBody final : public upstream::Body {
 public:
  BlobBody(std::unique_ptr<upstream::Body> body, std::string registry)
      : body_(std::move(body)), registry_(std::move(registry)) {}

  async::Task<Result<ByteView>> read() override {
    auto piece = co_await body_->read();
    if (!piece) co_return std::unexpected(as_registrys(std::move(piece.error()), registry_));
    co_return piece;
  }

 private:
  const std::unique_ptr<upstream::Body> body_;
  const std::string registry_;
};

}  // namespace

BucketContent::BucketContent(std::string registry, std::unique_ptr<Layout> layout,
                             ObjectReader& objects, const Clock& clock)
    : registry_(std::move(registry)),
      layout_(std::move(layout)),
      objects_(objects),
      places_(kCapacity, kRemembered, clock),
      media_types_(kCapacity, kTypeRemembered, clock) {}

// --- manifests ---

async::Task<Result<upstream::ContentHead>> BucketContent::head_manifest(std::string repository,
                                                                        std::string reference) {
  auto digest = co_await resolve(repository, std::move(reference));
  if (!digest) co_return std::unexpected(std::move(digest.error()));
  const auto place = co_await find(repository, *digest, Held::AsManifest);
  if (!place) co_return std::unexpected(place.error());
  std::string media_type = place->media_type;
  if (media_type.empty()) media_type = media_types_.find(digest->str()).value_or("");
  if (!media_type.empty()) {
    co_return upstream::ContentHead{
        .digest = *std::move(digest), .size = place->size, .media_type = std::move(media_type)};
  }
  auto manifest = co_await read_manifest(std::move(repository), *std::move(digest));
  if (!manifest) co_return std::unexpected(std::move(manifest.error()));
  co_return upstream::ContentHead{.digest = std::move(manifest->digest),
                                  .size = manifest->text.size(),
                                  .media_type = std::move(manifest->media_type)};
}

async::Task<Result<upstream::Download>> BucketContent::get_manifest(std::string repository,
                                                                    std::string reference) {
  auto digest = co_await resolve(repository, std::move(reference));
  if (!digest) co_return std::unexpected(std::move(digest.error()));
  auto manifest = co_await read_manifest(std::move(repository), *std::move(digest));
  if (!manifest) co_return std::unexpected(std::move(manifest.error()));
  upstream::Download download;
  download.head = {.digest = std::move(manifest->digest),
                   .size = manifest->text.size(),
                   .media_type = std::move(manifest->media_type)};
  download.body = std::make_unique<TextBody>(std::move(manifest->text));
  co_return download;
}

async::Task<Result<oci::Digest>> BucketContent::resolve(std::string repository,
                                                        std::string reference) {
  if (auto digest = oci::Digest::parse(reference)) co_return *std::move(digest);
  auto tagged = co_await layout_->resolve(std::move(repository), std::move(reference));
  if (!tagged) co_return std::unexpected(told(std::move(tagged.error())));
  co_return std::move(tagged->digest);
}

async::Task<Result<BucketContent::Manifest>> BucketContent::read_manifest(std::string repository,
                                                                          oci::Digest digest) {
  co_return co_await with_place<Manifest>(
      std::move(repository), digest, Held::AsManifest,
      [this, &digest](Place place) { return read_manifest_at(digest, std::move(place)); });
}

async::Task<Result<BucketContent::Manifest>> BucketContent::read_manifest_at(oci::Digest digest,
                                                                             Place place) {
  auto text = co_await objects_.get_text(place.key, oci::kMaxManifestSize);
  if (!text) co_return std::unexpected(told(std::move(text.error())));
  // Before anything that it says is believed.
  if (oci::digest_of(digest.algorithm(), as_byte_view(*text)) != digest) {
    co_return upstream_error(
        Code::Corrupt, Retry::No,
        "registry " + registry_ + ": its bucket has other bytes at " + place.key);
  }
  std::string media_type = std::move(place.media_type);
  if (media_type.empty()) media_type = media_types_.find(digest.str()).value_or("");
  if (media_type.empty()) {
    auto manifest = oci::parse_manifest(*text);
    if (!manifest && manifest.error().code == Code::InvalidArgument) {
      co_return upstream_error(Code::NotFound, Retry::No,
                               "registry " + registry_ + ": " + digest.str() +
                                   " in its bucket is not a manifest that we know");
    }
    if (!manifest) co_return std::unexpected(told(std::move(manifest.error())));
    media_type = std::move(manifest->media_type);
    media_types_.put(digest.str(), media_type);
  }
  co_return Manifest{
      .digest = std::move(digest), .media_type = std::move(media_type), .text = *std::move(text)};
}

// --- blobs ---

async::Task<Result<upstream::ContentHead>> BucketContent::head_blob(std::string repository,
                                                                    oci::Digest digest) {
  const auto place = co_await find(std::move(repository), digest, Held::AsBlob);
  if (!place) co_return std::unexpected(place.error());
  co_return upstream::ContentHead{
      .digest = std::move(digest), .size = place->size, .media_type = std::string(kBlob)};
}

async::Task<Result<upstream::Download>> BucketContent::get_blob(
    std::string repository, oci::Digest digest, std::uint64_t offset,
    std::optional<std::uint64_t> length) {
  co_return co_await with_place<upstream::Download>(
      std::move(repository), digest, Held::AsBlob,
      [&](Place place) { return open_blob(digest, std::move(place), offset, length); });
}

async::Task<Result<upstream::Download>> BucketContent::open_blob(
    oci::Digest digest, Place place, std::uint64_t offset, std::optional<std::uint64_t> length) {
  if (offset > 0 && offset >= place.size) {
    co_return upstream_error(
        Code::InvalidArgument, Retry::No,
        "registry " + registry_ + ": " + digest.str() + " ends before the range asked for");
  }
  auto object = co_await objects_.get(place.key, offset, length);
  if (!object) co_return std::unexpected(told(std::move(object.error())));
  if (object->head.size != place.size) {
    co_return upstream_error(
        Code::NotFound, Retry::Yes,
        "registry " + registry_ + ": " + digest.str() + " in its bucket was replaced meanwhile");
  }
  upstream::Download download;
  download.head = {
      .digest = std::move(digest), .size = place.size, .media_type = std::string(kBlob)};
  download.offset = object->offset;
  download.body = std::make_unique<BlobBody>(std::move(object->body), registry_);
  co_return download;
}

// --- places ---

async::Task<Result<Place>> BucketContent::find(std::string repository, oci::Digest digest,
                                               Held held) {
  const std::string name = name_of(repository, digest, held);
  if (objects_.is_well()) {
    if (auto known = places_.find(name)) co_return *std::move(known);
  }
  auto place = co_await layout_->find(std::move(repository), std::move(digest), held);
  if (!place) co_return std::unexpected(told(std::move(place.error())));
  places_.put(name, *place);
  co_return place;
}

template <class T, class Use>
async::Task<Result<T>> BucketContent::with_place(std::string repository, oci::Digest digest,
                                                 Held held, Use use) {
  const std::string name = name_of(repository, digest, held);
  if (auto known = places_.find(name)) {
    auto used = co_await use(*std::move(known));
    if (used || used.error().code != Code::NotFound) co_return used;
    places_.erase(name);
  }
  auto place = co_await find(std::move(repository), std::move(digest), held);
  if (!place) co_return std::unexpected(std::move(place.error()));
  co_return co_await use(*std::move(place));
}

async::Task<Result<Place>> BucketContent::find_shared(oci::Digest digest) {
  auto place = co_await layout_->find_shared(std::move(digest));
  if (!place) co_return std::unexpected(told(std::move(place.error())));
  co_return place;
}

void BucketContent::remember_blob(const std::string& repository, const oci::Digest& digest,
                                  Place place) {
  places_.put(name_of(repository, digest, Held::AsBlob), std::move(place));
}

void BucketContent::forget(const std::string& repository) {
  places_.erase_all(names_of(repository, Held::AsBlob));
  places_.erase_all(names_of(repository, Held::AsManifest));
  layout_->forget(repository);
}

async::Task<Result<std::string>> BucketContent::presign(Place place, std::string media_type,
                                                        std::chrono::seconds expiry) {
  auto url = co_await objects_.presign(std::move(place.key), std::move(media_type), expiry);
  if (!url) co_return std::unexpected(told(std::move(url.error())));
  co_return url;
}

// --- documents ---

async::Task<Result<upstream::Document>> BucketContent::get_document(std::string repository,
                                                                    std::string path_and_query,
                                                                    std::size_t limit) {
  constexpr std::string_view kManifests = "manifests/";
  const std::size_t mark = std::min(path_and_query.find('?'), path_and_query.size());
  const std::string path = path_and_query.substr(0, mark);
  const std::string query = path_and_query.substr(std::min(mark + 1, path_and_query.size()));
  const std::string reference =
      path.starts_with(kManifests) ? path.substr(kManifests.size()) : std::string();

  Result<upstream::Document> document;
  if (path == "tags/list") {
    document = co_await list_tags(std::move(repository), query);
  } else if (oci::is_tag(reference) || oci::Digest::parse(reference)) {
    auto digest = co_await resolve(repository, reference);
    if (!digest) co_return std::unexpected(std::move(digest.error()));
    auto manifest = co_await read_manifest(std::move(repository), *std::move(digest));
    if (!manifest) co_return std::unexpected(std::move(manifest.error()));
    document = upstream::Document{.body = std::move(manifest->text),
                                  .media_type = std::move(manifest->media_type)};
  } else {
    co_return upstream_error(Code::NotFound, Retry::No,
                             "registry " + registry_ + ": its bucket has no such list");
  }
  if (document && document->body.size() > limit) {
    co_return upstream_error(Code::TooLarge, Retry::No,
                             "registry " + registry_ + ": what its bucket has is too large");
  }
  co_return document;
}

async::Task<Result<upstream::Document>> BucketContent::list_tags(std::string repository,
                                                                 std::string query) {
  const auto asked = oci::TagQuery::parse(query);
  if (!asked.is_understood) {
    co_return upstream_error(Code::InvalidArgument, Retry::No,
                             "registry " + registry_ + ": its bucket knows n and last alone");
  }
  const auto tags = co_await layout_->tags(repository);
  if (!tags) co_return std::unexpected(told(tags.error()));
  const oci::TagPage page = oci::page_of(*tags, asked);
  upstream::Document document{.body = oci::write_tag_list(repository, page.tags),
                              .media_type = "application/json"};
  if (page.has_more) {
    document.link = "</v2/" + repository +
                    "/tags/list?last=" + oci::percent_encode(page.tags.back()) +
                    "&n=" + std::to_string(page.tags.size()) + ">; rel=\"next\"";
  }
  co_return document;
}

Error BucketContent::told(Error error) const { return as_registrys(std::move(error), registry_); }

}  // namespace fairlead::s3
