// SPDX-License-Identifier: Apache-2.0
#include "oci/operation.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "oci/query.h"

namespace fairlead::oci {
namespace {

const std::string kHex(64, 'a');
const std::string kDigest = "sha256:" + kHex;
const std::string kSha512 = "sha512:" + std::string(128, 'b');

Operation parse(std::string_view method, std::string_view target) {
  const auto operation = parse_operation(method, target);
  if (operation) return *operation;
  ADD_FAILURE() << method << " " << target << ": " << operation.error().message;
  return {};
}

void expect_refused(std::string_view method, std::string_view target, int status, ErrorCode code) {
  const auto operation = parse_operation(method, target);
  ASSERT_FALSE(operation) << method << " " << target.substr(0, 300);
  EXPECT_EQ(operation.error().status, status) << method << " " << target.substr(0, 300);
  EXPECT_EQ(operation.error().code, code) << method << " " << target.substr(0, 300);
  EXPECT_FALSE(operation.error().message.empty());
}

TEST(Operation, EndpointsAreReadFromTheRight) {
  const struct {
    std::string target;
    Kind kind;
    std::string_view repository;
    std::string reference;
  } cases[] = {
      {"/v2", Kind::Ping, "", ""},
      {"/v2/", Kind::Ping, "", ""},
      {"/v2?", Kind::Ping, "", ""},
      {"/v2/_catalog", Kind::Catalog, "", ""},
      {"/v2/a/manifests/latest", Kind::Manifest, "a", "latest"},
      {"/v2/a/b/manifests/" + kDigest, Kind::Manifest, "a/b", kDigest},
      {"/v2/a/manifests/" + kSha512, Kind::Manifest, "a", kSha512},
      {"/v2/a/manifests/sha256%3A" + kHex, Kind::Manifest, "a", kDigest},
      {"/v2/a/blobs/sha256%3a" + kHex, Kind::Blob, "a", kDigest},
      {"/v2/a/blobs/" + kSha512, Kind::Blob, "a", kSha512},
      {"/v2/a/tags/list", Kind::Tags, "a", ""},
      {"/v2/a/referrers/" + kDigest, Kind::Referrers, "a", kDigest},

      // Names that hold the words of the endpoints.
      {"/v2/v2/0ebb01be/manifests/latest", Kind::Manifest, "v2/0ebb01be", "latest"},
      {"/v2/v2/manifests/latest", Kind::Manifest, "v2", "latest"},
      {"/v2/manifests/manifests/manifests", Kind::Manifest, "manifests", "manifests"},
      {"/v2/a/manifests/b/manifests/c", Kind::Manifest, "a/manifests/b", "c"},
      {"/v2/a/blobs/uploads/manifests/x", Kind::Manifest, "a/blobs/uploads", "x"},
      {"/v2/blobs/uploads/tags/list", Kind::Tags, "blobs/uploads", ""},
      {"/v2/tags/list/tags/list", Kind::Tags, "tags/list", ""},
      {"/v2/tags/tags/list", Kind::Tags, "tags", ""},
      {"/v2/a/tags/manifests/list", Kind::Manifest, "a/tags", "list"},
      {"/v2/a/manifests/uploads", Kind::Manifest, "a", "uploads"},
      {"/v2/a/uploads/manifests/x", Kind::Manifest, "a/uploads", "x"},
      {"/v2/blobs/blobs/" + kDigest, Kind::Blob, "blobs", kDigest},
      {"/v2/referrers/referrers/" + kDigest, Kind::Referrers, "referrers", kDigest},
      {"/v2/a/blobs/uploads/list", Kind::Upload, "a", "list"},
      {"/v2/a/tags/blobs/uploads/list", Kind::Upload, "a/tags", "list"},
      {"/v2/a/blobs/uploads/uploads", Kind::Upload, "a", "uploads"},
      {"/v2/a/blobs/uploads/v4.local.A_b-c~", Kind::Upload, "a", "v4.local.A_b-c~"},
      {"/v2/blobs/blobs/uploads/x", Kind::Upload, "blobs", "x"},
  };
  for (const auto& c : cases) {
    const Operation operation = parse("GET", c.target);
    EXPECT_EQ(operation.kind, c.kind) << c.target;
    EXPECT_EQ(operation.repository, c.repository) << c.target;
    EXPECT_EQ(operation.reference.text, c.reference) << c.target;
    EXPECT_EQ(operation.reference.is_digest(), c.reference.starts_with("sha")) << c.target;
    EXPECT_EQ(operation.query, "") << c.target;
  }
}

TEST(Operation, UploadsStartWithAndWithoutSlash) {
  for (const std::string_view target : {"/v2/a/b/blobs/uploads/", "/v2/a/b/blobs/uploads"}) {
    const Operation operation = parse("POST", target);
    EXPECT_EQ(operation.kind, Kind::UploadStart);
    EXPECT_EQ(operation.action, Action::Push);
    EXPECT_EQ(operation.repository, "a/b");
  }
  const Operation mount = parse("POST", "/v2/a/blobs/uploads/?mount=" + kDigest + "&from=b%2Fc");
  EXPECT_EQ(mount.kind, Kind::UploadStart);
  EXPECT_EQ(query_parameter(mount.query, "mount"), kDigest);
  EXPECT_EQ(query_parameter(mount.query, "from"), "b/c");
}

TEST(Operation, MethodsMeanActions) {
  const struct {
    std::string target;
    std::vector<std::pair<std::string_view, Action>> methods;
  } endpoints[] = {
      {"/v2/", {{"GET", Action::Pull}, {"HEAD", Action::Pull}}},
      {"/v2/_catalog", {{"GET", Action::Pull}, {"HEAD", Action::Pull}}},
      {"/v2/a/tags/list", {{"GET", Action::Pull}, {"HEAD", Action::Pull}}},
      {"/v2/a/referrers/" + kDigest, {{"GET", Action::Pull}, {"HEAD", Action::Pull}}},
      {"/v2/a/manifests/latest",
       {{"GET", Action::Pull},
        {"HEAD", Action::Pull},
        {"PUT", Action::Push},
        {"DELETE", Action::Delete}}},
      {"/v2/a/blobs/" + kDigest,
       {{"GET", Action::Pull}, {"HEAD", Action::Pull}, {"DELETE", Action::Delete}}},
      {"/v2/a/blobs/uploads/", {{"POST", Action::Push}}},
      {"/v2/a/blobs/uploads/x",
       {{"GET", Action::Push},
        {"HEAD", Action::Push},
        {"PATCH", Action::Push},
        {"PUT", Action::Push},
        {"DELETE", Action::Push}}},
  };
  for (const auto& endpoint : endpoints) {
    for (const std::string_view method : {"GET", "HEAD", "PUT", "POST", "PATCH", "DELETE",
                                          "OPTIONS", "CONNECT", "TRACE", "get", "", "GETX"}) {
      const auto known =
          std::ranges::find(endpoint.methods, method, &std::pair<std::string_view, Action>::first);
      if (known == endpoint.methods.end()) {
        expect_refused(method, endpoint.target, 405, ErrorCode::Unsupported);
        std::string allowed;
        for (const auto& [name, action] : endpoint.methods) {
          allowed += (allowed.empty() ? "" : ", ") + std::string(name);
        }
        EXPECT_EQ(parse_operation(method, endpoint.target).error().allowed, allowed);
      } else {
        const Operation operation = parse(method, endpoint.target);
        EXPECT_EQ(operation.action, known->second) << method << " " << endpoint.target;
        EXPECT_EQ(operation.is_head, method == "HEAD");
      }
    }
  }
}

TEST(Operation, OtherPathsAreNoEndpoint) {
  for (const std::string& target : {std::string(),
                                    std::string("/"),
                                    std::string("*"),
                                    std::string("v2/"),
                                    std::string("/v1/"),
                                    std::string("/v2x"),
                                    std::string("/V2/"),
                                    std::string("//v2/"),
                                    std::string("/v2//"),
                                    std::string("/v2/a"),
                                    std::string("/v2/a/"),
                                    std::string("/v2/_catalog/"),
                                    std::string("/v2/manifests/latest"),
                                    "/v2/blobs/" + kDigest,
                                    std::string("/v2/tags/list"),
                                    std::string("/v2/blobs/uploads/"),
                                    std::string("/v2/blobs/uploads/x"),
                                    std::string("/v2/a/manifests/"),
                                    std::string("/v2/a/manifests"),
                                    std::string("/v2/a/manifests/latest/"),
                                    std::string("/v2/a/tags/list/"),
                                    std::string("/v2/a/tags/latest"),
                                    std::string("/v2/a/tags"),
                                    std::string("/v2/a/blobs/"),
                                    std::string("/v2/a/blobs/uploads/x/"),
                                    std::string("/v2/a/uploads/x"),
                                    std::string("/v2/a/blobs/uploads//"),
                                    std::string("/v2/a/Manifests/latest"),
                                    std::string("/v2/a/%6Danifests/latest"),
                                    std::string("/v2/a/manifests%2Flatest"),
                                    std::string("/v2/a/referrers/"),
                                    std::string("http://h/v2/a/manifests/latest")}) {
    expect_refused("GET", target, 404, ErrorCode::Unsupported);
  }
}

TEST(Operation, NamesOutsideTheGrammarAreRefused) {
  for (const std::string& name : {std::string(),
                                  std::string("A"),
                                  std::string("a//b"),
                                  std::string("/a"),
                                  std::string("a/"),
                                  std::string(".."),
                                  std::string("a/.."),
                                  std::string("."),
                                  std::string("%2e%2e"),
                                  std::string("a%2Fb"),
                                  std::string("a%2fb"),
                                  std::string("%61"),
                                  std::string("a%00"),
                                  std::string("a+b"),
                                  std::string("a b"),
                                  std::string("a\\b"),
                                  std::string("a:5000/b"),
                                  std::string("a;b"),
                                  std::string("caf\xc3\xa9"),
                                  std::string("_a"),
                                  std::string("a/-b"),
                                  std::string("a\r\nb"),
                                  std::string(256, 'a'),
                                  std::string(1'000'000, 'a')}) {
    expect_refused("GET", "/v2/" + name + "/manifests/latest", 400, ErrorCode::NameInvalid);
    expect_refused("GET", "/v2/" + name + "/blobs/" + kDigest, 400, ErrorCode::NameInvalid);
    expect_refused("GET", "/v2/" + name + "/tags/list", 400, ErrorCode::NameInvalid);
    expect_refused("POST", "/v2/" + name + "/blobs/uploads/", 400, ErrorCode::NameInvalid);
  }
  EXPECT_EQ(parse("GET", "/v2/" + std::string(255, 'a') + "/tags/list").repository.size(), 255u);
}

TEST(Operation, ReferencesOutsideTheGrammarAreRefused) {
  for (const std::string& tag :
       {std::string(".a"), std::string("-a"), std::string(".."), std::string("a%20b"),
        std::string("%6catest"), std::string("a+b"), std::string("a@b"), std::string(129, 'a'),
        std::string("lat\nest"), std::string("a%2Fb"), std::string("%")}) {
    expect_refused("GET", "/v2/a/manifests/" + tag, 400, ErrorCode::TagInvalid);
  }
  for (const std::string& digest :
       {std::string("sha256:"), std::string("a:b"), std::string(":"), "sha256:" + kHex.substr(1),
        kDigest + "a", "SHA256:" + kHex, "sha256:" + std::string(64, 'A'), "sha384:" + kHex,
        "sha256%3A%3A" + kHex, "sha256%3A" + kHex + "%20", "sha256:%61" + kHex.substr(1),
        "sha512:" + kHex, kDigest + "%3A", std::string("latest%3A1")}) {
    expect_refused("GET", "/v2/a/manifests/" + digest, 400, ErrorCode::DigestInvalid);
    expect_refused("GET", "/v2/a/blobs/" + digest, 400, ErrorCode::DigestInvalid);
    expect_refused("GET", "/v2/a/referrers/" + digest, 400, ErrorCode::DigestInvalid);
  }
  expect_refused("GET", "/v2/a/blobs/latest", 400, ErrorCode::DigestInvalid);
  expect_refused("GET", "/v2/a/blobs/sha256%253A" + kHex, 400, ErrorCode::DigestInvalid);
  EXPECT_EQ(parse("GET", "/v2/a/manifests/" + std::string(128, 'a')).reference.text.size(), 128u);
}

TEST(Operation, SessionsAreOpaqueButPlain) {
  for (const std::string_view session : {"a%2Fb", "a b", "a:b", "a=b", "\x80", "%2e%2e"}) {
    expect_refused("PATCH", "/v2/a/blobs/uploads/" + std::string(session), 404,
                   ErrorCode::BlobUploadUnknown);
  }
}

TEST(Operation, NamespaceIsTakenOutOfTheQuery) {
  const struct {
    std::string_view query;
    std::string_view name_space;
    std::string_view rest;
  } cases[] = {
      {"", "", ""},
      {"ns=docker.io", "docker.io", ""},
      {"ns=docker.io&n=1&last=b", "docker.io", "n=1&last=b"},
      {"n=1&ns=docker.io&last=b", "docker.io", "n=1&last=b"},
      {"n=1&last=b&ns=docker.io", "docker.io", "n=1&last=b"},
      {"ns=localhost:5000", "localhost:5000", ""},
      {"ns=localhost%3A5000&x", "localhost:5000", "x"},
      {"ns=%64ocker.io", "docker.io", ""},
      {"n%73=docker.io", "docker.io", ""},
      {"%6E%73=docker.io&n=1", "docker.io", "n=1"},
      {"ns=[::1]:5000", "[::1]:5000", ""},
      {"ns=a&ns=a&n=1&ns=a", "a", "n=1"},
      {"ns=", "", ""},
      {"ns", "", ""},
      {"NS=a", "", "NS=a"},
      {"ans=a&nsa=b", "", "ans=a&nsa=b"},
      {"last=ns=a", "", "last=ns=a"},
      {"last=a%26ns%3Db", "", "last=a%26ns%3Db"},
      {"&&a&", "", "&&a&"},
      {"?ns=a", "", "?ns=a"},
  };
  for (const auto& c : cases) {
    const Operation operation = parse("GET", "/v2/a/tags/list?" + std::string(c.query));
    EXPECT_EQ(operation.name_space, c.name_space) << c.query;
    EXPECT_EQ(operation.query, c.rest) << c.query;
  }
}

TEST(Operation, ABadNamespaceIsRefusedRatherThanIgnored) {
  for (const std::string& value :
       {std::string("%zz"), std::string("a%"), std::string("a%0D%0ASet-Cookie:x"),
        std::string("a/b"), std::string("a%2Fb"), std::string("a@b"), std::string("a%00"),
        std::string("a%20b"), std::string("%C3%A9"), std::string("a&ns=b"), std::string("&ns=b"),
        std::string(256, 'a')}) {
    expect_refused("GET", "/v2/a/manifests/latest?ns=" + value, 400, ErrorCode::NameInvalid);
  }
}

TEST(Operation, QueriesHoldVisibleAsciiOnly) {
  for (const std::string_view query : {"a=b c", "a=\r\nX: y", "a=\xc3\xa9", "a=\x7f", "a#b"}) {
    expect_refused("GET", "/v2/a/tags/list?" + std::string(query), 400, ErrorCode::Unsupported);
  }
}

TEST(Operation, EscapesInQueriesAreWhole) {
  for (const std::string_view query : {"n%=a", "digest=%zz", "a=1&b=%", "a=%4"}) {
    expect_refused("GET", "/v2/a/tags/list?" + std::string(query), 400, ErrorCode::Unsupported);
  }
}

TEST(Query, SaysWhetherAParameterIsRepeated) {
  EXPECT_TRUE(is_repeated("a=1&b=2&a=3", "a"));
  EXPECT_TRUE(is_repeated("a=1&%61=1", "a"));
  EXPECT_FALSE(is_repeated("a=1&b=2;a=3", "a"));
  EXPECT_FALSE(is_repeated("", "a"));
}

TEST(QueryParameter, IsDecoded) {
  EXPECT_EQ(query_parameter("a=1&b=2", "b"), "2");
  EXPECT_EQ(query_parameter("a=1&a=2", "a"), "1");
  EXPECT_EQ(query_parameter("a=x%2Fy%3a", "a"), "x/y:");
  EXPECT_EQ(query_parameter("a=x+y", "a"), "x+y");
  EXPECT_EQ(query_parameter("a=b=c", "a"), "b=c");
  EXPECT_EQ(query_parameter("a", "a"), "");
  EXPECT_EQ(query_parameter("a=", "a"), "");
  EXPECT_EQ(query_parameter("%61=x", "a"), "x");
  EXPECT_EQ(query_parameter("", "a"), std::nullopt);
  EXPECT_EQ(query_parameter("ab=1", "a"), std::nullopt);
  EXPECT_EQ(query_parameter("a=%2", "a"), std::nullopt);
  EXPECT_EQ(query_parameter("a=%2x", "a"), std::nullopt);
}

TEST(PercentEncode, KeepsUnreservedCharacters) {
  EXPECT_EQ(percent_encode("AZaz09-._~"), "AZaz09-._~");
  EXPECT_EQ(percent_encode("a/b:c d%\xff"), "a%2Fb%3Ac%20d%25%FF");
  std::string all;
  for (int byte = 0; byte < 256; ++byte) all += static_cast<char>(byte);
  EXPECT_EQ(query_parameter("x=" + percent_encode(all), "x"), all);
}

}  // namespace
}  // namespace fairlead::oci
