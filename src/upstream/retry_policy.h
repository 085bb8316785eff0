// SPDX-License-Identifier: Apache-2.0
// RetryPolicy: how often, and after which pause, an upstream is asked again. Pure.
#pragma once

#include <chrono>
#include <cstddef>
#include <optional>

#include "base/error.h"

namespace fairlead::upstream {

struct RetryPolicy {
  std::size_t attempts = 3;                    // in total, and at least one an endpoint
  std::chrono::milliseconds first_pause{250};  // doubles each time
  std::chrono::milliseconds deadline{std::chrono::seconds(20)};  // no attempt begins after it
};

// The endpoint did not do its work, whoever asks and whatever for.
[[nodiscard]] bool is_outage(const Error& error);

// The error of a request that no answer came to, with what to check then.
[[nodiscard]] Error unanswered(Error error);

// How long to wait before asking again; nullopt: do not. `pauses` is how many there were, `spent`
// the time since the first attempt began, `chance` in [0, 1) spreads those who failed together:
// the pause is between half and all of the full one. A Retry-After is kept to, or not at all.
std::optional<std::chrono::milliseconds> pause_before_retry(const RetryPolicy& policy,
                                                            const Error& error, std::size_t pauses,
                                                            std::chrono::milliseconds spent,
                                                            double chance);

}  // namespace fairlead::upstream
