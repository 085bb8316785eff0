// SPDX-License-Identifier: Apache-2.0
// SigningKeys: keeps the day's signing key, which takes four HMACs to make, for each secret key,
// date, region and service in use.
#pragma once

#include <cstddef>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "base/secret.h"
#include "s3/hmac.h"
#include "s3/sigv4.h"

namespace fairlead::s3 {

// Thread-safe: one serves all workers and buckets.
class SigningKeys {
 public:
  static constexpr std::size_t kCapacity = 16;  // the least recently made goes first

  std::shared_ptr<const HmacSha256> get(const Secret& secret_key, const Scope& scope);

  // How many have been made.
  [[nodiscard]] std::size_t made() const;

 private:
  struct Entry {
    Secret secret_key;
    std::string date;
    std::string region;
    std::string service;
    std::shared_ptr<const HmacSha256> key;
  };

  mutable std::mutex mutex_;
  std::vector<Entry> entries_;
  std::size_t made_ = 0;
};

}  // namespace fairlead::s3
