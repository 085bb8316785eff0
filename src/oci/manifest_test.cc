// SPDX-License-Identifier: Apache-2.0
#include "oci/manifest.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "oci/media_type.h"

namespace fairlead::oci {
namespace {

std::string digest(char digit) { return "sha256:" + std::string(64, digit); }

std::string descriptor(char digit, std::string_view more = "") {
  return R"({"mediaType":"application/x","digest":")" + digest(digit) + R"(","size":7)" +
         std::string(more) + "}";
}

// {"schemaVersion":2, members}
std::string document(std::string_view members) {
  return R"({"schemaVersion":2,)" + std::string(members) + "}";
}

std::string image(std::string_view more = "") {
  return document(R"("config":)" + descriptor('c') + R"(,"layers":[)" + descriptor('1') + "," +
                  descriptor('2') + "]" + std::string(more));
}

std::vector<std::string> digests(const std::vector<Descriptor>& descriptors) {
  std::vector<std::string> texts;
  for (const Descriptor& d : descriptors) texts.push_back(d.digest.str());
  return texts;
}

using testing::ElementsAre;
using testing::IsEmpty;

void expect_code(std::string_view text, Code code) {
  const auto manifest = parse_manifest(text);
  ASSERT_FALSE(manifest) << text.substr(0, 300);
  EXPECT_EQ(manifest.error().code, code) << text.substr(0, 300);
}

TEST(Manifest, OfAnImage) {
  for (const std::string_view type : {kOciManifest, kDockerManifest, std::string_view()}) {
    const auto manifest =
        parse_manifest(image(type.empty() ? "" : ",\"mediaType\":\"" + std::string(type) + "\""));
    ASSERT_TRUE(manifest) << type;
    EXPECT_EQ(manifest->media_type, type.empty() ? kOciManifest : type);
    EXPECT_THAT(digests(manifest->blobs), ElementsAre(digest('c'), digest('1'), digest('2')));
    EXPECT_EQ(manifest->blobs[1].size, 7u);
    EXPECT_EQ(manifest->blobs[1].media_type, "application/x");
    EXPECT_THAT(manifest->manifests, IsEmpty());
    EXPECT_FALSE(manifest->subject);
  }
}

TEST(Manifest, OfAnIndex) {
  for (const std::string_view type : {kOciIndex, kDockerList, std::string_view()}) {
    const auto manifest = parse_manifest(
        document(R"("manifests":[)" + descriptor('a', R"(,"platform":{"os":"linux"})") + "," +
                 descriptor('b') + "]" +
                 (type.empty() ? "" : ",\"mediaType\":\"" + std::string(type) + "\"")));
    ASSERT_TRUE(manifest) << type;
    EXPECT_EQ(manifest->media_type, type.empty() ? kOciIndex : type);
    EXPECT_THAT(digests(manifest->manifests), ElementsAre(digest('a'), digest('b')));
    EXPECT_THAT(manifest->blobs, IsEmpty());
  }
}

TEST(Manifest, OfSchema1) {
  const std::string layers = R"({"schemaVersion":1,"name":"a","fsLayers":[{"blobSum":")" +
                             digest('1') + R"("},{"blobSum":")" + digest('1') +
                             R"("}],"history":[{}])";
  const auto plain = parse_manifest(layers + "}");
  ASSERT_TRUE(plain);
  EXPECT_EQ(plain->media_type, kDockerSchema1);
  EXPECT_THAT(digests(plain->blobs), ElementsAre(digest('1'), digest('1')));
  const auto with_signature = parse_manifest(layers + R"(,"signatures":[{}]})");
  ASSERT_TRUE(with_signature);
  EXPECT_EQ(with_signature->media_type, kDockerSchema1Signed);
}

TEST(Manifest, OfAnArtifact) {
  const std::string type = R"("mediaType":")" + std::string(kOciArtifact) + "\"";
  const auto with_blobs =
      parse_manifest("{" + type + R"(,"artifactType":"application/sbom","blobs":[)" +
                     descriptor('1') + R"(],"subject":)" + descriptor('f') + "}");
  ASSERT_TRUE(with_blobs);
  EXPECT_EQ(with_blobs->media_type, kOciArtifact);
  EXPECT_EQ(with_blobs->artifact_type, "application/sbom");
  EXPECT_THAT(digests(with_blobs->blobs), ElementsAre(digest('1')));
  ASSERT_TRUE(with_blobs->subject);
  EXPECT_EQ(with_blobs->subject->digest.str(), digest('f'));

  const auto bare = parse_manifest("{" + type + R"(,"subject":)" + descriptor('f') + "}");
  ASSERT_TRUE(bare);
  EXPECT_TRUE(bare->subject);
  EXPECT_THAT(bare->blobs, IsEmpty());
}

TEST(Manifest, OfAReferrer) {
  const auto manifest =
      parse_manifest(image(R"(,"artifactType":"application/sig","subject":)" + descriptor('f')));
  ASSERT_TRUE(manifest);
  EXPECT_EQ(manifest->artifact_type, "application/sig");
  ASSERT_TRUE(manifest->subject);
  EXPECT_EQ(manifest->subject->digest.str(), digest('f'));
}

TEST(Manifest, EmptyListsMayBeNull) {
  const auto index = parse_manifest(document(R"("manifests":null)"));
  ASSERT_TRUE(index);
  EXPECT_EQ(index->media_type, kOciIndex);
  const auto no_layers =
      parse_manifest(document(R"("subject":null,"layers":null,"config":)" + descriptor('c')));
  ASSERT_TRUE(no_layers);
  EXPECT_THAT(digests(no_layers->blobs), ElementsAre(digest('c')));
  EXPECT_FALSE(no_layers->subject);
}

TEST(Manifest, ForeignLayersAreMarked) {
  const auto manifest = parse_manifest(document(
      R"("config":)" + descriptor('c') + R"(,"layers":[)" +
      descriptor('1', R"(,"urls":["https://example.com/layer"])") + "," +
      descriptor('2', R"(,"urls":[])") + "," + descriptor('3', R"(,"data":"e30=")") + "]"));
  ASSERT_TRUE(manifest);
  ASSERT_EQ(manifest->blobs.size(), 4u);
  EXPECT_TRUE(manifest->blobs[1].is_foreign);
  EXPECT_FALSE(manifest->blobs[0].is_foreign);
  EXPECT_FALSE(manifest->blobs[2].is_foreign);
  EXPECT_FALSE(manifest->blobs[3].is_foreign);
}

TEST(Manifest, Sha512Descriptors) {
  const std::string sha512 = "sha512:" + std::string(128, 'a');
  const auto manifest =
      parse_manifest(document(R"("manifests":[{"digest":")" + sha512 + R"(","size":0}])"));
  ASSERT_TRUE(manifest);
  EXPECT_THAT(digests(manifest->manifests), ElementsAre(sha512));
  EXPECT_EQ(manifest->manifests[0].media_type, "");
}

TEST(Manifest, ThatCouldBeReadTwoWaysIsRefused) {
  const std::string layers = R"("layers":[)" + descriptor('1') + "]";
  for (const std::string& text :
       {document(R"("manifests":[],)" + layers),
        document(R"("manifests":[],"config":)" + descriptor('c')), image(R"(,"manifests":null)"),
        image(R"(,"blobs":[])"), image(R"(,"fsLayers":[])"), image(R"(,"Layers":[])"),
        image(R"(,"LAYERS":[])"), image(",\"layer\xc5\xbf\":[]"), image(R"(,"layer\u017f":[])"),
        image(R"(,"Config":{})"), image(R"(,"mediatype":"x")"), image(R"(,"Subject":null)"),
        document(R"("manifests":[)" + descriptor('a', R"(,"Digest":"sha256:x")") + "]"),
        image(",\"mediaType\":\"" + std::string(kOciIndex) + "\""),
        image(",\"mediaType\":\"" + std::string(kOciArtifact) + "\""),
        image(R"(,"mediaType":"text/html")"),
        document(R"("manifests":[],"mediaType":")" + std::string(kDockerManifest) + "\"")}) {
    expect_code(text, Code::InvalidArgument);
  }
}

TEST(Manifest, NonsenseIsRefused) {
  for (const std::string& text :
       {std::string(),
        std::string("{}"),
        std::string("[]"),
        std::string("null"),
        std::string("<html>"),
        image().substr(1),
        image() + "x",
        "\xef\xbb\xbf" + image(),
        document(R"("layers":[])"),
        document(R"("config":[],"layers":[])"),
        document(R"("config":null,"layers":[])"),
        document(R"("manifests":{})"),
        document(R"("manifests":[null])"),
        document(R"("manifests":["a"])"),
        document(R"("manifests":[{}])"),
        document(R"("manifests":[{"digest":1,"size":1}])"),
        document(R"("manifests":[{"digest":"sha256:ab","size":1}])"),
        document(R"("manifests":[{"digest":")" + digest('a') + R"("}])"),
        document(R"("manifests":[{"digest":")" + digest('a') + R"(","size":-1}])"),
        document(R"("manifests":[{"digest":")" + digest('a') + R"(","size":1.5}])"),
        document(R"("manifests":[{"digest":")" + digest('a') + R"(","size":"1"}])"),
        document(R"("manifests":[{"digest":")" + digest('a') + R"(","size":9223372036854775808}])"),
        document(R"("manifests":[{"digest":")" + digest('A') + R"(","size":1}])"),
        document(R"("manifests":[{"digest":")" + digest('a') + R"(","size":1,"urls":"x"}])"),
        document(R"("manifests":[],"mediaType":1)"),
        document(R"("manifests":[],"artifactType":{})"),
        document(R"("manifests":[],"subject":"x")"),
        std::string(R"({"schemaVersion":1,"fsLayers":[{"digest":"x"}]})"),
        document("\"manifests\":[],\"x\":\"\xff\"")}) {
    expect_code(text, Code::InvalidArgument);
  }
}

TEST(Manifest, NestingIsBounded) {
  const auto nested = [](std::size_t depth) {
    return document(R"("manifests":[],"x":)" + std::string(depth, '[') + std::string(depth, ']'));
  };
  EXPECT_TRUE(parse_manifest(nested(31)));
  expect_code(nested(32), Code::InvalidArgument);
  expect_code(nested(1'000'000), Code::InvalidArgument);
  expect_code(std::string(4u << 20, '['), Code::InvalidArgument);
  expect_code(std::string(4u << 20, '{'), Code::InvalidArgument);
}

TEST(Manifest, SizeIsBounded) {
  std::string text = image();
  text.resize(kMaxManifestSize, ' ');
  EXPECT_TRUE(parse_manifest(text));
  text += ' ';
  expect_code(text, Code::TooLarge);
}

TEST(Manifest, DescriptorsAreBounded) {
  const auto index_of = [](int count) {
    std::string children;
    for (int i = 0; i < count; ++i) children += (i == 0 ? "" : ",") + descriptor('a');
    return document(R"("manifests":[)" + children + "]");
  };
  const auto most = parse_manifest(index_of(10'000));
  ASSERT_TRUE(most);
  EXPECT_EQ(most->manifests.size(), 10'000u);
  expect_code(index_of(10'001), Code::TooLarge);
}

TEST(Manifest, MemoryIsBounded) {
  std::string values = "0";
  while (values.size() < 4'000'000) values += ",0";
  expect_code(document(R"("manifests":[],"x":[)" + values + "]"), Code::TooLarge);
}

TEST(MediaType, ManifestsAreKnown) {
  for (const std::string_view type : {kOciManifest, kOciIndex, kOciArtifact, kDockerManifest,
                                      kDockerList, kDockerSchema1, kDockerSchema1Signed}) {
    EXPECT_TRUE(is_manifest_media_type(type));
    EXPECT_NE(kManifestAccept.find(type), std::string_view::npos) << type;
  }
  EXPECT_FALSE(is_manifest_media_type("application/json"));
  EXPECT_FALSE(is_manifest_media_type("application/vnd.oci.image.layer.v1.tar+gzip"));
  EXPECT_FALSE(is_manifest_media_type(""));
}

TEST(MediaType, BareIsWithoutParameters) {
  EXPECT_EQ(bare_media_type("application/json"), "application/json");
  EXPECT_EQ(bare_media_type("Application/JSON; charset=utf-8"), "application/json");
  EXPECT_EQ(bare_media_type(" \tapplication/vnd.a.b+json\t;q=1"), "application/vnd.a.b+json");
  for (const std::string_view text :
       {"", " ", ";", "json", "/", "a/", "/b", "a/b/c", "a b/c", "a/b c", "a/b,c/d", "a/\"b\"",
        "a/b\r\nX: y", "a/caf\xc3\xa9"}) {
    EXPECT_EQ(bare_media_type(text), "") << text;
  }
}

}  // namespace
}  // namespace fairlead::oci
