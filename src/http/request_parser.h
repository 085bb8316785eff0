// SPDX-License-Identifier: Apache-2.0
// RequestParser: HTTP/1 request heads and bodies out of a buffer. No I/O.
//
// Beast's parser does the grammar. It is older than its request-smuggling fixes, so what two
// parsers could read differently is refused here, before and after it (RFC 9112, 11.2):
// Content-Length with Transfer-Encoding, repeated Content-Length, any transfer coding but
// "chunked" once, chunked in HTTP/1.0, obs-fold, bare CR or LF, control bytes, a missing or
// repeated Host.
#pragma once

#include <cstddef>
#include <expected>
#include <memory>
#include <string_view>

#include "base/bytes.h"
#include "http/request.h"

namespace fairlead::http {

// Why a request is refused: answer `status`, then close.
struct Refusal {
  int status = 400;
  std::string_view reason;
};

// The length of the request head at the front of `buffer` with its final CRLF CRLF, or 0 while it
// is not complete. Empty lines in front (RFC 9112, 2.2) belong to it.
std::size_t head_length(std::string_view buffer);

// Whether a request, or the empty lines in front of one, can begin with `first`.
bool may_begin_request(char first);

class RequestParser {
 public:
  RequestParser();
  ~RequestParser();
  RequestParser(RequestParser&&) noexcept;
  RequestParser& operator=(RequestParser&&) noexcept;

  // `head` is exactly one head, as head_length() found it; `request` views into it afterwards.
  // Starts a new message.
  std::expected<void, Refusal> parse_head(std::string_view head, Request& request);

  struct BodyProgress {
    std::size_t consumed = 0;  // bytes of the input that are used up
    std::size_t produced = 0;  // bytes written to `out`
  };
  // Takes body bytes from `input`. When neither is progressed, more input is needed.
  std::expected<BodyProgress, Refusal> parse_body(std::string_view input, MutableByteView out);

  [[nodiscard]] bool is_complete() const;  // the whole body has been taken

 private:
  class Beast;
  std::unique_ptr<Beast> beast_;
};

}  // namespace fairlead::http
