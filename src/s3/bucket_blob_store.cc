// SPDX-License-Identifier: Apache-2.0
#include "s3/bucket_blob_store.h"

#include <random>
#include <string_view>
#include <tuple>
#include <utility>

#include "s3/nameless_file.h"

namespace fairlead::s3 {

using store::BlobFile;
using store::Removal;

namespace {

constexpr std::string_view kNoMediaType = "application/octet-stream";

std::unexpected<Error> too_large(const std::optional<oci::Digest>& digest) {
  return internal_error(Code::NoSpace, (digest ? digest->str() : "what is being written") +
                                           " is larger than the whole cache may be");
}

std::unexpected<Error> wrong_length(const std::string& key) {
  return upstream_error(Code::Corrupt, Retry::Yes,
                        "the bucket sent more or less of " + key + " than it said");
}

// Tells one writing from another: 32 hexadecimal digits.
std::string any_writing() {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::random_device random;
  std::uniform_int_distribution<std::size_t> digit(0, kDigits.size() - 1);
  std::string text(32, '0');
  for (char& c : text) c = kDigits[digit(random)];
  return text;
}

async::Task<Result<ObjectHead>> read_object(Objects& objects, std::string key,
                                            const BucketBlobStore::Take& take) {
  auto download = co_await objects.get(key);
  if (!download) co_return std::unexpected(std::move(download.error()));
  std::uint64_t received = 0;
  for (;;) {
    const auto piece = co_await download->body->read();
    if (!piece) co_return std::unexpected(piece.error());
    if (piece->empty()) break;
    received += piece->size();
    if (received > download->head.size) co_return wrong_length(key);
    if (auto taken = take(download->head, *piece); !taken) {
      co_return std::unexpected(std::move(taken.error()));
    }
  }
  if (received != download->head.size) co_return wrong_length(key);
  co_return std::move(download->head);
}

// That the bucket talks nonsense, or got something else than was sent, says nothing of the file.
Error of_upload(Error error) {
  if (error.origin == Origin::Upstream && error.code == Code::Corrupt) {
    error.code = Code::Unavailable;
  }
  return error;
}

// What is not there is no error here.
template <class T>
Result<std::optional<T>> if_found(Result<T> found) {
  if (found) return *std::move(found);
  if (found.error().code == Code::NotFound) return std::nullopt;
  return std::unexpected(std::move(found.error()));
}

}  // namespace

class BucketIngest final : public store::Ingest {
 public:
  BucketIngest(BucketBlobStore& store, std::optional<oci::Digest> digest, NamelessFile file)
      : store_(store), digest_(std::move(digest)), file_(std::move(file)) {}

  Result<void> write(ByteView bytes) override {
    if (store_.is_too_large(file_.size() + bytes.size())) return too_large(digest_);
    return file_.append(bytes);
  }

  void name(const oci::Digest& digest) override { digest_ = digest; }

  // In use before it is there, so that nobody removes it in between.
  Result<void> commit() override {
    if (!digest_) return internal_error(Code::InvalidArgument, "an upload has no digest yet");
    if (auto finished = file_.finish(); !finished) return finished;
    auto held = store_.held_.add(*digest_, file_.fd(), HeldFiles::Purpose::Use, std::nullopt);
    if (!held) return held;
    return store_.upload(*digest_, file_.fd(), file_.size(), {});
  }

  void discard() override {}  // it never had a name

  [[nodiscard]] int fd() const override { return file_.fd(); }

 private:
  BucketBlobStore& store_;
  std::optional<oci::Digest> digest_;
  NamelessFile file_;
};

BucketBlobStore::BucketBlobStore(BlockingObjects& objects, BucketStoreOptions options)
    : objects_(objects), options_(std::move(options)), journal_(options_.directory) {}

// -- reading ------------------------------------------------------------------------------------

Result<std::optional<BlobFile>> BucketBlobStore::open(const oci::Digest& digest) {
  return download(digest, HeldFiles::Purpose::Use);
}

Result<std::optional<BlobFile>> BucketBlobStore::inspect(const oci::Digest& digest) {
  return download(digest, HeldFiles::Purpose::Look);
}

Result<std::optional<BlobFile>> BucketBlobStore::download(const oci::Digest& digest,
                                                          HeldFiles::Purpose purpose) {
  auto file = NamelessFile::make(options_.directory);
  if (!file) return std::unexpected(std::move(file.error()));
  const Take take = [&](const ObjectHead& head, ByteView piece) -> Result<void> {
    if (is_too_large(head.size)) return too_large(digest);
    if (file->size() == 0) {
      if (auto reserved = file->reserve(head.size); !reserved) return reserved;
    }
    return file->append(piece);
  };
  auto found = read(digest, take);
  if (!found) return std::unexpected(std::move(found.error()));
  if (!*found) return std::nullopt;
  if (auto held = held_.add(digest, file->fd(), purpose, *std::move(found)); !held) {
    return std::unexpected(std::move(held.error()));
  }
  const std::uint64_t size = file->size();
  return BlobFile{std::move(*file).release(), size};
}

Result<std::optional<ObjectHead>> BucketBlobStore::read(const oci::Digest& digest,
                                                        const Take& take) {
  return if_found(objects_.run<ObjectHead>([&](Objects& objects) {
    return read_object(objects, cache_key(options_.root, digest), take);
  }));
}

Result<std::optional<ObjectHead>> BucketBlobStore::head(const std::string& key) {
  return if_found(objects_.run<ObjectHead>([&](Objects& objects) { return objects.head(key); }));
}

Result<std::optional<StoredObject>> BucketBlobStore::find(const oci::Digest& digest) {
  auto found = head(cache_key(options_.root, digest));
  if (!found) return std::unexpected(std::move(found.error()));
  if (!*found) return std::nullopt;
  StoredObject object{.size = (*found)->size};
  if ((*found)->media_type != kNoMediaType) object.media_type = std::move((*found)->media_type);
  return object;
}

// -- writing ------------------------------------------------------------------------------------

Result<std::unique_ptr<store::Ingest>> BucketBlobStore::begin(const oci::Digest& digest,
                                                              std::optional<std::uint64_t> size) {
  if (size && is_too_large(*size)) return too_large(digest);
  auto file = NamelessFile::make(options_.directory);
  if (!file) return std::unexpected(std::move(file.error()));
  if (auto reserved = file->reserve(size.value_or(0)); !reserved) {
    return std::unexpected(std::move(reserved.error()));
  }
  return std::make_unique<BucketIngest>(*this, digest, *std::move(file));
}

Result<std::unique_ptr<store::Ingest>> BucketBlobStore::begin_unnamed() {
  auto file = NamelessFile::make(options_.directory);
  if (!file) return std::unexpected(std::move(file.error()));
  return std::make_unique<BucketIngest>(*this, std::nullopt, *std::move(file));
}

Result<void> BucketBlobStore::upload(const oci::Digest& digest, int file, std::uint64_t size,
                                     const std::string& media_type, std::stop_token stop) {
  if (is_too_large(size)) return too_large(digest);
  if (stop.stop_requested()) return internal_error(Code::Cancelled, "the upload was stopped");
  const PartUpload upload{.digest = digest,
                          .key = cache_key(options_.root, digest),
                          .media_type = media_type.empty() ? std::string(kNoMediaType) : media_type,
                          .writing = any_writing(),
                          .file = file,
                          .size = size,
                          .part_size = part_size_for(size, options_.part_size)};
  const auto is_there = has(upload.key, size, media_type);
  if (!is_there) return std::unexpected(of_upload(is_there.error()));
  if (*is_there) return {};
  auto sent = send(upload, stop);
  if (!sent) return std::unexpected(of_upload(std::move(sent.error())));
  return {};
}

Result<bool> BucketBlobStore::has(const std::string& key, std::uint64_t size,
                                  const std::string& media_type) {
  const auto there = head(key);
  if (!there) return std::unexpected(there.error());
  if (!*there || (*there)->size != size) return false;
  // A manifest that came as a blob before gets its media type.
  return media_type.empty() || (*there)->media_type == media_type;
}

Result<void> BucketBlobStore::send(const PartUpload& upload, const std::stop_token& stop) {
  if (upload.size > options_.part_size) {
    return upload_in_parts(objects_, journal_, upload, stop);
  }
  auto bytes = read_piece(upload.file, 0, upload.size);
  if (!bytes) return std::unexpected(std::move(bytes.error()));
  if (oci::digest_of(upload.digest.algorithm(), as_byte_view(*bytes)) != upload.digest) {
    return not_its_digest(upload.digest);
  }
  return objects_.run<void>([&](Objects& objects) {
    return objects.put(upload.key, *std::move(bytes), upload.media_type, upload.writing);
  });
}

Result<void> BucketBlobStore::mark_used(const oci::Digest& digest) {
  return objects_.run<void>([&](Objects& objects) {
    return objects.put(use_key(options_.root, digest), {}, std::string(kNoMediaType), {});
  });
}

// -- removing -----------------------------------------------------------------------------------

Result<void> BucketBlobStore::remove_object(const std::string& key) {
  return objects_.run<void>([&](Objects& objects) { return objects.remove(key); });
}

// The blob first: a mark that stays behind is removed by the evictor some day.
Result<Removal> BucketBlobStore::remove_blob_and_mark(const oci::Digest& digest) {
  if (auto removed = remove_object(cache_key(options_.root, digest)); !removed) {
    return std::unexpected(std::move(removed.error()));
  }
  std::ignore = remove_object(use_key(options_.root, digest));
  return Removal::Removed;
}

Result<Removal> BucketBlobStore::remove(const oci::Digest& digest) {
  return remove_idle(digest, WallTime::max());
}

Result<Removal> BucketBlobStore::remove_idle(const oci::Digest& digest, WallTime last_use) {
  const auto blob = head(cache_key(options_.root, digest));
  if (!blob) return std::unexpected(blob.error());
  if (!*blob) return Removal::Absent;
  if ((*blob)->modified > last_use || held_.is_used(digest)) return Removal::InUse;
  if (last_use < WallTime::max()) {
    const auto mark = head(use_key(options_.root, digest));
    if (!mark) return std::unexpected(mark.error());
    if (*mark && (*mark)->modified > last_use) return Removal::InUse;
  }
  return remove_blob_and_mark(digest);
}

Result<Removal> BucketBlobStore::remove_stray_mark(const oci::Digest& digest, WallTime last_use) {
  const auto mark = head(use_key(options_.root, digest));
  if (!mark) return std::unexpected(mark.error());
  if (!*mark) return Removal::Absent;
  if ((*mark)->modified > last_use) return Removal::InUse;
  const auto blob = head(cache_key(options_.root, digest));
  if (!blob) return std::unexpected(blob.error());
  if (*blob) return Removal::InUse;
  if (auto removed = remove_object(use_key(options_.root, digest)); !removed) {
    return std::unexpected(std::move(removed.error()));
  }
  return Removal::Removed;
}

Result<Removal> BucketBlobStore::remove_damaged(const oci::Digest& digest, const BlobFile& found) {
  const auto origin = held_.origin(digest, found.fd.get());
  if (!origin) {
    return internal_error(Code::InvalidArgument, "not a download of " + digest.str());
  }
  return remove_damaged(digest, *origin);
}

Result<Removal> BucketBlobStore::remove_damaged(const oci::Digest& digest,
                                                const ObjectHead& found) {
  const auto now = head(cache_key(options_.root, digest));
  if (!now) return std::unexpected(now.error());
  if (!*now) return Removal::Absent;
  if ((*now)->writing != found.writing || (*now)->etag != found.etag) return Removal::InUse;
  return remove_blob_and_mark(digest);
}

// -- looking after ------------------------------------------------------------------------------

Result<void> BucketBlobStore::check_in_place() {
  const ListRequest request{.prefix = cache_prefix(options_.root), .max_keys = 1};
  const auto listed =
      objects_.run<Listing>([&](Objects& objects) { return objects.list(request); });
  if (!listed) return internal_error(Code::Io, listed.error().context);
  return {};
}

BucketWalk BucketBlobStore::blobs(const std::optional<oci::Digest>& after) {
  return {objects_, options_.root, BucketWalk::Of::Blobs, after};
}

BucketWalk BucketBlobStore::marks(const std::optional<oci::Digest>& after) {
  return {objects_, options_.root, BucketWalk::Of::Marks, after};
}

Result<void> BucketBlobStore::for_each(const BlobVisitor& visit) {
  auto walk = blobs();
  for (;;) {
    const auto blob = walk.next();
    if (!blob) return std::unexpected(blob.error());
    if (!*blob) return {};
    visit((*blob)->digest, (*blob)->size, (*blob)->modified);
  }
}

Result<std::size_t> BucketBlobStore::abort_unfinished(WallTime before) {
  const auto uploads = objects_.run<std::vector<UnfinishedUpload>>(
      [&](Objects& objects) { return objects.unfinished_uploads(cache_prefix(options_.root)); });
  if (!uploads) return std::unexpected(uploads.error());
  std::size_t aborted = 0;
  for (const auto& upload : *uploads) {
    const bool is_ours = digest_of_key(options_.root, upload.key).has_value();
    if (!is_ours || upload.begun >= before || journal_.is_under_way(upload.id)) continue;
    const auto done = objects_.run<void>(
        [&](Objects& objects) { return objects.abort_upload(upload.key, upload.id); });
    if (!done) return std::unexpected(done.error());
    ++aborted;
  }
  return aborted;
}

Result<std::size_t> BucketBlobStore::abort_interrupted() {
  const auto uploads = journal_.interrupted();
  if (!uploads) return std::unexpected(uploads.error());
  std::size_t aborted = 0;
  for (const auto& upload : *uploads) {
    if (!upload.id.empty()) {
      const auto done = objects_.run<void>(
          [&](Objects& objects) { return objects.abort_upload(upload.key, upload.id); });
      if (!done) return std::unexpected(done.error());
      ++aborted;
    }
    journal_.remove(upload);
  }
  return aborted;
}

}  // namespace fairlead::s3
