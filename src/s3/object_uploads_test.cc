// SPDX-License-Identifier: Apache-2.0
#include <chrono>

#include "s3/object_client_fixture.h"
#include "s3/xml_answer.h"

namespace fairlead::s3 {
namespace {

class ObjectUploadsTest : public ObjectClientTest {};

TEST_F(ObjectUploadsTest, Put) {
  for (const std::string& bytes :
       {std::string(), std::string("bytes"), std::string(3 << 20, 'x')}) {
    const std::size_t n = asked();
    ASSERT_TRUE(run(client_->put("a/b", bytes, "text/plain", "w1")));
    EXPECT_EQ(request(n).method, "PUT");
    EXPECT_EQ(request(n).target, "/zot/a/b");
    EXPECT_TRUE(request(n).body == bytes);
    EXPECT_EQ(request(n).header("Content-Type"), "text/plain");
    EXPECT_EQ(request(n).header("x-amz-meta-fairlead-writing"), "w1");
    EXPECT_EQ(request(n).header("Content-Length"), std::to_string(bytes.size()));
    EXPECT_TRUE(is_signed(request(n)));
    EXPECT_TRUE(request(n).header("Authorization").contains("x-amz-meta-fairlead-writing"));
  }
  EXPECT_TRUE(run(client_->put("a", "", "", "")));
  EXPECT_EQ(server_.requests().back().header("Content-Type"), "application/octet-stream");
  EXPECT_EQ(server_.requests().back().header("x-amz-meta-fairlead-writing"), "");
}

TEST_F(ObjectUploadsTest, AWritingThatIsNoHeaderIsNotSent) {
  EXPECT_FALSE(run(client_->put("a", "", "", "w\r\nEvil: 1")));
  EXPECT_FALSE(run(client_->put("a", "", "text\nEvil: 1", "")));
  EXPECT_EQ(asked(), 0u);
}

TEST_F(ObjectUploadsTest, Remove) {
  answer({{.status = 204}, refusal(404, "NoSuchKey"), refusal(404, "NoSuchBucket")});
  EXPECT_TRUE(run(client_->remove("a")));
  EXPECT_EQ(request(0).method, "DELETE");
  EXPECT_TRUE(is_signed(request(0)));
  EXPECT_TRUE(run(client_->remove("a")));
  EXPECT_EQ(run(client_->remove("a")).error().code, Code::InvalidArgument);
}

TEST_F(ObjectUploadsTest, AnUploadInParts) {
  answer({{.body = "<InitiateMultipartUploadResult><UploadId>2~id/+</UploadId>"
                   "</InitiateMultipartUploadResult>"},
          {.headers = {{"ETag", "\"one\""}}},
          {.headers = {{"ETag", "\"two\""}}},
          {.body = "<CompleteMultipartUploadResult/>"}});
  const auto id = run(client_->begin_upload("a", "text/plain", "w1"));
  ASSERT_EQ(id, "2~id/+");
  EXPECT_EQ(request(0).method, "POST");
  EXPECT_EQ(request(0).target, "/zot/a?uploads=");
  EXPECT_EQ(request(0).header("Content-Type"), "text/plain");
  EXPECT_EQ(request(0).header("x-amz-meta-fairlead-writing"), "w1");
  const std::string bytes(5 << 20, 'x');
  const auto one = run(client_->put_part("a", *id, 1, bytes));
  ASSERT_TRUE(one);
  EXPECT_EQ(one->etag, "\"one\"");
  EXPECT_EQ(request(1).target, "/zot/a?partNumber=1&uploadId=2~id%2F%2B");
  EXPECT_TRUE(request(1).body == bytes);
  const auto two = run(client_->put_part("a", *id, 2, "end"));
  ASSERT_TRUE(two);
  EXPECT_TRUE(run(client_->complete_upload("a", *id, {*one, *two})));
  EXPECT_EQ(request(3).target, "/zot/a?uploadId=2~id%2F%2B");
  EXPECT_EQ(request(3).body, complete_upload_document({*one, *two}));
  for (std::size_t n = 0; n < 4; ++n) EXPECT_TRUE(is_signed(request(n))) << n;
}

TEST_F(ObjectUploadsTest, APartIsSentAgainAsItWas) {
  ScriptedReply good{.headers = {{"ETag", "\"one\""}}};
  answer(
      {refusal(503, "SlowDown"), refusal(400, "RequestTimeout"), refusal(400, "BadDigest"), good});
  const std::string bytes(2 << 20, 'x');
  EXPECT_TRUE(run(client_->put_part("a", "id", 1, bytes)));
  ASSERT_EQ(asked(), 4u);
  for (std::size_t n = 0; n < 4; ++n) EXPECT_TRUE(request(n).body == bytes);
}

TEST_F(ObjectUploadsTest, APartWithoutETagIsNoPart) {
  EXPECT_EQ(run(client_->put_part("a", "id", 1, "x")).error().code, Code::Corrupt);
}

TEST_F(ObjectUploadsTest, ACompletionMayFailThoughItsStatusIsGood) {
  answer({refusal(200, "InternalError"), {.body = "  <CompleteMultipartUploadResult/>"}});
  EXPECT_TRUE(run(client_->complete_upload("a", "id", {})));
  EXPECT_EQ(asked(), 2u);
  answer({refusal(200, "AccessDenied")});
  EXPECT_EQ(run(client_->complete_upload("a", "id", {})).error().code, Code::Denied);
  answer({refusal(404, "NoSuchUpload")});
  EXPECT_EQ(run(client_->complete_upload("a", "id", {})).error().code, Code::NotFound);
  answer({{.body = "hm"}});
  EXPECT_EQ(run(client_->complete_upload("a", "id", {})).error().code, Code::Corrupt);
}

TEST_F(ObjectUploadsTest, ACompletionMayTakeLong) {
  answer({{.body = "<CompleteMultipartUploadResult/>", .holds_head = true}});
  std::optional<Result<void>> outcome;
  begin(client_->complete_upload("a", "id", {}), outcome);
  run_for(std::chrono::milliseconds(500));  // more than the bucket's own timeouts
  EXPECT_FALSE(outcome);
  server_.release();
  run_until([&] { return outcome.has_value(); });
  EXPECT_TRUE(*outcome);
}

TEST_F(ObjectUploadsTest, Abort) {
  answer({{.status = 204}, refusal(404, "NoSuchUpload")});
  EXPECT_TRUE(run(client_->abort_upload("a", "id")));
  EXPECT_EQ(request(0).method, "DELETE");
  EXPECT_EQ(request(0).target, "/zot/a?uploadId=id");
  EXPECT_TRUE(run(client_->abort_upload("a", "id")));
}

TEST_F(ObjectUploadsTest, Unfinished) {
  const auto upload = [](const std::string& key) {
    return "<Upload><Key>" + key +
           "</Key><UploadId>id</UploadId><Initiated>2026-11-21T10:05:00Z</Initiated></Upload>";
  };
  answer({{.body = "<ListMultipartUploadsResult>" + upload("a/b") + upload("b/c") +
                   "</ListMultipartUploadsResult>"}});
  const auto uploads = run(client_->unfinished_uploads("a/"));
  ASSERT_TRUE(uploads);
  ASSERT_EQ(uploads->size(), 1u);
  EXPECT_EQ(uploads->at(0).key, "a/b");
  EXPECT_EQ(request(0).target, "/zot/?max-uploads=1000&prefix=a%2F&uploads=");
}

}  // namespace
}  // namespace fairlead::s3
