// SPDX-License-Identifier: Apache-2.0
// How long what an upstream said of a tag holds. Pure.
#pragma once

#include <chrono>
#include <optional>
#include <string_view>

#include "base/clock.h"
#include "upstream/quota.h"

namespace fairlead::cache {

struct FreshnessPolicy {
  std::chrono::milliseconds fresh_for{std::chrono::seconds(60)};   // not asked again before
  std::chrono::milliseconds stale_if_error{std::chrono::days(7)};  // served when asking fails
  std::chrono::milliseconds not_found_for{std::chrono::seconds(10)};
  std::chrono::milliseconds cooldown{0};  // a digest must have been known for so long; 0: none
};

// How what a tag means is known.
enum class Freshness {
  Fresh,    // confirmed not long ago
  Checked,  // confirmed by the upstream just now
  Stale,    // the upstream could not be asked, or had no answer
  Held,     // the upstream says otherwise, but that is too young for the cooldown
};

std::string_view to_string(Freshness freshness);

// Whether a tag confirmed at `checked` is not to be asked for again. Where little of a quota is
// left it holds ten times as long; where nothing is left, until the quota's window has passed.
// A `checked` in the future is of a clock that was wrong: not fresh.
bool is_fresh(const FreshnessPolicy& policy, WallTime checked, WallTime now,
              const std::optional<upstream::Quota>& quota);

// Whether it may still be served when the upstream cannot say.
bool may_be_served_stale(const FreshnessPolicy& policy, WallTime checked, WallTime now);

}  // namespace fairlead::cache
