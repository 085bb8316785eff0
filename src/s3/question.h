// SPDX-License-Identifier: Apache-2.0
// What ObjectClient asks of S3, and what it hears. For its own files only.
#pragma once

#include <chrono>
#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "s3/object_client.h"
#include "s3/xml_answer.h"

namespace fairlead::s3 {

using TextPairs = std::vector<std::pair<std::string, std::string>>;

struct ObjectClient::Question {
  std::string method = "GET";
  std::string key{};                             // empty: the bucket itself
  std::string_view permission = "s3:GetObject";  // a literal
  TextPairs parameters{};                        // not encoded
  TextPairs headers{};
  std::shared_ptr<const std::string> body{};         // null: none
  std::string payload_hash{kEmptyPayload};           // of the body
  std::optional<std::size_t> limit = kMaxXmlAnswer;  // of the answer; none: it is left to be read
  bool is_bulk = false;                              // see HttpRequest
  bool takes_416 = false;                            // as an answer like any other
  std::chrono::milliseconds patience{};              // for the first byte, where it is more
};

struct ObjectClient::Answer {
  std::unique_ptr<upstream::HttpResponse> response;
  std::string body;  // where there was a limit
};

}  // namespace fairlead::s3
