// SPDX-License-Identifier: Apache-2.0
#include "http/request_parser.h"

#include <algorithm>
#include <boost/beast/http/basic_parser.hpp>
#include <boost/beast/http/error.hpp>
#include <charconv>
#include <cstring>
#include <limits>
#include <optional>
#include <string>

namespace fairlead::http {

namespace beast_http = boost::beast::http;
using BeastText = boost::beast::string_view;
using BeastError = boost::beast::error_code;

namespace {

std::string_view text(BeastText view) { return {view.data(), view.size()}; }

bool is_visible(char c) { return c > 0x20 && c < 0x7f; }

// What Beast is too lenient about, on the raw head.
std::expected<void, Refusal> check_raw(std::string_view head) {
  for (std::size_t i = 0; i < head.size(); ++i) {
    const char c = head[i];
    if (c == '\n' && (i == 0 || head[i - 1] != '\r'))
      return std::unexpected(Refusal{400, "bare line feed"});
    if (c == '\r' && (i + 1 == head.size() || head[i + 1] != '\n')) {
      return std::unexpected(Refusal{400, "bare carriage return"});
    }
    const bool is_control =
        (static_cast<unsigned char>(c) < 0x20 && c != '\r' && c != '\n' && c != '\t') || c == 0x7f;
    if (is_control) return std::unexpected(Refusal{400, "control character in the request head"});
    if (c == '\n' && i + 1 < head.size() && (head[i + 1] == ' ' || head[i + 1] == '\t')) {
      return std::unexpected(Refusal{400, "folded header line"});
    }
  }
  return {};
}

bool is_valid_host(std::string_view host) {
  constexpr std::string_view kAllowed = "-._~[]:%!$&'()*+,;=";
  return host.size() <= 512 && std::ranges::all_of(host, [&](char c) {
           return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                  kAllowed.contains(c);
         });
}

std::optional<std::uint64_t> parse_length(std::string_view value) {
  std::uint64_t length = 0;
  const auto [end, ec] = std::from_chars(value.data(), value.data() + value.size(), length);
  const bool is_bare_number =
      ec == std::errc() && end == value.data() + value.size() && !value.empty();
  if (!is_bare_number || length > std::numeric_limits<std::int64_t>::max()) return std::nullopt;
  return length;
}

}  // namespace

std::size_t head_length(std::string_view buffer) {
  std::size_t start = 0;
  while (buffer.substr(start).starts_with("\r\n")) start += 2;
  const std::size_t end = buffer.find("\r\n\r\n", start);
  if (end != std::string_view::npos) return end + 4;
  // A head that ends in bare line feeds never completes by the rule above: hand it over at once,
  // so that it is refused now and not by the timeout.
  const std::size_t bare = buffer.find("\n\n", start);
  return bare == std::string_view::npos ? 0 : bare + 2;
}

bool may_begin_request(char first) { return is_visible(first) || first == '\r' || first == '\n'; }

// Collects what Beast's grammar finds. One message each.
class RequestParser::Beast final : public beast_http::basic_parser<true> {
 public:
  Request* request = nullptr;
  std::size_t hosts = 0;
  std::size_t content_lengths = 0;
  std::size_t transfer_encodings = 0;
  std::string_view transfer_encoding;
  std::string_view content_length;
  bool is_in_body = false;
  std::uint64_t chunk_left = 0;  // data of the current chunk still to come
  MutableByteView out;
  std::size_t produced = 0;

 private:
  void on_request_impl(beast_http::verb, BeastText method, BeastText target, int version,
                       BeastError&) override {
    request->method = text(method);
    request->target = text(target);
    request->minor_version = version % 10;
  }
  void on_response_impl(int, BeastText, int, BeastError&) override {}
  void on_field_impl(beast_http::field field, BeastText name, BeastText value,
                     BeastError&) override {
    // The attack: trailers that replace fields by which the request has been routed. They would
    // view into a buffer that is used again, too.
    if (is_in_body) return;
    request->fields.push_back({text(name), text(value)});
    switch (field) {
      case beast_http::field::host:
        ++hosts;
        request->host = text(value);
        break;
      case beast_http::field::content_length:
        ++content_lengths;
        content_length = text(value);
        break;
      case beast_http::field::transfer_encoding:
        ++transfer_encodings;
        transfer_encoding = text(value);
        break;
      default:
        break;
    }
  }
  void on_header_impl(BeastError&) override { is_in_body = true; }
  void on_body_init_impl(boost::optional<std::uint64_t> const&, BeastError&) override {}
  std::size_t on_body_impl(BeastText body, BeastError& ec) override { return take(body, ec); }
  void on_chunk_header_impl(std::uint64_t size, BeastText, BeastError&) override {
    chunk_left = size;
  }
  std::size_t on_chunk_body_impl(std::uint64_t, BeastText body, BeastError& ec) override {
    const std::size_t n = take(body, ec);
    chunk_left -= n;
    return n;
  }
  void on_finish_impl(BeastError&) override {}

  std::size_t take(BeastText body, BeastError& ec) {
    const std::size_t n = std::min(body.size(), out.size() - produced);
    if (n == 0) {
      ec = beast_http::error::need_buffer;
      return 0;
    }
    std::memcpy(out.data() + produced, body.data(), n);
    produced += n;
    return n;
  }
};

RequestParser::RequestParser() = default;
RequestParser::~RequestParser() = default;
RequestParser::RequestParser(RequestParser&&) noexcept = default;
RequestParser& RequestParser::operator=(RequestParser&&) noexcept = default;

std::expected<void, Refusal> RequestParser::parse_head(std::string_view head, Request& request) {
  while (head.starts_with("\r\n")) head.remove_prefix(2);
  if (auto checked = check_raw(head); !checked) return checked;

  beast_ = std::make_unique<Beast>();
  request.fields.clear();
  request.host = {};
  beast_->request = &request;
  beast_->body_limit(boost::none);
  beast_->header_limit(std::numeric_limits<std::uint32_t>::max());  // the caller has bounded it
  BeastError ec;
  beast_->put(boost::asio::const_buffer(head.data(), head.size()), ec);
  if (ec && ec != beast_http::error::need_more)
    return std::unexpected(Refusal{400, "malformed request"});
  if (!beast_->is_header_done()) return std::unexpected(Refusal{400, "malformed request"});

  const auto& found = *beast_;
  if (found.content_lengths > 1) return std::unexpected(Refusal{400, "repeated Content-Length"});
  if (found.content_lengths > 0 && found.transfer_encodings > 0) {
    return std::unexpected(Refusal{400, "Content-Length together with Transfer-Encoding"});
  }
  if (found.transfer_encodings > 0) {
    if (found.transfer_encodings > 1 || !equals_ignoring_case(found.transfer_encoding, "chunked")) {
      return std::unexpected(Refusal{400, "transfer coding other than chunked"});
    }
    if (request.minor_version == 0) return std::unexpected(Refusal{400, "chunked in HTTP/1.0"});
  }
  if (found.hosts > 1) return std::unexpected(Refusal{400, "repeated Host"});
  if (found.hosts == 0 && request.minor_version > 0)
    return std::unexpected(Refusal{400, "no Host"});

  request.framing = BodyFraming::None;
  request.content_length = 0;
  if (found.transfer_encodings > 0) request.framing = BodyFraming::Chunked;
  if (found.content_lengths > 0) {
    const auto length = parse_length(found.content_length);
    if (!length) return std::unexpected(Refusal{400, "malformed Content-Length"});
    request.framing = *length > 0 ? BodyFraming::Length : BodyFraming::None;
    request.content_length = *length;
  }

  // An absolute-form target names the host itself (RFC 9112, 3.2.2).
  for (const std::string_view scheme : {"http://", "https://"}) {
    if (request.target.size() < scheme.size() ||
        !equals_ignoring_case(request.target.substr(0, scheme.size()), scheme)) {
      continue;
    }
    const std::string_view rest = request.target.substr(scheme.size());
    const std::size_t slash = rest.find('/');
    request.host = rest.substr(0, slash);
    if (request.host.empty()) return std::unexpected(Refusal{400, "no host in the target"});
    request.target = slash == std::string_view::npos ? "/" : rest.substr(slash);
  }
  const bool is_origin_form = request.target.starts_with('/');
  const bool is_asterisk_form = request.target == "*" && request.method == "OPTIONS";
  if ((!is_origin_form && !is_asterisk_form) || !std::ranges::all_of(request.target, is_visible)) {
    return std::unexpected(Refusal{400, "malformed request target"});
  }
  if (!is_valid_host(request.host)) return std::unexpected(Refusal{400, "malformed Host"});

  request.keep_alive = beast_->keep_alive();
  request.expects_continue =
      request.minor_version > 0 && equals_ignoring_case(request.find("Expect"), "100-continue");
  return {};
}

std::expected<RequestParser::BodyProgress, Refusal> RequestParser::parse_body(
    std::string_view input, MutableByteView out) {
  BodyProgress progress;
  // The shortest that can follow where no chunk's data does: "0" CRLF CRLF. Beast asserts that it
  // is given as much once it has seen a last chunk's "0": a client that pauses there must not be
  // able to end a process built with assertions.
  constexpr std::size_t kLastChunk = 5;
  beast_->out = out;
  beast_->produced = 0;
  while (!beast_->is_done() && progress.consumed < input.size() && beast_->produced < out.size()) {
    const bool is_between_chunks = beast_->chunked() && beast_->chunk_left == 0;
    if (is_between_chunks && input.size() - progress.consumed < kLastChunk) break;
    BeastError ec;
    const std::size_t n = beast_->put(boost::asio::const_buffer(input.data() + progress.consumed,
                                                                input.size() - progress.consumed),
                                      ec);
    progress.consumed += n;
    if (ec == beast_http::error::need_more || ec == beast_http::error::need_buffer) break;
    if (ec) return std::unexpected(Refusal{400, "malformed request body"});
  }
  progress.produced = beast_->produced;
  return progress;
}

bool RequestParser::is_complete() const { return beast_->is_done(); }

}  // namespace fairlead::http
