// SPDX-License-Identifier: Apache-2.0
// The XML documents that S3 answers with. Pure; input is hostile. The one place of pugixml.
//
// A document is at most kMaxXmlAnswer bytes and kMaxXmlTags tags, and has no DOCTYPE, so no
// entities of its own; nothing here recurses. Else, and where it is not the document that was asked
// for, it is Corrupt; elements that are not known are passed over.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "s3/objects.h"

namespace fairlead::s3 {

inline constexpr std::size_t kMaxXmlAnswer = std::size_t{4} << 20;
inline constexpr std::size_t kMaxXmlTags = 100'000;

// ListBucketResult. Keys and prefixes are decoded where it says that they are encoded.
Result<Listing> parse_listing(std::string_view xml);

// ListMultipartUploadsResult; the same.
Result<std::vector<UnfinishedUpload>> parse_unfinished_uploads(std::string_view xml);

// The UploadId of InitiateMultipartUploadResult.
Result<std::string> parse_upload_id(std::string_view xml);

// Whether it is a CompleteMultipartUploadResult. The answer to that question may be an Error though
// its status is 200.
bool is_upload_completed(std::string_view xml);

// What S3 says when it refuses. Every member may be empty; none is fit to be shown as it is.
struct ErrorDocument {
  std::string code;         // "NoSuchKey"
  std::string message;      // in English; may quote what was sent
  std::string region;       // where the bucket is
  std::string server_time;  // "2026-11-21T10:05:00Z"
};

// nullopt: it is no Error.
std::optional<ErrorDocument> parse_error_document(std::string_view xml);

// The body that completes an upload.
std::string complete_upload_document(const std::vector<UploadedPart>& parts);

}  // namespace fairlead::s3
