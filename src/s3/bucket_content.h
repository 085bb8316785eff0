// SPDX-License-Identifier: Apache-2.0
// BucketContent: what a registry's bucket alone answers to a Registry's questions, with the errors
// that upstream/registry.h promises. What only we can mend (credentials, the bucket's name, our
// clock) is Unavailable: it is not the client's to answer for.
//
// Places found are remembered for a minute; find() asks anew while the bucket is not well, so that
// nobody is sent to it then. What is not found is asked for each time.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "base/clock.h"
#include "s3/layout.h"
#include "s3/objects.h"
#include "s3/remembered.h"
#include "upstream/registry.h"

namespace fairlead::s3 {

// One a worker.
class BucketContent {
 public:
  static constexpr std::chrono::seconds kRemembered{60};
  static constexpr std::size_t kCapacity = 16'384;  // places; and manifests whose type is known

  // `registry`: its name, for errors. `objects` and `clock` must outlive it.
  BucketContent(std::string registry, std::unique_ptr<Layout> layout, ObjectReader& objects,
                const Clock& clock);

  // As those of Registry.
  async::Task<Result<upstream::ContentHead>> head_manifest(std::string repository,
                                                           std::string reference);
  async::Task<Result<upstream::Download>> get_manifest(std::string repository,
                                                       std::string reference);
  async::Task<Result<upstream::ContentHead>> head_blob(std::string repository, oci::Digest digest);
  async::Task<Result<upstream::Download>> get_blob(std::string repository, oci::Digest digest,
                                                   std::uint64_t offset,
                                                   std::optional<std::uint64_t> length);
  // tags/list and manifests/<reference>; NotFound for all else.
  async::Task<Result<upstream::Document>> get_document(std::string repository,
                                                       std::string path_and_query,
                                                       std::size_t limit);

  async::Task<Result<Place>> find(std::string repository, oci::Digest digest, Held held);
  // As Layout has it.
  async::Task<Result<Place>> find_shared(oci::Digest digest);
  // The repository holds it as a blob: that was proved in another way.
  void remember_blob(const std::string& repository, const oci::Digest& digest, Place place);

  // It was changed: everything is to be asked of the bucket anew.
  void forget(const std::string& repository);

  async::Task<Result<std::string>> presign(Place place, std::string media_type,
                                           std::chrono::seconds expiry);

 private:
  struct Manifest {
    oci::Digest digest;
    std::string media_type;
    std::string text;
  };

  // What `use` makes of the place; of another one where a remembered place has it no more.
  template <class T, class Use>
  async::Task<Result<T>> with_place(std::string repository, oci::Digest digest, Held held, Use use);

  async::Task<Result<oci::Digest>> resolve(std::string repository, std::string reference);
  async::Task<Result<Manifest>> read_manifest(std::string repository, oci::Digest digest);
  async::Task<Result<Manifest>> read_manifest_at(oci::Digest digest, Place place);
  async::Task<Result<upstream::Download>> open_blob(oci::Digest digest, Place place,
                                                    std::uint64_t offset,
                                                    std::optional<std::uint64_t> length);
  async::Task<Result<upstream::Document>> list_tags(std::string repository, std::string query);
  // The bucket's error as the registry's.
  [[nodiscard]] Error told(Error error) const;

  const std::string registry_;
  const std::unique_ptr<Layout> layout_;
  ObjectReader& objects_;
  Remembered<Place> places_;
  Remembered<std::string> media_types_;  // of manifests that were read, by digest
};

}  // namespace fairlead::s3
