// SPDX-License-Identifier: Apache-2.0
#include "s3/sigv4.h"

#include <algorithm>
#include <cstddef>
#include <ctime>
#include <initializer_list>
#include <utility>

#include "s3/uri_encoding.h"
#include "upstream/ascii.h"

namespace fairlead::s3 {
namespace {

constexpr std::string_view kTerminator = "aws4_request";

// One allocation for all of it.
std::string join(std::initializer_list<std::string_view> parts, char separator) {
  std::size_t size = parts.size();
  for (const auto part : parts) size += part.size();
  std::string text;
  text.reserve(size);
  for (const auto part : parts) text.append(part) += separator;
  text.pop_back();
  return text;
}

void append_collapsed(std::string& out, std::string_view value) {
  const std::size_t begin = out.size();
  for (const char c : value) {
    const bool is_space = c == ' ' || c == '\t';
    if (!is_space) {
      out += c;
    } else if (out.size() > begin && out.back() != ' ') {
      out += ' ';
    }
  }
  if (out.size() > begin && out.back() == ' ') out.pop_back();
}

}  // namespace

SigningTime::SigningTime(WallTime time) {
  const std::time_t seconds = std::chrono::system_clock::to_time_t(time);
  std::tm parts{};
  ::gmtime_r(&seconds, &parts);
  std::strftime(text_.data(), text_.size(), "%Y%m%dT%H%M%SZ", &parts);
}

std::string to_string(const Scope& scope) {
  return join({scope.date, scope.region, scope.service, kTerminator}, '/');
}

std::string canonical_query(const std::vector<NameValue>& parameters) {
  // All encoded in one buffer, then put together in order.
  struct Place {
    std::size_t name, value, end;
  };
  std::string encoded;
  std::size_t size = 0;
  for (const auto& [name, value] : parameters) size += name.size() + value.size() + 2;
  encoded.reserve(2 * size);
  std::vector<Place> places;
  places.reserve(parameters.size());
  for (const auto& [name, value] : parameters) {
    Place place{.name = encoded.size(), .value = 0, .end = 0};
    append_encoded(encoded, name);
    place.value = encoded.size();
    append_encoded(encoded, value);
    place.end = encoded.size();
    places.push_back(place);
  }
  const auto parts = [&encoded](const Place& place) {
    const std::string_view all = encoded;
    return std::pair(all.substr(place.name, place.value - place.name),
                     all.substr(place.value, place.end - place.value));
  };
  std::ranges::sort(places, {}, parts);

  std::string query;
  query.reserve(encoded.size() + 2 * places.size());
  for (const Place& place : places) {
    const auto [name, value] = parts(place);
    if (!query.empty()) query += '&';
    query.append(name).append("=").append(value);
  }
  return query;
}

CanonicalHeaders canonical_headers(const std::vector<NameValue>& headers) {
  std::vector<std::pair<std::string, std::string_view>> sorted;
  sorted.reserve(headers.size());
  for (const auto& [name, value] : headers) {
    sorted.emplace_back(upstream::ascii_lower(name), value);
  }
  std::ranges::sort(sorted);
  CanonicalHeaders canonical;
  for (const auto& [name, value] : sorted) {
    canonical.lines.append(name).append(":");
    append_collapsed(canonical.lines, value);
    canonical.lines += '\n';
    if (!canonical.names.empty()) canonical.names += ';';
    canonical.names += name;
  }
  return canonical;
}

std::string to_string(const CanonicalRequest& request) {
  return join({request.method, request.path, request.query, request.header_lines,
               request.header_names, request.payload_hash},
              '\n');
}

std::string string_to_sign(const SigningTime& time, std::string_view scope,
                           std::string_view canonical_request) {
  std::string hash;
  hash.reserve(64);
  append_hex(hash, sha256(canonical_request));
  return join({kAlgorithm, time.stamp(), scope, hash}, '\n');
}

HmacSha256 signing_key(const Secret& secret_key, const Scope& scope) {
  const Sha256 date = HmacSha256("AWS4" + secret_key.reveal()).of(scope.date);
  const Sha256 region = HmacSha256(as_key(date)).of(scope.region);
  const Sha256 service = HmacSha256(as_key(region)).of(scope.service);
  return HmacSha256(as_key(HmacSha256(as_key(service)).of(kTerminator)));
}

}  // namespace fairlead::s3
