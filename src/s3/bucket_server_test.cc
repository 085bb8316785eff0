// SPDX-License-Identifier: Apache-2.0
// BucketBlobStore over HTTP, with a server that speaks S3 for real: tests/e2e/test_bucket_store.py
// starts one and says by FAIRLEAD_TEST_S3_ENDPOINT, _BUCKET, _ACCESS_KEY and _SECRET_KEY where it
// is; without them all is skipped. Every test has a root of its own in the bucket.
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <future>
#include <memory>
#include <mutex>
#include <optional>
#include <random>
#include <stop_token>
#include <string>
#include <utility>
#include <vector>

#include "s3/bucket_blob_store.h"
#include "s3/nameless_file.h"
#include "telemetry/log.h"
#include "testing/blob_store_conformance.h"
#include "testing/temporary_directory.h"

namespace fairlead::testing {

inline std::string variable(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

// A bucket of the server, and a way to it.
class ServerBucket {
 public:
  ServerBucket()
      : root_("test/" + std::to_string(std::random_device{}()) + "-" +
              std::to_string(std::random_device{}())),
        bucket_(s3::Bucket::make(
                    {.name = variable("FAIRLEAD_TEST_S3_BUCKET"),
                     .endpoint = variable("FAIRLEAD_TEST_S3_ENDPOINT"),
                     .style = s3::AddressStyle::Path,
                     .credentials =
                         s3::S3Credentials{
                             .access_key = variable("FAIRLEAD_TEST_S3_ACCESS_KEY"),
                             .secret_key = Secret(variable("FAIRLEAD_TEST_S3_SECRET_KEY"))},
                     .root = root_},
                    nullptr, keys_, clock_, log_)
                    .value()),
        objects_(*bucket_),
        store_(objects_, {.root = root_, .directory = directory_.path(), .part_size = 5 << 20}) {}

  s3::BucketBlobStore& store() { return store_; }
  s3::BlockingObjects& objects() { return objects_; }
  s3::Bucket& bucket() { return *bucket_; }
  [[nodiscard]] const std::string& root() const { return root_; }
  [[nodiscard]] const std::string& directory() const { return directory_.path(); }

 private:
  SystemClock clock_;
  telemetry::Log log_{{}};
  s3::SigningKeys keys_;
  TemporaryDirectory directory_;
  const std::string root_;
  std::unique_ptr<s3::Bucket> bucket_;
  s3::BlockingObjects objects_;
  s3::BucketBlobStore store_;
};

class ServerBucketFactory {
 public:
  static std::optional<std::string> missing() {
    if (!variable("FAIRLEAD_TEST_S3_ENDPOINT").empty()) return std::nullopt;
    return "FAIRLEAD_TEST_S3_ENDPOINT names no S3 server";
  }

  store::BlobStore& store() { return bucket().store(); }
  void lose(const oci::Digest& digest) {
    const std::string key = s3::cache_key(bucket().root(), digest);
    EXPECT_TRUE(
        bucket().objects().run<void>([&](s3::Objects& objects) { return objects.remove(key); }));
  }
  ServerBucket& bucket() {
    std::call_once(once_, [this] { bucket_ = std::make_unique<ServerBucket>(); });
    return *bucket_;
  }

 private:
  std::once_flag once_;
  std::unique_ptr<ServerBucket> bucket_;  // made when it is first asked for
};
INSTANTIATE_TYPED_TEST_SUITE_P(ServerBucket, BlobStoreConformance, ServerBucketFactory);

}  // namespace fairlead::testing

namespace fairlead::s3 {
namespace {

using namespace std::chrono_literals;
using store::Removal;

class ServerBucketTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (const auto missing = fairlead::testing::ServerBucketFactory::missing()) {
      GTEST_SKIP() << *missing;
    }
  }
  BucketBlobStore& store() { return factory_.bucket().store(); }
  static oci::Digest digest_of(const std::string& bytes) {
    return oci::digest_of(oci::DigestAlgorithm::Sha256, as_byte_view(bytes));
  }
  static std::string noise(std::size_t size) {
    std::mt19937 random(static_cast<std::mt19937::result_type>(size));
    std::string bytes(size, '\0');
    for (char& c : bytes) c = static_cast<char>(random());
    return bytes;
  }
  Result<void> upload(const std::string& bytes, const std::string& media_type = {},
                      std::stop_token stop = {}) {
    auto file = NamelessFile::make(factory_.bucket().directory()).value();
    EXPECT_TRUE(file.append(as_byte_view(bytes)));
    return store().upload(digest_of(bytes), file.fd(), bytes.size(), media_type, std::move(stop));
  }

  // Until there is one under way in parts.
  void wait_for_upload() {
    auto& bucket = factory_.bucket();
    const auto deadline = std::chrono::steady_clock::now() + 30s;
    for (;;) {
      const auto found = bucket.objects().run<std::vector<UnfinishedUpload>>([&](Objects& objects) {
        return objects.unfinished_uploads(cache_prefix(bucket.root()));
      });
      ASSERT_TRUE(found) << found.error().context;
      if (!found->empty()) return;
      ASSERT_LT(std::chrono::steady_clock::now(), deadline) << "no upload begins";
    }
  }

  fairlead::testing::ServerBucketFactory factory_;
};

TEST_F(ServerBucketTest, ALargeContentGoesInPartsAndComesBackWhole) {
  const std::string bytes = noise(17'000'001);
  const auto uploaded = upload(bytes);
  ASSERT_TRUE(uploaded) << uploaded.error().context;
  const auto file = store().open(digest_of(bytes)).value();
  ASSERT_TRUE(file);
  EXPECT_TRUE(fairlead::testing::read_all(file->fd.get(), file->size) == bytes);
  EXPECT_EQ(store().find(digest_of(bytes)).value()->size, bytes.size());
  EXPECT_EQ(store().abort_unfinished(std::chrono::system_clock::now() + 1h), 0u);
  EXPECT_EQ(store().remove_damaged(digest_of(bytes), *file), Removal::Removed);
  EXPECT_EQ(store().remove_damaged(digest_of(bytes), *file), Removal::Absent);
}

TEST_F(ServerBucketTest, AStoppedUploadLeavesNothing) {
  const std::string bytes = noise(60'000'000);
  std::stop_source stop;
  auto uploading =
      std::async(std::launch::async, [&] { return upload(bytes, {}, stop.get_token()); });
  wait_for_upload();
  stop.request_stop();
  const auto uploaded = uploading.get();
  ASSERT_FALSE(uploaded);
  EXPECT_EQ(uploaded.error().code, Code::Cancelled) << uploaded.error().context;
  EXPECT_FALSE(store().find(digest_of(bytes)).value());
  EXPECT_EQ(store().abort_unfinished(std::chrono::system_clock::now() + 1h), 0u);
}

TEST_F(ServerBucketTest, UploadsThatNobodyGoesOnWithAreAborted) {
  auto& bucket = factory_.bucket();
  const auto key = cache_key(bucket.root(), digest_of("never"));
  const auto id = bucket.objects().run<std::string>([&](Objects& objects) {
    return objects.begin_upload(key, "application/octet-stream", "writing");
  });
  ASSERT_TRUE(id) << id.error().context;
  EXPECT_EQ(store().abort_unfinished(std::chrono::system_clock::now() - 1h), 0u);
  EXPECT_EQ(store().abort_unfinished(std::chrono::system_clock::now() + 1h), 1u);
  EXPECT_EQ(store().abort_unfinished(std::chrono::system_clock::now() + 1h), 0u);
}

TEST_F(ServerBucketTest, AManifestHasItsMediaType) {
  const std::string type = "application/vnd.oci.image.manifest.v1+json";
  ASSERT_TRUE(upload("{}", type));
  EXPECT_EQ(store().find(digest_of("{}")).value()->media_type, type);
}

TEST_F(ServerBucketTest, MarksTellOfUse) {
  const auto digest = digest_of("used");
  ASSERT_TRUE(upload("used"));
  ASSERT_TRUE(store().mark_used(digest));
  auto walk = store().marks();
  const auto mark = walk.next().value();
  ASSERT_TRUE(mark);
  EXPECT_EQ(mark->digest, digest);
  EXPECT_LT(std::chrono::abs(mark->modified - std::chrono::system_clock::now()), 1min);
  EXPECT_FALSE(walk.next().value());
  EXPECT_EQ(store().remove_idle(digest, mark->modified - 1s), Removal::InUse);
  EXPECT_EQ(store().remove_idle(digest, mark->modified + 1s), Removal::Removed);
  EXPECT_EQ(store().remove_stray_mark(digest, mark->modified + 1s), Removal::Absent);
}

TEST_F(ServerBucketTest, AWalkBeginsBehindADigest) {
  std::vector<oci::Digest> digests;
  for (int i = 0; i < 10; ++i) {
    ASSERT_TRUE(upload(std::to_string(i)));
    digests.push_back(digest_of(std::to_string(i)));
  }
  std::ranges::sort(digests);
  auto walk = store().blobs(digests[4]);
  for (std::size_t i = 5; i < 10; ++i) EXPECT_EQ(walk.next().value()->digest, digests[i]);
  EXPECT_FALSE(walk.next().value());
}

// As when the process ends: the next start aborts what was under way.
TEST_F(ServerBucketTest, ClosingEndsAnUploadAndTheNextStartAbortsIt) {
  auto& bucket = factory_.bucket();
  const std::string bytes = noise(60'000'000);
  auto uploading = std::async(std::launch::async, [&] { return upload(bytes); });
  wait_for_upload();
  bucket.objects().close();
  const auto uploaded = uploading.get();
  ASSERT_FALSE(uploaded);
  EXPECT_EQ(uploaded.error().code, Code::Cancelled) << uploaded.error().context;
  EXPECT_EQ(store().find(digest_of(bytes)).error().code, Code::Cancelled);

  BlockingObjects objects(bucket.bucket());
  BucketBlobStore next(objects, {.root = bucket.root(), .directory = bucket.directory()});
  EXPECT_FALSE(next.find(digest_of(bytes)).value());
  EXPECT_EQ(next.abort_interrupted(), 1u);
  EXPECT_EQ(next.abort_unfinished(std::chrono::system_clock::now() + 1h), 0u);
}

}  // namespace
}  // namespace fairlead::s3
