// SPDX-License-Identifier: Apache-2.0
// Objects: one worker's way to one bucket. Reading, writing and multipart uploads are three roles.
//
// Keys are whole ("data/zot/team/app/index.json"): whoever asks puts the bucket's root in front.
// What may be asked again is: connections cut, 5xx and SlowDown are tried a few times, with pauses,
// before they become an error. Every error has Origin::Upstream (Internal when the fault is ours),
// names the bucket, and says what to do. Codes:
//   NotFound         no such object (or no such upload)
//   Unauthorized     the credentials: an unknown key, a wrong signature, expired; Retry::No
//   Denied           they do not suffice
//   InvalidArgument  the bucket is not there, or in another region; no S3 is; the clock is wrong
//   TooManyRequests  SlowDown, after several tries
//   Unavailable      5xx, no connection
//   (these, and Timeout, also while it is left alone because of one shortly before)
//   Timeout, Corrupt (nonsense, or the object is shorter than was asked for), TooLarge (above a
//   bound of ours), Cancelled
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "async/task.h"
#include "base/bytes.h"
#include "base/clock.h"
#include "base/error.h"
#include "upstream/registry.h"

namespace fairlead::s3 {

struct ObjectHead {
  std::uint64_t size = 0;  // bytes of the whole object
  std::string media_type;  // Content-Type, without parameters
  std::string etag;        // as sent, quotes included
  std::string writing;     // x-amz-meta-fairlead-writing, see ObjectWriter; empty: another's object
  WallTime modified{};     // Last-Modified, to the second
};

struct ObjectDownload {
  ObjectHead head;
  std::uint64_t offset = 0;              // of the first byte: as asked
  std::unique_ptr<upstream::Body> body;  // ends with an error when cut short
};

struct ListRequest {
  std::string prefix;
  std::string delimiter{};     // "/" or empty
  std::string after{};         // only keys behind this one
  std::string continuation{};  // of the page before; wins over `after`
  int max_keys = 1000;
};

struct ListedObject {
  std::string key;
  std::uint64_t size = 0;
  WallTime modified{};
};

struct Listing {
  std::vector<ListedObject> objects;  // in the order of their keys' bytes
  std::vector<std::string> prefixes;  // what a delimiter rolled up
  std::string continuation;           // empty: this was the last page
};

// Used on its worker's executor; must outlive its tasks, a download may outlive it.
class ObjectReader {
 public:
  virtual ~ObjectReader() = default;

  virtual async::Task<Result<ObjectHead>> head(std::string key) = 0;

  // From `offset` to the end, or `length` (> 0) bytes of it.
  virtual async::Task<Result<ObjectDownload>> get(
      std::string key, std::uint64_t offset = 0,
      std::optional<std::uint64_t> length = std::nullopt) = 0;

  // The whole of a small object. TooLarge above `limit` bytes.
  virtual async::Task<Result<std::string>> get_text(std::string key, std::size_t limit) = 0;

  // One page.
  virtual async::Task<Result<Listing>> list(ListRequest request) = 0;

  // A URL by which anybody may GET the object until `expiry` has passed, or the credentials that
  // it was signed with have expired. Its answer has `media_type` as Content-Type. Asks nobody but
  // for credentials.
  virtual async::Task<Result<std::string>> presign(std::string key, std::string media_type,
                                                   std::chrono::seconds expiry) = 0;

  // Whether its last answers were good; else what is remembered of it is not to be acted on.
  [[nodiscard]] virtual bool is_well() const { return true; }
};

// The same thread.
class ObjectWriter {
 public:
  virtual ~ObjectWriter() = default;

  // `writing` tells one writing of a key from another: it is kept with the object, and
  // ObjectHead::writing has it.
  virtual async::Task<Result<void>> put(std::string key, std::string bytes, std::string media_type,
                                        std::string writing) = 0;
  // Also well where it was not there.
  virtual async::Task<Result<void>> remove(std::string key) = 0;
};

struct UploadedPart {
  int number = 0;  // from 1
  std::string etag;
};

struct UnfinishedUpload {
  std::string key;
  std::string id;
  WallTime begun{};
};

// Uploads in parts, for what is large: invisible until complete. The same thread.
class MultipartUploads {
 public:
  virtual ~MultipartUploads() = default;

  virtual async::Task<Result<std::string>> begin_upload(std::string key, std::string media_type,
                                                        std::string writing) = 0;
  // All parts but the last have at least 5 MiB.
  virtual async::Task<Result<UploadedPart>> put_part(std::string key, std::string id, int number,
                                                     std::string bytes) = 0;
  // NotFound may also mean that it went well, and the answer was lost: then the object is there,
  // and of this writing.
  virtual async::Task<Result<void>> complete_upload(std::string key, std::string id,
                                                    std::vector<UploadedPart> parts) = 0;
  // Also well where there was none.
  virtual async::Task<Result<void>> abort_upload(std::string key, std::string id) = 0;
  // Those begun and neither completed nor aborted, of at most 1000 keys below `prefix`.
  virtual async::Task<Result<std::vector<UnfinishedUpload>>> unfinished_uploads(
      std::string prefix) = 0;
};

class Objects : public ObjectReader, public ObjectWriter, public MultipartUploads {};

}  // namespace fairlead::s3
