// SPDX-License-Identifier: Apache-2.0
// FakeUpstream: a registry in memory that answers as a test tells it, badly if need be; and
// FakeRegistry, one worker's way to it.
//
// FakeUpstream is thread-safe; a FakeRegistry belongs to one worker, as every Registry does.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "async/broadcast.h"
#include "upstream/registry.h"

namespace fairlead::testing {

struct FakeContent {
  std::string bytes;
  std::string media_type = "application/octet-stream";
  std::optional<oci::Digest> claimed_digest{};
  bool tells_size = true;
  std::optional<std::uint64_t> claimed_size{};  // a false one
  std::string etag{};
};

// How one GET goes; the tests' script is a queue of these, and a GET beyond it goes well.
struct FakeTransfer {
  bool holds_answer = false;                    // wait for release() before any answer
  std::optional<Error> error{};                 // no answer at all
  std::optional<std::size_t> cut_after{};       // so many bytes, then a broken connection
  std::optional<std::size_t> end_after{};       // so many bytes, then an end as if it were all
  std::optional<std::size_t> hold_after{};      // so many bytes, then wait for release()
  std::optional<std::string> sends{};           // in place of the whole content
  std::optional<std::uint64_t> answers_from{};  // from there, whatever was asked for
};

struct FakeCall {
  std::string what;  // "HEAD blob", "GET blob", "HEAD manifest", "GET manifest"
  std::string repository;
  std::string reference;
  std::uint64_t offset = 0;
  std::optional<std::uint64_t> length{};
};

class FakeUpstream {
 public:
  oci::Digest put_blob(const std::string& repository, std::string bytes) {
    const auto digest = oci::digest_of(oci::DigestAlgorithm::Sha256, as_byte_view(bytes));
    put("blob", repository, digest.str(), {.bytes = std::move(bytes)});
    return digest;
  }
  oci::Digest put_manifest(const std::string& repository, const std::string& tag, std::string bytes,
                           std::string media_type) {
    const auto digest = oci::digest_of(oci::DigestAlgorithm::Sha256, as_byte_view(bytes));
    FakeContent content{std::move(bytes), std::move(media_type), digest};
    put("manifest", repository, tag, content);
    put("manifest", repository, digest.str(), std::move(content));
    return digest;
  }
  // `kind` is "blob" or "manifest".
  void put(const std::string& kind, const std::string& repository, const std::string& reference,
           FakeContent content) {
    const std::lock_guard lock(mutex_);
    contents_.insert_or_assign(key(kind, repository, reference), std::move(content));
  }
  void remove(const std::string& kind, const std::string& repository,
              const std::string& reference) {
    const std::lock_guard lock(mutex_);
    contents_.erase(key(kind, repository, reference));
  }

  void script(FakeTransfer transfer) {
    const std::lock_guard lock(mutex_);
    script_.push_back(std::move(transfer));
  }
  void set_piece_size(std::size_t size) {
    const std::lock_guard lock(mutex_);
    piece_size_ = size;
  }
  // Every HEAD fails so, from now on.
  void fail_heads(Error error) {
    const std::lock_guard lock(mutex_);
    head_error_ = std::move(error);
  }

  void mend_heads() {
    const std::lock_guard lock(mutex_);
    head_error_.reset();
  }

  // Every transfer that holds goes on.
  void release() { open_gate(&FakeUpstream::is_released_); }

  // Every transfer that holds, and every later call, is cancelled, as by a closed transport.
  void close() { open_gate(&FakeUpstream::is_closed_); }

  [[nodiscard]] std::vector<FakeCall> calls() const {
    const std::lock_guard lock(mutex_);
    return calls_;
  }
  [[nodiscard]] std::size_t count(const std::string& what) const {
    const auto all = calls();
    return static_cast<std::size_t>(std::ranges::count(all, what, &FakeCall::what));
  }
  [[nodiscard]] std::size_t holding() const {
    const std::lock_guard lock(mutex_);
    return holding_;
  }

 private:
  friend class FakeRegistry;
  friend class FakeBody;

  static std::string key(const std::string& kind, const std::string& repository,
                         const std::string& reference) {
    return kind + " " + repository + " " + reference;
  }
  void open_gate(bool FakeUpstream::* gate) {
    {
      const std::lock_guard lock(mutex_);
      this->*gate = true;
    }
    gates_.notify_all();
  }

  Result<FakeContent> look_up(const std::string& method, const std::string& kind, FakeCall call) {
    const std::lock_guard lock(mutex_);
    call.what = method + " " + kind;
    calls_.push_back(call);
    if (is_closed_) return cancelled();
    if (method == "HEAD" && head_error_) return std::unexpected(*head_error_);
    const auto found = contents_.find(key(kind, call.repository, call.reference));
    if (found == contents_.end()) {
      return upstream_error(Code::NotFound, Retry::No, call.reference + " is unknown");
    }
    return found->second;
  }
  FakeTransfer next_transfer() {
    const std::lock_guard lock(mutex_);
    if (script_.empty()) return {};
    FakeTransfer transfer = std::move(script_.front());
    script_.pop_front();
    return transfer;
  }
  // False when the upstream was closed.
  async::Task<bool> wait_at_gate() {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(30);
    change_holding(+1);
    for (;;) {
      const auto seen = gates_.version();
      const auto [is_released, is_closed] = gates();
      if (is_released || is_closed || !co_await gates_.wait(seen, deadline)) {
        change_holding(-1);
        co_return !is_closed;
      }
    }
  }
  [[nodiscard]] std::pair<bool, bool> gates() const {
    const std::lock_guard lock(mutex_);
    return {is_released_, is_closed_};
  }
  void change_holding(int by) {
    const std::lock_guard lock(mutex_);
    holding_ += static_cast<std::size_t>(by);
  }
  static std::unexpected<Error> cancelled() {
    return upstream_error(Code::Cancelled, Retry::No, "the transport was closed");
  }

  mutable std::mutex mutex_;
  std::map<std::string, FakeContent> contents_;
  std::deque<FakeTransfer> script_;
  std::vector<FakeCall> calls_;
  std::optional<Error> head_error_;
  std::size_t piece_size_ = 64 * 1024;
  std::size_t holding_ = 0;
  bool is_released_ = false;
  bool is_closed_ = false;
  async::Broadcast gates_;
};

class FakeBody final : public upstream::Body {
 public:
  FakeBody(FakeUpstream& upstream, std::string bytes, FakeTransfer transfer)
      : upstream_(upstream), bytes_(std::move(bytes)), transfer_(std::move(transfer)) {}

  async::Task<Result<ByteView>> read() override {
    if (position_ == transfer_.hold_after && !co_await upstream_.wait_at_gate()) {
      co_return FakeUpstream::cancelled();
    }
    if (position_ == transfer_.cut_after) {
      co_return upstream_error(Code::Unavailable, Retry::Yes, "the connection was cut");
    }
    std::size_t end = bytes_.size();
    // No piece crosses a point where something is to happen.
    for (const auto& point : {transfer_.hold_after, transfer_.cut_after, transfer_.end_after}) {
      if (point && (*point > position_ || point == transfer_.end_after))
        end = std::min(end, *point);
    }
    const std::size_t from = std::min(position_, end);
    const std::size_t size = std::min(end - from, piece_size());
    position_ = from + size;
    co_return as_byte_view(std::string_view(bytes_).substr(from, size));
  }

 private:
  [[nodiscard]] std::size_t piece_size() const {
    const std::lock_guard lock(upstream_.mutex_);
    return upstream_.piece_size_;
  }
  FakeUpstream& upstream_;
  std::string bytes_;
  FakeTransfer transfer_;
  std::size_t position_ = 0;
};

class FakeRegistry final : public upstream::Registry {
 public:
  explicit FakeRegistry(FakeUpstream& upstream) : upstream_(upstream) {}

  async::Task<Result<upstream::ContentHead>> head_manifest(std::string repository,
                                                           std::string reference,
                                                           std::string) override {
    co_return head("manifest", {.repository = repository, .reference = reference});
  }
  async::Task<Result<upstream::ContentHead>> head_blob(std::string repository,
                                                       oci::Digest digest) override {
    co_return head("blob", {.repository = repository, .reference = digest.str()});
  }
  async::Task<Result<upstream::Download>> get_manifest(std::string repository,
                                                       std::string reference,
                                                       std::string) override {
    co_return co_await get("manifest", {.repository = repository, .reference = reference});
  }
  async::Task<Result<upstream::Download>> get_blob(std::string repository, oci::Digest digest,
                                                   std::uint64_t offset,
                                                   std::optional<std::uint64_t> length) override {
    co_return co_await get("blob", {"", repository, digest.str(), offset, length});
  }
  async::Task<Result<upstream::Document>> get_document(std::string, std::string, std::string,
                                                       std::size_t) override {
    co_return upstream_error(Code::Unsupported, Retry::No, "no documents here");
  }

 private:
  static upstream::ContentHead head_of(const FakeContent& content) {
    upstream::ContentHead head;
    head.digest = content.claimed_digest;
    if (content.tells_size) head.size = content.claimed_size.value_or(content.bytes.size());
    head.media_type = content.media_type;
    head.etag = content.etag;
    return head;
  }
  Result<upstream::ContentHead> head(const std::string& kind, FakeCall call) {
    const auto content = upstream_.look_up("HEAD", kind, std::move(call));
    if (!content) return std::unexpected(content.error());
    return head_of(*content);
  }
  async::Task<Result<upstream::Download>> get(std::string kind, FakeCall call) {
    const auto content = upstream_.look_up("GET", kind, call);
    FakeTransfer transfer = upstream_.next_transfer();
    if (transfer.holds_answer && !co_await upstream_.wait_at_gate()) {
      co_return FakeUpstream::cancelled();
    }
    if (!content) co_return std::unexpected(content.error());
    if (transfer.error) co_return std::unexpected(*transfer.error);
    upstream::Download download;
    download.head = head_of(*content);
    download.offset = transfer.answers_from.value_or(call.offset);
    const std::string whole = transfer.sends.value_or(content->bytes);
    const auto first = std::min<std::size_t>(download.offset, whole.size());
    std::string bytes = whole.substr(first, call.length.value_or(std::string::npos));
    download.body = std::make_unique<FakeBody>(upstream_, std::move(bytes), std::move(transfer));
    co_return download;
  }

  FakeUpstream& upstream_;
};

}  // namespace fairlead::testing
