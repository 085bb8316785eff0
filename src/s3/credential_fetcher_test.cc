// SPDX-License-Identifier: Apache-2.0
#include "s3/credential_fetcher.h"

#include <gtest/gtest.h>

#include <fstream>
#include <string>
#include <vector>

#include "testing/coroutine_test.h"
#include "testing/scripted_http_server.h"
#include "testing/temporary_directory.h"

namespace fairlead::s3 {
namespace {

using fairlead::testing::ReceivedRequest;
using fairlead::testing::ScriptedHttpServer;
using fairlead::testing::ScriptedReply;

constexpr auto kMetadata =
    R"({"Code": "Success", "AccessKeyId": "ASIA", "SecretAccessKey": "hush",)"
    R"( "Token": "token", "Expiration": "2026-11-21T15:05:00Z"})";
constexpr auto kSts =
    "<Credentials><AccessKeyId>ASIA</AccessKeyId><SecretAccessKey>hush</SecretAccessKey>"
    "<SessionToken>token</SessionToken><Expiration>2026-11-21T15:05:00Z</Expiration></Credentials>";

class CredentialFetcherTest : public fairlead::testing::CoroutineTest {
 protected:
  // By the target of the request; others are answered with 404.
  void answer(const std::string& target, ScriptedReply reply) { replies_[target] = reply; }

  std::string token_file(const std::string& text) {
    std::ofstream(directory_ / "token") << text;
    return directory_ / "token";
  }

  Result<S3Credentials> fetch(CredentialFetcher& fetcher) {
    return run(fetcher.fetch({.transport = transport_, .pool = pool_}));
  }

  void expect_fetched(const Result<S3Credentials>& credentials) {
    ASSERT_TRUE(credentials) << credentials.error().context;
    EXPECT_EQ(credentials->access_key, "ASIA");
    EXPECT_EQ(credentials->secret_key, Secret("hush"));
    EXPECT_EQ(credentials->session_token, Secret("token"));
    EXPECT_TRUE(credentials->expiry);
  }

  fairlead::testing::TemporaryDirectory directory_;
  std::map<std::string, ScriptedReply> replies_;
  ScriptedHttpServer server_{context_, [this](const ReceivedRequest& request) {
                               const auto found = replies_.find(request.target);
                               return found == replies_.end()
                                          ? ScriptedReply{.status = 404, .body = "hush"}
                                          : found->second;
                             }};
  upstream::HttpTransport transport_{context_.get_executor()};
  async::BlockingPool pool_{1};
};

TEST_F(CredentialFetcherTest, Container) {
  answer("/creds?id=1", {.body = kMetadata});
  ContainerCredentials plain({.url = server_.url() + "/creds?id=1"});
  expect_fetched(fetch(plain));
  EXPECT_EQ(server_.requests().back().header("Authorization"), "");
  ContainerCredentials fixed(
      {.url = server_.url() + "/creds?id=1", .authorization = Secret("Basic x")});
  expect_fetched(fetch(fixed));
  EXPECT_EQ(server_.requests().back().header("Authorization"), "Basic x");
}

TEST_F(CredentialFetcherTest, AContainersTokenFileIsReadEachTime) {
  answer("/creds", {.body = kMetadata});
  ContainerCredentials fetcher({.url = server_.url() + "/creds",
                                .authorization = Secret("ignored"),
                                .token_file = token_file("first\n")});
  expect_fetched(fetch(fetcher));
  EXPECT_EQ(server_.requests().back().header("Authorization"), "first");
  token_file("second");
  expect_fetched(fetch(fetcher));
  EXPECT_EQ(server_.requests().back().header("Authorization"), "second");
}

TEST_F(CredentialFetcherTest, ATokenFileWithoutTokenIsNotSent) {
  for (const std::string& text :
       {std::string(), std::string("\n"), std::string("a\r\nX-Evil: 1"), std::string("a b")}) {
    ContainerCredentials fetcher({.url = server_.url() + "/", .token_file = token_file(text)});
    const auto credentials = fetch(fetcher);
    ASSERT_FALSE(credentials) << text;
    EXPECT_EQ(credentials.error().code, Code::Corrupt);
    EXPECT_FALSE(credentials.error().context.contains("Evil"));
  }
  ContainerCredentials missing({.url = server_.url() + "/", .token_file = directory_ / "none"});
  EXPECT_EQ(fetch(missing).error().code, Code::NotFound);
  EXPECT_TRUE(server_.requests().empty());
}

TEST_F(CredentialFetcherTest, Instance) {
  answer("/latest/api/token", {.body = "session"});
  answer("/latest/meta-data/iam/security-credentials/", {.body = "my-role\nother"});
  answer("/latest/meta-data/iam/security-credentials/my-role", {.body = kMetadata});
  InstanceCredentials fetcher(server_.url());
  expect_fetched(fetch(fetcher));
  ASSERT_EQ(server_.requests().size(), 3u);
  EXPECT_EQ(server_.requests()[0].method, "PUT");
  EXPECT_EQ(server_.requests()[0].header("X-aws-ec2-metadata-token-ttl-seconds"), "300");
  for (const std::size_t i : {1, 2}) {
    EXPECT_EQ(server_.requests()[i].method, "GET");
    EXPECT_EQ(server_.requests()[i].header("X-aws-ec2-metadata-token"), "session");
  }
}

TEST_F(CredentialFetcherTest, AnInstanceWithoutRole) {
  answer("/latest/api/token", {.body = "session"});
  InstanceCredentials fetcher(server_.url());
  EXPECT_EQ(fetch(fetcher).error().code, Code::Unavailable);
  for (const char* role : {"", "\n", "a/../../x", "a b", "a?b", "a%2f"}) {
    answer("/latest/meta-data/iam/security-credentials/", {.body = role});
    const std::size_t before = server_.requests().size();
    const auto credentials = fetch(fetcher);
    ASSERT_FALSE(credentials) << role;
    EXPECT_EQ(credentials.error().code, Code::Unavailable);
    EXPECT_EQ(server_.requests().size(), before + 2) << role;
  }
}

TEST_F(CredentialFetcherTest, NoFirstVersionOfTheMetadataService) {
  answer("/latest/meta-data/iam/security-credentials/", {.body = "my-role"});
  answer("/latest/meta-data/iam/security-credentials/my-role", {.body = kMetadata});
  InstanceCredentials fetcher(server_.url());
  EXPECT_EQ(fetch(fetcher).error().code, Code::Unavailable);
  EXPECT_EQ(server_.requests().size(), 1u);
}

TEST_F(CredentialFetcherTest, WebIdentity) {
  answer("/", {.body = kSts});
  WebIdentityCredentials fetcher({.endpoint = server_.url(),
                                  .token_file = token_file("ey.J+h/b.=\n"),
                                  .role_arn = "arn:aws:iam::1:role/r"});
  expect_fetched(fetch(fetcher));
  const ReceivedRequest& sent = server_.requests().at(0);
  EXPECT_EQ(sent.method, "POST");
  EXPECT_EQ(sent.header("Content-Type"), "application/x-www-form-urlencoded");
  EXPECT_EQ(sent.body,
            "Action=AssumeRoleWithWebIdentity&Version=2011-06-15"
            "&RoleArn=arn%3Aaws%3Aiam%3A%3A1%3Arole%2Fr&RoleSessionName=fairlead"
            "&WebIdentityToken=ey.J%2Bh%2Fb.%3D");
}

TEST_F(CredentialFetcherTest, StsSaysWhatIsWrong) {
  answer("/", {.status = 400,
               .body = "<ErrorResponse><Error><Code>ExpiredTokenException</Code>"
                       "<Message>hush</Message></Error></ErrorResponse>"});
  WebIdentityCredentials fetcher(
      {.endpoint = server_.url(), .token_file = token_file("t"), .role_arn = "r"});
  const auto credentials = fetch(fetcher);
  ASSERT_FALSE(credentials);
  EXPECT_EQ(credentials.error().code, Code::Unavailable);
  EXPECT_TRUE(credentials.error().context.contains("ExpiredTokenException"));
  EXPECT_FALSE(credentials.error().context.contains("hush"));
}

TEST_F(CredentialFetcherTest, WhatTheServiceSaysIsNotSaidOfTheClient) {
  ContainerCredentials fetcher({.url = server_.url() + "/creds"});
  for (const int status : {400, 401, 403, 404, 429, 500, 503}) {
    answer("/creds", {.status = status, .body = "hush"});
    const auto credentials = fetch(fetcher);
    ASSERT_FALSE(credentials) << status;
    EXPECT_EQ(credentials.error().code, Code::Unavailable) << status;
    EXPECT_FALSE(credentials.error().context.contains("hush"));
  }
  answer("/creds", {.status = 302, .headers = {{"Location", server_.url() + "/other"}}});
  const std::size_t before = server_.requests().size();
  EXPECT_FALSE(fetch(fetcher));
  EXPECT_EQ(server_.requests().size(), before + 1);  // not followed
  answer("/creds", {.body = std::string(70'000, ' ')});
  EXPECT_EQ(fetch(fetcher).error().code, Code::TooLarge);
  answer("/creds", {.body = kMetadata, .cut_after = 20});
  EXPECT_EQ(fetch(fetcher).error().code, Code::Unavailable);
}

// -- the environment --------------------------------------------------------------------------

template <class T>
bool is(const Result<std::unique_ptr<CredentialFetcher>>& made) {
  return made && dynamic_cast<T*>(made->get()) != nullptr;
}

TEST_F(CredentialFetcherTest, KeysOfTheEnvironment) {
  const auto made = fetcher_from_environment({{"AWS_ACCESS_KEY_ID", "a"},
                                              {"AWS_SECRET_ACCESS_KEY", "s"},
                                              {"AWS_SESSION_TOKEN", "t"},
                                              {"AWS_ROLE_ARN", "r"},
                                              {"AWS_WEB_IDENTITY_TOKEN_FILE", "/f"}},
                                             "");
  ASSERT_TRUE(made);
  EXPECT_EQ(
      fetch(**made),
      (S3Credentials{.access_key = "a", .secret_key = Secret("s"), .session_token = Secret("t")}));
}

TEST_F(CredentialFetcherTest, TheEnvironmentChooses) {
  EXPECT_TRUE(is<InstanceCredentials>(fetcher_from_environment({}, "")));
  EXPECT_TRUE(is<InstanceCredentials>(fetcher_from_environment({{"AWS_ACCESS_KEY_ID", ""}}, "")));
  EXPECT_TRUE(is<WebIdentityCredentials>(
      fetcher_from_environment({{"AWS_ROLE_ARN", "r"},
                                {"AWS_WEB_IDENTITY_TOKEN_FILE", "/f"},
                                {"AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "/x"}},
                               "eu-west-1")));
  EXPECT_TRUE(is<ContainerCredentials>(
      fetcher_from_environment({{"AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "/x"}}, "")));
  EXPECT_TRUE(is<ContainerCredentials>(fetcher_from_environment(
      {{"AWS_CONTAINER_CREDENTIALS_FULL_URI", "http://169.254.170.23/v1/credentials"},
       {"AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", "/f"}},
      "")));
}

TEST_F(CredentialFetcherTest, VariablesThatAreNotSound) {
  for (const Environment& environment :
       std::vector<Environment>{{{"AWS_ACCESS_KEY_ID", "a"}},
                                {{"AWS_SECRET_ACCESS_KEY", "a"}},
                                {{"AWS_ACCESS_KEY_ID", "a b"}, {"AWS_SECRET_ACCESS_KEY", "s"}},
                                {{"AWS_WEB_IDENTITY_TOKEN_FILE", "/f"}},
                                {{"AWS_WEB_IDENTITY_TOKEN_FILE", "/f"},
                                 {"AWS_ROLE_ARN", "r"},
                                 {"AWS_ENDPOINT_URL_STS", "sts.example"}},
                                {{"AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "@evil.example/"}},
                                {{"AWS_CONTAINER_CREDENTIALS_FULL_URI", "http://evil.example/"}},
                                {{"AWS_EC2_METADATA_SERVICE_ENDPOINT", "x"}}}) {
    const auto made = fetcher_from_environment(environment, "");
    ASSERT_FALSE(made) << environment.begin()->first;
    EXPECT_EQ(made.error().code, Code::InvalidArgument);
  }
  const auto none = fetcher_from_environment({{"AWS_EC2_METADATA_DISABLED", "TRUE"}}, "");
  EXPECT_EQ(none.error().code, Code::NotFound);
}

TEST(ContainerUrlTest, OnlyWhereATokenMayGoInClear) {
  for (const char* url : {"https://any.example/x", "http://localhost/x", "http://127.0.0.1:99/x",
                          "http://169.254.170.2/x", "http://[fd00:ec2::23]/x", "http://[::1]/x"}) {
    EXPECT_TRUE(is_container_url(url)) << url;
  }
  for (const char* url : {"", "http://any.example/", "http://127.0.0.1.evil.example/",
                          "http://169.254.169.254/", "http://localhost@evil.example/",
                          "http://10.0.0.1/", "ftp://localhost/", "/x", "http://127.1/"}) {
    EXPECT_FALSE(is_container_url(url)) << url;
  }
}

}  // namespace
}  // namespace fairlead::s3
