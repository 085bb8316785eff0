// SPDX-License-Identifier: Apache-2.0
#include "gateway/error_meaning.h"

#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

namespace fairlead::gateway {
namespace {

using oci::ErrorCode;
using oci::Kind;

upstream::ChangeAnswer refusal(int status, std::string code = {}) {
  upstream::ChangeAnswer answer{.status = status};
  if (!code.empty()) answer.error = oci::UpstreamErrorText{.code = std::move(code)};
  return answer;
}

void expect(const Meaning& meaning, int status, ErrorCode code) {
  EXPECT_EQ(meaning.status, status);
  EXPECT_EQ(oci::to_string(meaning.code), oci::to_string(code));
}

TEST(ErrorMeaning, OfARefusalIsTheRegistrysOwnWhereWeKnowIt) {
  expect(meaning_of(refusal(404, "NAME_UNKNOWN"), Kind::Upload), 404, ErrorCode::NameUnknown);
  expect(meaning_of(refusal(400, "DIGEST_INVALID"), Kind::Upload), 400, ErrorCode::DigestInvalid);
  expect(meaning_of(refusal(416, "RANGE_INVALID"), Kind::Upload), 416, ErrorCode::RangeInvalid);
}

TEST(ErrorMeaning, OfARefusalWithoutWordsComesFromItsStatus) {
  expect(meaning_of(refusal(404), Kind::Manifest), 404, ErrorCode::ManifestUnknown);
  expect(meaning_of(refusal(404), Kind::Blob), 404, ErrorCode::BlobUnknown);
  expect(meaning_of(refusal(404), Kind::Upload), 404, ErrorCode::BlobUploadUnknown);
  expect(meaning_of(refusal(404), Kind::UploadStart), 404, ErrorCode::NameUnknown);
  expect(meaning_of(refusal(405), Kind::Manifest), 405, ErrorCode::Unsupported);
  expect(meaning_of(refusal(413), Kind::Manifest), 413, ErrorCode::SizeInvalid);
  expect(meaning_of(refusal(416), Kind::Upload), 416, ErrorCode::BlobUploadInvalid);
  expect(meaning_of(refusal(400), Kind::Manifest), 400, ErrorCode::ManifestInvalid);
  expect(meaning_of(refusal(400, "NO_SUCH_CODE"), Kind::UploadStart), 400,
         ErrorCode::BlobUploadInvalid);
}

TEST(ErrorMeaning, OfAClientThatIsLateOrSendsTooMuch) {
  expect(meaning_of(client_error(Code::Timeout, "").error(), Kind::Manifest), 408,
         ErrorCode::Unavailable);
  expect(meaning_of(client_error(Code::TooLarge, "").error(), Kind::Manifest), 413,
         ErrorCode::SizeInvalid);
}

TEST(ErrorMeaning, OfAnUpstreamThatDoesNotDoItsWork) {
  expect(meaning_of(upstream_error(Code::Timeout, Retry::Yes, "").error(), Kind::Upload), 504,
         ErrorCode::Unavailable);
  expect(meaning_of(upstream_error(Code::Unavailable, Retry::Yes, "").error(), Kind::Upload), 502,
         ErrorCode::Unavailable);
  expect(meaning_of(upstream_error(Code::Unauthorized, Retry::No, "").error(), Kind::Upload), 403,
         ErrorCode::Denied);
}

}  // namespace
}  // namespace fairlead::gateway
