// SPDX-License-Identifier: Apache-2.0
// KeyFetcher: how the keys of an issuer are got from where it publishes them.
#pragma once

#include <string>

#include "async/task.h"
#include "base/error.h"

namespace fairlead::auth {

// One worker's; it must outlive what it was asked.
class KeyFetcher {
 public:
  virtual ~KeyFetcher() = default;

  // The document at `url`, at most kMaxJwks bytes. Errors are the upstream's: Unavailable,
  // Timeout, TooLarge, Cancelled; none names the URL.
  virtual async::Task<Result<std::string>> fetch(std::string url) = 0;
};

}  // namespace fairlead::auth
