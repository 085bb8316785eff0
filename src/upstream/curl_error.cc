// SPDX-License-Identifier: Apache-2.0
#include "upstream/curl_error.h"

#include <cstring>
#include <string>

namespace fairlead::upstream {
namespace {

// What is no answer may be the rest of the one before, longer than it said: a new connection tells.
bool was_reused(CURL* easy) {
  long connections = 1;
  ::curl_easy_getinfo(easy, CURLINFO_NUM_CONNECTS, &connections);
  return connections == 0;
}

}  // namespace

Error curl_error(CURL* easy, CURLcode code) {
  const auto make = [](Code our_code, Retry retry, std::string context) {
    return upstream_error(our_code, retry, std::move(context)).error();
  };
  switch (code) {
    case CURLE_COULDNT_RESOLVE_HOST:
      return make(Code::Unavailable, Retry::Yes, "the host name does not resolve");
    case CURLE_COULDNT_RESOLVE_PROXY:
      return make(Code::Unavailable, Retry::Yes, "the proxy's host name does not resolve");
    case CURLE_COULDNT_CONNECT: {
      long error_number = 0;
      ::curl_easy_getinfo(easy, CURLINFO_OS_ERRNO, &error_number);
      std::string reason = "no connection";
      if (error_number != 0) {
        reason +=
            std::string(" (") + std::strerror(static_cast<int>(error_number)) + ")";  // NOLINT
      }
      return make(Code::Unavailable, Retry::Yes, std::move(reason));
    }
    case CURLE_OPERATION_TIMEDOUT:
      return make(Code::Timeout, Retry::Yes, "no connection in time");
    case CURLE_GOT_NOTHING:
    case CURLE_RECV_ERROR:
    case CURLE_SEND_ERROR:
    case CURLE_PARTIAL_FILE:
    case CURLE_HTTP2:
    case CURLE_HTTP2_STREAM:
    case CURLE_SEND_FAIL_REWIND:  // of a stream, that is sent once
      return make(Code::Unavailable, Retry::Yes,
                  std::string("the connection was cut (") + ::curl_easy_strerror(code) + ")");
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_ISSUER_ERROR:
      return make(
          Code::Unavailable, Retry::No,
          "its TLS certificate is not trusted; set `ca` to the authority that signed it, or "
          "correct the host name");
    case CURLE_SSL_CACERT_BADFILE:
      return internal_error(Code::InvalidArgument, "the file of trusted authorities cannot be read")
          .error();
    case CURLE_SSL_CONNECT_ERROR:
      return make(Code::Unavailable, Retry::Yes, "no TLS 1.2 or newer could be agreed on");
    case CURLE_URL_MALFORMAT:
      return internal_error(Code::InvalidArgument, "not an http or https URL").error();
    case CURLE_UNSUPPORTED_PROTOCOL:  // HTTP/0.9: the URL itself has been checked before
    case CURLE_WEIRD_SERVER_REPLY:
    case CURLE_BAD_CONTENT_ENCODING:
      if (was_reused(easy)) {
        return make(Code::Unavailable, Retry::Yes,
                    "the connection held more than the answer before");
      }
      return make(Code::Corrupt, Retry::No, "the answer is not HTTP");
    default:
      return make(Code::Unavailable, Retry::Yes, ::curl_easy_strerror(code));
  }
}

}  // namespace fairlead::upstream
