// SPDX-License-Identifier: Apache-2.0
// ObjectClient: Objects spoken to over S3's REST API, every request signed.
//
// It asks at most kAttempts times, waiting longer each time; temporary credentials that S3 does not
// take any more are fetched anew once. Answers are bounded; XML is read by s3/xml_answer.h.
#pragma once

#include <functional>
#include <memory>
#include <random>
#include <string>
#include <utility>
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
  // To be filled in by whoever builds it.
  Bucket& bucket_;
  upstream::HttpTransport& transport_;
  async::BlockingPool& pool_;
};

}  // namespace fairlead::s3
