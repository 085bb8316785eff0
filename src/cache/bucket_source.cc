// SPDX-License-Identifier: Apache-2.0
#include "cache/bucket_source.h"

#include <utility>

#include "oci/manifest.h"
#include "s3/bucket_blob_store.h"

namespace fairlead::cache {
namespace {

constexpr const char* kOctets = "application/octet-stream";

// Objects say of which type manifests are; of blobs it is not asked.
std::string manifest_type(const s3::ObjectHead& head) {
  return oci::is_manifest_media_type(head.media_type) ? head.media_type : std::string();
}

std::unexpected<Error> only_content() {
  return upstream_error(Code::Unsupported, Retry::No, "the cache's bucket holds content alone");
}

}  // namespace

// The bucket as a Registry, for those who fill from one.
class BucketSource::Content final : public upstream::Registry {
 public:
  explicit Content(BucketSource& source) : source_(source) {}

  async::Task<Result<upstream::ContentHead>> head_manifest(std::string, std::string,
                                                           std::string) override {
    co_return only_content();
  }
  async::Task<Result<upstream::ContentHead>> head_blob(std::string, oci::Digest) override {
    co_return only_content();
  }
  async::Task<Result<upstream::Document>> get_document(std::string, std::string, std::string,
                                                       std::size_t) override {
    co_return only_content();
  }
  async::Task<Result<upstream::Download>> get_manifest(std::string, std::string reference,
                                                       std::string) override {
    auto digest = oci::Digest::parse(reference);
    if (!digest) co_return only_content();
    co_return co_await get(*std::move(digest), 0, std::nullopt);
  }
  async::Task<Result<upstream::Download>> get_blob(std::string, oci::Digest digest,
                                                   std::uint64_t offset,
                                                   std::optional<std::uint64_t> length) override {
    co_return co_await get(std::move(digest), offset, length);
  }

 private:
  async::Task<Result<upstream::Download>> get(oci::Digest digest, std::uint64_t offset,
                                              std::optional<std::uint64_t> length) {
    auto object =
        co_await source_.objects_.get(s3::cache_key(source_.options_.root, digest), offset, length);
    if (!object) {
      source_.memory_.forget(digest);
      co_return std::unexpected(std::move(object.error()));
    }
    upstream::Download download;
    download.head.size = object->head.size;
    download.head.media_type = manifest_type(object->head);
    download.head.digest = std::move(digest);
    download.offset = object->offset;
    download.body = std::move(object->body);
    co_return download;
  }

  BucketSource& source_;
};

BucketSource::BucketSource(BucketSourceOptions options, s3::ObjectReader& objects,
                           BucketMemory& memory, const Clock& clock)
    : options_(std::move(options)),
      objects_(objects),
      memory_(memory),
      clock_(clock),
      content_(std::make_unique<Content>(*this)) {}

BucketSource::~BucketSource() = default;

async::Task<std::optional<InBucket>> BucketSource::find(oci::Digest digest) {
  auto known = memory_.find(digest, clock_.steady());
  if (known && (!known->content || objects_.is_well())) co_return std::move(known->content);
  const auto head = co_await objects_.head(s3::cache_key(options_.root, digest));
  // What is wrong with the bucket is told by its health.
  if (!head && head.error().code != Code::NotFound) co_return std::nullopt;
  // What answers is no S3: a portal, or a proxy, that says yes to everything.
  if (head && head->etag.empty()) co_return std::nullopt;
  std::optional<InBucket> content;
  if (head) content = InBucket{.size = head->size, .media_type = manifest_type(*head)};
  memory_.note(digest, content, clock_.steady());
  co_return content;
}

async::Task<Result<upstream::Location>> BucketSource::locate(oci::Digest digest,
                                                             std::string media_type) {
  if (media_type.empty()) media_type = kOctets;
  auto url = co_await objects_.presign(s3::cache_key(options_.root, digest), std::move(media_type),
                                       options_.expiry);
  if (!url) co_return std::unexpected(std::move(url.error()));
  co_return upstream::Location{*std::move(url)};
}

}  // namespace fairlead::cache
