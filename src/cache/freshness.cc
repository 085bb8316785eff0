// SPDX-License-Identifier: Apache-2.0
#include "cache/freshness.h"

#include <algorithm>

namespace fairlead::cache {
namespace {

// Clocks of one machine drift apart by less when they are set.
constexpr std::chrono::seconds kClockSlack{2};

}  // namespace

std::string_view to_string(Freshness freshness) {
  switch (freshness) {
    case Freshness::Fresh:
      return "fresh";
    case Freshness::Checked:
      return "checked";
    case Freshness::Stale:
      return "stale";
    case Freshness::Held:
      return "held";
  }
  return "";
}

bool is_fresh(const FreshnessPolicy& policy, WallTime checked, WallTime now,
              const std::optional<upstream::Quota>& quota) {
  if (checked > now + kClockSlack) return false;
  std::chrono::milliseconds holds = policy.fresh_for;
  if (quota && quota->remaining == 0) {
    holds = std::max<std::chrono::milliseconds>(holds, quota->window);
  } else if (quota && quota->remaining * 10 < quota->limit) {
    holds *= 10;
  }
  if (holds > policy.fresh_for)
    holds = std::max(policy.fresh_for, std::min(holds, policy.stale_if_error));
  return now < checked + holds;
}

bool may_be_served_stale(const FreshnessPolicy& policy, WallTime checked, WallTime now) {
  return now < checked + policy.stale_if_error;
}

}  // namespace fairlead::cache
