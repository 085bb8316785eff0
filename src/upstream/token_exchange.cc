// SPDX-License-Identifier: Apache-2.0
#include "upstream/token_exchange.h"

#include <algorithm>
#include <boost/json.hpp>

#include "oci/operation.h"
#include "upstream/answer.h"
#include "upstream/retry_policy.h"

namespace fairlead::upstream {
namespace {

constexpr std::size_t kMaxDocument = 64 * 1024;
constexpr std::size_t kMaxToken = 32 * 1024;
constexpr std::string_view kClientId = "fairlead";
constexpr std::int64_t kDefaultLifetime = 60;  // seconds, as the specification has it
constexpr std::int64_t kMaxLifetime = 24 * 3600;

// Several scopes of a challenge are separated by spaces; each is a parameter of its own.
void append_scopes(std::string& query, std::string_view scope) {
  while (!scope.empty()) {
    const auto space = std::min(scope.find(' '), scope.size());
    if (space != 0) query += "&scope=" + oci::percent_encode(scope.substr(0, space));
    scope.remove_prefix(std::min(space + 1, scope.size()));
  }
}

HttpRequest refresh_request(const TokenRequest& request) {
  HttpRequest post{.method = "POST", .url = request.realm};
  post.headers.emplace_back("Content-Type", "application/x-www-form-urlencoded");
  post.body = "grant_type=refresh_token&client_id=" + std::string(kClientId) +
              "&service=" + oci::percent_encode(request.service) +
              "&scope=" + oci::percent_encode(request.scope) +
              "&refresh_token=" + oci::percent_encode(request.credentials->password.reveal());
  return post;
}

HttpRequest plain_request(const TokenRequest& request) {
  HttpRequest get{.url = token_url(request)};
  if (request.credentials) {
    get.headers.emplace_back("Authorization", basic_authorization(*request.credentials).reveal());
  }
  return get;
}

bool is_visible(std::string_view token) {
  return std::ranges::all_of(token, [](char c) { return c > 0x20 && c < 0x7f; });
}

}  // namespace

async::Task<Result<BearerToken>> exchange_token(TokenChannel channel, TokenRequest request) {
  const bool refreshes = request.credentials && request.credentials->is_identity_token();
  HttpRequest http = refreshes ? refresh_request(request) : plain_request(request);
  http.headers.emplace_back("Accept", "application/json");
  http.timeouts = channel.timeouts;
  http.ca_file = channel.ca_file;
  http.proxy = channel.proxy;

  constexpr std::string_view where = "token service";
  auto response = co_await channel.transport.send(std::move(http));
  if (!response) {
    co_return std::unexpected(unanswered(std::move(response.error())).within(where));
  }
  const int status = (*response)->status();
  if (status != 200) {
    Error error = co_await read_error(**response);
    // What it says of itself (404, 400) is not said of the content.
    const bool is_about_us = error.code == Code::Unauthorized || error.code == Code::Denied ||
                             error.code == Code::TooManyRequests || error.code == Code::Timeout;
    if (!is_about_us) error.code = Code::Unavailable;
    co_return std::unexpected(std::move(error).within(where));
  }
  auto document = co_await read_whole(**response, kMaxDocument);
  if (!document) co_return std::unexpected(std::move(document.error()).within(where));
  auto token = parse_token_document(*document);
  if (!token) co_return std::unexpected(std::move(token.error()).within(where));
  co_return token;
}

Result<BearerToken> parse_token_document(std::string_view json) {
  boost::system::error_code ec;
  const auto value = boost::json::parse(json, ec);
  const auto* object = ec ? nullptr : value.if_object();
  if (object == nullptr) return upstream_error(Code::Corrupt, Retry::No, "answers no JSON object");

  const boost::json::string* text = nullptr;
  for (const char* name : {"token", "access_token"}) {
    const auto* member = object->if_contains(name);
    const auto* string = member == nullptr ? nullptr : member->if_string();
    if (string != nullptr && !string->empty() && text == nullptr) text = string;
  }
  if (text == nullptr || text->size() > kMaxToken || !is_visible({text->data(), text->size()})) {
    return upstream_error(Code::Corrupt, Retry::No, "answers no usable token");
  }

  std::int64_t lifetime = kDefaultLifetime;
  if (const auto* member = object->if_contains("expires_in"); member != nullptr) {
    if (const auto* number = member->if_int64()) lifetime = *number;
    if (member->is_uint64()) lifetime = kMaxLifetime;
    if (const auto* number = member->if_double()) {
      lifetime =
          static_cast<std::int64_t>(std::clamp(*number, 0.0, static_cast<double>(kMaxLifetime)));
    }
  }
  return BearerToken{Secret(std::string(text->data(), text->size())),
                     std::chrono::seconds(std::clamp<std::int64_t>(lifetime, 0, kMaxLifetime))};
}

std::string token_url(const TokenRequest& request) {
  std::string query;
  if (!request.service.empty()) query += "&service=" + oci::percent_encode(request.service);
  append_scopes(query, request.scope);
  if (request.credentials) {
    query += "&account=" + oci::percent_encode(request.credentials->username);
  }
  query += "&client_id=" + std::string(kClientId);
  const bool has_query = request.realm.contains('?');
  return request.realm + (has_query ? "&" : "?") + query.substr(1);
}

}  // namespace fairlead::upstream
