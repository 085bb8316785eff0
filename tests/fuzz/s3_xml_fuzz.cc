// SPDX-License-Identifier: Apache-2.0
// Input: an answer of S3, read as each document that it might be; and as a refusal, whose words
// must be fit for a log whatever the server says.
// Modules: s3 upstream oci telemetry async base
#include <algorithm>
#include <string>

#include "fuzz/property.h"
#include "s3/refusal.h"
#include "s3/xml_answer.h"

using fairlead::fuzz::check;
using namespace fairlead::s3;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text = fairlead::fuzz::as_text(data, size);
  if (const auto listing = parse_listing(text)) {
    for (const auto& object : listing->objects) check(!object.key.empty());
    for (const auto& prefix : listing->prefixes) check(!prefix.empty());
  }
  if (const auto uploads = parse_unfinished_uploads(text)) {
    for (const auto& upload : *uploads) check(!upload.key.empty() && !upload.id.empty());
  }
  if (const auto id = parse_upload_id(text)) check(!id->empty());
  check(!is_upload_completed(text) || !parse_error_document(text));

  const S3Credentials credentials{.access_key = "AKIDEXAMPLE",
                                  .secret_key = fairlead::Secret("wJalrXUtnFEMI")};
  fairlead::upstream::Headers headers;
  headers.add("Date", std::string(text.substr(0, 29)));
  for (const int status : {200, 301, 403, 404, 500}) {
    const auto error =
        refusal({.status = status, .headers = headers, .body = text}, {.region = "us-east-1",
                                                                       .permission = "s3:GetObject",
                                                                       .key = "data/key",
                                                                       .credentials = credentials,
                                                                       .now = {}});
    check(error.context.size() < 1000);
    check(!error.context.contains("AKIDEXAMPLE") && !error.context.contains("wJalrXUtnFEMI"));
    check(std::ranges::all_of(error.context, [](char c) { return c >= 0x20 && c < 0x7f; }));
  }
  return 0;
}
