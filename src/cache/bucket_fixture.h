// SPDX-License-Identifier: Apache-2.0
// A bucket in memory with content, for tests of those who look after it.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "s3/bucket_blob_store.h"
#include "telemetry/log.h"
#include "testing/fake_objects.h"
#include "testing/manual_clock.h"
#include "testing/temporary_directory.h"

namespace fairlead::cache {

class BucketFixture : public ::testing::Test {
 protected:
  static oci::Digest sha256_of(const std::string& bytes) {
    return oci::digest_of(oci::DigestAlgorithm::Sha256, as_byte_view(bytes));
  }
  static std::string key_of(const oci::Digest& digest) { return s3::cache_key("root", digest); }
  static std::string mark_of(const oci::Digest& digest) { return s3::use_key("root", digest); }

  // Written so long ago.
  oci::Digest put(const std::string& bytes, std::chrono::seconds ago = {}) {
    return put_as(sha256_of(bytes), bytes, ago);
  }
  oci::Digest put_as(const oci::Digest& digest, const std::string& bytes,
                     std::chrono::seconds ago = {}) {
    bucket_.put(key_of(digest), {.bytes = bytes,
                                 .writing = "writing " + std::to_string(++writings_),
                                 .modified = clock_.wall() - ago});
    return digest;
  }
  void mark(const oci::Digest& digest, std::chrono::seconds ago) {
    bucket_.put(mark_of(digest), {.modified = clock_.wall() - ago});
  }
  bool holds(const oci::Digest& digest) { return bucket_.find(key_of(digest)).has_value(); }
  bool is_marked(const oci::Digest& digest) { return bucket_.find(mark_of(digest)).has_value(); }

  // The n-th time that `call` is made, `happens` comes first; an error is its answer.
  void at(const std::string& call, int n, std::function<std::optional<Error>()> happens) {
    bucket_.on_call = [call, n, happens = std::move(happens), made = 0](
                          const std::string& now,
                          const std::string&) mutable -> std::optional<Error> {
      return now == call && ++made == n ? happens() : std::nullopt;
    };
  }
  static Error failure() {
    return {Code::Unavailable, Origin::Upstream, Retry::Yes, "the bucket fails"};
  }

  fairlead::testing::ManualClock clock_;
  telemetry::Log log_{{}};
  fairlead::testing::TemporaryDirectory directory_;
  fairlead::testing::FakeBucket bucket_{clock_};
  s3::BlockingObjects objects_{[this](const async::Executor&) {
    return std::make_unique<fairlead::testing::FakeObjects>(bucket_);
  }};
  s3::BucketBlobStore store_{objects_, {.root = "root", .directory = directory_.path()}};
  int writings_ = 0;
};

}  // namespace fairlead::cache
