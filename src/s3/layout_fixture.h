// SPDX-License-Identifier: Apache-2.0
// LayoutFixture: a fake bucket that a test fills as distribution or zot would. Keys are spelt out
// here once more, so that a wrong one in the code shows.
#pragma once

#include <gtest/gtest.h>

#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "oci/digest.h"
#include "oci/media_type.h"
#include "s3/layout.h"
#include "testing/coroutine_test.h"
#include "testing/fake_objects.h"
#include "testing/manual_clock.h"

namespace fairlead::s3 {

inline oci::Digest digest_of(std::string_view bytes) {
  return oci::digest_of(oci::DigestAlgorithm::Sha256, as_byte_view(bytes));
}

// A manifest of an image; each `name` makes another one.
inline std::string image_manifest(const std::string& name, std::string_view media_type = "") {
  std::string text = R"({"schemaVersion":2,)";
  if (!media_type.empty()) text.append(R"("mediaType":")").append(media_type).append(R"(",)");
  return text + R"("config":{"mediaType":"application/vnd.oci.image.config.v1+json","digest":")" +
         digest_of(name).str() + R"(","size":)" + std::to_string(name.size()) + R"(},"layers":[]})";
}

class LayoutFixture : public fairlead::testing::CoroutineTest {
 protected:
  // --- as distribution ---

  static std::string distribution_repository(const std::string& repository) {
    return "data/docker/registry/v2/repositories/" + repository + "/";
  }
  static std::string distribution_blob(const oci::Digest& digest) {
    const std::string hex(digest.hex());
    return "data/docker/registry/v2/blobs/sha256/" + hex.substr(0, 2) + "/" + hex + "/data";
  }
  oci::Digest put_layer(const std::string& repository, const std::string& bytes) {
    const auto digest = digest_of(bytes);
    put(distribution_blob(digest), bytes);
    put(distribution_repository(repository) + "_layers/sha256/" + std::string(digest.hex()) +
            "/link",
        digest.str());
    return digest;
  }
  oci::Digest put_revision(const std::string& repository, const std::string& bytes) {
    const auto digest = digest_of(bytes);
    put(distribution_blob(digest), bytes);
    put(distribution_repository(repository) + "_manifests/revisions/sha256/" +
            std::string(digest.hex()) + "/link",
        digest.str());
    return digest;
  }
  void put_tag(const std::string& repository, const std::string& tag, const std::string& link) {
    put(distribution_repository(repository) + "_manifests/tags/" + tag + "/current/link", link);
  }
  oci::Digest put_tagged(const std::string& repository, const std::string& tag,
                         const std::string& bytes) {
    const auto digest = put_revision(repository, bytes);
    put_tag(repository, tag, digest.str());
    return digest;
  }

  // --- as zot ---

  static std::string oci_blob(const std::string& repository, const oci::Digest& digest) {
    return "data/" + repository + "/blobs/sha256/" + std::string(digest.hex());
  }
  oci::Digest put_oci_blob(const std::string& repository, const std::string& bytes) {
    const auto digest = digest_of(bytes);
    put(oci_blob(repository, digest), bytes);
    return digest;
  }
  // Lists it in index.json, which is written anew.
  oci::Digest put_oci_manifest(const std::string& repository, const std::string& tag,
                               const std::string& bytes, std::string_view media_type) {
    const auto digest = put_oci_blob(repository, bytes);
    list(repository, tag, digest, media_type);
    return digest;
  }
  void list(const std::string& repository, const std::string& tag, const oci::Digest& digest,
            std::string_view media_type) {
    std::string entry = R"({"mediaType":")" + std::string(media_type) + R"(","digest":")" +
                        digest.str() + R"(","size":7)";
    if (!tag.empty()) {
      entry += R"(,"annotations":{"org.opencontainers.image.ref.name":")" + tag + R"("})";
    }
    auto& entries = listed_[repository];
    entries.push_back(entry + "}");
    std::string all;
    for (const std::string& one : entries) all += (all.empty() ? "" : ",") + one;
    put("data/" + repository + "/index.json", R"({"schemaVersion":2,"manifests":[)" + all + "]}");
  }

  // --- all of them ---

  void put(const std::string& key, const std::string& bytes) { bucket_.put(key, {.bytes = bytes}); }
  // Every question fails so from now on.
  void break_bucket(Code code, const std::string& context = "the bucket data does not answer") {
    bucket_.on_call = [code, context](const std::string&, const std::string&) {
      return std::optional(Error{code, Origin::Upstream, Retry::Yes, context});
    };
  }
  // "digest|media type"
  static async::Task<Result<std::string>> resolve(Layout& layout, std::string repository,
                                                  std::string tag) {
    const auto tagged = co_await layout.resolve(std::move(repository), std::move(tag));
    if (!tagged) co_return std::unexpected(tagged.error());
    co_return tagged->digest.str() + "|" + tagged->media_type;
  }
  template <class T>
  static Code code_of(const Result<T>& result) {
    return result ? Code::Internal : result.error().code;
  }

  fairlead::testing::ManualClock clock_;
  fairlead::testing::FakeBucket bucket_{clock_};
  fairlead::testing::FakeObjects objects_{bucket_};
  std::map<std::string, std::vector<std::string>> listed_;
};

}  // namespace fairlead::s3
