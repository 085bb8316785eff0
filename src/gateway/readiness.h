// SPDX-License-Identifier: Apache-2.0
// Readiness: what /ready says: whether all parts do their work, and if not, which and why.
//
// A part that fails is no reason to send clients elsewhere: what it did for them is done without
// it, as far as can be. So the status stays 200, and the text tells.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "s3/bucket_health.h"

namespace fairlead::gateway {

// Thread-safe once all are added.
class Readiness {
 public:
  // `what`: whose bucket it is, "registry zot". `health` must outlive it.
  void add(std::string what, const s3::BucketHealth& health) {
    parts_.emplace_back(std::move(what), &health);
  }

  // "ok", or "degraded" and a line for each part that does not do its work.
  [[nodiscard]] std::string text() const;

 private:
  std::vector<std::pair<std::string, const s3::BucketHealth*>> parts_;
};

}  // namespace fairlead::gateway
