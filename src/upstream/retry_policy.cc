// SPDX-License-Identifier: Apache-2.0
#include "upstream/retry_policy.h"

#include <algorithm>

namespace fairlead::upstream {

bool is_outage(const Error& error) {
  return error.code == Code::Unavailable || error.code == Code::Timeout ||
         error.code == Code::TooManyRequests;
}

Error unanswered(Error error) {
  if (error.origin == Origin::Upstream && is_outage(error) && error.retry == Retry::Yes) {
    error.context += "; check its url, the proxy and the network if this lasts";
  }
  return error;
}

std::optional<std::chrono::milliseconds> pause_before_retry(const RetryPolicy& policy,
                                                            const Error& error, std::size_t pauses,
                                                            std::chrono::milliseconds spent,
                                                            double chance) {
  using std::chrono::milliseconds;
  if (error.retry != Retry::Yes) return std::nullopt;
  const auto full = policy.first_pause * (1 << std::min<std::size_t>(pauses, 10));
  milliseconds pause(
      static_cast<milliseconds::rep>(static_cast<double>(full.count()) * (0.5 + chance / 2)));
  if (error.retry_after) pause = std::max<milliseconds>(pause, *error.retry_after);
  if (spent + pause > policy.deadline) return std::nullopt;
  return pause;
}

}  // namespace fairlead::upstream
