// SPDX-License-Identifier: Apache-2.0
// Registry: what the rest of the program asks of one upstream registry.
//
// Answers are what the upstream said, bounded and checked for form; whether bytes match their
// digest is for the reader to find out. Every error has Origin::Upstream (Internal when the fault
// is ours) and a context that names the registry and what to do. Codes:
//   NotFound         404
//   Unauthorized     401, after the configured credentials were tried
//   Denied           403
//   TooManyRequests  429, with retry_after when the upstream named it
//   Unavailable      5xx, no connection, a connection cut; Retry::Yes
//   Timeout          connect, first byte or stall; Retry::Yes
//   Corrupt          an answer that contradicts itself or the question
//   TooLarge         a document above its limit
//   InvalidArgument  400, 416: the upstream does not take the question
//   Cancelled        the transport was closed
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "async/task.h"
#include "base/error.h"
#include "oci/digest.h"
#include "upstream/body.h"
#include "upstream/change.h"
#include "upstream/quota.h"

namespace fairlead::upstream {

struct ContentHead {
  std::optional<oci::Digest> digest;  // Docker-Content-Digest: what the upstream claims
  std::optional<std::uint64_t> size;  // bytes of the whole content, claimed
  std::string media_type;             // without parameters; empty when absent
  std::string etag;                   // as sent, quotes included; empty when absent
};

struct Download {
  ContentHead head;
  std::uint64_t offset = 0;  // of the first byte delivered: 0 when the upstream ignored the range
  std::unique_ptr<Body> body;
};

// Where a client may get content by itself, without us. Whoever has the URL has the content, until
// it expires: it is a secret.
struct Location {
  std::string url;
};

// A small answer, read whole.
struct Document {
  std::string body;
  std::string media_type;       // without parameters
  std::string link;             // Link, as sent; empty when absent
  std::string filters_applied;  // OCI-Filters-Applied
  std::string warning;          // Warning
};

// One instance belongs to one worker: call it on that worker's executor only. It must outlive its
// tasks; a Download may outlive it.
class Registry {
 public:
  virtual ~Registry() = default;

  // `repository` and `reference` are the upstream's own names, valid by the grammar; `reference`
  // is a tag or a digest. `accept` is the value of the Accept header, may be empty.
  virtual async::Task<Result<ContentHead>> head_manifest(std::string repository,
                                                         std::string reference,
                                                         std::string accept) = 0;
  virtual async::Task<Result<Download>> get_manifest(std::string repository, std::string reference,
                                                     std::string accept) = 0;
  virtual async::Task<Result<ContentHead>> head_blob(std::string repository,
                                                     oci::Digest digest) = 0;

  // From `offset`, to the end or `length` (> 0) bytes of it. The upstream may ignore the range:
  // look at Download::offset, and stop reading when you have enough.
  virtual async::Task<Result<Download>> get_blob(std::string repository, oci::Digest digest,
                                                 std::uint64_t offset,
                                                 std::optional<std::uint64_t> length) = 0;

  // `path_and_query` follows /v2/<repository>/, "tags/list?n=5". TooLarge above `limit` bytes.
  virtual async::Task<Result<Document>> get_document(std::string repository,
                                                     std::string path_and_query, std::string accept,
                                                     std::size_t limit) = 0;

  // A place that a client may be sent to for a blob, or a manifest of the type that it has; asked
  // only for who may have it. nullopt: there is none, and the bytes are to be asked for here. The
  // answer is of now: it is not to be kept.
  virtual async::Task<Result<std::optional<Location>>> locate_blob(std::string /*repository*/,
                                                                   oci::Digest /*digest*/) {
    co_return std::nullopt;
  }
  virtual async::Task<Result<std::optional<Location>>> locate_manifest(std::string /*repository*/,
                                                                       oci::Digest /*digest*/,
                                                                       std::string /*media_type*/) {
    co_return std::nullopt;
  }

  // Asks for something to be changed, and gives what the registry says to it; of the registry
  // itself, never of a mirror. An error where it did not come to an answer of the registry's own:
  // an outage, a refusal of whom we ask as (Unauthorized, Denied, TooManyRequests), or Unsupported:
  // it is only read here.
  virtual async::Task<Result<ChangeAnswer>> change(Change /*change*/) {
    co_return upstream_error(Code::Unsupported, Retry::No, "it is only read here");
  }

  // One page of the names of all its repositories (/v2/_catalog), which many registries do not
  // tell: NotFound, Unauthorized, Denied, Unsupported. `query` is raw.
  virtual async::Task<Result<Document>> list_repositories(std::string /*query*/,
                                                          std::size_t /*limit*/) {
    co_return upstream_error(Code::Unsupported, Retry::No, "it tells no repositories");
  }

  // What the registry last told of our quota with it; nullopt: nothing.
  [[nodiscard]] virtual std::optional<Quota> quota() const { return std::nullopt; }
};

}  // namespace fairlead::upstream
