// SPDX-License-Identifier: Apache-2.0
// ObjectClient: Objects spoken to over S3's REST API, every request signed.
//
// It asks at most kAttempts times, waiting longer each time; temporary credentials that S3 does not
// take any more are fetched anew once. What took too long is asked again only where it is a body
// that goes out: who reads has better places to turn to. Answers are bounded; XML is read by
// s3/xml_answer.h, refusals by s3/refusal.h.
#pragma once

#include <chrono>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "async/blocking_pool.h"
#include "s3/bucket.h"
#include "s3/objects.h"
#include "upstream/http_transport.h"

namespace fairlead::s3 {

// One a worker and bucket.
class ObjectClient final : public Objects {
 public:
  static constexpr int kAttempts = 4;

  // `transport` is the worker's; all must outlive it.
  ObjectClient(Bucket& bucket, upstream::HttpTransport& transport, async::BlockingPool& pool);

  async::Task<Result<ObjectHead>> head(std::string key) override;
  async::Task<Result<ObjectDownload>> get(std::string key, std::uint64_t offset,
                                          std::optional<std::uint64_t> length) override;
  async::Task<Result<std::string>> get_text(std::string key, std::size_t limit) override;
  async::Task<Result<Listing>> list(ListRequest request) override;
  async::Task<Result<std::string>> presign(std::string key, std::string media_type,
                                           std::chrono::seconds expiry) override;
  [[nodiscard]] bool is_well() const override { return bucket_.health().is_well(); }
  async::Task<Result<void>> put(std::string key, std::string bytes, std::string media_type,
                                std::string writing) override;
  async::Task<Result<void>> remove(std::string key) override;
  async::Task<Result<std::string>> begin_upload(std::string key, std::string media_type,
                                                std::string writing) override;
  async::Task<Result<UploadedPart>> put_part(std::string key, std::string id, int number,
                                             std::string bytes) override;
  async::Task<Result<void>> complete_upload(std::string key, std::string id,
                                            std::vector<UploadedPart> parts) override;
  async::Task<Result<void>> abort_upload(std::string key, std::string id) override;
  async::Task<Result<std::vector<UnfinishedUpload>>> unfinished_uploads(
      std::string prefix) override;

 private:
  struct Question;
  struct Answer;

  // The question as often as need be; what comes of it is noted. Awaited at once.
  async::Task<Result<Answer>> ask(const Question& question);
  async::Task<Result<Answer>> ask_until_answered(const Question& question);
  async::Task<Result<Answer>> ask_once(const Question& question, const S3Credentials& credentials);
  async::Task<Result<std::unique_ptr<upstream::HttpResponse>>> send(
      const Question& question, const S3Credentials& credentials);
  // What an answer that is no success means; of a HEAD, which has no words, by asking once more.
  async::Task<Error> explain(const Question& question, const S3Credentials& credentials,
                             upstream::HttpResponse& response);
  // For the whole of an answer that is read at once.
  [[nodiscard]] std::chrono::milliseconds patience_for(const Question& question) const;
  // The whole body; TooLarge above `limit` bytes, Timeout when it takes longer than `patience`, or
  // that and the stall after it.
  async::Task<Result<std::string>> read_small(upstream::HttpResponse& response, std::size_t limit,
                                              std::chrono::milliseconds patience) const;
  async::Task<Result<SharedCredentials>> current_credentials();
  async::Task<std::string> hash(std::shared_ptr<const std::string> bytes);
  std::chrono::milliseconds pause_after(const Error& error, int attempts);
  [[nodiscard]] Error named(Error error) const;  // with the bucket's name
  // The answer was; that is noted.
  std::unexpected<Error> nonsense(const Question& question, Error error);

  Bucket& bucket_;
  upstream::HttpTransport& transport_;
  async::BlockingPool& pool_;
  std::minstd_rand chance_;
};

}  // namespace fairlead::s3
