// SPDX-License-Identifier: Apache-2.0
// DigestList: digests that do not change any more; a copy costs nothing. Thread-safe.
#pragma once

#include <algorithm>
#include <cstddef>
#include <initializer_list>
#include <memory>
#include <utility>
#include <vector>

#include "oci/digest.h"

namespace fairlead::index {

class DigestList {
 public:
  using value_type = oci::Digest;
  using const_iterator = const oci::Digest*;

  DigestList() = default;
  DigestList(std::initializer_list<oci::Digest> digests) : DigestList(std::vector(digests)) {}
  DigestList(std::vector<oci::Digest> digests)  // NOLINT(google-explicit-constructor): is one
      : digests_(digests.empty()
                     ? nullptr
                     : std::make_shared<const std::vector<oci::Digest>>(std::move(digests))) {}

  [[nodiscard]] const_iterator begin() const { return digests_ ? digests_->data() : nullptr; }
  [[nodiscard]] const_iterator end() const { return begin() + size(); }
  [[nodiscard]] std::size_t size() const { return digests_ ? digests_->size() : 0; }
  [[nodiscard]] bool empty() const { return !digests_; }

  friend bool operator==(const DigestList& a, const DigestList& b) {
    return std::ranges::equal(a, b);
  }

 private:
  std::shared_ptr<const std::vector<oci::Digest>> digests_;  // null: none
};

}  // namespace fairlead::index
