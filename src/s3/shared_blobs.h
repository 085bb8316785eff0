// SPDX-License-Identifier: Apache-2.0
// SharedBlobs: where zot keeps the bytes that several repositories have, once for all.
//
//   newer   <root>/_blobstore/blobs/<algorithm>/<hex>
//   older   in one of the repositories; all others have an empty object
//
// For older ones every repository is looked into. Which there are is found by listing, directory by
// directory: one with an index.json is a repository. Who asks has made sure that the repository
// in question may have the blob.
#pragma once

#include <chrono>
#include <cstddef>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "async/task.h"
#include "base/clock.h"
#include "oci/digest.h"
#include "s3/layout.h"
#include "s3/objects.h"
#include "s3/remembered.h"
#include "upstream/single_flight.h"

namespace fairlead::s3 {

// One a worker, as its layout. Both references must outlive it.
class SharedBlobs {
 public:
  static constexpr std::size_t kMaxRepositories = 10'000;  // looked into; and directories listed
  static constexpr std::size_t kAtOnce = 8;                // questions to the bucket
  static constexpr std::chrono::minutes kListRemembered{5};
  static constexpr std::chrono::minutes kPlaceRemembered{60};  // and asked about each time
  static constexpr std::size_t kMaxPlaces = 16'384;
  // That the bytes are nowhere: each search for them asks every repository.
  static constexpr std::chrono::seconds kNowhereRemembered{60};

  SharedBlobs(ObjectReader& objects, std::string root, const Clock& clock);

  // Wherever the bytes are. NotFound: nowhere, or so it was shortly before.
  async::Task<Result<Place>> find(oci::Digest digest);
  // In _blobstore alone.
  async::Task<Result<Place>> find_in_store(oci::Digest digest);

  // The repository has got something: what was nowhere may be there now.
  void forget(const std::string& repository);

 private:
  using Repositories = std::shared_ptr<const std::vector<std::string>>;
  struct Directories {  // of a walk
    std::deque<std::string> waiting;
    std::size_t seen = 0;
  };

  // The object, if it is there and not empty.
  async::Task<Result<Place>> look(std::string key);
  async::Task<Result<Place>> search_repositories(oci::Digest digest);
  async::Task<Result<Repositories>> repositories();
  async::Task<Result<Repositories>> list_repositories();
  async::Task<Result<Listing>> list_directory(std::string prefix);
  void sort_out(const std::string& prefix, Listing listing, std::vector<std::string>& found,
                Directories& directories) const;

  ObjectReader& objects_;
  const std::string root_;
  const Clock& clock_;
  Remembered<std::string> places_;  // keys, by digest
  Remembered<bool> nowhere_;        // digests
  Repositories repositories_;
  SteadyTime listed_until_{};
  upstream::SingleFlight<Repositories> listing_;
};

}  // namespace fairlead::s3
