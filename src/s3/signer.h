// SPDX-License-Identifier: Apache-2.0
// Signing requests to a bucket: as a URL that anybody may use for a while, or as headers of a
// request of our own. Pure but for the keys that are kept; a presigned URL costs microseconds.
#pragma once

#include <chrono>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/error.h"
#include "s3/bucket_address.h"
#include "s3/credentials.h"
#include "s3/signing_keys.h"
#include "s3/sigv4.h"

namespace fairlead::s3 {

inline constexpr std::chrono::seconds kMinExpiry{1};
inline constexpr std::chrono::seconds kMaxExpiry = std::chrono::days(7);
inline constexpr std::size_t kMaxKey = 1024;  // bytes

// Who signs, where and when.
struct Signer {
  const S3Credentials& credentials;
  std::string_view region;
  SigningKeys& keys;
  WallTime now;
};

struct ObjectRequest {
  std::string_view method = "GET";
  std::string_view key;                 // any bytes; not encoded
  std::vector<NameValue> parameters{};  // not encoded: {"response-content-type", "..."}
};

// A URL that is good for exactly this method, object and parameters, for `expiry` from signer.now;
// S3 ends it earlier where temporary credentials expire before. Only Host is signed: the bearer may
// add a Range. InvalidArgument: an expiry outside kMinExpiry..kMaxExpiry, no key or
// too long a one, a parameter X-Amz-*.
Result<std::string> presign(const BucketAddress& bucket, const ObjectRequest& request,
                            std::chrono::seconds expiry, const Signer& signer);

struct SignedRequest {
  std::string url;
  std::vector<std::pair<std::string, std::string>> headers;  // those given, and the signature's
};

// All of `headers` are signed. `payload_hash`: hex of SHA-256, or kUnsignedPayload. An empty key
// is the bucket itself. Host is left to the transport, which takes it from the URL.
// InvalidArgument: a header there twice, of ours, or with control characters; too long a key.
Result<SignedRequest> sign(const BucketAddress& bucket, const ObjectRequest& request,
                           const std::vector<NameValue>& headers, std::string_view payload_hash,
                           const Signer& signer);

}  // namespace fairlead::s3
