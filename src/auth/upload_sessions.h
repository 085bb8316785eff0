// SPDX-License-Identifier: Apache-2.0
// UploadSessions: where an upload goes on, sealed into what a client is given as its Location and
// comes back with (PASETO v4.local).
//
// Where a registry says that an upload goes on is its own affair and may hold anything, secrets
// too. Nothing is remembered here: whichever process has the same keys takes the next request.
//
// The attacks: a session that is made up or altered, so that we ask what the client chooses; one
// that is somebody else's, or of a repository where its holder may do less.
#pragma once

#include <chrono>
#include <string>
#include <string_view>
#include <utility>

#include "auth/token_keys.h"
#include "base/clock.h"
#include "base/error.h"

namespace fairlead::auth {

// Nothing else that is sealed with the same keys is taken for a session.
inline constexpr std::string_view kUploadAssertion = "fairlead upload v1";

// Whose it is, and of what.
struct UploadOwner {
  std::string registry;    // configured name
  std::string repository;  // the registry's own name for it
  std::string name;        // qualified
  std::string caller;      // any text that tells them from others

  friend bool operator==(const UploadOwner&, const UploadOwner&) = default;
};

struct UploadSession {
  UploadOwner owner;
  std::string url;            // where it goes on
  bool is_elsewhere = false;  // not the registry itself said so
  std::string id;             // the same from its beginning to its end, and no other's
};

// Thread-safe once made.
class UploadSessions {
 public:
  static constexpr std::chrono::hours kLifetime{24};  // from the last answer

  explicit UploadSessions(TokenKeys keys) : keys_(std::move(keys)) {}

  // One component of a path, of unreserved characters only (RFC 3986, 2.3).
  [[nodiscard]] std::string seal(const UploadSession& session, WallTime now) const;

  // Errors: client's NotFound, for whatever is no session of `owner`, or none any more.
  [[nodiscard]] Result<UploadSession> open(std::string_view sealed, const UploadOwner& owner,
                                           WallTime now) const;

 private:
  TokenKeys keys_;
};

}  // namespace fairlead::auth
