// SPDX-License-Identifier: Apache-2.0
// A store and an index that agree, for tests of those who look after them.
#pragma once

#include <gtest/gtest.h>

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "cache/bookkeeper.h"
#include "index/memory_index.h"
#include "oci/manifest.h"
#include "telemetry/log.h"
#include "testing/fake_blob_store.h"
#include "testing/manual_clock.h"

namespace fairlead::cache {

inline constexpr const char* kImageType = "application/vnd.oci.image.manifest.v1+json";
inline constexpr const char* kIndexType = "application/vnd.oci.image.index.v1+json";

inline oci::Digest sha256_of(const std::string& bytes) {
  return oci::digest_of(oci::DigestAlgorithm::Sha256, as_byte_view(bytes));
}

// An image manifest, with a config that is not stored.
inline std::string image_of(const std::vector<oci::Digest>& layers) {
  std::string text = R"({"schemaVersion":2,"mediaType":")" + std::string(kImageType) +
                     R"(","config":{"mediaType":"application/vnd.oci.image.config.v1+json",)" +
                     R"("size":2,"digest":")" + sha256_of("{}").str() + R"("},"layers":[)";
  for (const auto& layer : layers) {
    text += (text.ends_with('[') ? "" : ",") +
            std::string(R"({"mediaType":"application/vnd.oci.image.layer.v1.tar+gzip","size":1,)") +
            R"("digest":")" + layer.str() + R"("})";
  }
  return text + "]}";
}

class StoredFixture : public ::testing::Test {
 protected:
  // Only a file.
  oci::Digest publish(const std::string& bytes) { return publish_as(sha256_of(bytes), bytes); }
  oci::Digest publish_as(const oci::Digest& digest, const std::string& bytes) {
    const auto ingest = store_.begin(digest, bytes.size()).value();
    EXPECT_TRUE(ingest->write(as_byte_view(bytes)));
    EXPECT_TRUE(ingest->commit());
    return digest;
  }
  // File and row.
  oci::Digest put(const std::string& bytes, std::string media_type = {},
                  std::vector<oci::Digest> names = {}) {
    const auto digest = publish(bytes);
    index_.add_stored(digest, std::move(media_type), bytes.size(), std::move(names), clock_.wall());
    return digest;
  }
  // `size` bytes that no other content has.
  oci::Digest put_blob(std::size_t size) {
    std::string bytes = std::to_string(++made_) + ":";
    bytes.resize(size, 'x');
    return put(bytes);
  }
  oci::Digest put_image(const std::vector<oci::Digest>& layers) {
    return put(image_of(layers), kImageType, layers);
  }

  [[nodiscard]] bool has_row(const oci::Digest& digest) const {
    const auto known = index_.content(digest);
    return known && known->is_stored;
  }
  // Both or none, else the test fails.
  [[nodiscard]] bool holds(const oci::Digest& digest) const {
    EXPECT_EQ(has_row(digest), store_.holds(digest)) << digest.str();
    return has_row(digest);
  }

  int made_ = 0;
  fairlead::testing::FakeBlobStore store_;
  index::MemoryIndex index_;
  fairlead::testing::ManualClock clock_;
  // What is done about damage is logged as errors; these tests look at what was done.
  telemetry::Log log_{telemetry::LogOptions{.level = telemetry::LogLevel::Error}};
  Bookkeeper bookkeeper_{index_, store_, clock_};
};

}  // namespace fairlead::cache
