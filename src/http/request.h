// SPDX-License-Identifier: Apache-2.0
// Request: the head of one HTTP/1 request. All views point into the connection's buffer and hold
// until the request has been answered.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace fairlead::http {

struct HeaderField {
  std::string_view name;
  std::string_view value;
};

enum class BodyFraming { None, Length, Chunked };

struct Request {
  std::string_view method;
  std::string_view target;  // origin form ("/v2/?ns=x") or "*"; visible ASCII only
  std::string_view host;  // of the Host field or an absolute-form target; may be empty in HTTP/1.0
  int minor_version = 1;  // HTTP/1.x
  bool keep_alive = true;
  bool expects_continue = false;
  BodyFraming framing = BodyFraming::None;
  std::uint64_t content_length = 0;  // with BodyFraming::Length
  std::vector<HeaderField> fields;

  std::string_view peer;   // "127.0.0.1:5555" or "unix"
  bool is_secure = false;  // came over TLS

  [[nodiscard]] bool is_head() const { return method == "HEAD"; }
  [[nodiscard]] std::string_view path() const { return target.substr(0, target.find('?')); }

  // The first field of that name, any case; empty when there is none.
  [[nodiscard]] std::string_view find(std::string_view name) const;

  // All fields of that name as one list value ("a, b"), as RFC 9110, 5.3 allows.
  [[nodiscard]] std::string find_all(std::string_view name) const;
};

[[nodiscard]] bool equals_ignoring_case(std::string_view a, std::string_view b);

}  // namespace fairlead::http
