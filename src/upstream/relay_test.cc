// SPDX-License-Identifier: Apache-2.0
// Relaying the caller's credentials, against a registry and its token service.
#include "upstream/relay.h"

#include <gmock/gmock.h>

#include "upstream/registry_change_fixture.h"

namespace fairlead::upstream {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

constexpr const char* kScope = "repository:library/alpine:pull";
const std::string kBasic = "Basic YWxpY2U6aHVudGVyMg==";  // alice:hunter2

class RelayTest : public RegistryClientFixture {
 protected:
  RelayTest() {
    script_ = [this](const Request& request) {
      if (!basic_.empty() && request.header("Authorization") == basic_) return Reply{.body = "{}"};
      Reply reply{.status = 401};
      if (!challenge_.empty()) reply.headers = {{"WWW-Authenticate", challenge_}};
      if (is_open_ && request.header("Authorization").empty()) return Reply{.body = "{}"};
      return reply;
    };
  }

  Result<RelayedAuthorization> relay(Credentials credentials = {"alice", Secret("hunter2")},
                                     std::string scope = kScope) {
    if (options_.url.empty()) options_.url = server_.url();
    options_.relays_credentials = true;
    return run(log_in(options_, transport_, std::move(credentials), std::move(scope)));
  }

  // In the name of a caller.
  RegistryClient client_with(Login login) {
    options_.url = server_.url();
    credentials_ = std::make_unique<CredentialSource>(options_, pool_, clock_);
    return {options_, transport_, services(), std::move(login)};
  }

  void expect_credentials_stay_here(const Server& elsewhere) const {
    EXPECT_TRUE(elsewhere.requests().empty());
    for (const Request& request : server_.requests())
      EXPECT_EQ(request.header("Authorization"), "");
  }

  Reply token_reply_{.body = R"({"token":"upstream-token","expires_in":120})"};
  Server token_service_{context_, [this](const Request&) { return token_reply_; }};
  std::string challenge_ = "Bearer realm=\"" + token_service_.url() + "/token\",service=\"reg\"";
  std::string basic_;
  bool is_open_ = false;
};

TEST_F(RelayTest, ATokenServiceGetsTheCredentialsAndGivesAToken) {
  const auto given = relay();
  ASSERT_TRUE(given) << given.error().context;
  EXPECT_EQ(given->value.reveal(), "Bearer upstream-token");
  EXPECT_EQ(given->lifetime, std::chrono::seconds(120));
  ASSERT_EQ(token_service_.requests().size(), 1U);
  const Request& request = token_service_.requests()[0];
  EXPECT_EQ(request.header("Authorization"), kBasic);
  EXPECT_EQ(request.target,
            "/token?service=reg&scope=repository%3Alibrary%2Falpine%3Apull&account=alice"
            "&client_id=fairlead");
  for (const Request& ping : server_.requests()) EXPECT_EQ(ping.header("Authorization"), "");
}

TEST_F(RelayTest, AnIdentityTokenIsARefreshToken) {
  ASSERT_TRUE(relay({"<token>", Secret("identity")}));
  const Request& request = token_service_.requests().at(0);
  EXPECT_EQ(request.method, "POST");
  EXPECT_THAT(request.body, HasSubstr("grant_type=refresh_token"));
  EXPECT_THAT(request.body, HasSubstr("refresh_token=identity"));
}

// The attack: what it was told comes back in its error, and from there into our log.
TEST_F(RelayTest, AnErrorThatQuotesTheCredentialsIsNotPassedOn) {
  for (const std::string quoted : {"alice:hunter2", "YWxpY2U6aHVudGVyMg=="}) {
    token_reply_ = {
        .status = 401,
        .body = R"({"errors":[{"code":"UNAUTHORIZED","message":"not )" + quoted + R"("}]})"};
    const auto given = relay();
    ASSERT_FALSE(given);
    EXPECT_EQ(given.error().code, Code::Unauthorized);
    EXPECT_THAT(given.error().context, HasSubstr("quotes the credentials"));
    EXPECT_THAT(given.error().context, Not(HasSubstr(quoted)));
  }
}

TEST_F(RelayTest, WhatTheTokenServiceRefusesIsRefused) {
  token_reply_ = {.status = 401, .body = R"({"errors":[{"code":"UNAUTHORIZED","message":"no"}]})"};
  const auto given = relay();
  ASSERT_FALSE(given);
  EXPECT_EQ(given.error().code, Code::Unauthorized);
  EXPECT_THAT(given.error().context, HasSubstr("registry reg"));
  EXPECT_THAT(given.error().context, Not(HasSubstr("hunter2")));
}

TEST_F(RelayTest, WhereBasicIsWantedThePairIsKept) {
  challenge_ = R"(Basic realm="reg")";
  basic_ = kBasic;
  const auto given = relay();
  ASSERT_TRUE(given) << given.error().context;
  EXPECT_EQ(given->value.reveal(), kBasic);
  EXPECT_EQ(given->lifetime, std::chrono::seconds::max());
  basic_ = "Basic b3RoZXI=";
  const auto refused = relay();
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::Unauthorized);
  EXPECT_FALSE(relay({"<token>", Secret("identity")}));
}

TEST_F(RelayTest, ARegistryThatLetsEverybodyReadStillLooksAtCredentials) {
  is_open_ = true;
  challenge_ = R"(Basic realm="zot")";
  basic_ = kBasic;
  EXPECT_TRUE(relay());
  EXPECT_FALSE(relay({"alice", Secret("wrong")}));
}

TEST_F(RelayTest, AHostileRealmGetsNothing) {
  Server thief(context_, [](const Request&) { return Reply{.body = R"({"token":"t"})"}; });
  // Another name for the same address is another host.
  const auto port = thief.authority().substr(thief.authority().find(':'));
  for (const std::string& realm :
       {"http://localhost" + port + "/token", std::string("http://[::1]:1/token"),
        std::string("http://169.254.169.254/token"), std::string("ftp://127.0.0.1/token"),
        std::string("nonsense")}) {
    challenge_ = "Bearer realm=\"" + realm + "\",service=\"reg\"";
    const auto given = relay();
    ASSERT_FALSE(given) << realm;
    EXPECT_EQ(given.error().code, Code::Denied) << realm;
    expect_credentials_stay_here(thief);
  }
}

TEST_F(RelayTest, ARedirectGetsNothing) {
  Server thief(context_, [](const Request&) { return Reply{.body = R"({"token":"t"})"}; });
  token_reply_ = {.status = 307, .headers = {{"Location", thief.url() + "/token"}}};
  EXPECT_FALSE(relay());
  script_ = [&](const Request&) {
    return Reply{.status = 307, .headers = {{"Location", thief.url() + "/v2/"}}};
  };
  EXPECT_FALSE(relay());
  expect_credentials_stay_here(thief);
}

TEST_F(RelayTest, TheAuthorizationStaysAtTheRegistrysOwnAddress) {
  Server mirror(context_, [](const Request&) { return Reply{.status = 404}; });
  const auto port = mirror.authority().substr(mirror.authority().find(':'));
  options_.url = server_.url();
  RelayedLogins logins(options_, Login{.authorization = Secret("Bearer mine")});
  const auto own = run(logins.begin(server_.url(), "r"));
  ASSERT_TRUE(own);
  EXPECT_EQ(own->authorization.reveal(), "Bearer mine");
  const auto elsewhere = run(logins.begin("http://localhost" + port, "r"));
  ASSERT_TRUE(elsewhere);
  EXPECT_TRUE(elsewhere->authorization.empty());
}

TEST_F(RelayTest, AClientShowsItAndNothingElse) {
  auto client = client_with(Login{.authorization = Secret("Bearer mine")});
  const auto head = run(client.head_manifest("r", "latest", ""));
  ASSERT_FALSE(head);
  EXPECT_EQ(head.error().code, Code::Unauthorized);
  ASSERT_EQ(asked(), 1U) << "no other way is tried";
  EXPECT_EQ(server_.requests()[0].header("Authorization"), "Bearer mine");
  EXPECT_TRUE(token_service_.requests().empty());
}

TEST_F(RelayTest, AStreamCarriesItFromTheStart) {
  auto client = client_with(Login{.authorization = Secret("Bearer mine")});
  script_ = [](const Request& request) {
    return Reply{.status = request.header("Authorization") == "Bearer mine" ? 201 : 401};
  };
  const auto sent = run(client.change({.method = "PUT",
                                       .repository = "r",
                                       .url = server_.url() + "/u",
                                       .stream = std::make_shared<PieceBody>("body"),
                                       .stream_length = 4}));
  ASSERT_TRUE(sent) << sent.error().context;
  ASSERT_EQ(asked(), 1U);
  EXPECT_EQ(server_.requests()[0].body, "body");
}

TEST_F(RelayTest, ATokenThatIsNotForThisIsARefusal) {
  challenge_ += R"(,error="insufficient_scope")";
  auto client = client_with(Login{.authorization = Secret("Bearer mine")});
  const auto head = run(client.head_manifest("r", "latest", ""));
  ASSERT_FALSE(head);
  EXPECT_EQ(head.error().code, Code::Denied);
}

TEST_F(RelayTest, AnErrorThatQuotesTheTokenIsNotPassedOn) {
  auto client = client_with(Login{.authorization = Secret("Bearer my-own-token"),
                                  .credentials = Credentials{"alice", Secret("hunter2")}});
  script_ = [](const Request& request) {
    return Reply{.status = 403,
                 .body = R"({"errors":[{"code":"DENIED","message":"you sent )" +
                         request.header("Authorization") + R"( for alice:hunter2"}]})"};
  };
  const auto answer = run(client.get_document("r", "tags/list", "", 1000));
  ASSERT_FALSE(answer);
  EXPECT_THAT(answer.error().context, HasSubstr("you sent"));
  EXPECT_THAT(answer.error().context, Not(HasSubstr("my-own-token")));
  EXPECT_THAT(answer.error().context, Not(HasSubstr("hunter2")));
}

}  // namespace
}  // namespace fairlead::upstream
