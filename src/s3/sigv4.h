// SPDX-License-Identifier: Apache-2.0
// AWS Signature Version 4, step by step and pure. Whoever wants a URL or a request signed uses
// s3/signer.h.
//
//   canonical request   METHOD \n path \n query \n name:value\n... \n names \n payload hash
//   string to sign      AWS4-HMAC-SHA256 \n stamp \n date/region/service/aws4_request \n its hash
//   signing key         HMAC(HMAC(HMAC(HMAC("AWS4" + secret, date), region), service), ...)
//   signature           hex(HMAC(signing key, string to sign))
//
// (AWS: "Create a signed AWS API request", and S3's "Authenticating Requests".)
#pragma once

#include <array>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/secret.h"
#include "s3/hmac.h"

namespace fairlead::s3 {

inline constexpr std::string_view kAlgorithm = "AWS4-HMAC-SHA256";
inline constexpr std::string_view kUnsignedPayload = "UNSIGNED-PAYLOAD";
inline constexpr std::string_view kEmptyPayload =
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

// When something is signed, in UTC, as signatures write it.
class SigningTime {
 public:
  explicit SigningTime(WallTime time);

  [[nodiscard]] std::string_view stamp() const { return {text_.data(), 16}; }  // 20130524T000000Z
  [[nodiscard]] std::string_view date() const { return {text_.data(), 8}; }    // 20130524

 private:
  std::array<char, 32> text_{};
};

// What a signing key is good for.
struct Scope {
  std::string_view date;
  std::string_view region;
  std::string_view service = "s3";
};

// date/region/service/aws4_request
std::string to_string(const Scope& scope);

// Of a query or a head; neither encoded.
struct NameValue {
  std::string_view name;
  std::string_view value;
};

// Encoded, and sorted as encoded; a parameter without value becomes "name=".
std::string canonical_query(const std::vector<NameValue>& parameters);

struct CanonicalHeaders {
  std::string lines;  // "host:example.com\nrange:bytes=0-9\n"
  std::string names;  // "host;range"
};

// Names in lower case and sorted, values trimmed and runs of spaces made one. The caller has seen
// to it that no name is there twice and nothing holds a line feed.
CanonicalHeaders canonical_headers(const std::vector<NameValue>& headers);

struct CanonicalRequest {
  std::string_view method;
  std::string_view path;   // encoded
  std::string_view query;  // as canonical_query() has it
  std::string_view header_lines;
  std::string_view header_names;
  std::string_view payload_hash;
};

std::string to_string(const CanonicalRequest& request);

std::string string_to_sign(const SigningTime& time, std::string_view scope,
                           std::string_view canonical_request);

HmacSha256 signing_key(const Secret& secret_key, const Scope& scope);

}  // namespace fairlead::s3
