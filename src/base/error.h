// SPDX-License-Identifier: Apache-2.0
// Error and Result: how every fallible function here answers.
//
// An error is a value. `code` says what kind of thing happened, `origin` whose
// fault it is (that decides HTTP status and log level), `retry` whether the same
// call may go well later; it is set where the error is made, where that is known.
// No exception crosses a module; constructors may throw at start-up.
#pragma once

#include <chrono>
#include <expected>
#include <optional>
#include <string>
#include <string_view>

namespace fairlead {

enum class Code {
  InvalidArgument,  // the input does not fit the grammar
  NotFound,
  Unauthorized,  // credentials are missing or wrong
  Denied,        // credentials are known and do not suffice
  TooManyRequests,
  TooLarge,     // a bound of ours was exceeded
  Unavailable,  // the other side does not answer, or answers 5xx
  Timeout,
  Corrupt,  // bytes that are not what their digest or length promised
  NoSpace,
  Io,
  Cancelled,  // we are shutting down, or nobody waits any longer
  Unsupported,
  Internal,
};

enum class Origin { Client, Upstream, Internal };

enum class Retry { No, Yes };

struct [[nodiscard]] Error {
  Code code = Code::Internal;
  Origin origin = Origin::Internal;
  Retry retry = Retry::No;
  std::string context;  // one sentence for the person who can act on it; never a secret
  std::optional<std::chrono::seconds> retry_after{};  // what the other side asked for (Retry-After)

  // The same error, with where it happened in front: "open /x: no such file".
  [[nodiscard]] Error within(std::string_view where) &&;
};

template <class T>
using Result = std::expected<T, Error>;

std::string_view to_string(Code code);
std::string_view to_string(Origin origin);

// The errors that are made most often.
[[nodiscard]] std::unexpected<Error> client_error(Code code, std::string context);
[[nodiscard]] std::unexpected<Error> upstream_error(Code code, Retry retry, std::string context);
[[nodiscard]] std::unexpected<Error> internal_error(Code code, std::string context);

// From errno: `what` names the call and its object, "open /var/cache/x".
[[nodiscard]] std::unexpected<Error> errno_error(int error_number, std::string_view what);

}  // namespace fairlead
