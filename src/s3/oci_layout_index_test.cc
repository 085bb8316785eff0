// SPDX-License-Identifier: Apache-2.0
#include "s3/oci_layout_index.h"

#include <gtest/gtest.h>

#include "s3/layout_fixture.h"

namespace fairlead::s3::oci_layout {
namespace {

// "digest|media type|tag" for each, with digests as letters; or the error's code.
std::string parse(std::string text) {
  for (const std::string name : {"a", "b"}) {
    for (auto at = text.find("@" + name); at != std::string::npos; at = text.find("@" + name)) {
      text.replace(at, 2, digest_of(name).str());
    }
  }
  const auto index = parse_index(text);
  if (!index) return std::string(to_string(index.error().code));
  std::string all;
  for (const auto& [digest, media_type, tag] : *index) {
    all += (all.empty() ? "" : " ") + std::string(digest == digest_of("a") ? "a" : "b") + "|" +
           media_type + "|" + tag;
  }
  return all;
}

TEST(OciLayoutKeys, AreWhereTheyBelong) {
  const auto digest = digest_of("x");
  const std::string hex(digest.hex());
  EXPECT_EQ(index_key("", "app"), "app/index.json");
  EXPECT_EQ(index_key("data/zot", "team/app"), "data/zot/team/app/index.json");
  EXPECT_EQ(blob_key("", "team/app", digest), "team/app/blobs/sha256/" + hex);
  EXPECT_EQ(blob_key("data", "app", digest), "data/app/blobs/sha256/" + hex);
  EXPECT_EQ(shared_key("", digest), "_blobstore/blobs/sha256/" + hex);
  EXPECT_EQ(shared_key("data", digest), "data/_blobstore/blobs/sha256/" + hex);
  EXPECT_EQ(root_prefix(""), "");
  EXPECT_EQ(root_prefix("data/zot"), "data/zot/");
}

TEST(OciLayoutIndex, ReadsWhatIsListed) {
  const std::string manifest(oci::kOciManifest);
  const std::string list(oci::kDockerList);
  EXPECT_EQ(parse(R"({"schemaVersion":2,"manifests":[
      {"mediaType":")" +
                  manifest + R"(","digest":"@a","size":3,"platform":{"os":"linux"},
       "annotations":{"x":"y","org.opencontainers.image.ref.name":"1.0"}},
      {"annotations":null,"digest":"@b","urls":["digest"],"mediaType":")" +
                  list + R"("}]})"),
            "a|" + manifest + "|1.0 b|" + list + "|");
}

TEST(OciLayoutIndex, Table) {
  const std::pair<const char*, const char*> table[] = {
      // Nothing is listed.
      {R"({})", ""},
      {R"({"manifests":[]})", ""},
      {R"({"manifests":null})", ""},
      {R"({"manifests":[{}]})", ""},
      // Escapes.
      {R"({"manifests":[{"d\u0069gest":"@a"}]})", "a||"},
      {R"({"manifests":[{"digest":"@a","annotations":
          {"org.opencontainers.image.ref\u002ename":"\u0031.0"}}]})",
       "a||1.0"},
      // A digest that is none leaves its entry out, not the others.
      {R"({"manifests":[{"digest":"blake3:00"},{"digest":5},{"digest":"@b"}]})", "b||"},
      // Names that are no tags, and types that are not of manifests, are not told.
      {R"({"manifests":[{"digest":"@a","mediaType":"text/html","annotations":
          {"org.opencontainers.image.ref.name":"host/app:1"}}]})",
       "a||"},
      // Only a descriptor's own members count.
      {R"({"manifests":[{"platform":{"digest":"@a"}}]})", ""},
      {R"({"manifests":[{"digest":"@a","annotations":{"x":{"org.opencontainers.image.ref.name":"1"},
          "digest":"@b"}}]})",
       "a||"},
      {R"({"other":[{"digest":"@a"}]})", ""},
      {R"({"annotations":{"manifests":[{"digest":"@a"}]}})", ""},
      {R"({"digest":"@a","manifests":[]})", ""},
      {R"({"manifests":[{"digest":"@a"}],"annotations":{"digest":"@b"}})", "a||"},
      // Nothing of one entry is another's.
      {R"({"manifests":[{"digest":"@a","annotations":{"org.opencontainers.image.ref.name":"1"}},
          {"digest":"@b"},{}]})",
       "a||1 b||"},
      // Of what comes twice the last counts.
      {R"({"manifests":[{"digest":"@a"}],"manifests":[{"digest":"@b"}]})", "b||"},
      {R"({"manifests":[{"digest":"@a","digest":"@b"}]})", "b||"},
      // Nonsense.
      {"", "corrupt"},
      {"<html>", "corrupt"},
      {"5", "corrupt"},
      {"null", "corrupt"},
      {"[]", "corrupt"},
      {R"("manifests")", "corrupt"},
      {R"({"manifests":5})", "corrupt"},
      {R"({"manifests":{}})", "corrupt"},
      {R"({"manifests":"@a"})", "corrupt"},
      {R"({"manifests":["@a"]})", "corrupt"},
      {R"({"manifests":[null]})", "corrupt"},
      {R"({"manifests":[[{"digest":"@a"}]]})", "corrupt"},
      {R"({"manifests":[{"digest":"@a"})", "corrupt"},
      {R"({"manifests":[{"digest":"@a"}]}})", "corrupt"},
      {R"({"manifests":[{"digest":"@a"}]} {})", "corrupt"},
  };
  for (const auto& [text, expected] : table) EXPECT_EQ(parse(text), expected) << text;
}

TEST(OciLayoutIndex, IsBounded) {
  std::string deep;
  for (int i = 0; i < 40; ++i) deep += R"({"a":)";
  EXPECT_EQ(parse(deep + "1" + std::string(40, '}')), "corrupt");
  EXPECT_EQ(parse("{}" + std::string(kMaxIndex - 2, ' ')), "");
  EXPECT_EQ(parse("{}" + std::string(kMaxIndex - 1, ' ')), "too large");
}

}  // namespace
}  // namespace fairlead::s3::oci_layout
