// SPDX-License-Identifier: Apache-2.0
// Endpoints: the addresses of one registry, its own first, then its mirrors; and which of them
// did not answer lately, so that not every request waits for a dead one.
// One worker's thread.
#pragma once

#include <chrono>
#include <cstddef>
#include <string>
#include <vector>

#include "base/clock.h"

namespace fairlead::upstream {

class Endpoints {
 public:
  static constexpr auto kRememberFailure = std::chrono::seconds(30);
  static constexpr std::size_t kOwn = 0;  // the registry itself

  // `clock` must outlive it.
  Endpoints(std::string url, const std::vector<std::string>& mirrors, const Clock& clock);

  // Every endpoint once: first those that have not failed lately, each group as configured.
  [[nodiscard]] std::vector<std::size_t> order() const;

  [[nodiscard]] const std::string& url(std::size_t endpoint) const {
    return entries_[endpoint].url;
  }
  [[nodiscard]] std::size_t size() const { return entries_.size(); }

  void failed(std::size_t endpoint);
  void answered(std::size_t endpoint);

 private:
  struct Entry {
    std::string url;
    SteadyTime avoid_until{};
  };

  std::vector<Entry> entries_;
  const Clock& clock_;
};

}  // namespace fairlead::upstream
