// SPDX-License-Identifier: Apache-2.0
#include "upstream/registry_client.h"

#include "upstream/registry_client_fixture.h"

namespace fairlead::upstream {
namespace {

using namespace std::chrono_literals;

class RegistryClientTest : public RegistryClientFixture {};

TEST_F(RegistryClientTest, AsksForManifestsAsTheSpecificationSays) {
  script_ = [&](const Request&) {
    return Reply{.headers = {{"Docker-Content-Digest", digest_.str()},
                             {"Content-Type", "application/vnd.oci.image.index.v1+json; charset=x"},
                             {"ETag", "\"e\""}},
                 .body = "manifest"};
  };
  const auto head = this->head("3.20");
  ASSERT_TRUE(head) << head.error().context;
  EXPECT_EQ(head->digest, digest_);
  EXPECT_EQ(head->size, 8u);
  EXPECT_EQ(head->media_type, "application/vnd.oci.image.index.v1+json");
  EXPECT_EQ(head->etag, "\"e\"");
  const auto manifest = run(client().get_manifest(kRepository, digest_.str(), ""));
  ASSERT_TRUE(manifest) << manifest.error().context;
  EXPECT_EQ(read_all(*manifest->body), "manifest");
  EXPECT_EQ(server_.requests()[0].method, "HEAD");
  EXPECT_EQ(server_.requests()[0].target, "/v2/library/alpine/manifests/3.20");
  EXPECT_EQ(server_.requests()[0].header("Accept"), "application/json");
  EXPECT_EQ(server_.requests()[1].target, "/v2/library/alpine/manifests/" + digest_.str());
}

TEST_F(RegistryClientTest, ReadsDocuments) {
  script_ = [](const Request&) {
    return Reply{.headers = {{"Content-Type", "application/json"},
                             {"Link", "</v2/x?n=1>; rel=\"next\""},
                             {"OCI-Filters-Applied", "artifactType"},
                             {"Warning", "299 - \"soon\""},
                             {"Warning", "299 - \"later\""}},
                 .body = "{}"};
  };
  const auto document = run(client().get_document(kRepository, "tags/list?n=5", "", 100));
  ASSERT_TRUE(document);
  EXPECT_EQ(server_.requests()[0].target, "/v2/library/alpine/tags/list?n=5");
  EXPECT_EQ(document->body, "{}");
  EXPECT_EQ(document->link, "</v2/x?n=1>; rel=\"next\"");
  EXPECT_EQ(document->filters_applied, "artifactType");
  EXPECT_EQ(document->warning, "299 - \"soon\", 299 - \"later\"");
  const auto too_large = run(client().get_document(kRepository, "tags/list", "", 1));
  ASSERT_FALSE(too_large);
  EXPECT_EQ(too_large.error().code, Code::TooLarge);
}

TEST_F(RegistryClientTest, DeliversBlobsAndRanges) {
  const std::string content = "0123456789";
  script_ = [&](const Request& request) {
    const std::string range = request.header("Range");
    if (range.empty()) return Reply{.body = content};
    return Reply{
        .status = 206,
        .headers = {{"Content-Range", range == "bytes=4-" ? "bytes 4-9/10" : "bytes 2-5/10"}},
        .body = range == "bytes=4-" ? content.substr(4) : content.substr(2, 4)};
  };
  const auto whole = blob();
  ASSERT_TRUE(whole);
  EXPECT_EQ(whole->head.size, 10u);
  EXPECT_EQ(whole->offset, 0u);
  EXPECT_EQ(read_all(*whole->body), content);
  const auto rest = blob(4);
  ASSERT_TRUE(rest) << rest.error().context;
  EXPECT_EQ(rest->offset, 4u);
  EXPECT_EQ(rest->head.size, 10u);
  EXPECT_EQ(read_all(*rest->body), "456789");
  const auto part = blob(2, 4);
  ASSERT_TRUE(part) << part.error().context;
  EXPECT_EQ(part->offset, 2u);
  EXPECT_EQ(read_all(*part->body), "2345");
  EXPECT_EQ(server_.requests()[2].header("Range"), "bytes=2-5");
}

TEST_F(RegistryClientTest, SaysWhenTheRangeWasIgnored) {
  script_ = [](const Request&) { return Reply{.body = "0123456789"}; };
  const auto download = blob(4);
  ASSERT_TRUE(download);
  EXPECT_EQ(download->offset, 0u);
  EXPECT_EQ(read_all(*download->body), "0123456789");
}

TEST_F(RegistryClientTest, RefusesAnswersThatContradictThemselvesOrTheQuestion) {
  using Headers = std::vector<std::pair<std::string, std::string>>;
  struct Case {
    int status;
    Headers headers;
    std::uint64_t offset;
    std::optional<std::uint64_t> length;
  };
  const Case cases[] = {
      {206, {{"Content-Range", "bytes 3-6/10"}}, 4, {}},  // elsewhere
      {206, {{"Content-Range", "bytes 4-7/10"}}, 4, {}},  // less than all the rest
      {206, {{"Content-Range", "bytes 4-7/10"}}, 4, 3},   // more than asked
      {206, {{"Content-Range", "bytes 4-9/10"}}, 4, {}},  // four bytes, not six
      {206, {{"Content-Range", "bytes 7-4/10"}}, 4, {}},  // backwards
      {206, {}, 4, {}},                                   // nowhere
      {206, {{"Content-Range", "bytes 0-3/4"}}, 0, {}},   // no range was asked for
      {200, {{"Content-Encoding", "gzip"}}, 0, {}},       // other bytes
      {200, {{"Docker-Content-Digest", "sha256:xyz"}}, 0, {}},
      {200, {{"Docker-Content-Digest", "sha256:" + std::string(64, '0')}}, 0, {}},
      {204, {}, 0, {}},
      {304, {}, 0, {}},
  };
  for (const Case& c : cases) {
    script_ = [&](const Request&) {
      return Reply{.status = c.status, .headers = c.headers, .body = "blob"};
    };
    const auto download = blob(c.offset, c.length);
    ASSERT_FALSE(download) << c.status << " " << (c.headers.empty() ? "" : c.headers[0].second);
    EXPECT_EQ(download.error().code, Code::Corrupt) << download.error().context;
    EXPECT_EQ(download.error().origin, Origin::Upstream);
  }
}

TEST_F(RegistryClientTest, TellsErrorsApart) {
  struct Case {
    int status;
    Code code;
    Retry retry;
    std::size_t attempts;
  };
  const Case cases[] = {
      {404, Code::NotFound, Retry::No, 1},        {403, Code::Denied, Retry::No, 1},
      {401, Code::Unauthorized, Retry::No, 1},    {400, Code::InvalidArgument, Retry::No, 1},
      {416, Code::InvalidArgument, Retry::No, 1}, {500, Code::Unavailable, Retry::Yes, 3},
      {503, Code::Unavailable, Retry::Yes, 3},    {429, Code::TooManyRequests, Retry::Yes, 3},
      {418, Code::Corrupt, Retry::No, 1},
  };
  for (const Case& c : cases) {
    script_ = [&](const Request&) {
      return Reply{.status = c.status,
                   .body = R"({"errors":[{"code":"X","message":"the registry's own words"}]})"};
    };
    const auto before = asked();
    const auto download = blob();
    ASSERT_FALSE(download) << c.status;
    EXPECT_EQ(download.error().code, c.code) << c.status;
    EXPECT_EQ(download.error().retry, c.retry) << c.status;
    EXPECT_EQ(download.error().origin, Origin::Upstream);
    EXPECT_TRUE(download.error().context.starts_with("registry reg: ")) << download.error().context;
    EXPECT_TRUE(download.error().context.contains("the registry's own words"));
    EXPECT_EQ(asked() - before, c.attempts) << c.status;
  }
}

TEST_F(RegistryClientTest, NeverQuotesHtml) {
  script_ = [](const Request&) { return Reply{.status = 404, .body = "<html>boo</html>"}; };
  const auto download = blob();
  ASSERT_FALSE(download);
  EXPECT_FALSE(download.error().context.contains("boo"));
}

TEST_F(RegistryClientTest, TriesAgainUntilItWorks) {
  script_ = [&](const Request&) {
    return asked() < 2 ? Reply{.status = 503} : Reply{.body = "blob"};
  };
  EXPECT_TRUE(blob());
  EXPECT_EQ(asked(), 3u);
}

TEST_F(RegistryClientTest, KeepsToRetryAfterOrGivesUp) {
  script_ = [](const Request&) { return Reply{.status = 429, .headers = {{"Retry-After", "60"}}}; };
  const auto refused = blob();
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().retry_after, 60s);
  EXPECT_EQ(asked(), 1u) << "a minute does not fit";
  script_ = [&](const Request&) {
    return asked() == 1 ? Reply{.status = 429, .headers = {{"Retry-After", "1"}}}
                        : Reply{.body = "x"};
  };
  const auto begun = std::chrono::steady_clock::now();
  EXPECT_TRUE(blob());
  EXPECT_GE(std::chrono::steady_clock::now() - begun, 1s);
}

TEST_F(RegistryClientTest, ASilentRegistryIsATimeout) {
  options_.timeouts = {.connect = 20ms, .first_byte = 30ms, .stall = 30ms};
  script_ = [](const Request&) { return Reply{.holds_head = true}; };
  const auto download = blob();
  ASSERT_FALSE(download);
  EXPECT_EQ(download.error().code, Code::Timeout);
  EXPECT_EQ(asked(), 3u);
}

TEST_F(RegistryClientTest, ACutBodyIsTheReadersToResume) {
  script_ = [](const Request&) { return Reply{.body = "0123456789", .cut_after = 4}; };
  const auto download = blob();
  ASSERT_TRUE(download);
  const auto whole = read_all(*download->body);
  ASSERT_FALSE(whole);
  EXPECT_EQ(whole.error().code, Code::Unavailable);
  EXPECT_EQ(whole.error().retry, Retry::Yes);
  EXPECT_TRUE(whole.error().context.starts_with("registry reg: "));
}

class MirrorTest : public RegistryClientFixture {
 protected:
  MirrorTest() { options_.mirrors = {mirror_.url()}; }
  std::function<Reply(const Request&)> mirror_script_ = [](const Request&) {
    return Reply{.body = "from the mirror"};
  };
  Server mirror_{context_, [this](const Request& request) { return mirror_script_(request); }};
};

TEST_F(MirrorTest, ServesWhenTheRegistryDoesNot) {
  script_ = [](const Request&) { return Reply{.status = 503}; };
  const auto first = blob();
  ASSERT_TRUE(first);
  EXPECT_EQ(read_all(*first->body), "from the mirror");
  EXPECT_EQ(asked(), 1u);
  EXPECT_TRUE(blob());
  EXPECT_EQ(asked(), 1u) << "it failed a moment ago";
  clock_.advance(31s);
  EXPECT_TRUE(blob());
  EXPECT_EQ(asked(), 2u) << "it may have recovered";
}

TEST_F(MirrorTest, ServesWhenNobodyListens) {
  options_.url = "http://127.0.0.1:1";
  EXPECT_TRUE(blob());
}

TEST_F(MirrorTest, IsNotAskedWhatTheRegistryHasDecided) {
  script_ = [](const Request&) { return Reply{.status = 404}; };
  const auto download = blob();
  ASSERT_FALSE(download);
  EXPECT_EQ(download.error().code, Code::NotFound);
  EXPECT_TRUE(mirror_.requests().empty());
}

TEST_F(MirrorTest, CannotSayThatSomethingDoesNotExist) {
  script_ = [](const Request&) { return Reply{.status = 503}; };
  mirror_script_ = [](const Request&) { return Reply{.status = 404}; };
  const auto download = blob();
  ASSERT_FALSE(download);
  EXPECT_EQ(download.error().code, Code::Unavailable);
}

class RedirectedTest : public RegistryClientFixture {
 protected:
  std::function<Reply(const Request&)> bucket_script_ = [](const Request&) {
    return Reply{.body = "blob"};
  };
  Server bucket_{context_, [this](const Request& request) { return bucket_script_(request); }};
  Reply to_bucket(int status = 307) {
    return {.status = status, .headers = {{"Location", bucket_.url() + "/signed?X-Sig=a%2Fb"}}};
  }
};

TEST_F(RedirectedTest, GoesToTheBucketWithoutTheAuthorization) {
  options_.credentials = StaticCredentials{"robot", Secret("secret")};
  for (const int status : {301, 302, 303, 307, 308}) {
    script_ = [&](const Request& request) {
      if (request.header("Authorization").empty()) {
        return Reply{.status = 401, .headers = {{"WWW-Authenticate", "Basic realm=\"x\""}}};
      }
      return to_bucket(status);
    };
    const auto download = blob(1, 2);
    ASSERT_TRUE(download) << download.error().context;
    EXPECT_EQ(read_all(*download->body), "blob");
    EXPECT_EQ(server_.requests().back().header("Authorization"), "Basic cm9ib3Q6c2VjcmV0");
    const Request& request = bucket_.requests().back();
    EXPECT_EQ(request.target, "/signed?X-Sig=a%2Fb");
    EXPECT_EQ(request.header("Authorization"), "");
    EXPECT_EQ(request.header("Range"), "bytes=1-2");
  }
}

TEST_F(RedirectedTest, ARelativeRedirectKeepsTheAuthorization) {
  options_.credentials = StaticCredentials{"robot", Secret("secret")};
  script_ = [&](const Request& request) {
    if (request.header("Authorization").empty()) {
      return Reply{.status = 401, .headers = {{"WWW-Authenticate", "Basic realm=\"x\""}}};
    }
    if (request.target != "/there")
      return Reply{.status = 302, .headers = {{"Location", "/there"}}};
    return Reply{.body = "blob"};
  };
  EXPECT_TRUE(blob());
  EXPECT_EQ(asked(), 3u);
}

TEST_F(RedirectedTest, EndsLoops) {
  script_ = [](const Request& request) {
    return Reply{.status = 307, .headers = {{"Location", request.target}}};
  };
  const auto download = blob();
  ASSERT_FALSE(download);
  EXPECT_EQ(download.error().code, Code::Corrupt);
  EXPECT_EQ(asked(), 6u);
}

TEST_F(RedirectedTest, ABucketThatRefusesSaysNothingOfTheCallersRights) {
  script_ = [&](const Request&) { return to_bucket(); };
  bucket_script_ = [](const Request&) { return Reply{.status = 403, .body = "<Error/>"}; };
  const auto download = blob();
  ASSERT_FALSE(download);
  EXPECT_EQ(download.error().code, Code::Unavailable);
}

TEST_F(RedirectedTest, LearnsTheSizeWhereHeadIsRefused) {
  script_ = [&](const Request&) { return to_bucket(); };
  bucket_script_ = [](const Request& request) {
    if (request.method == "HEAD") return Reply{.status = 403};
    return Reply{.status = 206, .headers = {{"Content-Range", "bytes 0-0/1234"}}, .body = "x"};
  };
  const auto head = run(client().head_blob(kRepository, digest_));
  ASSERT_TRUE(head) << head.error().context;
  EXPECT_EQ(head->size, 1234u);
}

TEST_F(RedirectedTest, TellsWhereABlobLiesWithoutGoingThere) {
  script_ = [&](const Request&) { return to_bucket(); };
  for (int i = 0; i < 2; ++i) {
    const auto location = run(client().locate_blob(kRepository, digest_));
    ASSERT_TRUE(location && *location);
    EXPECT_EQ((*location)->url, bucket_.url() + "/signed?X-Sig=a%2Fb");
  }
  EXPECT_EQ(server_.requests().back().method, "GET");
  EXPECT_EQ(asked(), 2u) << "a place is never kept: what signs it expires";
  EXPECT_TRUE(bucket_.requests().empty());
}

TEST_F(RedirectedTest, ABlobThatTheRegistrySendsItselfIsNotAskedForAgain) {
  script_ = [&](const Request& request) {
    if (request.target.ends_with("/there")) return Reply{.body = "blob"};
    return Reply{.status = 307, .headers = {{"Location", "/there"}}};
  };
  EXPECT_FALSE(run(client().locate_blob(kRepository, digest_)).value());
  EXPECT_FALSE(run(client().locate_blob(kRepository, digest_)).value());
  EXPECT_EQ(asked(), 2u);
  const auto other = oci::digest_of(oci::DigestAlgorithm::Sha256, as_byte_view("other"));
  EXPECT_FALSE(run(client().locate_blob(kRepository, other)).value());
  EXPECT_EQ(asked(), 4u) << "what holds for one blob holds for no other";
  clock_.advance(std::chrono::minutes(5));
  EXPECT_FALSE(run(client().locate_blob(kRepository, digest_)).value());
  EXPECT_EQ(asked(), 6u);
}

TEST_F(RedirectedTest, ARegistryThatIsAwayIsNotAskedForPlacesForAWhile) {
  script_ = [](const Request&) { return Reply{.status = 503}; };
  EXPECT_FALSE(run(client().locate_blob(kRepository, digest_)));
  EXPECT_EQ(asked(), 1u) << "an extra is not asked for twice";
  EXPECT_FALSE(run(client().locate_blob(kRepository, digest_)).value());
  EXPECT_EQ(asked(), 1u);
  clock_.advance(std::chrono::seconds(30));
  EXPECT_FALSE(run(client().locate_blob(kRepository, digest_)));
  EXPECT_EQ(asked(), 2u);
}

TEST_F(RedirectedTest, OnlyAPlaceOnTheWebIsAPlace) {
  for (const std::string place : {"javascript:alert(1)", "file:///etc/passwd", "ftp://x/y"}) {
    script_ = [&](const Request&) {
      return Reply{.status = 307, .headers = {{"Location", place}}};
    };
    EXPECT_FALSE(run(client().locate_blob(kRepository, digest_))) << place;
  }
}

TEST_F(RegistryClientTest, RemembersTheQuotaThatTheRegistryTells) {
  script_ = [](const Request&) {
    return Reply{
        .headers = {{"RateLimit-Limit", "100;w=21600"}, {"RateLimit-Remaining", "3;w=21600"}},
        .body = "m"};
  };
  EXPECT_FALSE(client().quota());
  EXPECT_TRUE(head());
  ASSERT_TRUE(client().quota());
  EXPECT_EQ(client().quota()->remaining, 3u);
}

TEST_F(RegistryClientTest, AsksAnewWhereAConnectionHoldsTheRestOfTheAnswerBefore) {
  script_ = [](const Request& request) {
    const bool is_first_on_connection =
        request.target.ends_with("/first") || request.connection > 1;
    return is_first_on_connection ? Reply{.body = "m"} : Reply{.raw = "rest of the answer before"};
  };
  EXPECT_TRUE(head("first"));
  EXPECT_TRUE(head("second"));
  EXPECT_EQ(server_.connections(), 2u);
}

}  // namespace
}  // namespace fairlead::upstream
