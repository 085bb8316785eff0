// SPDX-License-Identifier: Apache-2.0
// Authenticator: who is behind an Authorization header, or a user name and password.
//
//   Bearer   a sealed token of ours, or a JWT of an issuer we trust
//   Basic    a user of the htpasswd file; or, under any user name, one of these tokens as the
//            password, which is how `docker login` takes them
//
// A token that was found good is remembered by its fingerprint until it expires, so that only the
// first request with it pays for the check. One a worker, on that worker's thread.
#pragma once

#include <chrono>
#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>

#include "async/task.h"
#include "auth/caller.h"
#include "auth/jwt_issuers.h"
#include "auth/key_fetcher.h"
#include "auth/keyed_hash.h"
#include "auth/login_throttle.h"
#include "auth/sealed_token.h"
#include "auth/users.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/secret.h"

namespace fairlead::auth {

// What all workers share. All must outlive their authenticators.
struct AuthServices {
  const SealedTokens& sealed;
  JwtIssuers& issuers;
  Users* users = nullptr;  // null: there are none
  LoginThrottle& throttle;
  const Clock& clock;
};

// Whether it is to be taken for a token, and not for what somebody typed.
[[nodiscard]] bool is_token(std::string_view password);

class Authenticator {
 public:
  static constexpr std::size_t kMaxRemembered = 4096;
  static constexpr std::chrono::minutes kRememberedFor{5};  // at most: keys are taken back, too

  // `fetcher` is the worker's.
  Authenticator(const AuthServices& services, KeyFetcher& fetcher)
      : services_(services), fetcher_(fetcher) {}

  // The caller, where that needs no work; null: ask authenticate().
  [[nodiscard]] CallerPtr find(std::string_view authorization) const;

  // `authorization` is the header's value, `client` the address it came from. Errors, all the
  // client's: Unauthorized, TooManyRequests (with retry_after).
  async::Task<Result<CallerPtr>> authenticate(std::string authorization, std::string client);
  async::Task<Result<CallerPtr>> check_password(std::string user, Secret password,
                                                std::string client);
  async::Task<Result<CallerPtr>> check_token(Secret token);

 private:
  struct Remembered {
    CallerPtr caller;
    WallTime until;
  };

  using Memory = std::unordered_map<Fingerprint, Remembered, FingerprintHash>;  // by token

  void remember(std::string_view token, const CallerPtr& caller);

  AuthServices services_;
  KeyFetcher& fetcher_;
  KeyedHash hash_;
  Memory recent_;  // at most half of kMaxRemembered
  Memory older_;   // what was recent before; forgotten all at once when recent_ is full
};

// Of callers without credentials.
const CallerPtr& nobody();

}  // namespace fairlead::auth
