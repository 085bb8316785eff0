// SPDX-License-Identifier: Apache-2.0
// Cors: which web pages may read our answers (Fetch standard, "CORS protocol").
//
// A browser sends along nothing of its own: there is no Access-Control-Allow-Credentials, so a page
// gets what an anonymous caller gets, or what it has credentials for itself.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "http/request.h"
#include "http/response.h"

namespace fairlead::gateway {

// Immutable: thread-safe.
class Cors {
 public:
  // Globs for origins (oci/glob.h): "https://*", "https://*.example.com". None: no page may.
  explicit Cors(std::vector<std::string> allowed_origins)
      : allowed_origins_(std::move(allowed_origins)) {}

  [[nodiscard]] bool is_enabled() const { return !allowed_origins_.empty(); }

  [[nodiscard]] bool allows(std::string_view origin) const;

  // To every answer, whatever its status: a page is to read refusals, too.
  void add_headers(const http::Request& request, http::ResponseHead& head) const;

  // The whole answer to a browser's question before the request itself, before anything else is
  // asked about it: browsers send no credentials with it. nullopt: `request` is no such question.
  [[nodiscard]] std::optional<http::ResponseHead> preflight(const http::Request& request) const;

 private:
  std::vector<std::string> allowed_origins_;
};

}  // namespace fairlead::gateway
