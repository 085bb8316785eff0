// SPDX-License-Identifier: Apache-2.0
// CacheAccess: the way of a command to a cache directory, whether a gateway has it open or not.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/error.h"
#include "cache/bookkeeper.h"
#include "cache/content_check.h"
#include "cache/purge.h"
#include "index/index.h"
#include "store/blob_store.h"
#include "telemetry/log.h"

namespace fairlead::app {

class CacheAccess {
 public:
  // To change something, the directory is taken when nobody has it, else its process is asked.
  // NotFound: there is no such directory; it is not made.
  static Result<std::unique_ptr<CacheAccess>> open(const std::string& directory, bool to_change);

  [[nodiscard]] const std::string& directory() const { return directory_; }
  [[nodiscard]] const index::Index& index() const { return *index_; }
  [[nodiscard]] store::BlobManager& store() { return *store_; }
  [[nodiscard]] telemetry::Log& log() { return log_; }

  Result<cache::Purged> purge(const std::vector<std::string>& patterns);
  Result<void> remove_damaged(const cache::ContentCheck& check);

 private:
  explicit CacheAccess(std::string directory) : directory_(std::move(directory)) {}
  Result<void> open_index();
  Result<std::string> ask(const std::string& command);

  std::string directory_;
  telemetry::Log log_{telemetry::LogOptions{.level = telemetry::LogLevel::Error}};
  SystemClock clock_;
  std::unique_ptr<store::BlobStore> store_;
  std::unique_ptr<index::Index> index_;
  std::unique_ptr<cache::Bookkeeper> bookkeeper_;  // null: another process has the directory
};

}  // namespace fairlead::app
