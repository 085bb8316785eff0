// SPDX-License-Identifier: Apache-2.0
#include <chrono>

#include "s3/object_client_fixture.h"

namespace fairlead::s3 {
namespace {

using namespace std::chrono_literals;

class ObjectReadsTest : public ObjectClientTest {
 protected:
  // The bytes, or the error of the answer or of its body.
  Result<std::string> get(std::uint64_t offset, std::optional<std::uint64_t> length) {
    auto download = run(client_->get("x", offset, length));
    if (!download) return std::unexpected(download.error());
    EXPECT_EQ(download->offset, offset);
    size_ = download->head.size;
    std::string bytes;
    for (;;) {
      const auto piece = run(download->body->read());
      if (!piece) return std::unexpected(piece.error());
      if (piece->empty()) return bytes;
      bytes += as_text(*piece);
    }
  }

  static ScriptedReply part(const std::string& range, const std::string& bytes) {
    return {.status = 206, .headers = {{"Content-Range", range}}, .body = bytes};
  }

  static ScriptedReply listing(const std::string& inside) {
    return {.body = "<ListBucketResult>" + inside + "</ListBucketResult>"};
  }

  std::uint64_t size_ = 0;
};

TEST_F(ObjectReadsTest, Head) {
  answer({{.headers = {{"Content-Type", "text/plain; charset=x"},
                       {"ETag", "\"tag\""},
                       {"x-amz-meta-fairlead-writing", "w1"},
                       {"Last-Modified", "Sun, 06 Nov 1994 08:49:37 GMT"}},
           .content_length = 12345}});
  const auto head = run(client_->head("data/a b+c//%"));
  ASSERT_TRUE(head) << head.error().context;
  EXPECT_EQ(head->size, 12345u);
  EXPECT_EQ(head->media_type, "text/plain");
  EXPECT_EQ(head->etag, "\"tag\"");
  EXPECT_EQ(head->writing, "w1");
  EXPECT_EQ(utc_text(head->modified), "1994-11-06T08:49:37Z");
  EXPECT_EQ(request(0).method, "HEAD");
  EXPECT_EQ(request(0).target, "/zot/data/a%20b%2Bc//%25");
  EXPECT_TRUE(is_signed(request(0)));
}

TEST_F(ObjectReadsTest, TheWhole) {
  answer({{.body = "0123456789"}});
  EXPECT_EQ(get(0, std::nullopt), "0123456789");
  EXPECT_EQ(size_, 10u);
  EXPECT_EQ(request(0).header("Range"), "");
}

TEST_F(ObjectReadsTest, Parts) {
  answer({part("bytes 3-9/10", "3456789")});
  EXPECT_EQ(get(3, std::nullopt), "3456789");
  EXPECT_EQ(size_, 10u);
  EXPECT_EQ(request(0).header("Range"), "bytes=3-");
  EXPECT_TRUE(request(0).header("Authorization").contains("range;"));
  EXPECT_TRUE(is_signed(request(0)));
  answer({part("bytes 3-5/10", "345")});
  EXPECT_EQ(get(3, 3), "345");
  EXPECT_EQ(request(1).header("Range"), "bytes=3-5");
  answer({part("bytes 8-9/10", "89")});
  EXPECT_EQ(get(8, 100), "89");
}

TEST_F(ObjectReadsTest, AnotherPartThanWasAskedForIsCorrupt) {
  for (const ScriptedReply& reply :
       {part("bytes 4-6/10", "456"), part("bytes 3-4/10", "34"), part("bytes 3-6/10", "3456"),
        part("bytes 3-5/*", "345"), part("bytes 3-5/4", "345"), part("", "345"),
        part("bytes 3-5/10", "3456"), ScriptedReply{.body = "0123456789"}}) {
    answer({reply});
    const auto bytes = get(3, 3);
    ASSERT_FALSE(bytes) << *bytes;
    EXPECT_EQ(bytes.error().code, Code::Corrupt);
    EXPECT_TRUE(bytes.error().context.starts_with("the bucket zot: "));
  }
  answer({part("bytes 0-9/10", "0123456789")});
  EXPECT_EQ(get(0, std::nullopt).error().code, Code::Corrupt);
  answer({{.body = "x", .is_chunked = true}});
  EXPECT_EQ(get(0, std::nullopt).error().code, Code::Corrupt);
}

TEST_F(ObjectReadsTest, ABodyThatEndsEarlyIsAnError) {
  answer({{.body = "0123456789", .cut_after = 4}});
  const auto bytes = get(0, std::nullopt);
  ASSERT_FALSE(bytes);
  EXPECT_EQ(bytes.error().code, Code::Unavailable);
  EXPECT_EQ(bytes.error().retry, Retry::Yes);
  EXPECT_TRUE(bytes.error().context.starts_with("the bucket zot: ")) << bytes.error().context;
}

TEST_F(ObjectReadsTest, OfAnEmptyObjectThereAreNoParts) {
  answer({refusal(416, "InvalidRange"), {.body = ""}});
  EXPECT_EQ(get(0, 5), "");
  EXPECT_EQ(size_, 0u);
  EXPECT_EQ(request(1).header("Range"), "");
  answer({refusal(416, "InvalidRange"), {.body = "full"}});
  EXPECT_EQ(get(0, 5).error().code, Code::Corrupt);
}

TEST_F(ObjectReadsTest, BehindTheEndThereIsNothing) {
  answer({refusal(416, "InvalidRange")});
  const auto bytes = get(10, std::nullopt);
  ASSERT_FALSE(bytes);
  EXPECT_EQ(bytes.error().code, Code::Corrupt);
  EXPECT_EQ(asked(), 1u);
  EXPECT_EQ(bucket_->health().trouble(), std::nullopt);
}

TEST_F(ObjectReadsTest, ADownloadMayOutliveItsClient) {
  answer({{.body = "first second", .hold_after = 6}});
  auto download = run(client_->get("x", 0, std::nullopt));
  ASSERT_TRUE(download);
  client_.reset();
  bucket_.reset();
  EXPECT_EQ(as_text(*run(download->body->read())), "first ");
  server_.release();
  EXPECT_EQ(as_text(*run(download->body->read())), "second");
  EXPECT_TRUE(run(download->body->read())->empty());
}

TEST_F(ObjectReadsTest, Texts) {
  answer({{.body = "0123456789"}});
  EXPECT_EQ(run(client_->get_text("x", 10)), "0123456789");
  const auto much = run(client_->get_text("x", 9));
  ASSERT_FALSE(much);
  EXPECT_EQ(much.error().code, Code::TooLarge);
  EXPECT_EQ(bucket_->health().trouble(), std::nullopt);
}

TEST_F(ObjectReadsTest, Listings) {
  answer(
      {listing("<IsTruncated>true</IsTruncated><EncodingType>url</EncodingType>"
               "<NextContinuationToken>go on</NextContinuationToken>"
               "<Contents><Key>a/b%20c</Key><Size>1</Size>"
               "<LastModified>2026-11-21T10:05:00Z</LastModified></Contents>"
               "<CommonPrefixes><Prefix>a/d/</Prefix></CommonPrefixes>")});
  const auto page = run(client_->list({.prefix = "a/", .delimiter = "/", .after = "a/a"}));
  ASSERT_TRUE(page) << page.error().context;
  EXPECT_EQ(page->objects.at(0).key, "a/b c");
  EXPECT_EQ(page->prefixes.at(0), "a/d/");
  EXPECT_EQ(page->continuation, "go on");
  EXPECT_EQ(request(0).target,
            "/zot/?delimiter=%2F&encoding-type=url&list-type=2&max-keys=1000&prefix=a%2F"
            "&start-after=a%2Fa");
  EXPECT_TRUE(is_signed(request(0)));

  answer({listing("")});
  EXPECT_EQ(
      run(client_->list({.prefix = "a/", .after = "a", .continuation = "go on"}))->continuation,
      "");
  EXPECT_EQ(request(1).target,
            "/zot/?continuation-token=go%20on&encoding-type=url&list-type=2"
            "&max-keys=1000&prefix=a%2F");
}

TEST_F(ObjectReadsTest, AListingOfSomethingElseIsCorrupt) {
  const std::string end =
      "<Size>1</Size><LastModified>2026-11-21T10:05:00Z</LastModified></Contents>";
  for (const std::string& inside :
       {"<Contents><Key>b/x</Key>" + end, "<Contents><Key>a</Key>" + end,
        std::string("<CommonPrefixes><Prefix>b/</Prefix></CommonPrefixes>"),
        std::string("<IsTruncated>true</IsTruncated>"
                    "<NextContinuationToken>same</NextContinuationToken>")}) {
    answer({listing(inside)});
    const auto page = run(client_->list({.prefix = "a/", .continuation = "same"}));
    ASSERT_FALSE(page) << inside;
    EXPECT_EQ(page.error().code, Code::Corrupt);
    EXPECT_EQ(bucket_->health().trouble(), page.error().context);
  }
  answer({{.body = "<html>It works!</html>"}});
  EXPECT_EQ(run(client_->list({})).error().code, Code::Corrupt);
  answer({{.body = std::string(1 << 20, ' '), .repeat = 5}});
  EXPECT_EQ(run(client_->list({})).error().code, Code::TooLarge);
}

TEST_F(ObjectReadsTest, AListingThatDoesNotGoOnIsCorrupt) {
  const auto keys = [](std::initializer_list<const char*> all) {
    std::string inside;
    for (const std::string key : all) {
      inside += "<Contents><Key>" + key +
                "</Key><Size>1</Size><LastModified>2026-11-21T10:05:00Z</LastModified></Contents>";
    }
    return listing(inside);
  };
  const auto list = [&](const ScriptedReply& reply, const ListRequest& request) {
    answer({reply});
    const auto page = run(client_->list(request));
    return page ? Code::Internal : page.error().code;
  };
  const ListRequest after{.prefix = "a/", .after = "a/c"};
  EXPECT_EQ(list(keys({"a/d", "a/e"}), after), Code::Internal);
  EXPECT_EQ(list(keys({"a/c", "a/d"}), after), Code::Corrupt);
  EXPECT_EQ(list(keys({"a/b"}), after), Code::Corrupt);
  const ListRequest next{.prefix = "a/", .after = "a/c", .continuation = "go on"};
  EXPECT_EQ(list(keys({"a/b", "a/d"}), next), Code::Internal);
  EXPECT_EQ(list(keys({"a/d", "a/d"}), next), Code::Corrupt);
  EXPECT_EQ(list(keys({"a/d", "a/b"}), {.prefix = "a/"}), Code::Corrupt);
}

TEST_F(ObjectReadsTest, PresignedUrls) {
  server_.close();
  EXPECT_FALSE(run(client_->head("x")));  // and a bucket in trouble does not keep it from signing
  const auto url = run(client_->presign("data/a b", "text/x; y", 20min));
  ASSERT_TRUE(url) << url.error().context;
  EXPECT_TRUE(url->starts_with("https://s3.example.com/zot/data/a%20b?")) << *url;
  EXPECT_TRUE(url->contains("X-Amz-Expires=1200")) << *url;
  EXPECT_TRUE(url->contains("response-content-type=text%2Fx%3B%20y")) << *url;
  EXPECT_FALSE(run(client_->presign("x", "", 0s)));
  EXPECT_FALSE(run(client_->presign("", "", 20min)));
}

TEST_F(ObjectReadsTest, APresignedUrlEndsWithItsCredentials) {
  make_client(true);
  fetcher_->lifetime = 10min;
  const auto seconds = [&] {
    const auto url = run(client_->presign("x", "", 20min));
    EXPECT_TRUE(url) << url.error().context;
    const auto at = url->find("X-Amz-Expires=") + 14;
    return std::stoi(url->substr(at));
  };
  EXPECT_EQ(seconds(), 600);
  clock_.advance(60s);
  EXPECT_EQ(seconds(), 540);
  EXPECT_EQ(fetcher_->fetched, 1);
  clock_.advance(520s);  // too little is left
  EXPECT_EQ(seconds(), 600);
  EXPECT_EQ(fetcher_->fetched, 2);
  EXPECT_EQ(asked(), 0u);
  fetcher_->failure = upstream_error(Code::Unavailable, Retry::Yes, "instance metadata").error();
  clock_.advance(595s);
  EXPECT_EQ(run(client_->presign("x", "", 20min)).error().code, Code::Unavailable);
}

}  // namespace
}  // namespace fairlead::s3
