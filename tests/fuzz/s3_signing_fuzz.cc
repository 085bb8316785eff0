// SPDX-License-Identifier: Apache-2.0
// Input: an object's key, a parameter's name and its value, each a line; the key is what is left.
// What is signed can be read back, in one way only, and stays within what a URL may hold.
// Modules: s3 upstream oci telemetry async base
#include <algorithm>
#include <string>

#include "fuzz/property.h"
#include "oci/operation.h"
#include "oci/query.h"
#include "s3/signer.h"
#include "s3/uri_encoding.h"
#include "upstream/url.h"

using fairlead::fuzz::check;
using namespace fairlead::s3;

namespace {

bool is_unreserved(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
         std::string_view("-._~").contains(c);
}

void check_encoding(std::string_view text) {
  std::string query;
  append_encoded(query, text);
  check(std::ranges::all_of(query, [](char c) { return is_unreserved(c) || c == '%'; }));
  check(fairlead::oci::percent_decode(query) == text);
  std::string path;
  append_encoded_path(path, text);
  check(std::ranges::count(path, '/') == std::ranges::count(text, '/'));
  check(fairlead::oci::percent_decode(path) == text);
}

void check_query(std::string_view name, std::string_view value, std::string_view key) {
  const std::string query = canonical_query({{name, value}, {"m", key}, {"", ""}});
  check(query == canonical_query({{"", ""}, {"m", key}, {name, value}}));
  fairlead::oci::QueryReader reader(query);
  int parameters = 0;
  bool is_found = false;
  while (reader.next()) {
    ++parameters;
    is_found = is_found || (reader.has_name(name) && reader.value() == value);
  }
  check(parameters == 3 && is_found);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static SigningKeys keys;
  std::string_view key = fairlead::fuzz::as_text(data, size);
  const std::string_view name = fairlead::fuzz::take_line(key);
  const std::string_view value = fairlead::fuzz::take_line(key);
  check_encoding(key);
  check_query(name, value, key);

  const S3Credentials credentials{.access_key = "AKID", .secret_key = fairlead::Secret("secret")};
  const Signer signer{.credentials = credentials, .region = "r", .keys = keys, .now = {}};
  const BucketAddress bucket{.scheme = "https", .authority = "s3.example:7480", .base = "/bucket"};
  const auto url = presign(bucket, {.key = key, .parameters = {{name, value}}}, kMaxExpiry, signer);
  if (url) {
    const std::size_t query = url->find('?');
    const std::string path = url->substr(0, query);
    check(fairlead::oci::percent_decode(path) ==
          "https://s3.example:7480/bucket/" + std::string(key));
    check(fairlead::oci::query_parameter(url->substr(query + 1), "X-Amz-Expires") == "604800");
    if (url->size() <= fairlead::upstream::kMaxUrlLength) {
      const auto origin = fairlead::upstream::origin_of(*url);
      check(origin && origin->host == "s3.example");
    }
  }

  const auto request = sign(bucket, {.key = key}, {{name, value}}, kUnsignedPayload, signer);
  if (!request) return 0;
  for (const auto& [header, text] : request->headers) {
    check(!header.empty() && text.find_first_of("\r\n") == std::string::npos);
  }
  return 0;
}
