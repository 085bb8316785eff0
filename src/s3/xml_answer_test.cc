// SPDX-License-Identifier: Apache-2.0
#include "s3/xml_answer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace fairlead::s3 {
namespace {

using ::testing::ElementsAre;

constexpr auto kHead = R"(<?xml version="1.0" encoding="UTF-8"?>)";

std::string listing_of(const std::string& inside) {
  return kHead +
         std::string(R"(<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">)") +
         inside + "</ListBucketResult>";
}

std::string entry(const std::string& key, const std::string& size = "5",
                  const std::string& modified = "2026-11-21T10:05:00.123Z") {
  return "<Contents><Key>" + key + "</Key><LastModified>" + modified +
         "</LastModified><ETag>&quot;x&quot;</ETag><Size>" + size +
         "</Size><StorageClass>STANDARD</StorageClass></Contents>";
}

TEST(XmlAnswer, Listing) {
  const auto listing = parse_listing(
      listing_of("<Name>b</Name><IsTruncated>true</IsTruncated><KeyCount>3</KeyCount>"
                 "<NextContinuationToken>a&amp;b==</NextContinuationToken>" +
                 entry("data/a&amp;b", "5") + entry("data/c", "18446744073709551615") +
                 "<CommonPrefixes><Prefix>data/d/</Prefix></CommonPrefixes>"
                 "<CommonPrefixes><Prefix>data/e/</Prefix></CommonPrefixes>"));
  ASSERT_TRUE(listing) << listing.error().context;
  ASSERT_EQ(listing->objects.size(), 2u);
  EXPECT_EQ(listing->objects[0].key, "data/a&b");
  EXPECT_EQ(listing->objects[0].size, 5u);
  EXPECT_EQ(utc_text(listing->objects[0].modified), "2026-11-21T10:05:00Z");
  EXPECT_EQ(listing->objects[1].size, ~std::uint64_t{0});
  EXPECT_THAT(listing->prefixes, ElementsAre("data/d/", "data/e/"));
  EXPECT_EQ(listing->continuation, "a&b==");
}

TEST(XmlAnswer, TheLastPageHasNoContinuation) {
  for (const char* truncated : {"", "<IsTruncated>false</IsTruncated>"}) {
    const auto listing = parse_listing(
        listing_of(std::string(truncated) + "<NextContinuationToken>x</NextContinuationToken>"));
    ASSERT_TRUE(listing);
    EXPECT_EQ(listing->continuation, "");
    EXPECT_TRUE(listing->objects.empty());
  }
  EXPECT_FALSE(parse_listing(listing_of("<IsTruncated>true</IsTruncated>")));
}

TEST(XmlAnswer, KeysAreDecodedWhereTheyAreEncoded) {
  const std::string key = "a+b%20c%2Bd%0a%e6%97%A5/%2F";
  const auto encoded =
      parse_listing(listing_of("<EncodingType>url</EncodingType>" + entry(key) +
                               "<CommonPrefixes><Prefix>%3C+</Prefix></CommonPrefixes>"));
  ASSERT_TRUE(encoded);
  EXPECT_EQ(encoded->objects.at(0).key, "a b c+d\n\xe6\x97\xa5//");
  EXPECT_EQ(encoded->prefixes.at(0), "< ");
  const auto plain = parse_listing(listing_of(entry(key)));
  ASSERT_TRUE(plain);
  EXPECT_EQ(plain->objects.at(0).key, key);
  for (const char* bad : {"%", "%2", "%GG"}) {
    EXPECT_FALSE(parse_listing(listing_of("<EncodingType>url</EncodingType>" + entry(bad)))) << bad;
  }
}

TEST(XmlAnswer, AMalformedListingIsCorrupt) {
  for (const std::string& xml :
       {std::string(), std::string("<html>hello</html>"), std::string("{}"),
        std::string("<ListBucketResult>"), listing_of(entry("")), listing_of(entry("a", "")),
        listing_of(entry("a", "-1")), listing_of(entry("a", "1x")),
        listing_of(entry("a", "18446744073709551616")), listing_of(entry("a", "1", "yesterday")),
        listing_of("<CommonPrefixes/>"), listing_of("<Contents/>"),
        std::string(R"(<!DOCTYPE x [<!ENTITY e "b">]>)") + listing_of(entry("&e;"))}) {
    const auto listing = parse_listing(xml);
    ASSERT_FALSE(listing) << xml;
    EXPECT_EQ(listing.error().code, Code::Corrupt);
    EXPECT_EQ(listing.error().origin, Origin::Upstream);
  }
}

TEST(XmlAnswer, IsBounded) {
  const auto many = [](std::size_t tags) {
    std::string text;
    for (std::size_t i = 0; i < tags; ++i) text += "<a/>";
    return listing_of(text);
  };
  EXPECT_TRUE(parse_listing(many(kMaxXmlTags - 3)));
  EXPECT_FALSE(parse_listing(many(kMaxXmlTags)));
  std::string begins;
  std::string ends;
  for (std::size_t i = 0; i < kMaxXmlTags / 2 - 10; ++i) {
    begins += "<a>";
    ends += "</a>";
  }
  EXPECT_TRUE(parse_listing(listing_of(begins + ends)));
  EXPECT_TRUE(parse_listing(listing_of(std::string(kMaxXmlAnswer - 1000, ' '))));
  EXPECT_FALSE(parse_listing(listing_of(std::string(kMaxXmlAnswer, ' '))));
}

TEST(XmlAnswer, UnfinishedUploads) {
  const auto uploads = parse_unfinished_uploads(
      "<ListMultipartUploadsResult><Upload><Key>a b</Key><UploadId>2~x</UploadId><Initiator/>"
      "<Initiated>2026-11-21T10:05:00.000Z</Initiated></Upload><Upload><Key>c</Key>"
      "<UploadId>y</UploadId><Initiated>2026-11-21T10:05:00Z</Initiated></Upload>"
      "</ListMultipartUploadsResult>");
  ASSERT_TRUE(uploads) << uploads.error().context;
  ASSERT_EQ(uploads->size(), 2u);
  EXPECT_EQ(uploads->at(0).key, "a b");
  EXPECT_EQ(uploads->at(0).id, "2~x");
  EXPECT_EQ(utc_text(uploads->at(1).begun), "2026-11-21T10:05:00Z");
  EXPECT_FALSE(parse_unfinished_uploads(
      "<ListMultipartUploadsResult><Upload><Key>a</Key></Upload></ListMultipartUploadsResult>"));
  EXPECT_FALSE(parse_unfinished_uploads(listing_of("")));
}

TEST(XmlAnswer, Uploads) {
  EXPECT_EQ(parse_upload_id("<InitiateMultipartUploadResult><UploadId>2~a</UploadId>"
                            "</InitiateMultipartUploadResult>"),
            "2~a");
  EXPECT_FALSE(parse_upload_id("<InitiateMultipartUploadResult/>"));
  EXPECT_FALSE(parse_upload_id("<Error><UploadId>x</UploadId></Error>"));
  EXPECT_TRUE(is_upload_completed("  \n" + std::string(kHead) +
                                  "<CompleteMultipartUploadResult><ETag>x</ETag>"
                                  "</CompleteMultipartUploadResult>"));
  EXPECT_FALSE(is_upload_completed("<Error><Code>InternalError</Code></Error>"));
  EXPECT_FALSE(is_upload_completed(""));
  EXPECT_EQ(
      complete_upload_document({{.number = 1, .etag = "\"a\""}, {.number = 2, .etag = "<&>"}}),
      "<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>\"a\"</ETag></Part>"
      "<Part><PartNumber>2</PartNumber><ETag>&lt;&amp;&gt;</ETag></Part>"
      "</CompleteMultipartUpload>");
}

TEST(XmlAnswer, Errors) {
  const auto error =
      parse_error_document(std::string(kHead) +
                           "<Error><Code>PermanentRedirect</Code><Message><![CDATA[a<b]]></Message>"
                           "<Region>eu-west-1</Region>"
                           "<ServerTime>2026-11-21T10:05:00Z</ServerTime></Error>");
  ASSERT_TRUE(error);
  EXPECT_EQ(error->code, "PermanentRedirect");
  EXPECT_EQ(error->message, "a<b");
  EXPECT_EQ(error->region, "eu-west-1");
  EXPECT_EQ(error->server_time, "2026-11-21T10:05:00Z");
  EXPECT_TRUE(parse_error_document("<Error/>"));
  EXPECT_FALSE(parse_error_document("<Errors/>"));
  EXPECT_FALSE(parse_error_document(""));
}

}  // namespace
}  // namespace fairlead::s3
