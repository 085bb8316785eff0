// SPDX-License-Identifier: Apache-2.0
// Pushing to a registry that wants to be logged in to, with a token for just that.
#include <gmock/gmock.h>

#include "upstream/registry_change_fixture.h"

namespace fairlead::upstream {
namespace {

using ::testing::HasSubstr;

class RegistryChangeLoginTest : public RegistryChangeFixture {
 protected:
  RegistryChangeLoginTest() {
    script_ = [this](const Request& request) {
      const bool is_good = request.header("Authorization") == "Bearer t" + std::to_string(good_);
      if (is_good) return reply_;
      return Reply{.status = 401, .headers = {{"WWW-Authenticate", challenge_}}};
    };
    server_.receive_with([this](const Request& request) {
      const bool is_good = request.header("Authorization") == "Bearer t" + std::to_string(good_);
      if (is_good || !sends_continue_) {
        return fairlead::testing::ScriptedReception{.sends_continue = sends_continue_};
      }
      return fairlead::testing::ScriptedReception{.answers_after = 0};
    });
  }
  [[nodiscard]] const std::string& last_token() const {
    return token_service_.requests().back().target;
  }

  int given_ = 0;
  int good_ = 1;
  bool sends_continue_ = true;
  Server token_service_{
      context_, [this](const Request&) {
        return Reply{.body = R"({"expires_in":300,"token":"t)" + std::to_string(++given_) + "\"}"};
      }};
  std::string challenge_ = "Bearer realm=\"" + token_service_.url() + "/token\"";
};

TEST_F(RegistryChangeLoginTest, AsksForTheRightThatIsNeeded) {
  const std::string prefix = "/token?scope=repository%3Alibrary%2Falpine%3A";
  EXPECT_TRUE(put_manifest());
  EXPECT_EQ(last_token(), prefix + "pull%2Cpush&client_id=fairlead");
  good_ = 2;
  reply_ = {.status = 202};
  EXPECT_TRUE(erase());
  EXPECT_EQ(last_token(), prefix + "delete&client_id=fairlead");
  good_ = 3;
  reply_ = accepted("/on");
  EXPECT_TRUE(begin_upload("?mount=x&from=y", "other/app"));
  EXPECT_EQ(last_token(), prefix +
                              "pull%2Cpush&scope=repository%3Aother%2Fapp%3Apull"
                              "&client_id=fairlead");
  good_ = 1;
  const auto tokens = token_service_.requests().size();
  reply_ = {.status = 204};
  EXPECT_TRUE(change({.method = "DELETE", .repository = kRepository, .url = server_.url() + "/u"}));
  EXPECT_EQ(token_service_.requests().size(), tokens) << "to end an upload is to push";
  good_ = 4;
  reply_ = {.body = "{}"};
  EXPECT_TRUE(head());
  EXPECT_EQ(last_token(), prefix + "pull&client_id=fairlead");
}

TEST_F(RegistryChangeLoginTest, TheChallengesOwnScopeWins) {
  challenge_ += ",scope=\"repository:library/alpine:*\"";
  EXPECT_TRUE(put_manifest());
  EXPECT_THAT(last_token(), HasSubstr("scope=repository%3Alibrary%2Falpine%3A%2A&"));
}

TEST_F(RegistryChangeLoginTest, ATokenThatHasExpiredIsRenewedBeforeAByteIsRead) {
  reply_ = accepted("/on");
  EXPECT_TRUE(begin_upload());
  good_ = 2;
  const auto sent = patch(server_.url() + "/u");
  ASSERT_TRUE(sent) << sent.error().context;
  EXPECT_EQ(server_.requests().back().body, "0123456789");
  EXPECT_EQ(given_, 2);
}

TEST_F(RegistryChangeLoginTest, ATokenThatExpiresWithinABodyIsRenewedForTheNextTry) {
  reply_ = accepted("/on");
  EXPECT_TRUE(begin_upload());
  good_ = 2;
  sends_continue_ = false;
  const auto sent = patch(server_.url() + "/u");
  ASSERT_FALSE(sent);
  EXPECT_EQ(sent.error().code, Code::Unavailable);
  EXPECT_EQ(sent.error().retry, Retry::Yes);
  EXPECT_THAT(sent.error().context, HasSubstr("refused our login"));
  EXPECT_TRUE(patch(server_.url() + "/u"));
}

TEST_F(RegistryChangeLoginTest, ListsRepositories) {
  reply_ = {.headers = {{"Link", "</v2/_catalog?last=b&n=2>; rel=\"next\""}},
            .body = R"({"repositories":["a","b"]})"};
  const auto page = run(client().list_repositories("n=2", 1000));
  ASSERT_TRUE(page) << page.error().context;
  EXPECT_EQ(page->body, reply_.body);
  EXPECT_EQ(page->link, "</v2/_catalog?last=b&n=2>; rel=\"next\"");
  EXPECT_EQ(server_.requests().back().target, "/v2/_catalog?n=2");
  EXPECT_EQ(last_token(), "/token?scope=registry%3Acatalog%3A%2A&client_id=fairlead");
  EXPECT_TRUE(run(client().list_repositories("", 1000)));
  EXPECT_EQ(server_.requests().back().target, "/v2/_catalog");
  EXPECT_EQ(run(client().list_repositories("", 10)).error().code, Code::TooLarge);
  reply_ = {.status = 404};
  EXPECT_EQ(run(client().list_repositories("", 1000)).error().code, Code::NotFound);
  good_ = 0;
  EXPECT_EQ(run(client().list_repositories("", 1000)).error().code, Code::Unauthorized);
}

}  // namespace
}  // namespace fairlead::upstream
