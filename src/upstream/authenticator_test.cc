// SPDX-License-Identifier: Apache-2.0
// Logging in, seen from outside: a RegistryClient against a registry and its token service.
#include "upstream/authenticator.h"

#include "upstream/registry_client_fixture.h"

namespace fairlead::upstream {
namespace {

class AuthenticatorTest : public RegistryClientFixture {
 protected:
  AuthenticatorTest() {
    script_ = [this](const Request& request) {
      const bool is_good = request.header("Authorization") == "Bearer " + good_token_;
      return is_good ? Reply{.body = "content"} : challenge();
    };
  }

  Reply challenge() const {
    Reply reply{.status = 401};
    if (!challenge_.empty()) reply.headers = {{"WWW-Authenticate", challenge_}};
    return reply;
  }

  std::string good_token_ = "t1";
  int tokens_given_ = 0;
  std::function<Reply(const Request&)> token_script_ = [this](const Request&) {
    return Reply{.body =
                     R"({"expires_in":300,"token":"t)" + std::to_string(++tokens_given_) + "\"}"};
  };
  Server token_service_{context_,
                        [this](const Request& request) { return token_script_(request); }};
  std::string challenge_ = "Bearer realm=\"" + token_service_.url() +
                           "/token\",service=\"reg\",scope=\"repository:library/alpine:pull\"";
};

TEST_F(AuthenticatorTest, FetchesATokenOnceAndCarriesItFromThenOn) {
  EXPECT_TRUE(head());
  EXPECT_TRUE(head());
  EXPECT_TRUE(blob());
  EXPECT_EQ(asked(), 4u) << "one challenge, three answers";
  ASSERT_EQ(token_service_.requests().size(), 1u);
  EXPECT_EQ(token_service_.requests()[0].target,
            "/token?service=reg&scope=repository%3Alibrary%2Falpine%3Apull&client_id=fairlead");
  EXPECT_EQ(token_service_.requests()[0].header("Authorization"), "");
}

TEST_F(AuthenticatorTest, BuildsTheScopeThatAChallengeLacks) {
  challenge_ = "Bearer realm=\"" + token_service_.url() + "/token\"";
  EXPECT_TRUE(head());
  EXPECT_EQ(token_service_.requests().at(0).target,
            "/token?scope=repository%3Alibrary%2Falpine%3Apull&client_id=fairlead");
}

TEST_F(AuthenticatorTest, ShowsTheConfiguredCredentials) {
  options_.credentials = StaticCredentials{"robot", Secret("secret")};
  EXPECT_TRUE(head());
  const Request& request = token_service_.requests().at(0);
  EXPECT_EQ(request.header("Authorization"), "Basic cm9ib3Q6c2VjcmV0");
  EXPECT_TRUE(request.target.contains("&account=robot&"));
}

TEST_F(AuthenticatorTest, RenewsATokenThatIsRefusedEarly) {
  EXPECT_TRUE(head());
  good_token_ = "t2";
  EXPECT_TRUE(head());
  EXPECT_EQ(token_service_.requests().size(), 2u);
}

TEST_F(AuthenticatorTest, RenewsARefusedTokenThatAnotherWorkerHadFetched) {
  EXPECT_TRUE(head());
  good_token_ = "t2";
  // Another worker: what was learnt is shared.
  RegistryClient other(options_, transport_, services(), retry_policy_);
  EXPECT_TRUE(run(other.head_manifest(kRepository, "latest", "application/json")));
  EXPECT_EQ(token_service_.requests().size(), 2u);
}

TEST_F(AuthenticatorTest, GivesUpWhenAFreshTokenIsRefused) {
  good_token_ = "never";
  const auto answer = head();
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().code, Code::Unauthorized);
  EXPECT_TRUE(answer.error().context.contains("credentials")) << answer.error().context;
  EXPECT_EQ(asked(), 2u);
}

TEST_F(AuthenticatorTest, ReportsWhatTheTokenServiceSays) {
  token_script_ = [](const Request&) {
    return Reply{.status = 401,
                 .body = R"({"errors":[{"code":"UNAUTHORIZED","message":"bad password"}]})"};
  };
  const auto answer = head();
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().code, Code::Unauthorized);
  EXPECT_TRUE(answer.error().context.contains("bad password")) << answer.error().context;
}

TEST_F(AuthenticatorTest, AnOutageOfTheTokenServiceIsOneOfTheRegistry) {
  token_script_ = [](const Request&) { return Reply{.status = 503}; };
  const auto answer = head();
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().code, Code::Unavailable);
  EXPECT_EQ(answer.error().retry, Retry::Yes);
}

TEST_F(AuthenticatorTest, TriesWithoutWhenDeniedWithoutAChallenge) {
  EXPECT_TRUE(head());
  script_ = [](const Request& request) {
    return request.header("Authorization").empty() ? Reply{.body = "public"} : Reply{.status = 403};
  };
  EXPECT_TRUE(head());
}

TEST_F(AuthenticatorTest, DeniedWithoutCredentialsIsFinal) {
  script_ = [](const Request&) { return Reply{.status = 403}; };
  const auto answer = head();
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().code, Code::Denied);
  EXPECT_EQ(asked(), 1u);
}

TEST_F(AuthenticatorTest, AnswersBasicChallengesWithCredentialsOnly) {
  challenge_ = "Basic realm=\"x\"";
  script_ = [this](const Request& request) {
    return request.header("Authorization") == "Basic cm9ib3Q6c2VjcmV0" ? Reply{.body = "content"}
                                                                       : challenge();
  };
  const auto anonymous = head();
  ASSERT_FALSE(anonymous);
  EXPECT_EQ(anonymous.error().code, Code::Unauthorized);
  EXPECT_EQ(asked(), 1u);

  client_.reset();
  options_.credentials = StaticCredentials{"robot", Secret("secret")};
  EXPECT_TRUE(head());
  EXPECT_TRUE(head());
  EXPECT_EQ(asked(), 3u) << "challenged once, whoever asked, then at once";

  client_.reset();
  options_.credentials = StaticCredentials{"robot", Secret("wrong")};
  EXPECT_EQ(head().error().code, Code::Unauthorized);
  EXPECT_EQ(asked(), 4u);
}

// The attack that RealmPolicy is about. The registry is 127.0.0.1; "localhost" is another name.
TEST_F(AuthenticatorTest, AForeignRealmNeverSeesTheCredentials) {
  options_.credentials = StaticCredentials{"robot", Secret("secret")};
  const auto port = token_service_.authority().substr(token_service_.authority().find(':'));
  challenge_ = "Bearer realm=\"http://localhost" + port + "/token\"";
  EXPECT_TRUE(head()) << "what is public is served all the same";
  ASSERT_FALSE(token_service_.requests().empty());
  for (const Request& request : token_service_.requests()) {
    EXPECT_EQ(request.header("Authorization"), "");
    EXPECT_FALSE(request.target.contains("robot"));
  }
}

TEST_F(AuthenticatorTest, AConfiguredTokenHostDoes) {
  options_.credentials = StaticCredentials{"robot", Secret("secret")};
  options_.token_hosts = {"localhost"};
  const auto port = token_service_.authority().substr(token_service_.authority().find(':'));
  challenge_ = "Bearer realm=\"http://localhost" + port + "/token\"";
  EXPECT_TRUE(head());
  EXPECT_EQ(token_service_.requests().at(0).header("Authorization"), "Basic cm9ib3Q6c2VjcmV0");
}

TEST_F(AuthenticatorTest, RefusesARealmThatIsNoUrl) {
  challenge_ = "Bearer realm=\"file:///etc/passwd\"";
  EXPECT_EQ(head().error().code, Code::Denied);
}

TEST_F(AuthenticatorTest, AHelpersNewAnswerIsTriedAfterARefusal) {
  std::string directory = ::testing::TempDir() + "authenticatorXXXXXX";
  ASSERT_NE(::mkdtemp(directory.data()), nullptr);
  const std::string count = directory + "/count";
  options_.credential_helper = {"/bin/sh", "-c",
                                "echo x >> " + count +
                                    R"(; printf '{"Username":"user%d","Secret":"s"}' $(wc -l < )" +
                                    count + ")"};
  token_script_ = [this](const Request& request) {
    const bool is_first = request.header("Authorization") == "Basic dXNlcjE6cw==";
    if (is_first && tokens_given_ > 0) return Reply{.status = 401};
    return Reply{.body = R"({"token":"t)" + std::to_string(++tokens_given_) + "\"}"};
  };
  EXPECT_TRUE(head());
  clock_.advance(std::chrono::minutes(10));  // the token has expired, the password too
  good_token_ = "t2";
  EXPECT_TRUE(head());
  EXPECT_EQ(token_service_.requests().back().header("Authorization"), "Basic dXNlcjI6cw==");
}

}  // namespace
}  // namespace fairlead::upstream
