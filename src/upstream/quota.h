// SPDX-License-Identifier: Apache-2.0
// Quota: how many pulls a registry still grants us, as it tells with its answers.
//
// Docker Hub: `ratelimit-limit: 100;w=21600`, `ratelimit-remaining: 76;w=21600`: 100 in a window
// of 21600 seconds, 76 left. Kept by registry and identity: it is not the registry that has a
// quota but who asks it.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "base/clock.h"

namespace fairlead::upstream {

struct Quota {
  std::uint64_t limit = 0;
  std::uint64_t remaining = 0;
  std::chrono::seconds window{0};
  SteadyTime told{};  // when the registry said so
};

// The headers' values; nullopt when either is absent or malformed. Pure; the values are hostile.
std::optional<Quota> parse_quota(std::string_view limit, std::string_view remaining,
                                 SteadyTime now);

// What all workers know. Thread-safe.
class QuotaBoard {
 public:
  void note(const std::string& registry, const std::string& identity, const Quota& quota);

  // As last told; nullopt: never, or before the last window.
  [[nodiscard]] std::optional<Quota> find(const std::string& registry, const std::string& identity,
                                          SteadyTime now) const;

 private:
  mutable std::mutex mutex_;
  std::map<std::pair<std::string, std::string>, Quota> quotas_;
};

}  // namespace fairlead::upstream
