// SPDX-License-Identifier: Apache-2.0
#include "upstream/endpoints.h"

#include <utility>

namespace fairlead::upstream {

Endpoints::Endpoints(std::string url, const std::vector<std::string>& mirrors, const Clock& clock)
    : clock_(clock) {
  entries_.push_back({.url = std::move(url)});
  for (const std::string& mirror : mirrors) entries_.push_back({.url = mirror});
}

std::vector<std::size_t> Endpoints::order() const {
  std::vector<std::size_t> order;
  const SteadyTime now = clock_.steady();
  for (const bool lately_failed : {false, true}) {
    for (std::size_t endpoint = 0; endpoint < entries_.size(); ++endpoint) {
      if ((entries_[endpoint].avoid_until > now) == lately_failed) order.push_back(endpoint);
    }
  }
  return order;
}

void Endpoints::failed(std::size_t endpoint) {
  entries_[endpoint].avoid_until = clock_.steady() + kRememberFailure;
}

void Endpoints::answered(std::size_t endpoint) { entries_[endpoint].avoid_until = {}; }

}  // namespace fairlead::upstream
