// SPDX-License-Identifier: Apache-2.0
#include "upstream/relay.h"

#include <optional>
#include <utility>

#include "upstream/answer.h"
#include "upstream/challenge.h"
#include "upstream/ping.h"
#include "upstream/token_exchange.h"
#include "upstream/url.h"

namespace fairlead::upstream {
namespace {

std::unexpected<Error> refused(std::string context) {
  return upstream_error(Code::Unauthorized, Retry::No, std::move(context));
}

// The registry takes the pair itself, or does not.
async::Task<Result<RelayedAuthorization>> keep_pair(const RegistryOptions& options,
                                                    HttpTransport& transport,
                                                    const Credentials& credentials) {
  if (credentials.is_identity_token()) {
    co_return refused("it takes a user name and password, no identity token");
  }
  Secret authorization = basic_authorization(credentials);
  const auto answer = co_await ping(options, transport, authorization);
  if (!answer) co_return std::unexpected(answer.error());
  if (answer->status != 200) co_return refused("it does not accept these credentials");
  co_return RelayedAuthorization{.value = std::move(authorization),
                                 .lifetime = std::chrono::seconds::max()};
}

// The attack: a registry that names somebody else's token service, to collect what callers type.
async::Task<Result<RelayedAuthorization>> exchange(const RegistryOptions& options,
                                                   HttpTransport& transport, Challenge challenge,
                                                   Credentials credentials, std::string scope) {
  const std::string realm(challenge.parameter("realm"));
  const RealmPolicy policy(options.url, options.token_hosts);
  if (!policy.may_receive_credentials(realm)) {
    const auto origin = origin_of(realm);
    co_return upstream_error(Code::Denied, Retry::No,
                             "it wants credentials sent to " +
                                 (origin ? origin->host : std::string("nowhere")) +
                                 ", outside its domain; if that is right, whoever runs this "
                                 "gateway must name that host in token_hosts");
  }
  TokenRequest request{.registry = options.name,
                       .realm = realm,
                       .service = std::string(challenge.parameter("service")),
                       .scope = std::move(scope),
                       .credentials = std::move(credentials)};
  const TokenChannel channel{.transport = transport,
                             .timeouts = options.timeouts,
                             .ca_file = options.ca_file,
                             .proxy = options.proxy};
  auto token = co_await exchange_token(channel, std::move(request));
  if (!token) co_return std::unexpected(std::move(token.error()));
  co_return RelayedAuthorization{.value = Secret("Bearer " + token->token.reveal()),
                                 .lifetime = token->lifetime};
}

// The attack, or the blunder: an error that quotes the credentials. It goes into our log.
void conceal(Error& error, const Credentials& credentials) {
  const std::string basic = basic_authorization(credentials).reveal();
  for (const std::string& secret :
       {credentials.password.reveal(), basic.substr(basic.find(' ') + 1)}) {
    if (secret.empty() || !error.context.contains(secret)) continue;
    error.context = "answered with an error that quotes the credentials";
  }
}

async::Task<Result<RelayedAuthorization>> try_log_in(const RegistryOptions& options,
                                                     HttpTransport& transport,
                                                     Credentials credentials, std::string scope) {
  const auto first = co_await ping(options, transport, Secret());
  if (!first) co_return std::unexpected(first.error());
  if (first->challenge && first->challenge->scheme == "bearer") {
    co_return co_await exchange(options, transport, *first->challenge, std::move(credentials),
                                std::move(scope));
  }
  // It wants Basic; or it lets everybody in, as zot does where anonymous callers may read
  // something, and looks at credentials all the same.
  co_return co_await keep_pair(options, transport, credentials);
}

}  // namespace

async::Task<Result<RelayedAuthorization>> log_in(const RegistryOptions& options,
                                                 HttpTransport& transport, Credentials credentials,
                                                 std::string scope) {
  auto outcome = co_await try_log_in(options, transport, credentials, std::move(scope));
  if (!outcome) {
    // A registry without /v2/ is none.
    if (outcome.error().code == Code::NotFound) outcome.error().code = Code::Unavailable;
    conceal(outcome.error(), credentials);
    co_return std::unexpected(std::move(outcome.error()).within("registry " + options.name));
  }
  co_return outcome;
}

async::Task<Result<Login>> RelayedLogins::begin(std::string endpoint, std::string) {
  if (!policy_.may_receive_credentials(endpoint)) co_return Login{};
  co_return login_;
}

async::Task<Result<Login>> RelayedLogins::begin_once(std::string endpoint, std::string scope) {
  co_return co_await begin(std::move(endpoint), std::move(scope));
}

// A token that is good but not for this will not get better by logging in again.
async::Task<Result<std::optional<Login>>> RelayedLogins::after_refusal(
    std::string, std::string, std::vector<std::string> headers, Login) {
  const auto challenge = choose_challenge(headers);
  if (challenge && challenge->parameter("error") == "insufficient_scope") {
    co_return upstream_error(Code::Denied, Retry::No, "the caller may not have this");
  }
  co_return std::nullopt;
}

}  // namespace fairlead::upstream
