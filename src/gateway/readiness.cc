// SPDX-License-Identifier: Apache-2.0
#include "gateway/readiness.h"

namespace fairlead::gateway {

std::string Readiness::text() const {
  std::string troubles;
  for (const auto& [what, health] : parts_) {
    if (const auto trouble = health->trouble()) troubles += what + ": " + *trouble + "\n";
  }
  return troubles.empty() ? "ok\n" : "degraded\n" + troubles;
}

}  // namespace fairlead::gateway
