// SPDX-License-Identifier: Apache-2.0
#include "auth/http_key_fetcher.h"

#include <utility>

#include "auth/jwks.h"
#include "upstream/answer.h"

namespace fairlead::auth {
namespace {

constexpr std::string_view kWhere = "keys of the token issuer";

// What the issuer's server says of itself is not said of the client's token: a 401 here must not
// become one there.
Error as_unavailable(Error error) {
  if (error.origin == Origin::Upstream && error.code != Code::Timeout &&
      error.code != Code::TooLarge && error.code != Code::Cancelled) {
    error.code = Code::Unavailable;
  }
  return std::move(error).within(kWhere);
}

}  // namespace

HttpKeyFetcher::HttpKeyFetcher(upstream::HttpTransport& transport, std::string ca_file,
                               std::string proxy)
    : transport_(transport), ca_file_(std::move(ca_file)), proxy_(std::move(proxy)) {}

async::Task<Result<std::string>> HttpKeyFetcher::fetch(std::string url) {
  using std::chrono::seconds;
  upstream::HttpRequest request{.url = std::move(url)};
  request.headers.emplace_back("Accept", "application/jwk-set+json, application/json");
  request.timeouts = {.connect = seconds(5), .first_byte = seconds(10), .stall = seconds(10)};
  request.ca_file = ca_file_;
  request.proxy = proxy_;
  auto response = co_await transport_.send(std::move(request));
  if (!response) co_return std::unexpected(as_unavailable(std::move(response.error())));
  const int status = (*response)->status();
  if (status != 200) co_return std::unexpected(as_unavailable(upstream::status_error(status)));
  auto document = co_await upstream::read_whole(**response, kMaxJwks);
  if (!document) co_return std::unexpected(as_unavailable(std::move(document.error())));
  co_return document;
}

}  // namespace fairlead::auth
