// SPDX-License-Identifier: Apache-2.0
#include "auth/http_key_fetcher.h"

#include <gtest/gtest.h>

#include <string>

#include "auth/jwks.h"
#include "testing/coroutine_test.h"
#include "testing/scripted_http_server.h"

namespace fairlead::auth {
namespace {

using fairlead::testing::ReceivedRequest;
using fairlead::testing::ScriptedHttpServer;
using fairlead::testing::ScriptedReply;

class HttpKeyFetcherTest : public fairlead::testing::CoroutineTest {
 protected:
  Result<std::string> fetch() { return run(fetcher_.fetch(server_.url() + "/keys?a=b")); }

  ScriptedReply reply_;
  ScriptedHttpServer server_{context_, [this](const ReceivedRequest&) { return reply_; }};
  upstream::HttpTransport transport_{context_.get_executor()};
  HttpKeyFetcher fetcher_{transport_};
};

TEST_F(HttpKeyFetcherTest, GetsTheDocument) {
  reply_.body = R"({"keys":[]})";
  EXPECT_EQ(fetch(), reply_.body);
  ASSERT_EQ(server_.requests().size(), 1u);
  const ReceivedRequest& sent = server_.requests().front();
  EXPECT_EQ(sent.method, "GET");
  EXPECT_EQ(sent.target, "/keys?a=b");
  EXPECT_TRUE(sent.header("Accept").contains("application/json"));
  EXPECT_EQ(sent.header("Authorization"), "");
}

TEST_F(HttpKeyFetcherTest, FollowsNoRedirect) {
  reply_ = {.status = 302, .headers = {{"Location", server_.url() + "/other"}}, .body = "{}"};
  const auto document = fetch();
  ASSERT_FALSE(document);
  EXPECT_EQ(document.error().code, Code::Unavailable);
  EXPECT_EQ(server_.requests().size(), 1u);
}

TEST_F(HttpKeyFetcherTest, WhatItsServerSaysIsNotSaidOfTheToken) {
  for (const int status : {201, 204, 400, 401, 403, 404, 429, 500, 503}) {
    reply_ = {.status = status, .body = status == 204 ? "" : "x"};
    const auto document = fetch();
    ASSERT_FALSE(document) << status;
    EXPECT_EQ(document.error().code, Code::Unavailable) << status;
    EXPECT_EQ(document.error().origin, Origin::Upstream);
    EXPECT_FALSE(document.error().context.contains("127.0.0.1")) << document.error().context;
  }
}

TEST_F(HttpKeyFetcherTest, IsBounded) {
  reply_ = {.body = std::string(kMaxJwks, ' ')};
  EXPECT_TRUE(fetch());
  for (const bool is_chunked : {false, true}) {
    reply_ = {.body = std::string(kMaxJwks + 1, ' '), .is_chunked = is_chunked};
    const auto document = fetch();
    ASSERT_FALSE(document);
    EXPECT_EQ(document.error().code, Code::TooLarge);
  }
}

TEST_F(HttpKeyFetcherTest, ADocumentThatIsCutIsNone) {
  reply_ = {.body = R"({"keys":[]})", .cut_after = 5};
  const auto document = fetch();
  ASSERT_FALSE(document);
  EXPECT_EQ(document.error().code, Code::Unavailable);
}

TEST_F(HttpKeyFetcherTest, NobodyThere) {
  const std::string url = server_.url();
  server_.close();
  const auto document = run(fetcher_.fetch(url));
  ASSERT_FALSE(document);
  EXPECT_EQ(document.error().code, Code::Unavailable);
}

}  // namespace
}  // namespace fairlead::auth
