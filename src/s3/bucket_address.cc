// SPDX-License-Identifier: Apache-2.0
#include "s3/bucket_address.h"

#include <algorithm>
#include <cstddef>

#include "base/host_port.h"
#include "upstream/url.h"

namespace fairlead::s3 {
namespace {

constexpr std::size_t kMaxDnsBucket = 63;

bool is_alphanumeric(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

bool is_bucket_name(std::string_view name) {
  return name.size() >= 3 && name.size() <= 255 && is_alphanumeric(name.front()) &&
         std::ranges::all_of(
             name, [](char c) { return is_alphanumeric(c) || c == '.' || c == '_' || c == '-'; });
}

// Host names have no case, and the server compares what it receives.
bool is_host_label(std::string_view name) {
  return name.size() <= kMaxDnsBucket && !name.ends_with('-') && !name.ends_with('.') &&
         !name.contains("..") &&
         std::ranges::none_of(name, [](char c) { return (c >= 'A' && c <= 'Z') || c == '_'; });
}

std::unexpected<Error> wrong(std::string what) {
  return internal_error(Code::InvalidArgument, std::move(what));
}

}  // namespace

Result<BucketAddress> BucketAddress::make(std::string_view endpoint, std::string_view bucket,
                                          AddressStyle style) {
  const auto origin = upstream::origin_of(endpoint);
  if (!origin) return wrong("the S3 endpoint is no http or https URL");
  const std::size_t path = endpoint.find_first_of("/?#", endpoint.find("://") + 3);
  if (path != std::string_view::npos && endpoint.substr(path) != "/") {
    return wrong("the S3 endpoint has a path; it is scheme, host and port only");
  }
  if (!is_bucket_name(bucket)) return wrong("the bucket has a name that S3 does not allow");

  HostPort host{.host = origin->host};
  if (origin->port != (origin->is_https() ? 443 : 80)) host.port = origin->port;
  BucketAddress address{.scheme = origin->scheme, .authority = {}, .base = {}};
  if (style == AddressStyle::Path) {
    address.base.append("/").append(bucket);
  } else {
    if (upstream::is_address(host.host)) {
      return wrong("virtual-host style needs an endpoint with a name, not an address");
    }
    if (!is_host_label(bucket)) {
      return wrong("the bucket's name cannot be part of a host name; use path style");
    }
    host.host = std::string(bucket) + "." + host.host;
  }
  address.authority = to_string(host);
  return address;
}

}  // namespace fairlead::s3
