// SPDX-License-Identifier: Apache-2.0
// A request to an upstream, and the headers of its answer.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "upstream/body.h"
#include "upstream/options.h"

namespace fairlead::upstream {

class Headers {
 public:
  void add(std::string name, std::string value);
  void clear() { entries_.clear(); }

  // The first value of that name, any case; empty when absent. Valid until the next add().
  [[nodiscard]] std::string_view find(std::string_view name) const;
  [[nodiscard]] std::vector<std::string_view> find_all(std::string_view name) const;
  // All values of that name, with commas between.
  [[nodiscard]] std::string join(std::string_view name) const;

 private:
  std::vector<std::pair<std::string, std::string>> entries_;
};

struct HttpRequest {
  std::string method = "GET";  // GET, HEAD, POST, PUT, PATCH or DELETE
  std::string url;             // absolute, http or https
  std::vector<std::pair<std::string, std::string>> headers;
  std::string body;  // of a POST, PUT or PATCH
  // Instead of `body`: where one of many megabytes goes out in several attempts.
  std::shared_ptr<const std::string> shared_body{};
  // Instead of both, of a POST, PUT or PATCH: sent as it comes, once, over HTTP/1.1. Where it ends
  // in an error, or at another length, the request is cut off.
  std::shared_ptr<Body> stream{};
  std::optional<std::uint64_t> stream_length{};  // bytes; nullopt: chunked
  // Nothing is read of a stream before the server wants it (100 Continue), or has said nothing for
  // a second. False: the server is not asked, and the stream goes out at once.
  bool expects_continue = true;
  // Where given, set to true once there is a connection, and the request goes out.
  std::shared_ptr<bool> has_gone_out{};
  Timeouts timeouts;
  std::string ca_file;     // PEM, instead of the system's; empty: SSL_CERT_FILE or the system's
  std::string proxy;       // empty: from the environment
  bool is_direct = false;  // never through a proxy, whatever the environment says
  bool is_bulk = false;    // the answer may be large: large pieces, and a connection of its own
};

}  // namespace fairlead::upstream
