// SPDX-License-Identifier: Apache-2.0
// IndexReader: what the index.json of repositories list. They may be of many megabytes, and are
// asked for by everybody: each is read once at a time, and remembered for a moment; of large ones
// one at a time is read at all.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <list>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "async/broadcast.h"
#include "async/task.h"
#include "base/clock.h"
#include "s3/objects.h"
#include "s3/oci_layout_index.h"
#include "upstream/single_flight.h"

namespace fairlead::s3 {

// One a worker, as its layout. Both references must outlive it.
class IndexReader {
 public:
  static constexpr std::chrono::seconds kRemembered{2};
  static constexpr std::size_t kMaxRemembered = 256;               // indexes,
  static constexpr std::size_t kMaxBytes = std::size_t{32} << 20;  // and of all of them
  static constexpr std::size_t kLarge = std::size_t{256} << 10;    // more bytes of JSON

  using Index = std::shared_ptr<const std::vector<oci_layout::ListedManifest>>;

  IndexReader(ObjectReader& objects, std::string root, const Clock& clock);

  // Errors are those of ObjectReader and parse_index(), and are not remembered.
  async::Task<Result<Index>> read(std::string repository);

  // Whoever asks for it from now on has what the bucket then has.
  void forget(const std::string& repository);

 private:
  using Flight = upstream::SingleFlight<Index>;
  struct Entry {
    std::string repository;
    Index index;
    std::size_t bytes = 0;
    SteadyTime until;
  };
  struct LargeRead;  // while it lives, no other large index is read

  async::Task<Result<Index>> fetch(std::string repository);
  async::Task<Result<std::string>> get_large(std::string key);
  std::shared_ptr<Flight> flight_of(const std::string& repository);
  [[nodiscard]] Index remembered(const std::string& repository);  // null: not
  void remember(const std::string& repository, Index index);

  ObjectReader& objects_;
  const std::string root_;
  const Clock& clock_;
  std::list<Entry> entries_;  // the oldest first
  std::size_t bytes_ = 0;     // of all of them, about
  std::unordered_map<std::string, std::shared_ptr<Flight>> flights_;
  std::uint64_t forgotten_ = 0;  // how often: what was asked for before is not remembered
  bool is_reading_large_ = false;
  async::Broadcast large_read_;  // has ended
};

}  // namespace fairlead::s3
