// SPDX-License-Identifier: Apache-2.0
#include "s3/signer.h"

#include <algorithm>
#include <array>
#include <charconv>

#include "s3/uri_encoding.h"
#include "upstream/ascii.h"

namespace fairlead::s3 {
namespace {

std::unexpected<Error> wrong(std::string what) {
  return internal_error(Code::InvalidArgument, std::move(what));
}

std::string path_of(const BucketAddress& bucket, std::string_view key) {
  std::string path;
  path.reserve(bucket.base.size() + 1 + key.size() + key.size() / 4);
  path.append(bucket.base).append("/");
  append_encoded_path(path, key);
  return path;
}

std::string credential_of(const Signer& signer, std::string_view scope) {
  std::string text;
  text.reserve(signer.credentials.access_key.size() + 1 + scope.size());
  return text.append(signer.credentials.access_key).append("/").append(scope);
}

void append_signature(std::string& out, const CanonicalRequest& request, const SigningTime& time,
                      const Scope& scope, std::string_view scope_text, const Signer& signer) {
  const auto key = signer.keys.get(signer.credentials.secret_key, scope);
  append_hex(out, key->of(string_to_sign(time, scope_text, to_string(request))));
}

bool is_ours(std::string_view parameter) {
  return upstream::equal_ignoring_case(parameter.substr(0, 6), "x-amz-");
}

bool has_control_characters(std::string_view text) {
  return std::ranges::any_of(text, [](char c) {
    return (static_cast<unsigned char>(c) < 0x20 && c != '\t') || c == 0x7f;
  });
}

// Also ours: a header that is signed must be the one that is sent.
Result<void> check_headers(const std::vector<NameValue>& headers) {
  for (const auto& [name, value] : headers) {
    const bool is_name = !name.empty() && std::ranges::all_of(name, [](char c) {
      return c > 0x20 && c < 0x7f && c != ':' && c != ';';
    });
    if (!is_name || has_control_characters(value)) {
      return wrong("a header to sign holds what headers cannot");
    }
    const auto count = std::ranges::count_if(headers, [&](const NameValue& other) {
      return upstream::equal_ignoring_case(other.name, name);
    });
    if (count > 1) return wrong("a header to sign is there twice");
    if (upstream::equal_ignoring_case(name, "authorization")) {
      return wrong("a request to sign has an Authorization header already");
    }
  }
  return {};
}

}  // namespace

Result<std::string> presign(const BucketAddress& bucket, const ObjectRequest& request,
                            std::chrono::seconds expiry, const Signer& signer) {
  if (expiry < kMinExpiry || expiry > kMaxExpiry) {
    return wrong("a presigned URL lives from 1 second to 7 days");
  }
  // Without a key it would be a URL that lists the bucket.
  if (request.key.empty()) return wrong("a presigned URL is for an object, and there is no key");
  if (request.key.size() > kMaxKey) return wrong("an object's key has 1024 bytes at most");
  for (const NameValue& parameter : request.parameters) {
    if (is_ours(parameter.name)) return wrong("parameters X-Amz-* are the signature's own");
  }

  const SigningTime time(signer.now);
  const Scope scope{.date = time.date(), .region = signer.region};
  const std::string scope_text = to_string(scope);
  const std::string credential = credential_of(signer, scope_text);
  std::array<char, 16> digits{};
  const auto* const end =
      std::to_chars(digits.data(), digits.data() + digits.size(), expiry.count()).ptr;

  std::vector<NameValue> parameters;
  parameters.reserve(request.parameters.size() + 6);
  parameters.assign(request.parameters.begin(), request.parameters.end());
  parameters.push_back({"X-Amz-Algorithm", kAlgorithm});
  parameters.push_back({"X-Amz-Credential", credential});
  parameters.push_back({"X-Amz-Date", time.stamp()});
  parameters.push_back({"X-Amz-Expires", {digits.data(), end}});
  parameters.push_back({"X-Amz-SignedHeaders", "host"});
  const std::string& token = signer.credentials.session_token.reveal();
  if (!token.empty()) parameters.push_back({"X-Amz-Security-Token", token});

  const std::string path = path_of(bucket, request.key);
  const std::string query = canonical_query(parameters);
  const std::string host_line = "host:" + bucket.authority + "\n";
  constexpr std::string_view kSignature = "&X-Amz-Signature=";

  std::string url;
  url.reserve(bucket.scheme.size() + 3 + bucket.authority.size() + path.size() + 1 + query.size() +
              kSignature.size() + 64);
  url.append(bucket.scheme).append("://").append(bucket.authority).append(path);
  url.append("?").append(query).append(kSignature);
  append_signature(url,
                   {.method = request.method,
                    .path = path,
                    .query = query,
                    .header_lines = host_line,
                    .header_names = "host",
                    .payload_hash = kUnsignedPayload},
                   time, scope, scope_text, signer);
  return url;
}

Result<SignedRequest> sign(const BucketAddress& bucket, const ObjectRequest& request,
                           const std::vector<NameValue>& headers, std::string_view payload_hash,
                           const Signer& signer) {
  if (request.key.size() > kMaxKey) return wrong("an object's key has 1024 bytes at most");
  const SigningTime time(signer.now);
  const Scope scope{.date = time.date(), .region = signer.region};
  const std::string scope_text = to_string(scope);

  std::vector<NameValue> all = headers;
  all.push_back({"x-amz-content-sha256", payload_hash});
  all.push_back({"x-amz-date", time.stamp()});
  const std::string& token = signer.credentials.session_token.reveal();
  if (!token.empty()) all.push_back({"x-amz-security-token", token});
  SignedRequest result;
  for (const auto& [name, value] : all) result.headers.emplace_back(name, value);
  all.push_back({"host", bucket.authority});
  if (auto sound = check_headers(all); !sound) return std::unexpected(std::move(sound.error()));

  const CanonicalHeaders canonical = canonical_headers(all);
  const std::string path = path_of(bucket, request.key);
  const std::string query = canonical_query(request.parameters);
  std::string authorization(kAlgorithm);
  authorization.append(" Credential=").append(credential_of(signer, scope_text));
  authorization.append(",SignedHeaders=").append(canonical.names).append(",Signature=");
  append_signature(authorization,
                   {.method = request.method,
                    .path = path,
                    .query = query,
                    .header_lines = canonical.lines,
                    .header_names = canonical.names,
                    .payload_hash = payload_hash},
                   time, scope, scope_text, signer);
  result.headers.emplace_back("Authorization", std::move(authorization));
  result.url = bucket.scheme + "://" + bucket.authority + path;
  if (!query.empty()) result.url += "?" + query;
  return result;
}

}  // namespace fairlead::s3
