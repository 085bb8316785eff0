// SPDX-License-Identifier: Apache-2.0
// BucketRegistryFixture: a BucketRegistry over a fake bucket, and a fake registry behind it.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "s3/bucket_registry.h"
#include "s3/layout_fixture.h"
#include "testing/fake_upstream.h"

namespace fairlead::s3 {

inline constexpr std::size_t kLimit = 1u << 20;

// The registry behind: FakeRegistry, with documents and a quota, and errors for all.
class Behind final : public upstream::Registry {
 public:
  explicit Behind(fairlead::testing::FakeUpstream& upstream) : registry_(upstream) {}

  std::optional<Error> error{};
  std::optional<upstream::Document> document{};
  std::vector<std::string> documents_asked{};

  async::Task<Result<upstream::ContentHead>> head_manifest(std::string repository,
                                                           std::string reference,
                                                           std::string accept) override {
    if (error) co_return std::unexpected(*error);
    co_return co_await registry_.head_manifest(repository, reference, accept);
  }
  async::Task<Result<upstream::Download>> get_manifest(std::string repository,
                                                       std::string reference,
                                                       std::string accept) override {
    if (error) co_return std::unexpected(*error);
    co_return co_await registry_.get_manifest(repository, reference, accept);
  }
  async::Task<Result<upstream::ContentHead>> head_blob(std::string repository,
                                                       oci::Digest digest) override {
    if (error) co_return std::unexpected(*error);
    co_return co_await registry_.head_blob(repository, digest);
  }
  async::Task<Result<upstream::Download>> get_blob(std::string repository, oci::Digest digest,
                                                   std::uint64_t offset,
                                                   std::optional<std::uint64_t> length) override {
    if (error) co_return std::unexpected(*error);
    co_return co_await registry_.get_blob(repository, digest, offset, length);
  }
  async::Task<Result<upstream::Document>> get_document(std::string repository,
                                                       std::string path_and_query, std::string,
                                                       std::size_t) override {
    documents_asked.push_back(repository + " " + path_and_query);
    if (error) co_return std::unexpected(*error);
    if (!document) co_return upstream_error(Code::NotFound, Retry::No, "no such document");
    co_return *document;
  }
  std::optional<int> change_status{202};  // nullopt: no answer
  std::vector<std::string> changes{};
  async::Task<Result<upstream::ChangeAnswer>> change(upstream::Change change) override {
    changes.push_back(change.method + " " + change.repository + " " + change.path);
    if (!change_status) co_return upstream_error(Code::Timeout, Retry::Yes, "no answer");
    co_return upstream::ChangeAnswer{.status = *change_status};
  }
  async::Task<Result<upstream::Document>> list_repositories(std::string query,
                                                            std::size_t) override {
    co_return upstream::Document{.body = "asked for " + query};
  }
  async::Task<Result<std::optional<upstream::Location>>> locate_blob(std::string,
                                                                     oci::Digest) override {
    co_return upstream::Location{.url = "https://behind.test/"};
  }
  [[nodiscard]] std::optional<upstream::Quota> quota() const override {
    return upstream::Quota{.limit = 100, .remaining = 7};
  }

 private:
  fairlead::testing::FakeRegistry registry_;
};

class BucketRegistryFixture : public LayoutFixture {
 protected:
  BucketRegistryFixture() { use(LayoutKind::Distribution, true); }

  void use(LayoutKind kind, bool has_behind) {
    registry_ = std::make_unique<BucketRegistry>(
        BucketRegistryOptions{.name = "zot", .expiry = std::chrono::minutes(5)},
        make_layout(kind, objects_, "data", clock_), objects_, has_behind ? &behind_ : nullptr,
        changed_, clock_);
  }

  Result<upstream::ContentHead> head(const std::string& reference) {
    return run(registry_->head_manifest("app", reference, ""));
  }
  // The bytes; the head of the answer is in head_.
  Result<std::string> get(const std::string& reference) {
    return read(run(registry_->get_manifest("app", reference, "")));
  }
  Result<upstream::ContentHead> head_blob(const oci::Digest& digest) {
    return run(registry_->head_blob("app", digest));
  }
  Result<std::string> get_blob(const oci::Digest& digest, std::uint64_t offset = 0,
                               std::optional<std::uint64_t> length = {}) {
    return read(run(registry_->get_blob("app", digest, offset, length)));
  }
  Result<std::string> read(Result<upstream::Download> download) {
    if (!download) return std::unexpected(download.error());
    head_ = download->head;
    offset_ = download->offset;
    std::string text;
    for (;;) {
      const auto piece = run(download->body->read());
      if (!piece) return std::unexpected(piece.error());
      if (piece->empty()) return text;
      text += as_text(*piece);
    }
  }
  Result<upstream::Document> document(const std::string& path) {
    return run(registry_->get_document("app", path, "", kLimit));
  }
  // "" for none.
  std::string locate(const oci::Digest& digest, const std::string& repository = "app") {
    const auto location = run(registry_->locate_blob(repository, digest));
    return location && *location ? (*location)->url : "";
  }
  std::string locate_manifest(const oci::Digest& digest, const std::string& media_type) {
    const auto location = run(registry_->locate_manifest("app", digest, media_type));
    return location && *location ? (*location)->url : "";
  }
  void fail_behind(Code code, const std::string& context = "registry zot: behind says no") {
    behind_.error = Error{code, Origin::Upstream, Retry::Yes, context};
  }
  std::vector<std::string> calls_since(std::size_t count) const {
    const auto calls = bucket_.calls();
    return {calls.begin() + static_cast<std::ptrdiff_t>(count), calls.end()};
  }

  fairlead::testing::FakeUpstream upstream_;
  ChangedRepositories changed_;
  Behind behind_{upstream_};
  std::unique_ptr<BucketRegistry> registry_;
  upstream::ContentHead head_;
  std::uint64_t offset_ = 0;
};

}  // namespace fairlead::s3
