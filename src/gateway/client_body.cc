// SPDX-License-Identifier: Apache-2.0
#include "gateway/client_body.h"

namespace fairlead::gateway {
namespace {

constexpr std::size_t kPiece = 64 * 1024;

}  // namespace

async::Task<Result<ByteView>> ClientBody::read() {
  piece_.resize(kPiece);
  const auto read = co_await responder_.read_body(piece_, deadline_);
  if (!read) co_return std::unexpected(read.error());
  co_return ByteView(piece_).first(*read);
}

std::optional<std::uint64_t> body_length(const http::Request& request) {
  switch (request.framing) {
    case http::BodyFraming::None:
      return 0;
    case http::BodyFraming::Length:
      return request.content_length;
    case http::BodyFraming::Chunked:
      return std::nullopt;
  }
  return 0;
}

}  // namespace fairlead::gateway
