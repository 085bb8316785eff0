// SPDX-License-Identifier: Apache-2.0
#include "s3/object_head.h"

#include <charconv>

#include "oci/manifest.h"
#include "oci/range.h"
#include "s3/refusal.h"

namespace fairlead::s3 {
namespace {

constexpr std::size_t kMaxEtag = 512;
constexpr std::size_t kMaxWriting = 256;

std::unexpected<Error> corrupt(std::string what) {
  return upstream_error(Code::Corrupt, Retry::No, std::move(what));
}

Result<std::uint64_t> read_length(const upstream::Headers& headers) {
  const std::string_view text = headers.find("Content-Length");
  std::uint64_t length = 0;
  const auto [end, ec] = std::from_chars(text.data(), text.data() + text.size(), length);
  if (text.empty() || ec != std::errc() || end != text.data() + text.size()) {
    return corrupt("answered without a sound Content-Length");
  }
  return length;
}

// All but the size.
ObjectHead described(const upstream::Headers& headers) {
  ObjectHead head{.media_type = oci::bare_media_type(headers.find("Content-Type"))};
  if (const auto etag = headers.find("ETag"); etag.size() <= kMaxEtag) head.etag = etag;
  if (const auto writing = headers.find(kWritingHeader); writing.size() <= kMaxWriting) {
    head.writing = writing;
  }
  head.modified = parse_http_date(headers.find("Last-Modified")).value_or(WallTime());
  return head;
}

}  // namespace

Result<ObjectHead> read_object_head(const upstream::Headers& headers) {
  const auto size = read_length(headers);
  if (!size) return std::unexpected(size.error());
  ObjectHead head = described(headers);
  head.size = *size;
  return head;
}

std::string range_header(const AskedPart& part) {
  std::string header = "bytes=" + std::to_string(part.offset) + "-";
  if (part.length) header += std::to_string(part.offset + *part.length - 1);
  return header;
}

Result<PartHead> read_part_head(int status, const upstream::Headers& headers,
                                const AskedPart& asked) {
  if (asked.is_whole()) {
    if (status != 200) return corrupt("answered with a part, and the whole was asked for");
    auto head = read_object_head(headers);
    if (!head) return std::unexpected(std::move(head.error()));
    const std::uint64_t count = head->size;
    return PartHead{.object = *std::move(head), .count = count};
  }
  if (status != 206) return corrupt("answered with the whole, and a part was asked for");
  const auto part = oci::parse_content_range(headers.find("Content-Range"));
  if (!part || !part->size) return corrupt("answered 206 without a sound Content-Range");
  const auto [first, count] = part->range;
  const auto length = read_length(headers);
  if (!length || *length != count) {
    return corrupt("answered a Content-Length that contradicts its Content-Range");
  }
  // What is left of it, or less where less was asked for.
  if (first != asked.offset || first >= *part->size ||
      count != std::min(*part->size - first, asked.length.value_or(*part->size))) {
    return corrupt("answered another range than was asked for");
  }
  PartHead head{.object = described(headers), .count = count};
  head.object.size = *part->size;
  return head;
}

}  // namespace fairlead::s3
