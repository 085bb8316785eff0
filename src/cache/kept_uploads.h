// SPDX-License-Identifier: Apache-2.0
// KeptUploads: blobs that are being pushed through us, on their way into the store (write-through).
//
// What a client uploads goes to the registry as it comes; here it is written to a file and hashed
// on the way. An upload may come in several requests, on several workers. Once the registry has
// taken it under a digest, and the bytes have that digest, it is published in the store; anything
// else (bytes that passed elsewhere, a full disk, an upload that is never ended) only means that it
// is not kept: the push goes on.
//
// All of them together hold what the cache may hold (SizeLimit), and what others have in the cache
// is not driven out for them: where there is no room, those go that were idle longest.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "async/task.h"
#include "cache/source.h"
#include "oci/digest.h"
#include "upstream/body.h"

namespace fairlead::cache {

class UploadTable;
struct Services;

// One for all workers. Thread-safe. An upload is named by any text that tells it from others.
class KeptUploads {
 public:
  static constexpr std::size_t kMaxUploads = 1024;                     // at once
  static constexpr std::uint64_t kMaxBytes = std::uint64_t{64} << 30;  // if the cache has no limit
  static constexpr std::chrono::minutes kMaxPause{5};  // between two requests of one

  explicit KeptUploads(Services& services);
  ~KeptUploads();
  KeptUploads(const KeptUploads&) = delete;
  KeptUploads& operator=(const KeptUploads&) = delete;

  // Hands on what `from` gives, and keeps it behind what is kept of `upload` already. For one
  // worker, one at a time for one upload: another makes it dropped. What is returned may outlive
  // the upload, and only hands on then, but not the services.
  [[nodiscard]] std::shared_ptr<upstream::Body> keep(const std::string& upload,
                                                     std::shared_ptr<upstream::Body> from);

  // The registry says that it has `size` bytes of it. Where we have not, it is dropped.
  void confirm(const std::string& upload, std::uint64_t size);

  void drop(const std::string& upload);

  // Drops those that have paused for too long. To be called now and then: else one that is never
  // ended goes only when others come.
  void drop_idle();

  // Drops uploads, those that were idle longest first, until `bytes` are free that they held, or
  // none is left. Returns how many bytes. (Of one that is being written to, only soon.) Blocks.
  std::uint64_t make_room(std::uint64_t bytes);

  // The registry has taken it as `digest`, into the source's repository, asked when the source
  // says. Returns its size when it is verified and stored now, and 0 when it is not (then it is
  // dropped). Nothing is left of it here in any case.
  async::Task<std::uint64_t> finish(std::string upload, Source source, oci::Digest digest);

 private:
  Services& services_;
  const std::shared_ptr<UploadTable> uploads_;  // bodies drop others for room
};

}  // namespace fairlead::cache
