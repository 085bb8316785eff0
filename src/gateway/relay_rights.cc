// SPDX-License-Identifier: Apache-2.0
#include "gateway/relay_rights.h"

namespace fairlead::gateway {

auth::Fingerprint RelayRights::key(const std::string& caller, const std::string& registry,
                                   const std::string& repository) const {
  return hash_.of(caller + "\n" + registry + "\n" + repository);
}

std::string RelayRights::name_of(const Secret& authorization) const {
  const auto fingerprint = hash_.of(authorization.reveal());
  return {fingerprint.begin(), fingerprint.end()};
}

bool RelayRights::has(const std::string& caller, const std::string& registry,
                      const std::string& repository) const {
  const auto wanted = key(caller, registry, repository);
  const std::lock_guard lock(mutex_);
  const auto found = good_until_.find(wanted);
  return found != good_until_.end() && clock_.steady() < found->second;
}

void RelayRights::note(const std::string& caller, const std::string& registry,
                       const std::string& repository) {
  const auto right = key(caller, registry, repository);
  const SteadyTime now = clock_.steady();
  const std::lock_guard lock(mutex_);
  if (good_until_.size() >= kCapacity) {
    std::erase_if(good_until_, [&](const auto& entry) { return now >= entry.second; });
    if (good_until_.size() >= kCapacity) good_until_.erase(good_until_.begin());
  }
  good_until_.insert_or_assign(right, now + kRememberedFor);
}

}  // namespace fairlead::gateway
