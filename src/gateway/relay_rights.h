// SPDX-License-Identifier: Apache-2.0
// RelayRights: which callers an upstream has lately let into which of its repositories, so that
// what is cached is served to them without asking each time. Shared by all workers.
#pragma once

#include <chrono>
#include <cstddef>
#include <mutex>
#include <string>
#include <unordered_map>

#include "auth/keyed_hash.h"
#include "base/clock.h"
#include "base/secret.h"

namespace fairlead::gateway {

// Thread-safe.
class RelayRights {
 public:
  static constexpr std::chrono::seconds kRememberedFor{60};
  static constexpr std::size_t kCapacity = 65'536;

  // `clock` must outlive it.
  explicit RelayRights(const Clock& clock) : clock_(clock) {}

  // A caller's name, from what an upstream gave them; it gives nothing away.
  [[nodiscard]] std::string name_of(const Secret& authorization) const;

  // A caller is named by any text that tells them from others, and a place by registry and
  // repository.
  [[nodiscard]] bool has(const std::string& caller, const std::string& registry,
                         const std::string& repository) const;
  void note(const std::string& caller, const std::string& registry, const std::string& repository);

 private:
  [[nodiscard]] auth::Fingerprint key(const std::string& caller, const std::string& registry,
                                      const std::string& repository) const;

  const Clock& clock_;
  const auth::KeyedHash hash_;
  mutable std::mutex mutex_;
  std::unordered_map<auth::Fingerprint, SteadyTime, auth::FingerprintHash> good_until_;
};

}  // namespace fairlead::gateway
