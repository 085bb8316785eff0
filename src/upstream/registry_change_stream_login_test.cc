// SPDX-License-Identifier: Apache-2.0
// Streams to a registry that says only after the whole body that it wants a login: docker-registry,
// where the body is small or chunked. The login must be there from the start.
#include <gmock/gmock.h>

#include <algorithm>

#include "upstream/registry_change_fixture.h"

namespace fairlead::upstream {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

struct Way {
  std::string name;
  bool is_basic = false;
  std::size_t size = 0;
  bool has_length = true;
};

class StreamLoginTest : public RegistryChangeFixture, public ::testing::WithParamInterface<Way> {
 protected:
  StreamLoginTest() {
    options_.timeouts.first_byte = std::chrono::seconds(5);
    options_.credentials = StaticCredentials{"robot", Secret("secret")};
    script_ = [this](const Request& request) {
      if (request.target == "/v2/" && lets_in_at_root_) return Reply{};
      if (request.header("Authorization") == good_) return reply_;
      return Reply{.status = 401, .headers = {{"WWW-Authenticate", challenge_}}};
    };
    server_.receive_with([this](const Request& request) {
      return fairlead::testing::ScriptedReception{.sends_continue =
                                                      request.header("Authorization") == good_};
    });
    reply_ = accepted("/on");
    if (GetParam().is_basic) use_basic();
  }
  void use_basic() {
    good_ = "Basic cm9ib3Q6c2VjcmV0";
    challenge_ = "Basic realm=\"x\"";
  }

  Change stream() {
    return {.method = "PATCH",
            .repository = kRepository,
            .url = server_.url() + "/u",
            .stream = std::make_shared<PieceBody>(body_),
            .stream_length = GetParam().has_length ? std::optional(body_.size()) : std::nullopt};
  }
  [[nodiscard]] auto count(std::string_view method) const {
    return std::ranges::count(server_.requests(), method, &Request::method);
  }
  std::unique_ptr<RegistryClient> other_worker() {
    client();
    return std::make_unique<RegistryClient>(options_, transport_, services(), retry_policy_);
  }

  const std::string body_ = std::string(GetParam().size, 'x');
  bool lets_in_at_root_ = false;
  int given_ = 0;
  Server token_service_{
      context_, [this](const Request&) {
        return Reply{.body = R"({"expires_in":300,"token":"t)" + std::to_string(++given_) + "\"}"};
      }};
  std::string good_ = "Bearer t1";
  std::string challenge_ = "Bearer realm=\"" + token_service_.url() + "/token\"";
};

INSTANTIATE_TEST_SUITE_P(
    Ways, StreamLoginTest,
    ::testing::Values(Way{"BearerSmall", false, 10}, Way{"BearerLarge", false, 1'000'000},
                      Way{"BearerChunked", false, 1000, false}, Way{"BasicSmall", true, 10},
                      Way{"BasicLarge", true, 1'000'000}, Way{"BasicChunked", true, 1000, false}),
    [](const auto& way) { return way.param.name; });

TEST_P(StreamLoginTest, TheFirstRequestOfAllIsAStream) {
  const auto sent = change(stream());
  ASSERT_TRUE(sent) << sent.error().context;
  ASSERT_EQ(asked(), 2u);
  EXPECT_EQ(server_.requests()[0].target, "/v2/");
  EXPECT_EQ(server_.requests()[1].header("Authorization"), good_);
  EXPECT_TRUE(server_.requests()[1].body == body_);
  ASSERT_TRUE(change(stream()));
  EXPECT_EQ(asked(), 3u) << "it is known now";
}

TEST_P(StreamLoginTest, WhatOneWorkerHasLearntTheOthersKnow) {
  lets_in_at_root_ = true;
  ASSERT_TRUE(begin_upload());
  EXPECT_EQ(count("POST"), 2) << "challenged, then let in";
  const auto sent = run(other_worker()->change(stream()));
  ASSERT_TRUE(sent) << sent.error().context;
  EXPECT_EQ(asked(), 3u);
  EXPECT_TRUE(server_.requests().back().body == body_);
  EXPECT_EQ(given_, GetParam().is_basic ? 0 : 1);
}

// Registries where strangers may look at /v2/ and read, but not write.
TEST_P(StreamLoginTest, AChallengeWinsOverAnOpenDoor) {
  lets_in_at_root_ = true;
  const auto first = change(stream());
  ASSERT_FALSE(first);
  EXPECT_EQ(first.error().code, Code::Unavailable);
  EXPECT_EQ(first.error().retry, Retry::Yes);
  EXPECT_EQ(first.error().context,
            "registry reg: the registry refused our login after part of the body had been sent; "
            "try again");
  EXPECT_EQ(count("PATCH"), 1);
  const auto second = change(stream());
  ASSERT_TRUE(second) << second.error().context;
  EXPECT_EQ(count("GET"), 1);
}

TEST_P(StreamLoginTest, ARegistryThatAsksNothingIsAskedOnceInAWhile) {
  good_ = "";
  lets_in_at_root_ = true;
  EXPECT_TRUE(change(stream()));
  EXPECT_TRUE(change(stream()));
  EXPECT_EQ(count("GET"), 1);
  EXPECT_EQ(count("PATCH"), 2);
  clock_.advance(EndpointBoard::kRemembered);
  EXPECT_TRUE(put_manifest());
  EXPECT_TRUE(change(stream()));
  EXPECT_EQ(count("GET"), 1) << "the manifest has shown it";
  clock_.advance(EndpointBoard::kRemembered);
  EXPECT_TRUE(change(stream()));
  EXPECT_EQ(count("GET"), 2);
}

TEST_P(StreamLoginTest, ATokenThatIsAboutToExpireIsNotUsed) {
  if (GetParam().is_basic) return;
  ASSERT_TRUE(begin_upload());
  clock_.advance(std::chrono::seconds(245));
  ASSERT_TRUE(begin_upload());
  EXPECT_EQ(given_, 1) << "good enough for what can be asked again";
  good_ = "Bearer t2";
  const auto sent = change(stream());
  ASSERT_TRUE(sent) << sent.error().context;
  EXPECT_EQ(given_, 2);
}

TEST_P(StreamLoginTest, APasswordThatExpiredIsTheHelpersAgainOnTheNextTry) {
  if (!GetParam().is_basic) return;
  const std::string count_file = ::testing::TempDir() + "stream_login_" + GetParam().name;
  std::remove(count_file.c_str());
  options_.credentials.reset();
  options_.credential_helper = {"/bin/sh", "-c",
                                "echo x >> " + count_file +
                                    R"(; printf '{"Username":"robot","Secret":"s%d"}' $(wc -l < )" +
                                    count_file + ")"};
  good_ = "Basic cm9ib3Q6czE=";
  ASSERT_TRUE(change(stream()));
  clock_.advance(std::chrono::minutes(1));
  good_ = "Basic cm9ib3Q6czI=";
  const auto refused = change(stream());
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error().context, Not(HasSubstr("proxy")));
  ASSERT_TRUE(change(stream()));
}

TEST_P(StreamLoginTest, NothingIsReadWhileTheRegistryCannotBeAsked) {
  script_ = [](const Request&) { return Reply{.status = 503}; };
  const auto body = std::make_shared<PieceBody>(body_);
  Change change = stream();
  change.stream = body;
  const auto sent = this->change(std::move(change));
  ASSERT_FALSE(sent);
  EXPECT_EQ(sent.error().code, Code::Unavailable);
  EXPECT_EQ(body->reads(), 0);
  EXPECT_EQ(count("GET"), 3) << "it may come back";
}

}  // namespace
}  // namespace fairlead::upstream
