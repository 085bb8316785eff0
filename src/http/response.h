// SPDX-License-Identifier: Apache-2.0
// ResponseHead: status line and header fields, written straight into the text that is sent.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace fairlead::http {

std::string_view reason_phrase(int status);

// The value of a Date field now (RFC 9110, 5.6.7); made once a second and thread.
std::string_view current_date();

class ResponseHead {
 public:
  explicit ResponseHead(int status) : status_(status) {}

  // Control bytes in `value` become spaces: no value from outside can add a field (the attack:
  // response splitting). Connection, Date, Content-Length and Transfer-Encoding are the
  // connection's to write.
  ResponseHead& add(std::string_view name, std::string_view value);

  // The length of the body that follows or, for HEAD, would follow. Unset: not known beforehand.
  ResponseHead& set_content_length(std::uint64_t length) {
    content_length_ = length;
    return *this;
  }

  [[nodiscard]] int status() const { return status_; }
  [[nodiscard]] std::optional<std::uint64_t> content_length() const { return content_length_; }
  [[nodiscard]] const std::string& fields() const { return fields_; }

 private:
  int status_;
  std::optional<std::uint64_t> content_length_;
  std::string fields_;  // "Name: value\r\n" ...
};

}  // namespace fairlead::http
