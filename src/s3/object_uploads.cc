// SPDX-License-Identifier: Apache-2.0
// The questions of ObjectClient that write.
#include "s3/object_client.h"
#include "s3/object_head.h"
#include "s3/question.h"
#include "s3/xml_answer.h"

namespace fairlead::s3 {
namespace {

constexpr std::size_t kBulk = std::size_t{1} << 20;  // has a connection of its own
constexpr std::size_t kMaxEtag = 512;
constexpr std::chrono::seconds kCompletion{120};  // S3 puts the parts together

TextPairs description(const std::string& media_type, const std::string& writing) {
  TextPairs headers;
  headers.emplace_back("Content-Type",
                       media_type.empty() ? "application/octet-stream" : media_type);
  if (!writing.empty()) headers.emplace_back(kWritingHeader, writing);
  return headers;
}

// What is to be removed may be gone already.
template <class T>
Result<void> done_or_gone(const Result<T>& answer) {
  if (answer || answer.error().code == Code::NotFound) return {};
  return std::unexpected(answer.error());
}

}  // namespace

async::Task<Result<void>> ObjectClient::put(std::string key, std::string bytes,
                                            std::string media_type, std::string writing) {
  const auto body = std::make_shared<const std::string>(std::move(bytes));
  const Question question{.method = "PUT",
                          .key = std::move(key),
                          .permission = "s3:PutObject",
                          .headers = description(media_type, writing),
                          .body = body,
                          .payload_hash = co_await hash(body),
                          .is_bulk = body->size() > kBulk};
  const auto answer = co_await ask(question);
  if (!answer) co_return std::unexpected(answer.error());
  co_return Result<void>();
}

async::Task<Result<void>> ObjectClient::remove(std::string key) {
  const Question question{
      .method = "DELETE", .key = std::move(key), .permission = "s3:DeleteObject"};
  co_return done_or_gone(co_await ask(question));
}

async::Task<Result<std::string>> ObjectClient::begin_upload(std::string key, std::string media_type,
                                                            std::string writing) {
  const Question question{.method = "POST",
                          .key = std::move(key),
                          .permission = "s3:PutObject",
                          .parameters = {{"uploads", ""}},
                          .headers = description(media_type, writing)};
  const auto answer = co_await ask(question);
  if (!answer) co_return std::unexpected(answer.error());
  auto id = parse_upload_id(answer->body);
  if (!id) co_return nonsense(question, std::move(id.error()));
  co_return id;
}

async::Task<Result<UploadedPart>> ObjectClient::put_part(std::string key, std::string id,
                                                         int number, std::string bytes) {
  const auto body = std::make_shared<const std::string>(std::move(bytes));
  const Question question{
      .method = "PUT",
      .key = std::move(key),
      .permission = "s3:PutObject",
      .parameters = {{"partNumber", std::to_string(number)}, {"uploadId", std::move(id)}},
      .headers = description({}, {}),
      .body = body,
      .payload_hash = co_await hash(body),
      .is_bulk = body->size() > kBulk};
  const auto answer = co_await ask(question);
  if (!answer) co_return std::unexpected(answer.error());
  const std::string_view etag = answer->response->headers().find("ETag");
  if (etag.empty() || etag.size() > kMaxEtag) {
    co_return nonsense(
        question, upstream_error(Code::Corrupt, Retry::No, "took a part and told no ETag").error());
  }
  co_return UploadedPart{.number = number, .etag = std::string(etag)};
}

async::Task<Result<void>> ObjectClient::complete_upload(std::string key, std::string id,
                                                        std::vector<UploadedPart> parts) {
  const auto body = std::make_shared<const std::string>(complete_upload_document(parts));
  const Question question{.method = "POST",
                          .key = std::move(key),
                          .permission = "s3:PutObject",
                          .parameters = {{"uploadId", std::move(id)}},
                          .headers = {{"Content-Type", "application/xml"}},
                          .body = body,
                          .payload_hash = co_await hash(body),
                          .patience = kCompletion};
  const auto answer = co_await ask(question);
  if (!answer) co_return std::unexpected(answer.error());
  if (!is_upload_completed(answer->body)) {
    co_return nonsense(question, upstream_error(Code::Corrupt, Retry::No,
                                                "does not say that the upload is complete")
                                     .error());
  }
  co_return Result<void>();
}

async::Task<Result<void>> ObjectClient::abort_upload(std::string key, std::string id) {
  const Question question{.method = "DELETE",
                          .key = std::move(key),
                          .permission = "s3:AbortMultipartUpload",
                          .parameters = {{"uploadId", std::move(id)}}};
  co_return done_or_gone(co_await ask(question));
}

async::Task<Result<std::vector<UnfinishedUpload>>> ObjectClient::unfinished_uploads(
    std::string prefix) {
  // Keys as they are: Ceph's server encodes them here when asked to, and does not say so.
  const Question question{
      .permission = "s3:ListBucketMultipartUploads",
      .parameters = {{"uploads", ""}, {"max-uploads", "1000"}, {"prefix", prefix}}};
  const auto answer = co_await ask(question);
  if (!answer) co_return std::unexpected(answer.error());
  auto uploads = parse_unfinished_uploads(answer->body);
  if (!uploads) co_return nonsense(question, std::move(uploads.error()));
  // Some servers take the prefix for a hint.
  std::erase_if(*uploads, [&](const auto& upload) { return !upload.key.starts_with(prefix); });
  co_return uploads;
}

}  // namespace fairlead::s3
