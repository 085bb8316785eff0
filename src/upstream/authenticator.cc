// SPDX-License-Identifier: Apache-2.0
#include "upstream/authenticator.h"

#include <algorithm>

#include "upstream/ping.h"
#include "upstream/redirect.h"
#include "upstream/retry_policy.h"

namespace fairlead::upstream {
namespace {

constexpr std::size_t kMaxScope = 1024;

// A challenge without a scope is legal (and Quay's): then we build it, as docker does.
std::string scope_for(const Challenge& challenge, const std::string& wanted) {
  const std::string_view scope = challenge.parameter("scope");
  if (!scope.empty() && scope.size() <= kMaxScope) return std::string(scope);
  return wanted;
}

// The scope to begin with, from an earlier challenge that was about some repository, or about the
// registry, or, like "aws", about neither.
std::string likely_scope(const Challenge& challenge, const std::string& wanted) {
  const std::string_view scope = challenge.parameter("scope");
  const bool is_about_other = scope.starts_with("repository:") || scope.starts_with("registry:");
  return is_about_other ? wanted : scope_for(challenge, wanted);
}

bool is_refusal(const Error& error) {
  return error.code == Code::Unauthorized || error.code == Code::Denied;
}

}  // namespace

Authenticator::Authenticator(const RegistryOptions& options, HttpTransport& transport,
                             EndpointBoard& board, TokenSource& tokens,
                             CredentialSource& credentials, telemetry::Log& log)
    : options_(options),
      transport_(transport),
      board_(board),
      tokens_(tokens),
      credentials_(credentials),
      log_(log),
      policy_(options.url, options.token_hosts) {}

async::Task<Result<Login>> Authenticator::begin(std::string endpoint, std::string scope) {
  const auto challenge = board_.challenge(endpoint);
  if (!challenge) co_return Login{};
  auto login = co_await log_in(endpoint, *challenge, scope, TokenUse::Any);
  // What we remember may be out of date: let the registry say anew what it wants.
  const bool is_bearer = challenge->scheme != "basic";
  if (!login && is_bearer && is_refusal(login.error())) co_return Login{};
  co_return login;
}

async::Task<Result<Login>> Authenticator::begin_once(std::string endpoint, std::string scope) {
  if (!board_.is_login_known(endpoint)) {
    if (auto found = co_await find_out(endpoint); !found) {
      co_return std::unexpected(std::move(found.error()));
    }
  }
  const auto challenge = board_.challenge(endpoint);
  if (!challenge) co_return Login{};
  co_return co_await log_in(endpoint, *challenge, scope, TokenUse::Once);
}

// A registry that says anything else at /v2/ tells as little as one that lets us in there.
async::Task<Result<void>> Authenticator::find_out(std::string endpoint) {
  auto answer = co_await ping(options_, transport_, Secret());
  if (answer && answer->challenge) {
    board_.note_challenge(endpoint, *answer->challenge);
    co_return Result<void>();
  }
  if (!answer && is_outage(answer.error())) co_return std::unexpected(std::move(answer.error()));
  board_.note_asks_nothing(endpoint);
  co_return Result<void>();
}

async::Task<Result<Login>> Authenticator::log_in(std::string endpoint, Challenge challenge,
                                                 std::string scope, TokenUse use) {
  if (challenge.scheme == "basic") {
    auto login = co_await basic(endpoint, Login{});
    if (!login) co_return std::unexpected(std::move(login.error()));
    co_return login->value_or(Login{});
  }
  co_return co_await bearer(endpoint, challenge, likely_scope(challenge, scope), use);
}

async::Task<Result<std::optional<Login>>> Authenticator::after_refusal(
    std::string endpoint, std::string wanted, std::vector<std::string> headers, Login refused) {
  const auto challenge = choose_challenge(headers);
  if (!challenge) {
    // GHCR says DENIED, without a challenge, to a token that it does not like; without any it
    // gives what is public, or a challenge.
    board_.forget_challenge(endpoint);
    if (refused.token_request) tokens_.drop(*refused.token_request, refused.token);
    if (refused.authorization.empty()) co_return std::nullopt;
    co_return Login{};
  }
  board_.note_challenge(endpoint, *challenge);
  if (challenge->scheme == "basic") co_return co_await basic(endpoint, std::move(refused));

  const std::string scope = scope_for(*challenge, wanted);
  if (refused.token_request) {
    tokens_.drop(*refused.token_request, refused.token);
    // A fresh token of the same scope was refused: only other credentials can do better.
    const bool is_repetition = refused.is_fresh && refused.token_request->scope == scope;
    const auto& behind = refused.credentials;
    if (is_repetition && !(behind && credentials_.refuse(*behind))) co_return std::nullopt;
  }
  auto login = co_await bearer(endpoint, *challenge, scope, TokenUse::Any);
  if (!login) co_return std::unexpected(std::move(login.error()));
  co_return *std::move(login);
}

async::Task<Result<Login>> Authenticator::bearer(std::string endpoint, Challenge challenge,
                                                 std::string scope, TokenUse use) {
  const std::string realm(challenge.parameter("realm"));
  const auto target = origin_of(realm);
  const auto asker = origin_of(endpoint);
  if (!target || !asker || !may_send_us_to(*asker, *target)) {
    co_return upstream_error(Code::Denied, Retry::No,
                             "it sends us for a token to where it has no business with");
  }
  for (bool is_last_try = false;; is_last_try = true) {
    auto credentials = co_await credentials_for(realm);
    if (!credentials) co_return std::unexpected(std::move(credentials.error()));
    TokenRequest request{.registry = options_.name,
                         .realm = realm,
                         .service = std::string(challenge.parameter("service")),
                         .scope = scope,
                         .credentials = *credentials};
    auto token = co_await this->token(request, use);
    if (token) {
      co_return Login{.authorization = Secret("Bearer " + token->value.reveal()),
                      .credentials = *std::move(credentials),
                      .token_request = std::move(request),
                      .token = std::move(token->value),
                      .is_fresh = token->is_new};
    }
    const bool may_change = is_refusal(token.error()) && *credentials && !is_last_try &&
                            credentials_.refuse(**credentials);
    if (!may_change) co_return std::unexpected(std::move(token.error()));
  }
}

async::Task<Result<std::optional<Login>>> Authenticator::basic(std::string endpoint,
                                                               Login refused) {
  const bool was_basic = refused.credentials && !refused.token_request;
  if (was_basic && !credentials_.refuse(*refused.credentials)) co_return std::nullopt;
  auto credentials = co_await credentials_for(endpoint);
  if (!credentials) co_return std::unexpected(std::move(credentials.error()));
  if (!*credentials || (*credentials)->is_identity_token()) co_return std::nullopt;
  co_return Login{.authorization = basic_authorization(**credentials),
                  .credentials = *std::move(credentials)};
}

async::Task<Result<std::optional<Credentials>>> Authenticator::credentials_for(std::string url) {
  if (policy_.may_receive_credentials(url)) co_return co_await credentials_.get();
  const bool has_credentials = options_.credentials || !options_.credential_helper.empty();
  if (has_credentials) warn_once(url);
  co_return std::nullopt;
}

async::Task<Result<IssuedToken>> Authenticator::token(TokenRequest request, TokenUse use) {
  TokenChannel channel{.transport = transport_,
                       .timeouts = options_.timeouts,
                       .ca_file = options_.ca_file,
                       .proxy = options_.proxy};
  co_return co_await tokens_.token(std::move(channel), std::move(request), use);
}

void Authenticator::warn_once(std::string_view url) {
  if (has_warned_) return;
  has_warned_ = true;
  const auto target = origin_of(url);
  const std::string host = target ? target->host : std::string("?");
  log_.warn(
      "credentials withheld: asked for by a host outside the registry's domain; if it is right "
      "that it gets them, name it in token_hosts",
      {{"registry", options_.name}, {"host", host}});
}

}  // namespace fairlead::upstream
