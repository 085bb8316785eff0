// SPDX-License-Identifier: Apache-2.0
// OciLayout: repositories as OCI image layouts, the way zot keeps them. A blob is a repository's
// own when an object lies under the repository's path: its bytes, or an empty one where zot keeps
// the bytes once for all (shared_blobs.h). A manifest is what its index.json lists.
#pragma once

#include <chrono>
#include <cstddef>
#include <string>
#include <vector>

#include "s3/index_reader.h"
#include "s3/layout.h"
#include "s3/remembered.h"
#include "s3/shared_blobs.h"

namespace fairlead::s3 {

class OciLayout final : public Layout {
 public:
  // How long it is remembered that index.json lists a manifest: a pull asks for it right after its
  // tag.
  static constexpr std::chrono::seconds kListed{60};
  static constexpr std::size_t kMaxListed = 4096;

  OciLayout(ObjectReader& objects, std::string root, const Clock& clock);

  async::Task<Result<Tagged>> resolve(std::string repository, std::string tag) override;
  async::Task<Result<Place>> find(std::string repository, oci::Digest digest, Held held) override;
  async::Task<Result<Place>> find_shared(oci::Digest digest) override;
  async::Task<Result<std::vector<std::string>>> tags(std::string repository) override;
  void forget(const std::string& repository) override;

 private:
  // The media type that index.json has for it. NotFound: it is not listed.
  async::Task<Result<std::string>> listed_type(std::string repository, oci::Digest digest);

  ObjectReader& objects_;
  const std::string root_;
  IndexReader indexes_;
  SharedBlobs shared_;
  Remembered<std::string> listed_;  // media types, by repository and digest
};

}  // namespace fairlead::s3
