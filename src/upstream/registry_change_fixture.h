// SPDX-License-Identifier: Apache-2.0
// What tests of pushing and deleting through a RegistryClient share.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "upstream/registry_client_fixture.h"

namespace fairlead::upstream {

// A body in one piece, or an error.
class PieceBody final : public Body {
 public:
  explicit PieceBody(std::string text) : text_(std::move(text)) {}
  explicit PieceBody(Error error) : error_(std::move(error)) {}

  async::Task<Result<ByteView>> read() override {
    ++reads_;
    if (error_) co_return std::unexpected(*error_);
    if (reads_ > 1) co_return ByteView();
    co_return as_byte_view(text_);
  }
  [[nodiscard]] int reads() const { return reads_; }

 private:
  const std::string text_;
  const std::optional<Error> error_;
  int reads_ = 0;
};

class RegistryChangeFixture : public RegistryClientFixture {
 protected:
  static constexpr const char* kManifest = "manifests/latest";

  RegistryChangeFixture() {
    script_ = [this](const Request&) { return reply_; };
  }

  Result<ChangeAnswer> change(Change change) { return run(client().change(std::move(change))); }
  Result<ChangeAnswer> begin_upload(std::string query = "", std::string mounts_from = "") {
    return change({.method = "POST",
                   .repository = kRepository,
                   .path = "blobs/uploads/" + std::move(query),
                   .mounts_from = std::move(mounts_from)});
  }
  Result<ChangeAnswer> put_manifest() {
    return change({.method = "PUT",
                   .repository = kRepository,
                   .path = kManifest,
                   .content_type = "application/json",
                   .whole = std::make_shared<const std::string>("{}")});
  }
  Result<ChangeAnswer> erase(std::string path = kManifest) {
    return change({.method = "DELETE", .repository = kRepository, .path = std::move(path)});
  }
  Result<ChangeAnswer> patch(std::string url) {
    stream_ = std::make_shared<PieceBody>("0123456789");
    return change({.method = "PATCH",
                   .repository = kRepository,
                   .url = std::move(url),
                   .content_type = "application/octet-stream",
                   .content_range = "0-9",
                   .stream = stream_,
                   .stream_length = 10});
  }
  static Reply accepted(std::string location) {
    return {.status = 202, .headers = {{"Location", std::move(location)}}};
  }

  Reply reply_{.status = 201};
  std::shared_ptr<PieceBody> stream_;
};

}  // namespace fairlead::upstream
