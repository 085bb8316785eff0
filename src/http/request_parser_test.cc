// SPDX-License-Identifier: Apache-2.0
// Every shape of request that two parsers could read differently (RFC 9112, 11.2), and the
// ordinary ones beside them.
#include "http/request_parser.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

namespace fairlead::http {
namespace {

const std::string kHost = "Host: reg.test\r\n";

// A parsed head; the text it views into stays with it.
struct Parsed {
  std::string text;
  Request request{};
  RequestParser parser{};
  std::expected<void, Refusal> result{};
};

std::unique_ptr<Parsed> parse(std::string head) {
  auto parsed = std::make_unique<Parsed>(std::move(head));
  EXPECT_EQ(head_length(parsed->text), parsed->text.size()) << parsed->text;
  parsed->result = parsed->parser.parse_head(parsed->text, parsed->request);
  return parsed;
}

std::string with_fields(const std::string& fields) {
  return "GET /v2/ HTTP/1.1\r\n" + kHost + fields + "\r\n";
}

TEST(RequestParser, ReadsAnOrdinaryRequest) {
  const auto parsed = parse(
      "GET /v2/a/blobs/x?ns=docker.io HTTP/1.1\r\nHost: reg.test:5000\r\nAccept: a\r\n"
      "accept:b  \r\nX-Empty:\r\n\r\n");
  ASSERT_TRUE(parsed->result) << parsed->result.error().reason;
  const Request& request = parsed->request;
  EXPECT_EQ(request.method, "GET");
  EXPECT_EQ(request.target, "/v2/a/blobs/x?ns=docker.io");
  EXPECT_EQ(request.path(), "/v2/a/blobs/x");
  EXPECT_EQ(request.host, "reg.test:5000");
  EXPECT_EQ(request.find("ACCEPT"), "a");
  EXPECT_EQ(request.find_all("Accept"), "a, b");
  EXPECT_EQ(request.find("X-Empty"), "");
  EXPECT_TRUE(request.keep_alive);
  EXPECT_EQ(request.framing, BodyFraming::None);
  EXPECT_TRUE(parsed->parser.is_complete());
}

TEST(RequestParser, KnowsTheFramingOfBodies) {
  EXPECT_EQ(parse(with_fields("Content-Length: 5\r\n"))->request.content_length, 5u);
  EXPECT_EQ(parse(with_fields("Content-Length: 5\r\n"))->request.framing, BodyFraming::Length);
  EXPECT_EQ(parse(with_fields("Content-Length: 0\r\n"))->request.framing, BodyFraming::None);
  EXPECT_EQ(parse(with_fields("Transfer-Encoding: chunked\r\n"))->request.framing,
            BodyFraming::Chunked);
  EXPECT_EQ(parse(with_fields("transfer-encoding: CHUNKED\r\n"))->request.framing,
            BodyFraming::Chunked);
}

TEST(RequestParser, RefusesWhatCanBeReadInTwoWays) {
  const struct {
    const char* what;
    std::string head;
  } cases[] = {
      {"CL and TE", with_fields("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n")},
      {"TE and CL", with_fields("Transfer-Encoding: chunked\r\nContent-Length: 5\r\n")},
      {"CL twice, different", with_fields("Content-Length: 5\r\nContent-Length: 6\r\n")},
      {"CL twice, the same", with_fields("Content-Length: 5\r\nContent-Length: 5\r\n")},
      {"CL list", with_fields("Content-Length: 5, 5\r\n")},
      {"CL with sign", with_fields("Content-Length: +5\r\n")},
      {"CL negative", with_fields("Content-Length: -5\r\n")},
      {"CL hex", with_fields("Content-Length: 0x5\r\n")},
      {"CL with text", with_fields("Content-Length: 5a\r\n")},
      {"CL with space", with_fields("Content-Length: 5 5\r\n")},
      {"CL empty", with_fields("Content-Length:\r\n")},
      {"CL over 2^63", with_fields("Content-Length: 9223372036854775808\r\n")},
      {"CL over 2^64", with_fields("Content-Length: 18446744073709551617\r\n")},
      {"TE twice", with_fields("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n")},
      {"TE list", with_fields("Transfer-Encoding: chunked, chunked\r\n")},
      {"TE gzip, chunked", with_fields("Transfer-Encoding: gzip, chunked\r\n")},
      {"TE chunked, identity", with_fields("Transfer-Encoding: chunked, identity\r\n")},
      {"TE identity", with_fields("Transfer-Encoding: identity\r\n")},
      {"TE xchunked", with_fields("Transfer-Encoding: xchunked\r\n")},
      {"TE quoted", with_fields("Transfer-Encoding: \"chunked\"\r\n")},
      {"TE with parameter", with_fields("Transfer-Encoding: chunked;q=1\r\n")},
      {"TE with vertical tab", with_fields("Transfer-Encoding: \x0b"
                                           "chunked\r\n")},
      {"TE empty", with_fields("Transfer-Encoding:\r\n")},
      {"chunked in 1.0", "GET / HTTP/1.0\r\n" + kHost + "Transfer-Encoding: chunked\r\n\r\n"},
      {"space before colon", with_fields("Content-Length : 5\r\n")},
      {"tab before colon", with_fields("Transfer-Encoding\t: chunked\r\n")},
      {"obs-fold", with_fields("X-A: 1\r\n Content-Length: 5\r\n")},
      {"obs-fold with tab", with_fields("X-A: 1\r\n\tb\r\n")},
      {"folded first field", "GET / HTTP/1.1\r\n " + kHost + "\r\n"},
      {"bare LF in a field", with_fields("X-A: 1\nContent-Length: 5\r\n")},
      {"bare CR in a field", with_fields("X-A: 1\rContent-Length: 5\r\n")},
      {"bare LF ends the head", "GET / HTTP/1.1\r\n" + kHost + "\n"},
      {"LF only", "GET / HTTP/1.1\nHost: reg.test\n\n"},
      {"NUL", with_fields("X-A: 1" + std::string(1, '\0') + "\r\n")},
      {"DEL", with_fields("X-A: \x7f\r\n")},
      {"ESC", with_fields("X-A: \x1b[31m\r\n")},
      {"field without colon", with_fields("Content-Length 5\r\n")},
      {"empty field name", with_fields(": 5\r\n")},
      {"field name with a space", with_fields("X A: 5\r\n")},
      {"field name with a bracket", with_fields("X(A): 5\r\n")},
      {"field name not ASCII", with_fields("X\xc3\xa9: 5\r\n")},
      {"no Host", "GET / HTTP/1.1\r\n\r\n"},
      {"Host twice", "GET / HTTP/1.1\r\n" + kHost + kHost + "\r\n"},
      {"Host with a path", "GET / HTTP/1.1\r\nHost: reg.test/x\r\n\r\n"},
      {"Host with user", "GET / HTTP/1.1\r\nHost: user@reg.test\r\n\r\n"},
      {"Host with a space", "GET / HTTP/1.1\r\nHost: reg test\r\n\r\n"},
      {"no target", "GET HTTP/1.1\r\n" + kHost + "\r\n"},
      {"two targets", "GET /a /b HTTP/1.1\r\n" + kHost + "\r\n"},
      {"target not ASCII", "GET /\xc3\xa9 HTTP/1.1\r\n" + kHost + "\r\n"},
      {"target with a tab", "GET /a\tb HTTP/1.1\r\n" + kHost + "\r\n"},
      {"relative target", "GET v2/ HTTP/1.1\r\n" + kHost + "\r\n"},
      {"authority target", "CONNECT reg.test:443 HTTP/1.1\r\n" + kHost + "\r\n"},
      {"another scheme", "GET ftp://reg.test/ HTTP/1.1\r\n" + kHost + "\r\n"},
      {"absolute target with user", "GET http://u:p@reg.test/ HTTP/1.1\r\n" + kHost + "\r\n"},
      {"absolute target without host", "GET http:///v2/ HTTP/1.1\r\n" + kHost + "\r\n"},
      {"space in front", " GET / HTTP/1.1\r\n" + kHost + "\r\n"},
      {"method not a token", "GE(T / HTTP/1.1\r\n" + kHost + "\r\n"},
      {"no version", "GET /\r\n" + kHost + "\r\n"},
      {"version in small letters", "GET / http/1.1\r\n" + kHost + "\r\n"},
      {"version of three digits", "GET / HTTP/1.10\r\n" + kHost + "\r\n"},
      {"version 2", "GET / HTTP/2.0\r\n" + kHost + "\r\n"},
      {"version 0.9", "GET / HTTP/0.9\r\n" + kHost + "\r\n"},
      {"a response", "HTTP/1.1 200 OK\r\n" + kHost + "\r\n"},
  };
  for (const auto& c : cases) {
    const auto parsed = parse(c.head);
    EXPECT_FALSE(parsed->result) << c.what;
    if (parsed->result) continue;
    EXPECT_GE(parsed->result.error().status, 400) << c.what;
    EXPECT_FALSE(parsed->result.error().reason.empty()) << c.what;
  }
}

TEST(RequestParser, AnAbsoluteTargetNamesTheHost) {
  const auto parsed = parse("GET HTTP://real.test:80/v2/?a=b HTTP/1.1\r\n" + kHost + "\r\n");
  ASSERT_TRUE(parsed->result);
  EXPECT_EQ(parsed->request.host, "real.test:80");
  EXPECT_EQ(parsed->request.target, "/v2/?a=b");
  EXPECT_EQ(parse("GET http://real.test HTTP/1.1\r\n" + kHost + "\r\n")->request.target, "/");
}

TEST(RequestParser, KnowsWhetherTheConnectionStays) {
  const auto stays = [](const std::string& version, const std::string& fields) {
    const auto parsed = parse("GET / HTTP/" + version + "\r\n" + kHost + fields + "\r\n");
    EXPECT_TRUE(parsed->result);
    return parsed->request.keep_alive;
  };
  EXPECT_TRUE(stays("1.1", ""));
  EXPECT_FALSE(stays("1.1", "Connection: close\r\n"));
  EXPECT_FALSE(stays("1.1", "Connection: x, Close\r\n"));
  EXPECT_FALSE(stays("1.0", ""));
  EXPECT_TRUE(stays("1.0", "Connection: keep-alive\r\n"));
}

TEST(RequestParser, Http10NeedsNoHost) {
  const auto parsed = parse("GET / HTTP/1.0\r\n\r\n");
  ASSERT_TRUE(parsed->result);
  EXPECT_EQ(parsed->request.host, "");
}

TEST(RequestParser, ExpectsContinueOnlyInHttp11) {
  EXPECT_TRUE(parse(with_fields("Expect: 100-Continue\r\n"))->request.expects_continue);
  EXPECT_FALSE(parse("GET / HTTP/1.0\r\nExpect: 100-continue\r\n\r\n")->request.expects_continue);
}

TEST(HeadLength, FindsTheEndOfAHead) {
  EXPECT_EQ(head_length(""), 0u);
  EXPECT_EQ(head_length("GET / HTTP/1.1\r\nHost: a\r\n"), 0u);
  EXPECT_EQ(head_length("GET / HTTP/1.1\r\nHost: a\r\n\r\nrest"), 27u);
  EXPECT_EQ(head_length("\r\n\r\nGET / HTTP/1.1\r\n\r\nrest"), 22u) << "empty lines in front";
  EXPECT_EQ(head_length("\r\n\r\n\r\n"), 0u);
}

// Feeds `body` in pieces of `step` bytes.
struct Body {
  std::string bytes;
  std::size_t consumed = 0;
  bool is_complete = false;
  bool is_refused = false;
};
Body parse_body(Parsed& parsed, const std::string& input, std::size_t step, std::size_t out_size) {
  Body body;
  std::string pending;
  std::vector<std::byte> out(out_size);
  std::size_t fed = 0;
  while (!parsed.parser.is_complete()) {
    const auto progress = parsed.parser.parse_body(pending, out);
    if (!progress) {
      body.is_refused = true;
      return body;
    }
    body.bytes += as_text(ByteView(out).first(progress->produced));
    body.consumed += progress->consumed;
    pending.erase(0, progress->consumed);
    if (progress->consumed > 0 || progress->produced > 0) continue;
    if (fed == input.size()) break;
    pending += input.substr(fed, step);
    fed += std::min(step, input.size() - fed);
  }
  body.is_complete = parsed.parser.is_complete();
  return body;
}

TEST(RequestBody, IsTheSameHoweverItArrives) {
  const std::string chunked = "5\r\nhello\r\n1;a=b;c=\"d\"\r\n \r\n00006\r\nworld!\r\n0\r\n\r\n";
  for (const std::size_t step : {1u, 2u, 3u, 7u, 1000u}) {
    for (const std::size_t out_size : {1u, 4u, 1000u}) {
      auto head = parse(with_fields("Transfer-Encoding: chunked\r\n"));
      auto body = parse_body(*head, chunked + "NEXT", step, out_size);
      EXPECT_TRUE(body.is_complete);
      EXPECT_EQ(body.bytes, "hello world!");
      EXPECT_EQ(body.consumed, chunked.size()) << "took bytes of the next request";

      head = parse(with_fields("Content-Length: 5\r\n"));
      body = parse_body(*head, "helloNEXT", step, out_size);
      EXPECT_TRUE(body.is_complete);
      EXPECT_EQ(body.bytes, "hello");
      EXPECT_EQ(body.consumed, 5u);
    }
  }
}

TEST(RequestBody, AnEmptyChunkedBodyMayArriveByteByByte) {
  for (const std::size_t step : {1u, 2u, 3u, 4u, 5u}) {
    const auto head = parse(with_fields("Transfer-Encoding: chunked\r\n"));
    const auto body = parse_body(*head, "0\r\n\r\nNEXT", step, 1000);
    EXPECT_TRUE(body.is_complete);
    EXPECT_EQ(body.consumed, 5u);
  }
}

TEST(RequestBody, MalformedChunksAreRefused) {
  for (const char* input :
       {"5\nhello\r\n0\r\n\r\n", "5\r\nhello0\r\n\r\n", "5\r\nhelloXX0\r\n\r\n", "x\r\n\r\n",
        "-5\r\nhello\r\n0\r\n\r\n", "+5\r\nhello\r\n0\r\n\r\n", "0x5\r\nhello\r\n0\r\n\r\n",
        " 5\r\nhello\r\n0\r\n\r\n", "\r\n5\r\nhello\r\n0\r\n\r\n", "5 \nhello\r\n0\r\n\r\n",
        "5;\nx\r\nhello\r\n0\r\n\r\n", "5\rX\nhello\r\n0\r\n\r\n",
        "10000000000000005\r\nhello\r\n0\r\n\r\n", "fffffffffffffffff\r\nhello\r\n0\r\n\r\n"}) {
    for (const std::size_t step : {1u, 1000u}) {
      auto head = parse(with_fields("Transfer-Encoding: chunked\r\n"));
      EXPECT_FALSE(parse_body(*head, input, step, 1000).is_complete) << input;
    }
  }
}

// The attack: fields behind the body, where nobody looks any more, that replace those by which
// the request was routed.
TEST(RequestBody, TrailersChangeNothingOfTheRequest) {
  auto head = parse(with_fields("Transfer-Encoding: chunked\r\n"));
  const auto fields = head->request.fields.size();
  const auto body = parse_body(
      *head, "1\r\nx\r\n0\r\nHost: evil.test\r\nAuthorization: Basic eDp5\r\n\r\n", 1000, 1000);
  EXPECT_TRUE(body.is_complete);
  EXPECT_EQ(head->request.host, "reg.test");
  EXPECT_EQ(head->request.fields.size(), fields);
  EXPECT_EQ(head->request.find("Authorization"), "");
}

}  // namespace
}  // namespace fairlead::http
