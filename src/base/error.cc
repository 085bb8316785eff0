// SPDX-License-Identifier: Apache-2.0
#include "base/error.h"

#include <cerrno>
#include <system_error>
#include <utility>

namespace fairlead {

Error Error::within(std::string_view where) && {
  context = std::string(where) + ": " + context;
  return std::move(*this);
}

std::string_view to_string(Code code) {
  switch (code) {
    case Code::InvalidArgument:
      return "invalid argument";
    case Code::NotFound:
      return "not found";
    case Code::Unauthorized:
      return "unauthorized";
    case Code::Denied:
      return "denied";
    case Code::TooManyRequests:
      return "too many requests";
    case Code::TooLarge:
      return "too large";
    case Code::Unavailable:
      return "unavailable";
    case Code::Timeout:
      return "timeout";
    case Code::Corrupt:
      return "corrupt";
    case Code::NoSpace:
      return "no space";
    case Code::Io:
      return "i/o error";
    case Code::Cancelled:
      return "cancelled";
    case Code::Unsupported:
      return "unsupported";
    case Code::Internal:
      return "internal";
  }
  std::unreachable();
}

std::string_view to_string(Origin origin) {
  switch (origin) {
    case Origin::Client:
      return "client";
    case Origin::Upstream:
      return "upstream";
    case Origin::Internal:
      return "internal";
  }
  std::unreachable();
}

std::unexpected<Error> client_error(Code code, std::string context) {
  return std::unexpected(Error{code, Origin::Client, Retry::No, std::move(context)});
}

std::unexpected<Error> upstream_error(Code code, Retry retry, std::string context) {
  return std::unexpected(Error{code, Origin::Upstream, retry, std::move(context)});
}

std::unexpected<Error> internal_error(Code code, std::string context) {
  return std::unexpected(Error{code, Origin::Internal, Retry::No, std::move(context)});
}

std::unexpected<Error> errno_error(int error_number, std::string_view what) {
  const bool full = error_number == ENOSPC || error_number == EDQUOT;
  const bool missing = error_number == ENOENT;
  return internal_error(full ? Code::NoSpace : (missing ? Code::NotFound : Code::Io),
                        std::string(what) + ": " + std::generic_category().message(error_number));
}

}  // namespace fairlead
