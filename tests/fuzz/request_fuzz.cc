// SPDX-License-Identifier: Apache-2.0
// Input: what a client sends on one connection: a request head, then its body and what follows.
// What is accepted has one reading; the body is the same however it arrives.
// Modules: http
#include <algorithm>
#include <string>
#include <vector>

#include "fuzz/property.h"
#include "http/request_parser.h"

using fairlead::fuzz::check;
using namespace fairlead;
using namespace fairlead::http;

namespace {

std::size_t count(const Request& request, std::string_view name) {
  return static_cast<std::size_t>(std::ranges::count_if(
      request.fields, [&](const auto& field) { return equals_ignoring_case(field.name, name); }));
}

bool has_control(std::string_view text) {
  return std::ranges::any_of(text, [](char c) {
    return (static_cast<unsigned char>(c) < 0x20 && c != '\t') || c == 0x7f;
  });
}

void check_head(std::string_view head, const Request& request) {
  check(head.ends_with("\r\n\r\n"));
  const std::size_t lengths = count(request, "Content-Length");
  const std::size_t codings = count(request, "Transfer-Encoding");
  check(lengths + codings <= 1);
  check((request.framing == BodyFraming::Chunked) == (codings == 1));
  check(request.framing != BodyFraming::Length || lengths == 1);
  check(codings == 0 || request.minor_version > 0);
  check(count(request, "Host") <= 1);
  check(request.minor_version == 0 || count(request, "Host") == 1);
  check(request.target.starts_with('/') || request.target == "*");
  check(!request.method.empty());
  for (const auto& field : request.fields) {
    check(!field.name.empty() && field.name.find_first_of(" \t:\r\n") == std::string_view::npos);
    check(!has_control(field.value));
  }
}

struct Body {
  std::string bytes;
  std::size_t consumed = 0;
  bool is_complete = false;
  bool is_refused = false;
};

Body read_body(std::string_view head, std::string_view input, std::size_t step) {
  Body body;
  RequestParser parser;
  Request request;
  check(parser.parse_head(head, request).has_value());
  const std::string host(request.host);
  const std::size_t fields = request.fields.size();
  std::vector<std::byte> out(step * 3);
  std::size_t available = 0;
  while (!parser.is_complete()) {
    const std::string pending(input.substr(body.consumed, available - body.consumed));
    const auto progress = parser.parse_body(pending, out);
    if (!progress) {
      body.is_refused = true;
      break;
    }
    check(progress->consumed <= pending.size() && progress->produced <= out.size());
    body.bytes += as_text(ByteView(out).first(progress->produced));
    body.consumed += progress->consumed;
    if (progress->consumed > 0 || progress->produced > 0) continue;
    if (available == input.size()) break;
    available = std::min(input.size(), available + step);
  }
  body.is_complete = parser.is_complete();
  check(request.host == host && request.fields.size() == fields);
  if (body.is_complete && request.framing == BodyFraming::Length) {
    check(body.bytes.size() == request.content_length && body.consumed == body.bytes.size());
  }
  if (request.framing == BodyFraming::None) check(body.is_complete && body.consumed == 0);
  return body;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view input = fuzz::as_text(data, size);
  const std::size_t length = head_length(input);
  check(length <= input.size());
  if (length == 0) return 0;
  const std::string head(input.substr(0, length));
  RequestParser parser;
  Request request;
  const auto parsed = parser.parse_head(head, request);
  if (!parsed) {
    check(parsed.error().status >= 400 && !parsed.error().reason.empty());
    return 0;
  }
  check_head(head, request);
  const std::string_view rest = input.substr(length);
  const Body at_once = read_body(head, rest, 4096);
  const Body slowly = read_body(head, rest, 1);
  check(at_once.is_complete == slowly.is_complete);
  if (at_once.is_complete) {
    check(at_once.bytes == slowly.bytes && at_once.consumed == slowly.consumed);
  }
  return 0;
}
