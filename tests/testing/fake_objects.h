// SPDX-License-Identifier: Apache-2.0
// FakeBucket: a bucket in memory that answers as a test tells it; FakeObjects: one worker's way to
// it.
//
// FakeBucket is thread-safe; a FakeObjects belongs to one worker, as every Objects does.
#pragma once

#include <algorithm>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "s3/objects.h"

namespace fairlead::testing {

struct FakeObject {
  std::string bytes;
  std::string media_type = "application/octet-stream";
  std::string writing{};
  WallTime modified{};
};

class FakeBucket {
 public:
  explicit FakeBucket(const Clock& clock) : clock_(clock) {}

  // Asked before each call, with its name ("head", "get", "put_part", ...) and key: an error to
  // answer with, and a place to let others run. Set before use.
  std::function<std::optional<Error>(const std::string& call, const std::string& key)> on_call{};
  // Awaited while a part is on its way.
  std::function<async::Task<>(int number)> on_part{};
  // As every FakeObjects tells.
  bool is_well = true;
  // Every download breaks after so many bytes.
  std::optional<std::size_t> cut_after{};

  void put(const std::string& key, FakeObject object) {
    const std::lock_guard lock(mutex_);
    objects_.insert_or_assign(key, std::move(object));
  }
  void erase(const std::string& key) {
    const std::lock_guard lock(mutex_);
    objects_.erase(key);
  }
  [[nodiscard]] std::optional<FakeObject> find(const std::string& key) const {
    const std::lock_guard lock(mutex_);
    const auto found = objects_.find(key);
    return found == objects_.end() ? std::nullopt : std::optional(found->second);
  }
  [[nodiscard]] std::vector<std::string> keys() const {
    const std::lock_guard lock(mutex_);
    std::vector<std::string> keys;
    for (const auto& [key, _] : objects_) keys.push_back(key);
    return keys;
  }
  // "head data/x", in the order in which they were made.
  [[nodiscard]] std::vector<std::string> calls() const {
    const std::lock_guard lock(mutex_);
    return calls_;
  }
  [[nodiscard]] std::size_t count(const std::string& call) const {
    const auto all = calls();
    return static_cast<std::size_t>(std::ranges::count_if(
        all, [&](const std::string& made) { return made.starts_with(call + " "); }));
  }
  [[nodiscard]] std::size_t unfinished() const {
    const std::lock_guard lock(mutex_);
    return uploads_.size();
  }

 private:
  friend class FakeObjects;

  struct Upload {
    std::string key;
    FakeObject object;  // without its bytes
    std::map<int, std::string> parts;
  };

  std::optional<Error> enter(const std::string& call, const std::string& key) {
    {
      const std::lock_guard lock(mutex_);
      calls_.push_back(call + " " + key);
    }
    return on_call ? on_call(call, key) : std::nullopt;
  }
  static std::unexpected<Error> absent(const std::string& key) {
    return upstream_error(Code::NotFound, Retry::No, "the bucket has no " + key);
  }

  const Clock& clock_;
  mutable std::mutex mutex_;
  std::map<std::string, FakeObject> objects_;
  std::map<std::string, Upload> uploads_;  // by id
  std::vector<std::string> calls_;
  int made_ = 0;
};

class FakeObjects final : public s3::Objects {
 public:
  explicit FakeObjects(FakeBucket& bucket) : bucket_(bucket) {}

  async::Task<Result<s3::ObjectHead>> head(std::string key) override {
    if (auto error = bucket_.enter("head", key)) co_return std::unexpected(*std::move(error));
    const auto object = bucket_.find(key);
    if (!object) co_return FakeBucket::absent(key);
    co_return head_of(*object);
  }

  async::Task<Result<s3::ObjectDownload>> get(std::string key, std::uint64_t offset,
                                              std::optional<std::uint64_t> length) override {
    if (auto error = bucket_.enter("get", key)) co_return std::unexpected(*std::move(error));
    const auto object = bucket_.find(key);
    if (!object) co_return FakeBucket::absent(key);
    s3::ObjectDownload download{.head = head_of(*object), .offset = offset};
    std::string bytes = object->bytes.substr(std::min<std::size_t>(offset, object->bytes.size()),
                                             length.value_or(std::string::npos));
    download.body = std::make_unique<Body>(std::move(bytes), bucket_.cut_after);
    co_return download;
  }

  async::Task<Result<std::string>> get_text(std::string key, std::size_t limit) override {
    if (auto error = bucket_.enter("get_text", key)) co_return std::unexpected(*std::move(error));
    const auto object = bucket_.find(key);
    if (!object) co_return FakeBucket::absent(key);
    if (object->bytes.size() > limit) {
      co_return upstream_error(Code::TooLarge, Retry::No, key + " is too large");
    }
    co_return object->bytes;
  }

  async::Task<Result<s3::Listing>> list(s3::ListRequest request) override {
    if (auto error = bucket_.enter("list", request.prefix)) {
      co_return std::unexpected(*std::move(error));
    }
    const std::string after = request.continuation.empty() ? request.after : request.continuation;
    const std::lock_guard lock(bucket_.mutex_);
    s3::Listing listing;
    std::string last;
    for (auto at = bucket_.objects_.lower_bound(request.prefix); at != bucket_.objects_.end();
         ++at) {
      const auto& [key, object] = *at;
      if (!key.starts_with(request.prefix)) break;
      const auto cut = request.delimiter.empty()
                           ? std::string::npos
                           : key.find(request.delimiter, request.prefix.size());
      const std::string shown = cut == std::string::npos ? key : key.substr(0, cut + 1);
      if (shown <= after || shown == last) continue;
      if (listing.objects.size() + listing.prefixes.size() ==
          static_cast<std::size_t>(request.max_keys)) {
        listing.continuation = last;
        break;
      }
      last = shown;
      if (cut == std::string::npos) {
        listing.objects.push_back({key, object.bytes.size(), object.modified});
      } else {
        listing.prefixes.push_back(shown);
      }
    }
    co_return listing;
  }

  async::Task<Result<std::string>> presign(std::string key, std::string media_type,
                                           std::chrono::seconds expiry) override {
    if (auto error = bucket_.enter("presign", key)) co_return std::unexpected(*std::move(error));
    co_return "https://bucket.test/" + key + "?type=" + media_type +
        "&expiry=" + std::to_string(expiry.count());
  }

  [[nodiscard]] bool is_well() const override { return bucket_.is_well; }

  async::Task<Result<void>> put(std::string key, std::string bytes, std::string media_type,
                                std::string writing) override {
    if (auto error = bucket_.enter("put", key)) co_return std::unexpected(*std::move(error));
    bucket_.put(
        key, {std::move(bytes), std::move(media_type), std::move(writing), bucket_.clock_.wall()});
    co_return Result<void>{};
  }

  async::Task<Result<void>> remove(std::string key) override {
    if (auto error = bucket_.enter("remove", key)) co_return std::unexpected(*std::move(error));
    bucket_.erase(key);
    co_return Result<void>{};
  }

  async::Task<Result<std::string>> begin_upload(std::string key, std::string media_type,
                                                std::string writing) override {
    if (auto error = bucket_.enter("begin_upload", key)) {
      co_return std::unexpected(*std::move(error));
    }
    const std::lock_guard lock(bucket_.mutex_);
    std::string id = "upload-" + std::to_string(++bucket_.made_);
    bucket_.uploads_[id] = {
        key, {{}, std::move(media_type), std::move(writing), bucket_.clock_.wall()}, {}};
    co_return id;
  }

  async::Task<Result<s3::UploadedPart>> put_part(std::string key, std::string id, int number,
                                                 std::string bytes) override {
    if (auto error = bucket_.enter("put_part", key)) co_return std::unexpected(*std::move(error));
    if (bucket_.on_part) co_await bucket_.on_part(number);
    const std::lock_guard lock(bucket_.mutex_);
    const auto found = bucket_.uploads_.find(id);
    if (found == bucket_.uploads_.end()) co_return FakeBucket::absent(id);
    found->second.parts[number] = std::move(bytes);
    co_return s3::UploadedPart{number, "\"" + id + "-" + std::to_string(number) + "\""};
  }

  async::Task<Result<void>> complete_upload(std::string key, std::string id,
                                            std::vector<s3::UploadedPart> parts) override {
    if (auto error = bucket_.enter("complete_upload", key)) {
      co_return std::unexpected(*std::move(error));
    }
    const std::lock_guard lock(bucket_.mutex_);
    const auto found = bucket_.uploads_.find(id);
    if (found == bucket_.uploads_.end()) co_return FakeBucket::absent(id);
    FakeObject object = std::move(found->second.object);
    for (const auto& part : parts) object.bytes += found->second.parts[part.number];
    object.modified = bucket_.clock_.wall();
    bucket_.objects_.insert_or_assign(key, std::move(object));
    bucket_.uploads_.erase(found);
    co_return Result<void>{};
  }

  async::Task<Result<void>> abort_upload(std::string key, std::string id) override {
    if (auto error = bucket_.enter("abort_upload", key)) {
      co_return std::unexpected(*std::move(error));
    }
    const std::lock_guard lock(bucket_.mutex_);
    bucket_.uploads_.erase(id);
    co_return Result<void>{};
  }

  async::Task<Result<std::vector<s3::UnfinishedUpload>>> unfinished_uploads(
      std::string prefix) override {
    if (auto error = bucket_.enter("unfinished_uploads", prefix)) {
      co_return std::unexpected(*std::move(error));
    }
    const std::lock_guard lock(bucket_.mutex_);
    std::vector<s3::UnfinishedUpload> found;
    for (const auto& [id, upload] : bucket_.uploads_) {
      if (upload.key.starts_with(prefix)) found.push_back({upload.key, id, upload.object.modified});
    }
    co_return found;
  }

 private:
  class Body final : public upstream::Body {
   public:
    Body(std::string bytes, std::optional<std::size_t> cut_after)
        : bytes_(std::move(bytes)), cut_after_(cut_after) {}

    async::Task<Result<ByteView>> read() override {
      if (cut_after_ && position_ >= *cut_after_) {
        co_return upstream_error(Code::Unavailable, Retry::Yes, "the connection was cut");
      }
      const std::size_t end = std::min(bytes_.size(), cut_after_.value_or(bytes_.size()));
      const std::size_t from = std::exchange(position_, std::min(position_ + 64 * 1024, end));
      co_return as_byte_view(std::string_view(bytes_).substr(from, position_ - from));
    }

   private:
    std::string bytes_;
    std::optional<std::size_t> cut_after_;
    std::size_t position_ = 0;
  };

  static s3::ObjectHead head_of(const FakeObject& object) {
    return {.size = object.bytes.size(),
            .media_type = object.media_type,
            .etag = "\"" + std::to_string(std::hash<std::string>{}(object.bytes)) + "\"",
            .writing = object.writing,
            .modified = object.modified};
  }

  FakeBucket& bucket_;
};

}  // namespace fairlead::testing
