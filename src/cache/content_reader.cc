// SPDX-License-Identifier: Apache-2.0
#include "cache/content_reader.h"

#include <algorithm>
#include <chrono>
#include <utility>
#include <vector>

#include "cache/resuming_download.h"

namespace fairlead::cache {
namespace {

// For one change of a fill. Its own timeouts are shorter; this one only means that nothing waits
// for ever.
constexpr std::chrono::minutes kMaxWait{10};

class FileReader final : public ContentReader {
 public:
  FileReader(int file, oci::ByteRange range) : file_(file), range_(range) {}

  async::Task<Result<Piece>> next() override {
    co_return Piece{file_, range_.first, std::exchange(range_.length, 0), {}};
  }

 private:
  int file_;
  oci::ByteRange range_;
};

class MemoryReader final : public ContentReader {
 public:
  explicit MemoryReader(ByteView bytes) : bytes_(bytes) {}

  async::Task<Result<Piece>> next() override {
    const ByteView bytes = std::exchange(bytes_, {});
    co_return Piece{-1, 0, bytes.size(), bytes};
  }

 private:
  ByteView bytes_;
};

// Bytes straight from the source. The last piece of the content is held back until the digest of
// the whole is verified, where the reader has seen the whole.
class StreamReader {
 public:
  StreamReader(std::unique_ptr<ResumingDownload> download, oci::Digest digest,
               std::uint64_t position, std::optional<std::uint64_t> size,
               std::optional<oci::Hasher> hash)
      : download_(std::move(download)),
        digest_(std::move(digest)),
        position_(position),
        size_(size),
        hash_(std::move(hash)) {}

  async::Task<Result<ByteView>> next() {
    for (;;) {
      auto piece = co_await download_->read();
      if (!piece) co_return std::unexpected(std::move(piece.error()));
      if (!hash_) co_return piece;
      hash_->update(*piece);
      position_ += piece->size();
      if (size_) {
        if (position_ == *size_ && !is_verified_ && !verify()) co_return wrong();
        co_return piece;
      }
      // Where the end is not known beforehand, stay one piece behind.
      if (piece->empty() && !is_verified_ && !verify()) co_return wrong();
      handed_out_ = std::exchange(held_, std::vector(piece->begin(), piece->end()));
      if (!handed_out_.empty() || piece->empty()) co_return ByteView(handed_out_);
    }
  }

 private:
  bool verify() {
    is_verified_ = hash_->clone().finish() == digest_;
    return is_verified_;
  }

  [[nodiscard]] std::unexpected<Error> wrong() const {
    return upstream_error(Code::Corrupt, Retry::No,
                          "the upstream sent other bytes than " + digest_.str());
  }

  std::unique_ptr<ResumingDownload> download_;
  oci::Digest digest_;
  std::uint64_t position_;
  std::optional<std::uint64_t> size_;
  std::optional<oci::Hasher> hash_;
  bool is_verified_ = false;
  std::vector<std::byte> held_;
  std::vector<std::byte> handed_out_;
};

class FillReader final : public ContentReader {
 public:
  FillReader(std::shared_ptr<Fill> fill, Source own_source, WantedRange range)
      : fill_(std::move(fill)), own_source_(std::move(own_source)) {
    if (range) {
      position_ = range->first;
      end_ = range->first + range->length;
    }
  }

  async::Task<Result<Piece>> next() override {
    if (stream_) co_return co_await next_streamed();
    const auto deadline = std::chrono::steady_clock::now() + kMaxWait;
    for (;;) {
      const auto seen = fill_->version();
      const Fill::Progress now = fill_->progress();
      if (!end_) end_ = now.size;
      if (end_ && position_ == *end_) co_return Piece{};
      const std::uint64_t readable = end_ ? std::min(now.available, *end_) : now.available;
      if (readable > position_) {
        const std::uint64_t from = std::exchange(position_, readable);
        co_return Piece{now.file, from, readable - from, {}};
      }
      switch (now.state) {
        case FillState::Starting:
        case FillState::Filling:
          break;
        case FillState::Committed:
          co_return Piece{};
        case FillState::Unstorable:
          if (auto opened = co_await open_stream(now); !opened) {
            co_return std::unexpected(std::move(opened.error()));
          }
          co_return co_await next_streamed();
        case FillState::Retryable:
        case FillState::Unusable:
        case FillState::Abandoned:
        case FillState::Superseded:
          co_return std::unexpected(fill_->error());
      }
      if (!co_await fill_->wait(seen, deadline)) {
        co_return upstream_error(Code::Timeout, Retry::Yes, "the transfer made no progress");
      }
    }
  }

 private:
  // All that the fill wrote has been read (or lies before the range): go on alone.
  async::Task<Result<void>> open_stream(Fill::Progress now) {
    const bool sees_whole = position_ == now.available && (!end_ || end_ == now.size);
    std::optional<std::uint64_t> length;
    if (end_ && end_ != now.size) length = *end_ - position_;
    auto download =
        co_await ResumingDownload::open(own_source_, fill_->digest(), position_, length);
    if (!download) co_return std::unexpected(std::move(download.error()));
    std::optional<oci::Hasher> hash;
    if (sees_whole) hash = fill_->continued_hash();
    stream_.emplace(std::move(*download), fill_->digest(), position_, now.size, std::move(hash));
    co_return Result<void>{};
  }

  async::Task<Result<Piece>> next_streamed() {
    auto bytes = co_await stream_->next();
    if (!bytes && bytes.error().code == Code::Corrupt) doubt_bucket();
    if (!bytes) co_return std::unexpected(std::move(bytes.error()));
    co_return Piece{-1, 0, bytes->size(), *bytes};
  }

  // What this reader saw may be in part what the fill got.
  void doubt_bucket() const {
    for (const Source* source : {&fill_->source(), &own_source_}) {
      if (source->is_in_bucket) return source->bucket->doubt(fill_->digest());
    }
  }

  std::shared_ptr<Fill> fill_;
  Source own_source_;
  std::uint64_t position_ = 0;
  std::optional<std::uint64_t> end_;
  std::optional<StreamReader> stream_;
};

}  // namespace

std::unique_ptr<ContentReader> read_file(const store::BlobFile& file, WantedRange range) {
  return std::make_unique<FileReader>(file.fd.get(), range.value_or(oci::ByteRange{0, file.size}));
}

std::unique_ptr<ContentReader> read_memory(ByteView bytes, WantedRange range) {
  if (range) {
    bytes = bytes.subspan(static_cast<std::size_t>(range->first),
                          static_cast<std::size_t>(range->length));
  }
  return std::make_unique<MemoryReader>(bytes);
}

std::unique_ptr<ContentReader> follow_fill(std::shared_ptr<Fill> fill, Source own_source,
                                           WantedRange range) {
  return std::make_unique<FillReader>(std::move(fill), std::move(own_source), range);
}

}  // namespace fairlead::cache
