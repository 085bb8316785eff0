// SPDX-License-Identifier: Apache-2.0
// Input: ratelimit-limit, a line feed, ratelimit-remaining. What is read of it is bounded.
// Modules: upstream oci telemetry async base
#include <string>

#include "fuzz/property.h"
#include "upstream/quota.h"

using fairlead::fuzz::check;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view input = fairlead::fuzz::as_text(data, size);
  const std::string limit(fairlead::fuzz::take_line(input));
  const auto quota = fairlead::upstream::parse_quota(limit, input, fairlead::SteadyTime{});
  if (!quota) return 0;
  check(quota->limit > 0 && quota->limit <= 1'000'000'000);
  check(quota->remaining <= 1'000'000'000);
  check(quota->window.count() > 0 && quota->window <= std::chrono::days(7));
  return 0;
}
