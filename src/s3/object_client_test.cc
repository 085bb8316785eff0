// SPDX-License-Identifier: Apache-2.0
// How S3 is asked, whatever for.
#include "s3/object_client.h"

#include <chrono>

#include "s3/object_client_fixture.h"

namespace fairlead::s3 {
namespace {

using namespace std::chrono_literals;

const ScriptedReply kOk{.body = "text"};

TEST_F(ObjectClientTest, WhatFailsForTheMomentIsTriedAgain) {
  for (const ScriptedReply& reply :
       {refusal(500, "InternalError"), refusal(503, "SlowDown"), refusal(400, "RequestTimeout"),
        ScriptedReply{.status = 502}, ScriptedReply{.body = "text", .cut_after = 2}}) {
    const bool is_timeout = reply.body.contains("RequestTimeout");
    const std::size_t before = asked();
    answer({reply, kOk});
    const auto text = run(client_->get_text("x", 100));
    EXPECT_EQ(text.has_value(), !is_timeout) << reply.body;
    EXPECT_EQ(asked() - before, is_timeout ? 1u : 2u) << reply.body;
    EXPECT_TRUE(is_signed(server_.requests().back()));
    answer({kOk});
    clock_.advance(BucketHealth::kRest);
    EXPECT_TRUE(run(client_->get_text("x", 100)));
  }
}

TEST_F(ObjectClientTest, AfterAFewTriesItIsAnError) {
  answer({refusal(503, "SlowDown")});
  const auto text = run(client_->get_text("x", 100));
  ASSERT_FALSE(text);
  EXPECT_EQ(text.error().code, Code::TooManyRequests);
  EXPECT_TRUE(text.error().context.starts_with("the bucket zot: S3 asks us to slow down"));
  EXPECT_EQ(asked(), std::size_t{ObjectClient::kAttempts});
  EXPECT_EQ(bucket_->health().trouble(), text.error().context);

  const auto left_alone = run(client_->head("x"));
  ASSERT_FALSE(left_alone);
  EXPECT_EQ(left_alone.error().code, Code::TooManyRequests);
  EXPECT_FALSE(client_->is_well());
  EXPECT_EQ(left_alone.error().context, text.error().context);
  EXPECT_EQ(asked(), std::size_t{ObjectClient::kAttempts});

  answer({kOk});
  clock_.advance(BucketHealth::kRest);
  EXPECT_TRUE(run(client_->get_text("x", 100)));
  EXPECT_EQ(bucket_->health().trouble(), std::nullopt);
}

TEST_F(ObjectClientTest, ReadingWellDoesNotMeanThatWritingIsAllowed) {
  answer({refusal(403, "AccessDenied"), kOk});
  const auto put = run(client_->put("x", "bytes", "", ""));
  ASSERT_FALSE(put);
  EXPECT_TRUE(run(client_->get_text("x", 100)));
  EXPECT_EQ(bucket_->health().trouble(), put.error().context);
  EXPECT_TRUE(client_->is_well());
  EXPECT_TRUE(run(client_->put("x", "bytes", "", "")));
  EXPECT_EQ(bucket_->health().trouble(), std::nullopt);
}

TEST_F(ObjectClientTest, WaitsAsLongAsItIsAskedTo) {
  ScriptedReply slow_down = refusal(503, "SlowDown");
  slow_down.headers = {{"Retry-After", "1"}};
  answer({slow_down, kOk});
  const auto begin = std::chrono::steady_clock::now();
  EXPECT_TRUE(run(client_->get_text("x", 100)));
  EXPECT_GE(std::chrono::steady_clock::now() - begin, 1s);
}

TEST_F(ObjectClientTest, WhatIsRefusedIsNotTriedAgain) {
  for (const auto& [status, code] :
       std::vector<std::pair<int, std::string>>{{403, "AccessDenied"},
                                                {403, "SignatureDoesNotMatch"},
                                                {404, "NoSuchKey"},
                                                {404, "NoSuchBucket"},
                                                {301, "PermanentRedirect"}}) {
    const std::size_t before = asked();
    answer({refusal(status, code)});
    EXPECT_FALSE(run(client_->get_text("x", 100)));
    EXPECT_EQ(asked() - before, 1u) << code;
    EXPECT_EQ(bucket_->health().trouble().has_value(), code != "NoSuchKey");
    answer({kOk});
    EXPECT_TRUE(run(client_->get_text("x", 100)));
  }
}

TEST_F(ObjectClientTest, WhatTakesTooLongIsTriedAgainOnlyIfItWrites) {
  answer({{.holds_head = true}, {}});
  const auto head = run(client_->head("x"));
  ASSERT_FALSE(head);
  EXPECT_EQ(head.error().code, Code::Timeout);
  EXPECT_EQ(asked(), 1u);
  clock_.advance(BucketHealth::kRest);
  answer({{.holds_head = true}, {}});
  EXPECT_TRUE(run(client_->put("x", "bytes", "", "")));
  EXPECT_EQ(asked(), 3u);
}

TEST_F(ObjectClientTest, ASmallAnswerThatDripsIsGivenUp) {
  const auto drip = [&](std::chrono::seconds taken) {
    answer({{.body = "first second", .hold_after = 6}});
    std::optional<Result<std::string>> text;
    begin(client_->get_text("x", 100), text);
    const auto sent = server_.bytes_sent();
    run_until([&] { return server_.bytes_sent() > sent; });
    run_for(20ms);
    clock_.advance(taken);
    server_.release();
    run_until([&] { return text.has_value(); });
    return *text;
  };
  EXPECT_EQ(drip(10s), "first second");
  const auto late = drip(11s);
  ASSERT_FALSE(late);
  EXPECT_EQ(late.error().code, Code::Timeout);
  EXPECT_EQ(asked(), 2u);
  EXPECT_FALSE(bucket_->health().admit());
}

TEST_F(ObjectClientTest, AHeadThatIsRefusedIsAskedForWords) {
  answer({{.status = 403}, refusal(403, "SignatureDoesNotMatch")});
  const auto head = run(client_->head("x"));
  ASSERT_FALSE(head);
  EXPECT_EQ(head.error().code, Code::Unauthorized);
  EXPECT_TRUE(head.error().context.contains("`secret_key`")) << head.error().context;
  ASSERT_EQ(asked(), 2u);
  EXPECT_EQ(request(1).method, "GET");
  EXPECT_EQ(request(1).header("Range"), "bytes=0-0");

  // Words or not, a refusal it was.
  answer({{.status = 403}, {.status = 206, .body = "x"}});
  EXPECT_EQ(run(client_->head("x")).error().code, Code::Denied);
  answer({{.status = 404}});
  EXPECT_EQ(run(client_->head("x")).error().code, Code::NotFound);
  EXPECT_EQ(asked(), 5u);
}

TEST_F(ObjectClientTest, AnotherServerAtTheEndpointIsTrouble) {
  answer({{.status = 404, .body = "<html>not here</html>"}});
  const auto put = run(client_->put("x", "bytes", "", ""));
  ASSERT_FALSE(put);
  EXPECT_EQ(put.error().code, Code::InvalidArgument);
  EXPECT_EQ(run(client_->begin_upload("x", "", "")).error().code, Code::InvalidArgument);
  EXPECT_EQ(run(client_->list({})).error().code, Code::InvalidArgument);
  EXPECT_EQ(run(client_->head("x")).error().code, Code::NotFound);  // which tells nothing
  EXPECT_EQ(bucket_->health().trouble(), put.error().context);
}

TEST_F(ObjectClientTest, AKeyThatCannotBeIsNotTheBucketsTrouble) {
  const auto head = run(client_->head(std::string(1025, 'x')));
  ASSERT_FALSE(head);
  EXPECT_EQ(head.error().origin, Origin::Internal);
  EXPECT_TRUE(head.error().context.starts_with("the bucket zot: ")) << head.error().context;
  EXPECT_EQ(asked(), 0u);
  EXPECT_EQ(bucket_->health().trouble(), std::nullopt);
}

TEST_F(ObjectClientTest, WithoutServerItIsUnavailable) {
  server_.close();
  const auto head = run(client_->head("x"));
  ASSERT_FALSE(head);
  EXPECT_EQ(head.error().code, Code::Unavailable);
  EXPECT_TRUE(head.error().context.ends_with(
      "; check its endpoint, the proxy and the network if this lasts"))
      << head.error().context;
  EXPECT_TRUE(bucket_->health().trouble());
}

TEST_F(ObjectClientTest, ClosingCancels) {
  transport_.close();
  const auto head = run(client_->head("x"));
  ASSERT_FALSE(head);
  EXPECT_EQ(head.error().code, Code::Cancelled);
  EXPECT_EQ(bucket_->health().trouble(), std::nullopt);
}

TEST_F(ObjectClientTest, TemporaryCredentialsThatAreRefusedAreFetchedAnewOnce) {
  make_client(true);
  answer({kOk});
  EXPECT_TRUE(run(client_->get_text("x", 100)));
  EXPECT_TRUE(request(0).header("Authorization").contains("Credential=KEY1/"));
  EXPECT_EQ(request(0).header("x-amz-security-token"), "token");

  clock_.advance(CredentialSource::kPause);
  answer({refusal(400, "ExpiredToken"), kOk});
  EXPECT_TRUE(run(client_->get_text("x", 100)));
  EXPECT_EQ(fetcher_->fetched, 2);
  EXPECT_TRUE(request(2).header("Authorization").contains("Credential=KEY2/"));
  EXPECT_TRUE(is_signed(request(2)));

  clock_.advance(CredentialSource::kPause);
  answer({refusal(400, "ExpiredToken")});
  EXPECT_EQ(run(client_->get_text("x", 100)).error().code, Code::Unauthorized);
  EXPECT_EQ(fetcher_->fetched, 3);
  EXPECT_EQ(asked(), 5u);
  EXPECT_EQ(run(client_->get_text("x", 100)).error().code, Code::Unauthorized);
  EXPECT_EQ(fetcher_->fetched, 3);  // so soon after
}

TEST_F(ObjectClientTest, WithoutCredentialsNothingIsAsked) {
  make_client(true);
  fetcher_->failure = internal_error(Code::NotFound, "token file /x: no such file").error();
  const auto head = run(client_->head("x"));
  ASSERT_FALSE(head);
  EXPECT_EQ(head.error().code, Code::Unavailable);  // the object may well be there
  EXPECT_TRUE(head.error().context.contains("token file /x")) << head.error().context;
  EXPECT_EQ(bucket_->health().trouble(), head.error().context);
  EXPECT_EQ(asked(), 0u);
}

TEST(BucketTest, NeedsAnAddressAndCredentials) {
  const SystemClock clock;
  telemetry::Log log({});
  SigningKeys keys;
  const S3Credentials good{.access_key = "a", .secret_key = Secret("b")};
  const S3Credentials bad{.access_key = "a b", .secret_key = Secret("b")};
  const auto is_made = [&](BucketOptions options) {
    return Bucket::make(std::move(options), nullptr, keys, clock, log).has_value();
  };
  EXPECT_TRUE(is_made({.name = "zot", .endpoint = "http://h", .credentials = good}));
  EXPECT_FALSE(is_made({.name = "zot", .endpoint = "http://h"}));
  EXPECT_FALSE(is_made({.name = "zot", .endpoint = "http://h", .credentials = bad}));
  EXPECT_FALSE(is_made({.name = "zot", .endpoint = "http://h/x", .credentials = good}));
  EXPECT_FALSE(is_made(
      {.name = "zot", .endpoint = "http://h", .public_endpoint = "h", .credentials = good}));
}

}  // namespace
}  // namespace fairlead::s3
