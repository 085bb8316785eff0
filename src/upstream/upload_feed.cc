// SPDX-License-Identifier: Apache-2.0
#include "upstream/upload_feed.h"

#include <algorithm>
#include <cstring>

namespace fairlead::upstream {
namespace {

std::unexpected<Error> other_length() {
  return client_error(Code::InvalidArgument, "the body is not as long as it was said to be");
}

}  // namespace

std::optional<std::size_t> UploadFeed::take(std::span<char> room) {
  const std::size_t count = std::min(room.size(), piece_.size());
  if (count != 0) std::memcpy(room.data(), piece_.data(), count);
  piece_ = piece_.subspan(count);
  wants_piece_ = piece_.empty() && !has_ended_;
  if (count == 0 && !has_ended_) return std::nullopt;
  return count;
}

async::Task<Result<void>> UploadFeed::read_piece() {
  is_begun_ = true;
  const auto read = co_await body_->read();
  if (!read) co_return std::unexpected(read.error());
  ByteView piece = *read;
  bool has_ended = piece.empty();
  received_ += piece.size();
  if (left_) {
    if (has_ended || piece.size() > *left_) co_return other_length();
    *left_ -= piece.size();
    if (*left_ == 0) {
      last_.assign(piece.begin(), piece.end());
      const auto rest = co_await body_->read();
      if (!rest) co_return std::unexpected(rest.error());
      if (!rest->empty()) co_return other_length();
      piece = last_;
      has_ended = true;
    }
  }
  piece_ = piece;
  has_ended_ = has_ended;
  wants_piece_ = false;
  co_return Result<void>();
}

}  // namespace fairlead::upstream
