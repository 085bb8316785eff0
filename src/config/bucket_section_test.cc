// SPDX-License-Identifier: Apache-2.0
// Buckets and delivery: what is read, and what is said of what cannot be.
#include <gmock/gmock.h>

#include <string>
#include <utility>
#include <vector>

#include "config/config.h"
#include "config/fake_surroundings.h"

namespace fairlead::config {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

std::string with_bucket(const std::string& bucket, const std::string& more = "") {
  return "registries: {zot: {url: http://zot:5000, bucket: {" + bucket + "}" + more + "}}";
}

Config loaded(const std::string& text, const std::map<std::string, std::string>& more = {}) {
  FakeSurroundings fake;
  fake.environment.insert(more.begin(), more.end());
  auto config = parse(text, "f.yaml", {}, fake.get());
  if (config) return *std::move(config);
  ADD_FAILURE() << text << "\n" << to_string(config.error().front());
  return {};
}

std::string problem_of(const std::string& text) {
  const FakeSurroundings fake;
  const auto config = parse(text, "f.yaml", {}, fake.get());
  if (config) return "none";
  EXPECT_EQ(config.error().size(), 1u) << text;
  return to_string(config.error().front());
}

TEST(BucketSection, OfARegistry) {
  const Config config = loaded(with_bucket(
      "name: images, endpoint: 'http://ceph:7480', public_endpoint: 'https://s3.example.com', "
      "region: eu-1, access_key: AK, secret_key: SK, session_token: ST, root: /data/zot/, "
      "layout: oci, timeouts: {first_byte: 3s}",
      ", deliver: redirect, presign_expiry: 90s, stream_to: [10.9.0.0/16, '::1']"));
  const RegistryBucket& bucket = config.buckets.at("zot");
  EXPECT_EQ(bucket.bucket.name, "images");
  EXPECT_EQ(bucket.bucket.endpoint, "http://ceph:7480");
  EXPECT_EQ(bucket.bucket.public_endpoint, "https://s3.example.com");
  EXPECT_EQ(bucket.bucket.region, "eu-1");
  EXPECT_EQ(bucket.bucket.style, s3::AddressStyle::Path);
  EXPECT_EQ(bucket.bucket.credentials->access_key, "AK");
  EXPECT_EQ(bucket.bucket.credentials->secret_key, Secret("SK"));
  EXPECT_EQ(bucket.bucket.credentials->session_token, Secret("ST"));
  EXPECT_EQ(bucket.bucket.root, "data/zot");
  EXPECT_EQ(bucket.bucket.timeouts.first_byte, std::chrono::seconds(3));
  EXPECT_EQ(bucket.layout, s3::LayoutKind::Oci);
  EXPECT_EQ(bucket.presign_expiry, std::chrono::seconds(90));
  const routing::Delivery& delivery = config.deliveries.at("zot");
  EXPECT_EQ(delivery.ways.blobs, routing::Way::Redirect);
  EXPECT_EQ(delivery.ways.manifests, routing::Way::Stream);
  EXPECT_TRUE(routing::is_among(delivery.stream_to, "10.9.200.1"));
  EXPECT_TRUE(routing::is_among(delivery.stream_to, "::1"));
  EXPECT_FALSE(routing::is_among(delivery.stream_to, "10.8.0.1"));
  EXPECT_FALSE(routing::is_among(delivery.stream_to, "unix"));
}

TEST(BucketSection, Defaults) {
  const Config aws = loaded(with_bucket("name: images, region: eu-west-1, layout: distribution"));
  const s3::BucketOptions& bucket = aws.buckets.at("zot").bucket;
  EXPECT_EQ(bucket.endpoint, "https://s3.eu-west-1.amazonaws.com");
  EXPECT_EQ(bucket.style, s3::AddressStyle::VirtualHost);
  EXPECT_FALSE(bucket.credentials);
  EXPECT_EQ(bucket.root, "");
  EXPECT_EQ(aws.buckets.at("zot").presign_expiry, std::chrono::minutes(20));
  EXPECT_EQ(aws.deliveries.at("zot").ways, routing::Ways{});
  const Config own =
      loaded(with_bucket("name: images, endpoint: 'https://s3.example.com', "
                         "layout: oci, path_style: false"));
  EXPECT_EQ(own.buckets.at("zot").bucket.style, s3::AddressStyle::VirtualHost);
}

TEST(BucketSection, ABucketAloneNeedsNoUrl) {
  const Config config = loaded(
      "registries: {zot: {bucket: {name: images, layout: oci}, deliver: "
      "{blobs: redirect, manifests: redirect}}}");
  EXPECT_EQ(config.registries.back().url, "");
  EXPECT_EQ(config.deliveries.at("zot").ways.manifests, routing::Way::Redirect);
}

TEST(BucketSection, OfARoute) {
  const Config config = loaded(
      "routes: [{match: a, to: ghcr.io/a, deliver: redirect, stream_to: [10.0.0.0/8]}, "
      "{match: b, to: ghcr.io/b}]");
  EXPECT_EQ(config.routes[0].policy.deliver->blobs, routing::Way::Redirect);
  EXPECT_EQ(config.routes[0].policy.stream_to->size(), 1u);
  EXPECT_FALSE(config.routes[1].policy.deliver);
  EXPECT_FALSE(config.routes[1].policy.stream_to);
}

TEST(BucketSection, OfTheCacheAndFromTheEnvironment) {
  const Config config = loaded(
      "cache: {s3: {name: cached, endpoint: 'http://127.0.0.1:9000', root: fairlead, max_size: "
      "1TiB, max_age: 30d, scrub: 90d}}",
      {{"FAIRLEAD_CACHE_S3_ACCESS_KEY", "AK"},
       {"FAIRLEAD_CACHE_S3_SECRET_KEY", "SK"},
       {"FAIRLEAD_CACHE_S3_REGION", "garage"}});
  ASSERT_TRUE(config.cache_bucket);
  EXPECT_EQ(config.cache_bucket->bucket.name, "cached");
  EXPECT_EQ(config.cache_bucket->bucket.region, "garage");
  EXPECT_EQ(config.cache_bucket->bucket.credentials->access_key, "AK");
  EXPECT_EQ(config.cache_bucket->bucket.root, "fairlead");
  EXPECT_EQ(config.cache_bucket->max_size, std::uint64_t{1} << 40);
  EXPECT_EQ(config.cache_bucket->max_age, std::chrono::hours(24 * 30));
  EXPECT_EQ(config.cache_bucket->scrub, std::chrono::hours(24 * 90));
  EXPECT_FALSE(loaded("").cache_bucket);
}

TEST(BucketSection, Problems) {
  const std::string in = "f.yaml:1: registries.zot";
  const std::vector<std::pair<std::string, std::string>> cases = {
      {with_bucket("name: images"),
       in + ".bucket: has no layout: distribution, as docker-registry keeps its data, or oci, as "
            "zot does"},
      {with_bucket("layout: oci"), in + ".bucket: has no name"},
      {with_bucket("name: images, layout: zot"),
       in + ".bucket.layout: \"zot\" is none of distribution, oci"},
      {with_bucket("name: images, layout: oci, endpoint: 'http://s3/x'"),
       in + ".bucket.endpoint: must end after the host and port: no path, query or fragment"},
      {with_bucket("name: images, layout: oci, access_key: a"),
       in + ".bucket: has an access_key without a secret_key"},
      {with_bucket("name: images, layout: oci, secret_key: a"),
       in + ".bucket: has a secret_key without an access_key"},
      {with_bucket("name: images, layout: oci, session_token: a"),
       in + ".bucket.session_token: is of no use without access_key and secret_key"},
      {with_bucket("name: images, layout: oci, region: 'EU West'"),
       in + ".bucket.region: is a word of lower-case letters, digits and -"},
      {with_bucket("name: images, layout: oci, root: a//b"),
       in + ".bucket.root: holds an empty part: //"},
      {with_bucket("name: images, layout: oci", ", presign_expiry: 8d"),
       in + ".presign_expiry: \"8d\" is not between 1s and 7d"},
      {with_bucket("name: images, layout: oci", ", deliver: s3"),
       in + ".deliver: \"s3\" is neither stream nor redirect"},
      {with_bucket("name: images, layout: oci", ", deliver: {manifests: stream}"),
       in + ".deliver.manifests: \"stream\" is none of inline, redirect"},
      {with_bucket("name: images, layout: oci", ", stream_to: [10.0.0.0/33]"),
       in + ".stream_to[0]: \"10.0.0.0/33\" has no prefix from 0 to 32 behind its slash"},
      {"registries: {zot: {bucket: {name: images, layout: oci}, username: a, password: b}}",
       in + ": has a bucket and no url: credentials and mirrors are for a registry"},
      {with_bucket("name: images, layout: oci", ", credentials: relay"),
       in + ": has a bucket, and credentials: relay; only the registry itself knows its callers: "
            "keep one"},
      {"registries: {zot: {url: http://zot, presign_expiry: 1m}}",
       in + ".presign_expiry: is of no use without a bucket"},
      {"cache: {s3: {endpoint: 'http://127.0.0.1:9000'}}", "f.yaml:1: cache.s3: has no name"},
      {"cache: {s3: {name: cached, layout: oci}}", "f.yaml:1: cache.s3.layout: unknown key"},
  };
  for (const auto& [text, problem] : cases)
    EXPECT_THAT(problem_of(text), HasSubstr(problem)) << text;
}

TEST(BucketSection, BucketNamesThatCannotBe) {
  EXPECT_THAT(problem_of(with_bucket("name: a/b, layout: oci")),
              HasSubstr("registries.zot.bucket: "));
  EXPECT_THAT(problem_of(with_bucket("name: ab, layout: oci")),
              HasSubstr("registries.zot.bucket: "));
}

TEST(BucketSection, WarnsOfABucketInTheClear) {
  const auto with = [](const std::string& endpoint) {
    return loaded(with_bucket("name: images, layout: oci, endpoint: '" + endpoint + "'")).warnings;
  };
  EXPECT_THAT(with("http://ceph:7480"),
              ElementsAre(HasSubstr("registries.zot.bucket.endpoint: is not encrypted")));
  EXPECT_THAT(with("http://127.0.0.1:7480"), IsEmpty());
  EXPECT_THAT(with("https://ceph:7480"), IsEmpty());
}

}  // namespace
}  // namespace fairlead::config
