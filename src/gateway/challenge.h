// SPDX-License-Identifier: Apache-2.0
// The challenge of a 401: where this client gets a token, and for what (distribution's token
// authentication; RFC 6750, 3).
#pragma once

#include <string>
#include <string_view>

#include "async/task.h"
#include "gateway/exchange.h"

namespace fairlead::gateway {

// Why a token that was shown does not do.
enum class TokenError {
  None,               // none was shown
  InvalidToken,       // expired, or none of ours
  InsufficientScope,  // for something else
};

// The value of WWW-Authenticate. With the scope of the exchange's operation, if it has one.
std::string write_challenge(const Exchange& exchange, TokenError error);

// 401 with it.
async::Task<> respond_unauthorized(Exchange& exchange, TokenError error, std::string message);

}  // namespace fairlead::gateway
