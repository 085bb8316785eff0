// SPDX-License-Identifier: Apache-2.0
#include "upstream/ping.h"

#include "upstream/answer.h"
#include "upstream/retry_policy.h"

namespace fairlead::upstream {
namespace {

constexpr std::size_t kMaxAnswer = 64 * 1024;

}  // namespace

async::Task<Result<Ping>> ping(const RegistryOptions& options, HttpTransport& transport,
                               Secret authorization) {
  HttpRequest request{.url = options.url + "/v2/",
                      .timeouts = options.timeouts,
                      .ca_file = options.ca_file,
                      .proxy = options.proxy};
  if (!authorization.empty()) {
    request.headers.emplace_back("Authorization", authorization.reveal());
  }
  auto response = co_await transport.send(std::move(request));
  if (!response) co_return std::unexpected(unanswered(std::move(response.error())));
  const auto headers = (*response)->headers().find_all("WWW-Authenticate");
  const int status = (*response)->status();
  if (status != 200 && status != 401) {
    co_return std::unexpected(co_await read_error(**response));
  }
  Ping answer{.status = status, .challenge = choose_challenge({headers.begin(), headers.end()})};
  // To its end, so that the connection can be used again.
  std::ignore = co_await read_whole(**response, kMaxAnswer);
  co_return answer;
}

}  // namespace fairlead::upstream
