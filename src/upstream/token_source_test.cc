// SPDX-License-Identifier: Apache-2.0
#include "upstream/token_source.h"

#include <gtest/gtest.h>

#include "testing/coroutine_test.h"
#include "testing/manual_clock.h"
#include "testing/scripted_http_server.h"

namespace fairlead::upstream {
namespace {

using namespace std::chrono_literals;
using fairlead::testing::ReceivedRequest;
using fairlead::testing::ScriptedHttpServer;
using fairlead::testing::ScriptedReply;

TEST(TokenDocument, IsReadTolerantlyAndBounded) {
  struct Case {
    std::string json;
    std::string token;
    std::chrono::seconds lifetime = 60s;
  };
  const Case cases[] = {
      {R"({"token":"t"})", "t"},
      {R"({"access_token":"a","expires_in":300})", "a", 300s},
      {R"({"token":"t","access_token":"a","expires_in":3600,"issued_at":"x"})", "t", 3600s},
      {R"({"token":"","access_token":"a"})", "a"},
      {R"({"token":"t","expires_in":-5})", "t", 0s},
      {R"({"token":"t","expires_in":1e300})", "t", 24h},
      {R"({"token":"t","expires_in":99999999999999999999})", "t", 24h},
      {R"({"token":"t","expires_in":"300"})", "t"},
      {R"({"token":"t\r\nEvil: x"})", ""},
      {R"({"token":"with space"})", ""},
      {R"({"token":7})", ""},
      {R"({})", ""},
      {R"(["token"])", ""},
      {R"({"token":"t")", ""},
      {"", ""},
      {"<html>", ""},
      {R"({"token":")" + std::string(40'000, 'x') + R"("})", ""},
  };
  for (const Case& c : cases) {
    const auto token = parse_token_document(c.json);
    if (c.token.empty()) {
      ASSERT_FALSE(token) << c.json;
      EXPECT_EQ(token.error().code, Code::Corrupt);
    } else {
      ASSERT_TRUE(token) << c.json;
      EXPECT_EQ(token->token.reveal(), c.token);
      EXPECT_EQ(token->lifetime, c.lifetime) << c.json;
    }
  }
}

TEST(TokenUrl, CarriesServiceScopesAndAccount) {
  TokenRequest request{
      .realm = "https://a/t", .service = "r.example", .scope = "repository:a/b:pull"};
  EXPECT_EQ(token_url(request),
            "https://a/t?service=r.example&scope=repository%3Aa%2Fb%3Apull&client_id=fairlead");
  request.realm = "https://a/t?x=1";
  request.scope = "a  b";
  request.service = "";
  request.credentials = Credentials{"me&you", Secret("p")};
  EXPECT_EQ(token_url(request),
            "https://a/t?x=1&scope=a&scope=b&account=me%26you&client_id=fairlead");
}

class TokenSourceTest : public fairlead::testing::CoroutineTest {
 protected:
  TokenRequest request(const std::string& scope = "repository:a:pull") {
    return {.registry = "r", .realm = server_.url() + "/token", .service = "s", .scope = scope};
  }
  TokenChannel channel() {
    return {.transport = transport_, .timeouts = {}, .ca_file = "", .proxy = ""};
  }
  std::string token(TokenRequest request, TokenUse use = TokenUse::Any) {
    auto answer = run(source_.token(channel(), std::move(request), use));
    return answer ? answer->value.reveal() : std::string(to_string(answer.error().code));
  }
  std::size_t fetches() { return server_.requests().size(); }

  ScriptedReply reply_;
  ScriptedHttpServer server_{context_, [this](const ReceivedRequest&) {
                               ScriptedReply reply = reply_;
                               if (reply.body.empty()) {
                                 reply.body = R"({"expires_in":300,"token":"t)" +
                                              std::to_string(fetches() + 1) + "\"}";
                               }
                               return reply;
                             }};
  HttpTransport transport_{context_.get_executor()};
  testing::ManualClock clock_;
  TokenSource source_{clock_, 8};
};

TEST_F(TokenSourceTest, RemembersUntilShortlyBeforeExpiry) {
  EXPECT_EQ(token(request()), "t1");
  EXPECT_EQ(token(request()), "t1");
  clock_.advance(269s);
  EXPECT_EQ(token(request()), "t1");
  clock_.advance(2s);
  EXPECT_EQ(token(request()), "t2");
}

TEST_F(TokenSourceTest, WhatIsSentOnlyOnceNeedsATokenThatLasts) {
  EXPECT_EQ(token(request(), TokenUse::Once), "t1");
  clock_.advance(239s);
  EXPECT_EQ(token(request(), TokenUse::Once), "t1");
  clock_.advance(2s);
  EXPECT_EQ(token(request()), "t1");
  EXPECT_EQ(token(request(), TokenUse::Once), "t2");
  EXPECT_EQ(token(request()), "t2");
  reply_.body = R"({"expires_in":20,"token":"short"})";
  clock_.advance(300s);
  EXPECT_EQ(token(request(), TokenUse::Once), "short");
  const auto before = fetches();
  clock_.advance(9s);
  EXPECT_EQ(token(request(), TokenUse::Once), "short");
  EXPECT_EQ(fetches(), before) << "half of its life, where that is less than two minutes";
  clock_.advance(2s);
  EXPECT_EQ(token(request(), TokenUse::Once), "short");
  EXPECT_EQ(fetches(), before + 1);
}

TEST_F(TokenSourceTest, NeverMixesScopesRegistriesOrIdentities) {
  TokenRequest other_registry = request();
  other_registry.registry = "r2";
  TokenRequest somebody = request();
  somebody.credentials = Credentials{"u", Secret("p")};
  TokenRequest other_password = request();
  other_password.credentials = Credentials{"u", Secret("q")};
  EXPECT_EQ(token(request("repository:a:pull")), "t1");
  EXPECT_EQ(token(request("repository:b:pull")), "t2");
  EXPECT_EQ(token(other_registry), "t3");
  EXPECT_EQ(token(somebody), "t4");
  EXPECT_EQ(token(other_password), "t5");
  EXPECT_EQ(token(request("repository:a:pull")), "t1");
  EXPECT_EQ(server_.requests()[0].header("Authorization"), "");
  EXPECT_EQ(server_.requests()[3].header("Authorization"), "Basic dTpw");
}

TEST_F(TokenSourceTest, FetchesOnceForMany) {
  std::vector<std::optional<Result<IssuedToken>>> answers(20);
  for (auto& answer : answers) begin(source_.token(channel(), request()), answer);
  for (auto& answer : answers) {
    run_until([&] { return answer.has_value(); });
    ASSERT_TRUE(*answer);
    EXPECT_EQ((**answer).value.reveal(), "t1");
  }
  EXPECT_EQ(fetches(), 1u);
}

TEST_F(TokenSourceTest, ForgetsWhatWasRefused) {
  EXPECT_EQ(token(request()), "t1");
  source_.drop(request(), Secret("t0"));
  EXPECT_EQ(token(request()), "t1") << "another token was refused, before this one was fetched";
  source_.drop(request(), Secret("t1"));
  EXPECT_EQ(token(request()), "t2");
}

TEST_F(TokenSourceTest, ExchangesAnIdentityTokenByPost) {
  TokenRequest identity = request();
  identity.credentials = Credentials{"<token>", Secret("re fresh")};
  EXPECT_EQ(token(identity), "t1");
  const ReceivedRequest& sent = server_.requests().at(0);
  EXPECT_EQ(sent.method, "POST");
  EXPECT_EQ(sent.header("Authorization"), "");
  EXPECT_EQ(sent.body,
            "grant_type=refresh_token&client_id=fairlead&service=s&scope=repository%3Aa%3Apull&"
            "refresh_token=re%20fresh");
}

TEST_F(TokenSourceTest, ErrorsSayWhatHappenedAndAreNotRemembered) {
  struct Case {
    ScriptedReply reply;
    Code code;
  };
  const Case cases[] = {
      {{.status = 401, .body = R"({"details":"incorrect username or password"})"},
       Code::Unauthorized},
      {{.status = 403, .body = "x"}, Code::Denied},
      {{.status = 404, .body = "<html>"}, Code::Unavailable},
      {{.status = 503, .body = "x"}, Code::Unavailable},
      {{.status = 307, .headers = {{"Location", "http://127.0.0.1:1/"}}, .body = "x"},
       Code::Unavailable},
      {{.body = "<html>"}, Code::Corrupt},
      {{.body = std::string(70'000, ' ')}, Code::TooLarge},
  };
  for (const Case& c : cases) {
    reply_ = c.reply;
    EXPECT_EQ(token(request()), to_string(c.code)) << c.reply.status;
  }
  reply_ = {.status = 429, .headers = {{"Retry-After", "7"}}, .body = "x"};
  const auto limited = run(source_.token(channel(), request()));
  ASSERT_FALSE(limited);
  EXPECT_EQ(limited.error().code, Code::TooManyRequests);
  EXPECT_EQ(limited.error().retry_after, 7s);
  reply_ = {};
  EXPECT_EQ(token(request()), "t9");
}

TEST_F(TokenSourceTest, IsBounded) {
  for (int i = 0; i < 100; ++i) token(request("repository:r" + std::to_string(i) + ":pull"));
  EXPECT_EQ(fetches(), 100u);
  int remembered = 0;
  for (int i = 0; i < 100; ++i) {
    const auto before = fetches();
    token(request("repository:r" + std::to_string(i) + ":pull"));
    remembered += fetches() == before ? 1 : 0;
  }
  EXPECT_LE(remembered, 8);
}

}  // namespace
}  // namespace fairlead::upstream
