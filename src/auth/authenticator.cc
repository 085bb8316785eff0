// SPDX-License-Identifier: Apache-2.0
#include "auth/authenticator.h"

#include <algorithm>
#include <utility>

#include "auth/basic.h"

namespace fairlead::auth {
namespace {

constexpr std::string_view kBearer = "bearer ";

// The token of a Bearer header (RFC 6750, 2.1); empty: it is of another scheme.
std::string_view bearer_token(std::string_view authorization) {
  const bool is_bearer =
      authorization.size() > kBearer.size() &&
      std::ranges::equal(authorization.substr(0, kBearer.size()), kBearer, [](char a, char b) {
        return (a >= 'A' && a <= 'Z' ? static_cast<char>(a - 'A' + 'a') : a) == b;
      });
  if (!is_bearer) return {};
  std::string_view token = authorization.substr(kBearer.size());
  while (token.starts_with(' ')) token.remove_prefix(1);
  return token;
}

}  // namespace

const CallerPtr& nobody() {
  static const CallerPtr caller = std::make_shared<const Caller>();
  return caller;
}

bool is_token(std::string_view password) {
  return is_sealed_token(password) || is_jwt_shaped(password);
}

CallerPtr Authenticator::find(std::string_view authorization) const {
  const std::string_view token = bearer_token(authorization);
  if (token.empty()) return nullptr;
  const Fingerprint fingerprint = hash_.of(token);
  for (const Memory* memory : {&recent_, &older_}) {
    const auto found = memory->find(fingerprint);
    if (found == memory->end()) continue;
    return services_.clock.wall() < found->second.until ? found->second.caller : nullptr;
  }
  return nullptr;
}

// Nothing is searched for what may be forgotten: where every pull brings a token of its own, that
// would cost more than the checks that it saves. Forgetting a good one costs one check.
void Authenticator::remember(std::string_view token, const CallerPtr& caller) {
  if (recent_.size() >= kMaxRemembered / 2) older_ = std::exchange(recent_, {});
  const WallTime until =
      std::min<WallTime>(caller->expires, services_.clock.wall() + kRememberedFor);
  recent_.insert_or_assign(hash_.of(token), Remembered{.caller = caller, .until = until});
}

async::Task<Result<CallerPtr>> Authenticator::authenticate(std::string authorization,
                                                           std::string client) {
  if (const std::string_view token = bearer_token(authorization); !token.empty()) {
    co_return co_await check_token(Secret(std::string(token)));
  }
  if (is_basic(authorization)) {
    auto pair = parse_basic(authorization);
    if (!pair) co_return client_error(Code::Unauthorized, std::move(pair.error().context));
    co_return co_await check_password(std::move(pair->user), std::move(pair->password),
                                      std::move(client));
  }
  co_return client_error(Code::Unauthorized,
                         "the Authorization header is neither Bearer nor Basic");
}

async::Task<Result<CallerPtr>> Authenticator::check_token(Secret token) {
  const std::string& text = token.reveal();
  auto caller = is_sealed_token(text) ? services_.sealed.open(text, services_.clock.wall())
                                      : co_await services_.issuers.verify(text, fetcher_);
  if (!caller) co_return std::unexpected(std::move(caller.error()));
  auto known = std::make_shared<const Caller>(*std::move(caller));
  remember(text, known);
  co_return known;
}

async::Task<Result<CallerPtr>> Authenticator::check_password(std::string user, Secret password,
                                                             std::string client) {
  if (is_token(password.reveal())) co_return co_await check_token(std::move(password));
  if (services_.users == nullptr) {
    co_return client_error(Code::Unauthorized, "wrong user name or password");
  }
  if (!services_.users->is_remembered(user, password)) {
    if (const auto wait = services_.throttle.admit(client)) {
      co_return std::unexpected(Error{.code = Code::TooManyRequests,
                                      .origin = Origin::Client,
                                      .context = "too many failed logins from your address",
                                      .retry_after = wait});
    }
    const auto is_right = co_await services_.users->check(
        user, std::move(password), [&] { return services_.throttle.is_shut(client); });
    if (is_right && !*is_right) {
      services_.throttle.failed(client);
      co_return client_error(Code::Unauthorized, "wrong user name or password");
    }
    services_.throttle.succeeded(client);
    if (!is_right) co_return std::unexpected(is_right.error());
  }
  co_return std::make_shared<const Caller>(
      Caller{.kind = Caller::Kind::User, .name = std::move(user)});
}

}  // namespace fairlead::auth
