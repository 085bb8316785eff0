// SPDX-License-Identifier: Apache-2.0
// FillTable: the fills under way, over all workers: at most one for a digest as a blob and one as
// a manifest. Those are two questions: that there is no such manifest says nothing of the blob.
#pragma once

#include <cstddef>
#include <memory>
#include <mutex>
#include <unordered_map>

#include "cache/fill.h"
#include "oci/digest.h"

namespace fairlead::cache {

// Thread-safe.
class FillTable {
 public:
  // The fill of `digest` under way; null when there is none that could still go well.
  [[nodiscard]] std::shared_ptr<Fill> find(const oci::Digest& digest, ContentKind kind) const;

  struct Joined {
    std::shared_ptr<Fill> fill;
    bool is_new = false;  // the caller drives it, or removes it
  };
  // Joins the fill under way, or begins one.
  Joined join_or_begin(const oci::Digest& digest, const Source& source);

  // Takes `fill` out when it is the one entered for its digest.
  void remove(const Fill& fill);

  [[nodiscard]] std::size_t size() const;

 private:
  using Fills = std::unordered_map<oci::Digest, std::shared_ptr<Fill>>;

  mutable std::mutex mutex_;
  Fills manifests_;
  Fills blobs_;
};

}  // namespace fairlead::cache
