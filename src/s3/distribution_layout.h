// SPDX-License-Identifier: Apache-2.0
// DistributionLayout: repositories as CNCF distribution keeps them. A link that a repository has is
// what makes a blob its own.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "s3/layout.h"

namespace fairlead::s3 {

class DistributionLayout final : public Layout {
 public:
  static constexpr std::size_t kMaxTags = 100'000;  // of a repository; more are TooLarge

  DistributionLayout(ObjectReader& objects, std::string root);

  async::Task<Result<Tagged>> resolve(std::string repository, std::string tag) override;
  async::Task<Result<Place>> find(std::string repository, oci::Digest digest, Held held) override;
  async::Task<Result<std::vector<std::string>>> tags(std::string repository) override;

 private:
  async::Task<Result<oci::Digest>> read_link(std::string key);
  async::Task<Result<void>> check_link(std::string key, oci::Digest digest);

  ObjectReader& objects_;
  const std::string root_;
};

}  // namespace fairlead::s3
