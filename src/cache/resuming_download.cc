// SPDX-License-Identifier: Apache-2.0
#include "cache/resuming_download.h"

#include <algorithm>
#include <chrono>
#include <string>
#include <utility>

namespace fairlead::cache {
namespace {

constexpr int kMaxFailures = 2;   // in a row, each with the registry client's own retries
constexpr int kMaxResumes = 100;  // of one content: an upstream that cuts after every few bytes
constexpr std::chrono::milliseconds kFirstPause{100};  // doubled with each failure in a row

}  // namespace

async::Task<Result<std::unique_ptr<ResumingDownload>>> ResumingDownload::open(
    Source source, oci::Digest digest, std::uint64_t offset, std::optional<std::uint64_t> length) {
  std::unique_ptr<ResumingDownload> download(
      new ResumingDownload(std::move(source), std::move(digest), offset));
  if (length) download->end_ = offset + *length;
  if (auto connected = co_await download->connect(); !connected) {
    co_return std::unexpected(std::move(connected.error()));
  }
  co_return download;
}

async::Task<Result<void>> ResumingDownload::connect() {
  if (source_.is_in_bucket) {
    auto connected = co_await connect_to(source_.bucket->content());
    has_used_bucket_ |= connected.has_value();
    if (connected || connected.error().code == Code::Cancelled) co_return connected;
    source_.is_in_bucket = false;
  }
  co_return co_await connect_to(*source_.registry);
}

async::Task<Result<void>> ResumingDownload::connect_to(upstream::Registry& registry) {
  std::optional<std::uint64_t> length;
  if (end_) length = *end_ - position_;
  auto download =
      source_.kind == ContentKind::Manifest
          ? co_await registry.get_manifest(source_.repository, digest_.str(), source_.accept)
          : co_await registry.get_blob(source_.repository, digest_, position_, length);
  if (!download) co_return std::unexpected(std::move(download.error()));
  const bool is_first = resumes_ == 0;
  const bool has_other_size =
      !is_first && download->head.size && head_.size && *download->head.size != *head_.size;
  if (download->offset > position_ || has_other_size) {
    co_return upstream_error(Code::Corrupt, Retry::No,
                             source_.registry_name + " answered another part of " + digest_.str() +
                                 " than it was asked for");
  }
  if (is_first) {
    head_ = std::move(download->head);
    if (!end_ && head_.size) end_ = head_.size;
  }
  skip_ = position_ - download->offset;
  body_ = std::move(download->body);
  co_return Result<void>{};
}

async::Task<Result<void>> ResumingDownload::reconnect(Error broken) {
  body_.reset();
  for (;;) {
    const bool is_hopeless =
        broken.retry == Retry::No || failures_ >= kMaxFailures || resumes_ >= kMaxResumes;
    const bool has_another = source_.is_in_bucket && broken.code != Code::Cancelled;
    if (is_hopeless && !has_another) co_return std::unexpected(std::move(broken));
    if (is_hopeless) {
      source_.is_in_bucket = false;
      failures_ = 0;
    }
    co_await async::sleep_for(kFirstPause * (1 << failures_));
    ++failures_;
    ++resumes_;
    auto connected = co_await connect();
    if (connected) co_return connected;
    broken = std::move(connected.error());
  }
}

// Drops what is known already and checks the rest against the end.
Result<ByteView> ResumingDownload::accept(ByteView piece) {
  const auto skipped = static_cast<std::size_t>(std::min<std::uint64_t>(skip_, piece.size()));
  skip_ -= skipped;
  piece = piece.subspan(skipped);
  if (end_ && piece.size() > *end_ - position_) {
    const bool is_part_wanted = !head_.size || *end_ < *head_.size;
    if (!is_part_wanted) {
      return upstream_error(
          Code::Corrupt, Retry::No,
          source_.registry_name + " sent more bytes of " + digest_.str() + " than it announced");
    }
    piece = piece.first(static_cast<std::size_t>(*end_ - position_));
  }
  position_ += piece.size();
  if (!piece.empty()) failures_ = 0;
  return piece;
}

bool ResumingDownload::doubt_bucket() const {
  if (has_used_bucket_) source_.bucket->doubt(digest_);
  return has_used_bucket_;
}

async::Task<Result<ByteView>> ResumingDownload::read() {
  for (;;) {
    if (end_ && position_ == *end_) co_return ByteView{};
    auto piece = co_await body_->read();
    if (piece && !piece->empty()) {
      auto accepted = accept(*piece);
      if (!accepted || !accepted->empty()) co_return accepted;
      continue;
    }
    Error broken;
    if (!piece) {
      broken = std::move(piece.error());
    } else if (!end_) {
      co_return ByteView{};
    } else {
      broken = upstream_error(Code::Unavailable, Retry::Yes,
                              source_.registry_name + " ended " + digest_.str() + " early")
                   .error();
    }
    if (auto resumed = co_await reconnect(std::move(broken)); !resumed) {
      co_return std::unexpected(std::move(resumed.error()));
    }
  }
}

}  // namespace fairlead::cache
