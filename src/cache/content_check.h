// SPDX-License-Identifier: Apache-2.0
// ContentCheck: reads one stored content piece by piece and tells whether it is what its digest
// and its row in the index say.
//
// The content is not in use by it: it may be evicted meanwhile, which ends the check as well as
// any other way. Holds no lock. One thread at a time; blocks.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/bytes.h"
#include "base/error.h"
#include "cache/bookkeeper.h"
#include "index/index.h"
#include "oci/digest.h"
#include "store/blob_store.h"
#include "telemetry/log.h"

namespace fairlead::cache {

enum class Verdict {
  Sound,
  Damaged,  // also what cannot be read: nobody else could read it either
};

class ContentCheck {
 public:
  // nullopt: it is not there (any more).
  static Result<std::optional<ContentCheck>> begin(store::BlobManager& store,
                                                   const oci::Digest& digest);

  // Reads up to buffer.size() bytes more; nullopt: there is more to read.
  std::optional<Verdict> advance(const index::Index& index, MutableByteView buffer);

  // Removes what advance() found damaged, and logs why: the next pull fetches it again.
  Result<void> remove(Bookkeeper& bookkeeper, telemetry::Log& log) const;

  [[nodiscard]] const oci::Digest& digest() const { return digest_; }
  [[nodiscard]] const std::string& why() const { return why_; }  // it is damaged
  [[nodiscard]] std::uint64_t bytes_read() const { return read_; }

 private:
  ContentCheck(oci::Digest digest, store::BlobFile file);
  [[nodiscard]] Verdict verdict(const index::Index& index);
  [[nodiscard]] Verdict damaged(std::string why);

  oci::Digest digest_;
  store::BlobFile file_;
  oci::Hasher hash_;
  std::uint64_t read_ = 0;
  std::string why_;
};

}  // namespace fairlead::cache
