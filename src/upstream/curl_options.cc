// SPDX-License-Identifier: Apache-2.0
#include "upstream/curl_options.h"

#include <algorithm>
#include <cstdlib>

namespace fairlead::upstream {
namespace {

constexpr long kBulkReceiveBuffer = 512 * 1024;  // libcurl's own, one a transfer
constexpr long kSmallReceiveBuffer = 16 * 1024;

// libcurl itself does not look at the variables that OpenSSL's users know.
const char* from_environment(const char* name) {
  const char* value = std::getenv(name);  // NOLINT(concurrency-mt-unsafe): nobody sets any
  return value != nullptr && *value != '\0' ? value : nullptr;
}

void trust_authorities(CURL* easy, const std::string& ca_file) {
  if (!ca_file.empty()) {
    ::curl_easy_setopt(easy, CURLOPT_CAINFO, ca_file.c_str());
    ::curl_easy_setopt(easy, CURLOPT_CAPATH, nullptr);
    return;
  }
  if (const char* file = from_environment("SSL_CERT_FILE")) {
    ::curl_easy_setopt(easy, CURLOPT_CAINFO, file);
  }
  if (const char* directory = from_environment("SSL_CERT_DIR")) {
    ::curl_easy_setopt(easy, CURLOPT_CAPATH, directory);
  }
}

void set_protocol(CURL* easy, const HttpRequest& request) {
  ::curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
  ::curl_easy_setopt(easy, CURLOPT_DISALLOW_USERNAME_IN_URL, 1L);
  ::curl_easy_setopt(easy, CURLOPT_PATH_AS_IS, 1L);  // a signature covers it
  ::curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
  ::curl_easy_setopt(easy, CURLOPT_HTTP09_ALLOWED, 0L);
  ::curl_easy_setopt(easy, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
  ::curl_easy_setopt(easy, CURLOPT_SSLVERSION, static_cast<long>(CURL_SSLVERSION_TLSv1_2));
  ::curl_easy_setopt(easy, CURLOPT_USERAGENT, "fairlead/" FAIRLEAD_VERSION);
  // A large body has a connection of its own: over HTTP/2, a paused stream with data waiting holds
  // up the other streams of its connection, and libcurl (7.88) spins meanwhile. A stream has, too:
  // libcurl waits for 100 Continue over HTTP/1.1 only.
  const bool is_alone = request.is_bulk || request.stream;
  ::curl_easy_setopt(easy, CURLOPT_HTTP_VERSION,
                     is_alone ? static_cast<long>(CURL_HTTP_VERSION_1_1)
                              : static_cast<long>(CURL_HTTP_VERSION_2TLS));
  // Nor is another transfer's connection waited for, to see whether it is HTTP/2: while that one is
  // slow to answer, nothing else would move.
  ::curl_easy_setopt(easy, CURLOPT_PIPEWAIT, 0L);
  ::curl_easy_setopt(easy, CURLOPT_BUFFERSIZE,
                     request.is_bulk ? kBulkReceiveBuffer : kSmallReceiveBuffer);
}

void set_network(CURL* easy, const HttpRequest& request) {
  ::curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
  ::curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L);  // do not wait for a resolver that hangs
  ::curl_easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 1L);
  ::curl_easy_setopt(
      easy, CURLOPT_CONNECTTIMEOUT_MS,
      static_cast<long>(std::max<std::int64_t>(1, request.timeouts.connect.count())));
  if (request.is_direct) {
    ::curl_easy_setopt(easy, CURLOPT_PROXY, "");
  } else if (!request.proxy.empty()) {
    ::curl_easy_setopt(easy, CURLOPT_PROXY, request.proxy.c_str());
    ::curl_easy_setopt(easy, CURLOPT_NOPROXY, "");
  }
}

}  // namespace

void set_options(CURL* easy, const HttpRequest& request) {
  set_protocol(easy, request);
  set_network(easy, request);
  trust_authorities(easy, request.ca_file);
}

}  // namespace fairlead::upstream
