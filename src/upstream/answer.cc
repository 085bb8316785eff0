// SPDX-License-Identifier: Apache-2.0
#include "upstream/answer.h"

#include <charconv>

#include "oci/error_document.h"
#include "oci/manifest.h"
#include "upstream/ascii.h"

namespace fairlead::upstream {
namespace {

constexpr std::size_t kMaxErrorBody = 64 * 1024;
constexpr std::uint64_t kMaxRetryAfter = 24 * 3600;  // seconds
constexpr std::size_t kMaxEtag = 512;

std::optional<std::uint64_t> parse_number(std::string_view text) {
  std::uint64_t number = 0;
  const auto [end, ec] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (text.empty() || ec != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return number;
}

std::unexpected<Error> corrupt(std::string context) {
  return upstream_error(Code::Corrupt, Retry::No, std::move(context));
}

}  // namespace

async::Task<Result<std::string>> read_whole(HttpResponse& response, std::size_t limit,
                                            std::function<bool()> is_late) {
  std::string whole;
  for (;;) {
    const auto piece = co_await response.read();
    if (!piece) co_return std::unexpected(piece.error());
    if (piece->empty()) co_return whole;
    if (piece->size() > limit - whole.size()) {
      co_return upstream_error(Code::TooLarge, Retry::No,
                               "the answer is above " + std::to_string(limit) + " bytes");
    }
    whole.append(as_text(*piece));
    if (is_late && is_late()) {
      co_return upstream_error(Code::Timeout, Retry::Yes, "the answer did not end in time");
    }
  }
}

async::Task<Error> read_error(HttpResponse& response) {
  Error error = status_error(response.status());
  error.retry_after = parse_retry_after(response.headers().find("Retry-After"));
  const auto body = co_await read_whole(response, kMaxErrorBody);
  const auto text = body ? oci::read_error_document(*body) : std::nullopt;
  if (text && !text->message.empty()) error.context += ": " + text->message;
  co_return error;
}

Error status_error(int status) {
  const std::string answer = "answered " + std::to_string(status);
  const auto make = [&](Code code, Retry retry) {
    return upstream_error(code, retry, answer).error();
  };
  switch (status) {
    case 400:
    case 416:
      return make(Code::InvalidArgument, Retry::No);
    case 401:
      return make(Code::Unauthorized, Retry::No);
    case 403:
      return make(Code::Denied, Retry::No);
    case 404:
    case 410:
      return make(Code::NotFound, Retry::No);
    case 408:
      return make(Code::Timeout, Retry::Yes);
    case 429:
      return make(Code::TooManyRequests, Retry::Yes);
    default:
      break;
  }
  if (status >= 500) return make(Code::Unavailable, Retry::Yes);
  if (status == 405 || status == 406) return make(Code::Unsupported, Retry::No);
  return make(Code::Corrupt, Retry::No);
}

std::optional<std::chrono::seconds> parse_retry_after(std::string_view value) {
  const auto seconds = parse_number(value);
  if (!seconds) return std::nullopt;
  return std::chrono::seconds(std::min(*seconds, kMaxRetryAfter));
}

Result<ContentHead> read_content_head(const HttpResponse& response) {
  const Headers& headers = response.headers();
  const std::string_view encoding = headers.find("Content-Encoding");
  if (!encoding.empty() && !equal_ignoring_case(encoding, "identity")) {
    return corrupt("answered with an encoding that was not asked for");
  }

  ContentHead head;
  if (const auto text = headers.find("Docker-Content-Digest"); !text.empty()) {
    head.digest = oci::Digest::parse(text);
    if (!head.digest) return corrupt("answered with a malformed Docker-Content-Digest");
  }
  if (const auto text = headers.find("Content-Length"); !text.empty()) {
    head.size = parse_number(text);
    if (!head.size) return corrupt("answered with a malformed Content-Length");
  }
  head.media_type = oci::bare_media_type(headers.find("Content-Type"));
  const std::string_view etag = headers.find("ETag");
  if (etag.size() <= kMaxEtag) head.etag = etag;
  return head;
}

}  // namespace fairlead::upstream
