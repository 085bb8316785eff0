// SPDX-License-Identifier: Apache-2.0
// Pushing to a registry, and deleting there.
#include <gmock/gmock.h>

#include "upstream/registry_change_fixture.h"

namespace fairlead::upstream {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

class RegistryChangeTest : public RegistryChangeFixture {};

TEST_F(RegistryChangeTest, AnUploadBeginsGoesOnAndEnds) {
  reply_ = {.status = 202,
            .headers = {{"Location", "/v2/library/alpine/blobs/uploads/1?_state=a%2Fb=="},
                        {"Range", "0-0"},
                        {"Docker-Upload-UUID", "1"},
                        {"OCI-Chunk-Min-Length", "1024"}}};
  const auto begun = begin_upload();
  ASSERT_TRUE(begun) << begun.error().context;
  EXPECT_EQ(begun->status, 202);
  const std::string place = server_.url() + "/v2/library/alpine/blobs/uploads/1?_state=a%2Fb==";
  EXPECT_EQ(begun->location, place);
  EXPECT_EQ(begun->range, "0-0");
  EXPECT_EQ(begun->upload_uuid, "1");
  EXPECT_EQ(begun->chunk_min_length, "1024");
  EXPECT_EQ(server_.requests()[0].target, "/v2/library/alpine/blobs/uploads/");
  EXPECT_EQ(server_.requests()[0].method, "POST");
  EXPECT_EQ(server_.requests()[0].header("Content-Length"), "0");

  const auto sent = patch(place);
  ASSERT_TRUE(sent) << sent.error().context;
  EXPECT_EQ(server_.requests()[1].method, "PATCH");
  EXPECT_EQ(server_.requests()[1].target, "/v2/library/alpine/blobs/uploads/1?_state=a%2Fb==");
  EXPECT_EQ(server_.requests()[1].header("Content-Range"), "0-9");
  EXPECT_EQ(server_.requests()[1].header("Content-Type"), "application/octet-stream");
  EXPECT_EQ(server_.requests()[1].body, "0123456789");

  reply_ = {.status = 204, .headers = {{"Location", place}, {"Range", "0-9"}}};
  const auto state = change({.method = "GET", .repository = kRepository, .url = place});
  ASSERT_TRUE(state);
  EXPECT_EQ(state->range, "0-9");
  EXPECT_EQ(state->location, place);

  reply_ = {.status = 201,
            .headers = {{"Location", "http://elsewhere.example:x/"},
                        {"Docker-Content-Digest", digest_.str()}}};
  const auto ended =
      change({.method = "PUT", .repository = kRepository, .url = place + "&digest=d"});
  ASSERT_TRUE(ended) << ended.error().context;
  EXPECT_EQ(ended->digest, digest_.str());
  EXPECT_EQ(ended->location, "") << "what was made is known without it";
  EXPECT_EQ(server_.requests()[3].target,
            "/v2/library/alpine/blobs/uploads/1?_state=a%2Fb==&digest=d");
}

TEST_F(RegistryChangeTest, PutsAndDeletesManifests) {
  reply_ = {.status = 201,
            .headers = {{"OCI-Subject", "sha256:s"},
                        {"OCI-Tag", "a"},
                        {"OCI-Tag", "b"},
                        {"Warning", "299 - \"x\""}}};
  const auto put = put_manifest();
  ASSERT_TRUE(put) << put.error().context;
  EXPECT_EQ(put->subject, "sha256:s");
  EXPECT_EQ(put->tags, (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(put->warning, "299 - \"x\"");
  EXPECT_EQ(server_.requests()[0].header("Content-Type"), "application/json");
  EXPECT_EQ(server_.requests()[0].body, "{}");
  reply_ = {.status = 202};
  const auto erased = erase();
  ASSERT_TRUE(erased) << erased.error().context;
  EXPECT_EQ(server_.requests()[1].method, "DELETE");
}

TEST_F(RegistryChangeTest, WhatTheRegistrySaysIsTheAnswer) {
  for (const int status : {400, 404, 405, 413, 416}) {
    reply_ = {.status = status,
              .headers = {{"Range", "0-5"}},
              .body = R"({"errors":[{"code":"BLOB_UPLOAD_INVALID","message":"words"}]})"};
    const auto answer = erase();
    ASSERT_TRUE(answer) << status;
    EXPECT_EQ(answer->status, status);
    EXPECT_FALSE(answer->is_success());
    EXPECT_EQ(answer->range, "0-5");
    ASSERT_TRUE(answer->error);
    EXPECT_EQ(answer->error->code, "BLOB_UPLOAD_INVALID");
    EXPECT_EQ(answer->error->message, "words");
  }
  reply_ = {.status = 404, .body = "<html>"};
  EXPECT_FALSE(erase()->error);
  reply_ = {.status = 404, .body = std::string(100'000, ' ') + R"({"errors":[{"code":"X"}]})"};
  EXPECT_FALSE(erase()->error);
}

TEST_F(RegistryChangeTest, WhatIsNoAnswerIsAnError) {
  struct Case {
    int status;
    Code code;
    std::size_t attempts;
  };
  for (const Case& c : {Case{401, Code::Unauthorized, 1}, Case{403, Code::Denied, 1},
                        Case{429, Code::TooManyRequests, 3}, Case{500, Code::Unavailable, 3},
                        Case{503, Code::Unavailable, 3}, Case{304, Code::Corrupt, 1},
                        Case{302, Code::Corrupt, 1}}) {
    reply_ = {.status = c.status};
    const auto before = asked();
    const auto answer = put_manifest();
    ASSERT_FALSE(answer) << c.status;
    EXPECT_EQ(answer.error().code, c.code) << c.status;
    EXPECT_THAT(answer.error().context, HasSubstr("registry reg"));
    EXPECT_EQ(asked() - before, c.attempts) << c.status;
  }
}

TEST_F(RegistryChangeTest, WhatARegistryAnsweredIsNoFaultOfTheNetworks) {
  reply_ = {.status = 500, .body = R"({"errors":[{"code":"UNKNOWN","message":"no disk"}]})"};
  EXPECT_EQ(put_manifest().error().context, "registry reg: answered 500: no disk");
  EXPECT_THAT(head().error().context, Not(HasSubstr("network")));
  server_.close();
  EXPECT_THAT(put_manifest().error().context, HasSubstr("the network"));
  EXPECT_THAT(head().error().context, HasSubstr("the network"));
  options_.timeouts.first_byte = std::chrono::milliseconds(20);
  client_.reset();
  Server silent(context_, [](const Request&) { return Reply{.holds_head = true}; });
  options_.url = silent.url();
  EXPECT_THAT(put_manifest().error().context, HasSubstr("the network"));
}

// A server that knows no 100 Continue is found out once.
TEST_F(RegistryChangeTest, ASilentServerIsNotWaitedForAgain) {
  reply_ = accepted("/on");
  server_.receive_with(
      [](const Request&) { return fairlead::testing::ScriptedReception{.sends_continue = false}; });
  ASSERT_TRUE(patch(server_.url() + "/u"));
  EXPECT_EQ(server_.requests().back().header("Expect"), "100-continue");
  ASSERT_TRUE(patch(server_.url() + "/u"));
  EXPECT_EQ(server_.requests().back().header("Expect"), "");
  EXPECT_EQ(server_.requests().back().body, "0123456789");
  clock_.advance(EndpointBoard::kRemembered);
  server_.receive_with({});
  for (int i = 0; i < 2; ++i) {
    ASSERT_TRUE(patch(server_.url() + "/u"));
    EXPECT_EQ(server_.requests().back().header("Expect"), "100-continue");
  }
}

// docker-registry: a small body is refused once it has come, and before that there is silence.
TEST_F(RegistryChangeTest, OneThatRefusesLateIsNotAskedForSmallBodies) {
  ASSERT_TRUE(put_manifest()) << "it asks for no login";
  server_.receive_with(
      [](const Request&) { return fairlead::testing::ScriptedReception{.sends_continue = false}; });
  reply_ = {.status = 416};
  for (const std::string expected : {"100-continue", ""}) {
    EXPECT_EQ(patch(server_.url() + "/u")->status, 416);
    EXPECT_EQ(server_.requests().back().header("Expect"), expected);
  }
  for (int i = 0; i < 2; ++i) {
    const auto answer = change({.method = "PATCH",
                                .repository = kRepository,
                                .url = server_.url() + "/u",
                                .stream = std::make_shared<PieceBody>("of unknown length")});
    EXPECT_EQ(answer->status, 416);
    EXPECT_EQ(server_.requests().back().header("Expect"), "100-continue");
  }
}

TEST_F(RegistryChangeTest, AnUploadIsNotBegunTwice) {
  options_.timeouts.connect = std::chrono::milliseconds(20);
  for (const auto& [status, attempts] : {std::pair{500, 1U}, {503, 3U}, {429, 3U}}) {
    reply_ = {.status = status};
    const auto before = asked();
    EXPECT_FALSE(begin_upload());
    EXPECT_EQ(asked() - before, attempts) << status;
  }
  reply_ = {.holds_head = true};
  const auto before = asked();
  EXPECT_EQ(begin_upload().error().code, Code::Timeout);
  EXPECT_EQ(asked() - before, 1u);
}

TEST_F(RegistryChangeTest, AnUploadThatFoundNoConnectionIsBegunAgain) {
  options_.url = server_.url();
  retry_policy_.attempts = 2;
  retry_policy_.first_pause = std::chrono::milliseconds(400);
  server_.close();
  std::optional<Result<ChangeAnswer>> answer;
  begin(client().change({.method = "POST", .repository = kRepository, .path = "blobs/uploads/"}),
        answer);
  run_for(std::chrono::milliseconds(10));
  ASSERT_FALSE(answer) << "it is to try again";
  run_until([&] { return answer.has_value(); });
  EXPECT_EQ(answer->error().code, Code::Unavailable);
}

TEST_F(RegistryChangeTest, AnUploadNeedsALocationThatIsOne) {
  for (const std::string& location : {std::string(), std::string("ftp://x/y"),
                                      std::string("http://u@x/"), std::string("http://[")}) {
    reply_ = accepted(location);
    const auto answer = begin_upload();
    ASSERT_FALSE(answer) << location;
    EXPECT_EQ(answer.error().code, Code::Corrupt);
  }
  reply_ = accepted("/" + std::string(9000, 'x'));
  EXPECT_EQ(begin_upload().error().code, Code::Corrupt);
}

TEST_F(RegistryChangeTest, AnUploadThatGoesOnElsewhereGoesOnWithoutTheLogin) {
  Server bucket(context_, [](const Request&) { return Reply{.status = 201}; });
  const std::string place = bucket.url() + "/u?sig=%2F";
  options_.credentials = StaticCredentials{"robot", Secret("secret")};
  script_ = [&](const Request& request) {
    if (!request.header("Authorization").empty()) return accepted(place);
    return Reply{.status = 401, .headers = {{"WWW-Authenticate", "Basic realm=\"x\""}}};
  };
  const auto begun = begin_upload();
  ASSERT_TRUE(begun) << begun.error().context;
  EXPECT_EQ(begun->location, place);
  ASSERT_TRUE(patch(place));
  EXPECT_EQ(bucket.requests().at(0).target, "/u?sig=%2F");
  EXPECT_EQ(bucket.requests()[0].header("Authorization"), "");
  EXPECT_EQ(bucket.requests()[0].body, "0123456789");
}

TEST_F(RegistryChangeTest, GoesNowhereThatTheRulesForbid) {
  EXPECT_EQ(patch("ftp://example.com/").error().code, Code::Corrupt);
  options_.url = "https://registry.example";
  client_.reset();
  for (const std::string url : {"https://169.254.169.254/x", "http://registry.example/x"}) {
    EXPECT_EQ(patch(url).error().code, Code::Denied) << url;
    EXPECT_EQ(stream_->reads(), 0);
  }
}

TEST_F(RegistryChangeTest, FollowsRedirectsWithMethodAndBodyButNotTheLogin) {
  Server other(context_, [](const Request&) {
    return Reply{.status = 202, .headers = {{"Location", "/on"}}};
  });
  for (const int status : {301, 302, 303, 307, 308}) {
    script_ = [&, status](const Request& request) {
      if (request.target.ends_with("/first")) {
        return Reply{.status = status, .headers = {{"Location", "/second"}}};
      }
      return Reply{.status = status, .headers = {{"Location", other.url() + "/third"}}};
    };
    server_.receive_with(
        [](const Request&) { return fairlead::testing::ScriptedReception{.answers_after = 0}; });
    const auto answer = patch(server_.url() + "/first");
    ASSERT_TRUE(answer) << answer.error().context;
    EXPECT_EQ(other.requests().back().method, "PATCH");
    EXPECT_EQ(other.requests().back().body, "0123456789");
    EXPECT_EQ(answer->location, other.url() + "/on");
  }
}

TEST_F(RegistryChangeTest, DoesNotSendAStreamTwice) {
  ASSERT_TRUE(put_manifest()) << "it asks for no login";
  for (const int status : {307, 503}) {
    reply_ = {.status = status, .headers = {{"Location", "/elsewhere"}}};
    const auto before = asked();
    const auto answer = patch(server_.url() + "/u");
    ASSERT_FALSE(answer);
    EXPECT_EQ(asked() - before, 1u);
    EXPECT_GT(stream_->reads(), 0);
  }
  server_.receive_with(
      [](const Request&) { return fairlead::testing::ScriptedReception{.answers_after = 0}; });
  reply_ = {.status = 503};
  const auto before = asked();
  EXPECT_FALSE(patch(server_.url() + "/u"));
  EXPECT_EQ(asked() - before, 3u) << "nothing of it had been read";
}

TEST_F(RegistryChangeTest, AClientThatGoesAwayIsNoFaultOfTheRegistrys) {
  const auto answer = change({.method = "PATCH",
                              .repository = kRepository,
                              .url = server_.url() + "/u",
                              .stream = std::make_shared<PieceBody>(
                                  client_error(Code::Cancelled, "it went away").error())});
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().code, Code::Cancelled);
  EXPECT_EQ(answer.error().origin, Origin::Client);
  EXPECT_EQ(answer.error().context, "it went away");
}

TEST_F(RegistryChangeTest, MirrorsAreNeverAsked) {
  Server mirror(context_, [](const Request&) { return Reply{.status = 200, .body = "{}"}; });
  options_.mirrors = {mirror.url()};
  reply_ = {.status = 503};
  EXPECT_FALSE(put_manifest());
  EXPECT_FALSE(run(client().list_repositories("", 100)));
  EXPECT_TRUE(mirror.requests().empty());
}

TEST_F(RegistryChangeTest, AConnectionIsUsedAgain) {
  reply_ = {.status = 202, .headers = {{"Location", "/on"}}, .body = "a few words"};
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(patch(server_.url() + "/u"));
  EXPECT_EQ(server_.connections(), 1u);
}

// The attack, or the blunder: what it was sent comes back in its error.
TEST_F(RegistryChangeTest, QuotesNoCredentials) {
  options_.credentials = StaticCredentials{"robot", Secret("secret")};
  script_ = [](const Request& request) {
    if (request.header("Authorization").empty()) {
      return Reply{.status = 401, .headers = {{"WWW-Authenticate", "Basic realm=\"x\""}}};
    }
    return Reply{.status = 404,
                 .body = R"({"errors":[{"code":"X","message":"no )" +
                         request.header("Authorization") + R"( secret"}]})"};
  };
  const auto answer = erase();
  ASSERT_TRUE(answer && answer->error);
  EXPECT_THAT(answer->error->message, Not(HasSubstr("secret")));
  EXPECT_THAT(answer->error->message, Not(HasSubstr("cm9ib3Q6c2VjcmV0")));
}

}  // namespace
}  // namespace fairlead::upstream
