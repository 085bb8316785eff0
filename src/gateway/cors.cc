// SPDX-License-Identifier: Apache-2.0
#include "gateway/cors.h"

#include <algorithm>

#include "oci/glob.h"

namespace fairlead::gateway {
namespace {

// The work for a match grows with it. A DNS name has 253 characters.
constexpr std::size_t kMaxOrigin = 300;

constexpr std::string_view kExposed =
    "Docker-Content-Digest, Docker-Distribution-Api-Version, Www-Authenticate, Link, Location, "
    "Content-Range, Range, Accept-Ranges, ETag, Retry-After, Warning, X-Request-Id, OCI-Subject, "
    "OCI-Tag, OCI-Filters-Applied, OCI-Namespace, OCI-Chunk-Min-Length, Docker-Upload-UUID";
constexpr std::string_view kMethods = "GET, HEAD, POST, PUT, PATCH, DELETE";
constexpr std::string_view kHeaders =
    "Authorization, Accept, Content-Type, Content-Range, Range, If-None-Match, If-Range";
constexpr std::string_view kMaxAge = "3600";  // seconds

bool is_visible(char c) { return c > ' ' && c < 0x7f; }

}  // namespace

bool Cors::allows(std::string_view origin) const {
  if (origin.empty() || origin.size() > kMaxOrigin || !std::ranges::all_of(origin, is_visible)) {
    return false;
  }
  return std::ranges::any_of(
      allowed_origins_, [&](const std::string& glob) { return oci::matches_glob(glob, origin); });
}

void Cors::add_headers(const http::Request& request, http::ResponseHead& head) const {
  if (!is_enabled()) return;
  // Also where it is not allowed, or a cache in between gives one page the answer for another.
  head.add("Vary", "Origin");
  const std::string_view origin = request.find("Origin");
  if (!allows(origin)) return;
  head.add("Access-Control-Allow-Origin", origin);
  head.add("Access-Control-Expose-Headers", kExposed);
}

std::optional<http::ResponseHead> Cors::preflight(const http::Request& request) const {
  if (!is_enabled() || request.method != "OPTIONS") return std::nullopt;
  const std::string_view origin = request.find("Origin");
  if (origin.empty() || request.find("Access-Control-Request-Method").empty()) return std::nullopt;
  http::ResponseHead head(204);
  head.set_content_length(0);
  head.add("Vary", "Origin");
  if (!allows(origin)) return head;  // without what the browser looks for: it refuses
  head.add("Access-Control-Allow-Origin", origin);
  head.add("Access-Control-Allow-Methods", kMethods);
  head.add("Access-Control-Allow-Headers", kHeaders);
  head.add("Access-Control-Max-Age", kMaxAge);
  return head;
}

}  // namespace fairlead::gateway
