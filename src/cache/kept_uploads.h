// SPDX-License-Identifier: Apache-2.0
// KeptUploads: blobs that are being pushed through us, on their way into the store (write-through).
//
// What a client uploads goes to the registry as it comes; here it is written to a file and hashed
// on the way. An upload may come in several requests, on several workers. Once the registry has
// taken it under a digest, and the bytes have that digest, it is published in the store; anything
// else (bytes that passed elsewhere, a full disk, an upload that is never ended) only means that it
// is not kept: the push goes on.
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

struct Services;

// One for all workers. Thread-safe. An upload is named by any text that tells it from others.
class KeptUploads {
 public:
  static constexpr std::size_t kMaxUploads = 1024;      // at once; more are not kept
  static constexpr std::chrono::minutes kMaxPause{15};  // between two requests of one

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

  // The registry has taken it as `digest`, into the source's repository. Returns its size when it
  // is verified and stored now, and 0 when it is not (then it is dropped). Nothing is left of it
  // here in any case.
  async::Task<std::uint64_t> finish(std::string upload, Source source, oci::Digest digest);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace fairlead::cache
