// SPDX-License-Identifier: Apache-2.0
// HeldFiles: which nameless files somebody in this process has open, and which writing of an
// object each was downloaded from.
//
// Whoever has such a file open holds a shared flock on it, which ends with the last duplicate of
// its descriptor: nothing has to be given back. A file that nobody holds is forgotten, and with it
// its space, when the next one is added.
#pragma once

#include <map>
#include <mutex>
#include <optional>

#include "base/error.h"
#include "base/unique_fd.h"
#include "oci/digest.h"
#include "s3/objects.h"

namespace fairlead::s3 {

// Thread-safe.
class HeldFiles {
 public:
  enum class Purpose {
    Use,  // the blob is in use meanwhile
    Look,
  };

  // Locks `file`. `head`: what it was downloaded from; nullopt: it was made here.
  Result<void> add(const oci::Digest& digest, int file, Purpose purpose,
                   std::optional<ObjectHead> head);

  [[nodiscard]] bool is_used(const oci::Digest& digest);

  // nullopt: no download of `digest`.
  [[nodiscard]] std::optional<ObjectHead> origin(const oci::Digest& digest, int file) const;

  [[nodiscard]] std::size_t size() const;

 private:
  struct Held {
    UniqueFd fd;  // opened for itself: a duplicate would share the lock
    Purpose purpose;
    std::optional<ObjectHead> head;
  };
  void forget_what_nobody_holds();

  mutable std::mutex mutex_;
  std::multimap<oci::Digest, Held> files_;
};

}  // namespace fairlead::s3
