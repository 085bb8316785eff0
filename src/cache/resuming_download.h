// SPDX-License-Identifier: Apache-2.0
// ResumingDownload: the bytes of one content from its source, over as many transfers as it takes.
//
// A transfer that breaks is taken up where it broke, by Range; where the upstream ignores that,
// what is known already is skipped. What the cache's bucket does not give after all, the registry
// is asked for, from where the bucket stopped. It checks lengths, not digests.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>

#include "async/task.h"
#include "base/bytes.h"
#include "base/error.h"
#include "cache/source.h"
#include "oci/digest.h"

namespace fairlead::cache {

// Used on the worker of its source.
class ResumingDownload {
 public:
  // From `offset` to the end, or `length` bytes.
  static async::Task<Result<std::unique_ptr<ResumingDownload>>> open(
      Source source, oci::Digest digest, std::uint64_t offset = 0,
      std::optional<std::uint64_t> length = std::nullopt);

  // The next piece, at most 256 KiB, valid until the next read; empty at the end. Errors are
  // final: Corrupt when lengths contradict, else what the last try ended with.
  async::Task<Result<ByteView>> read();

  // The bytes were wrong, and some of them came from the cache's bucket: true, and it is told.
  bool doubt_bucket() const;

  // As the first transfer told.
  [[nodiscard]] const upstream::ContentHead& head() const { return head_; }

 private:
  ResumingDownload(Source source, oci::Digest digest, std::uint64_t offset)
      : source_(std::move(source)), digest_(std::move(digest)), position_(offset) {}

  async::Task<Result<void>> connect();
  async::Task<Result<void>> connect_to(upstream::Registry& registry);
  async::Task<Result<void>> reconnect(Error broken);
  Result<ByteView> accept(ByteView piece);

  Source source_;
  oci::Digest digest_;
  upstream::ContentHead head_;
  std::optional<std::uint64_t> end_;  // of what is wanted; unset: until the upstream ends
  std::uint64_t position_;            // of the next byte to hand out
  std::uint64_t skip_ = 0;            // bytes the transfer repeats
  std::unique_ptr<upstream::Body> body_;
  int failures_ = 0;  // since the last byte
  int resumes_ = 0;
  bool has_used_bucket_ = false;
};

}  // namespace fairlead::cache
