// SPDX-License-Identifier: Apache-2.0
// A BucketBlobStore over a bucket in memory, for its tests.
#pragma once

#include <gtest/gtest.h>

#include <cstddef>
#include <filesystem>
#include <memory>
#include <stop_token>
#include <string>
#include <system_error>
#include <utility>

#include "s3/bucket_blob_store.h"
#include "s3/nameless_file.h"
#include "testing/fake_objects.h"
#include "testing/manual_clock.h"
#include "testing/temporary_directory.h"

namespace fairlead::s3 {

class BucketStoreFixture : public ::testing::Test {
 protected:
  static constexpr std::uint64_t kPart = 1000;

  static oci::Digest digest_of(const std::string& bytes) {
    return oci::digest_of(oci::DigestAlgorithm::Sha256, as_byte_view(bytes));
  }
  static std::string key_of(const oci::Digest& digest) { return cache_key("root", digest); }

  Result<void> upload(const std::string& bytes, const std::string& media_type = {},
                      std::stop_token stop = {}) {
    auto file = NamelessFile::make(directory_.path()).value();
    EXPECT_TRUE(file.append(as_byte_view(bytes)));
    return store_.upload(digest_of(bytes), file.fd(), bytes.size(), media_type, std::move(stop));
  }
  // What the bucket answers to one call instead of doing it.
  void fail(const std::string& call, Code code) {
    bucket_.on_call = [call, code](const std::string& made,
                                   const std::string&) -> std::optional<Error> {
      if (made != call) return std::nullopt;
      return Error{code, Origin::Upstream, Retry::Yes, "the bucket fails"};
    };
  }
  [[nodiscard]] std::size_t journaled() const {
    std::error_code none;
    std::size_t entries = 0;
    for (std::filesystem::directory_iterator it(directory_ / "uploads", none), end; it != end; ++it)
      ++entries;
    return entries;
  }

  fairlead::testing::ManualClock clock_;
  fairlead::testing::TemporaryDirectory directory_;
  fairlead::testing::FakeBucket bucket_{clock_};
  BlockingObjects objects_{[this](const async::Executor&) {
    return std::make_unique<fairlead::testing::FakeObjects>(bucket_);
  }};
  const BucketStoreOptions options_{
      .root = "root", .directory = directory_.path(), .max_content = 100'000, .part_size = kPart};
  BucketBlobStore store_{objects_, options_};
  const std::string large_ = std::string(2500, 'l') + "end";  // three parts
  const oci::Digest large_digest_ = digest_of(large_);
};

}  // namespace fairlead::s3
