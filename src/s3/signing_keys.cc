// SPDX-License-Identifier: Apache-2.0
#include "s3/signing_keys.h"

namespace fairlead::s3 {

std::shared_ptr<const HmacSha256> SigningKeys::get(const Secret& secret_key, const Scope& scope) {
  const std::lock_guard lock(mutex_);
  for (const Entry& entry : entries_) {
    if (entry.date == scope.date && entry.region == scope.region &&
        entry.service == scope.service && entry.secret_key == secret_key) {
      return entry.key;
    }
  }
  auto key = std::make_shared<const HmacSha256>(signing_key(secret_key, scope));
  if (entries_.size() >= kCapacity) entries_.erase(entries_.begin());
  entries_.push_back({secret_key, std::string(scope.date), std::string(scope.region),
                      std::string(scope.service), key});
  ++made_;
  return key;
}

std::size_t SigningKeys::made() const {
  const std::lock_guard lock(mutex_);
  return made_;
}

}  // namespace fairlead::s3
