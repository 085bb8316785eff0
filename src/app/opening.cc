// SPDX-License-Identifier: Apache-2.0
#include "app/opening.h"

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "auth/token_key_file.h"

namespace fairlead::app {
namespace {

std::unique_ptr<store::DiskBlobStore> open_store(const config::Config& config,
                                                 telemetry::Log& log) {
  auto store = store::DiskBlobStore::open_directory(config.cache.directory,
                                                    {.max_content = config.cache.max_size});
  if (!store) {
    log.error(store.error().context);
    return nullptr;
  }
  log.info("fairlead " FAIRLEAD_VERSION, {{"cache", config.cache.directory}});
  if (const auto removed = (*store)->leftovers_removed(); removed > 0) {
    log.info("removed what an unfinished run left behind",
             {{"files", static_cast<std::int64_t>(removed)}});
  }
  return *std::move(store);
}

// The index beside the blobs, and in the log what is to be said of it.
std::unique_ptr<index::SqliteIndex> open_index(const std::string& directory, telemetry::Log& log) {
  index::SqliteIndexOptions options;
  options.journal.on_health = [&log](const Result<void>& health) {
    if (health) {
      log.info("the cache's index is written again");
    } else {
      log.error("the cache's index cannot be written: what is learned now is lost at a restart",
                {{"error", health.error().context}});
    }
  };
  auto index = index::SqliteIndex::open(directory + "/index.db", std::move(options));
  if (!index) {
    log.error(index.error().context);
    return nullptr;
  }
  if ((*index)->was_rebuilt()) {
    log.warn("the cache's index was damaged; a new one is made from the files",
             {{"damaged", (*index)->moved_aside()}});
  }
  if (const auto skipped = (*index)->skipped_rows(); skipped > 0) {
    log.warn("the cache's index holds rows that make no sense; they are left out",
             {{"rows", static_cast<std::int64_t>(skipped)}});
  }
  return std::move(*index);
}

// The keys of all that we seal: the configured ones, or one that is made once and kept with the
// cache.
std::optional<std::vector<Secret>> open_keys(const config::Config& config, telemetry::Log& log) {
  std::vector<Secret> keys = config.auth.keys;
  if (keys.empty()) {
    auto made = auth::read_or_make_token_key(config.cache.directory + "/token.key");
    if (!made) {
      log.error(made.error().context);
      return std::nullopt;
    }
    keys.push_back(*std::move(made));
  }
  return keys;
}

// What seals with these keys.
template <class Sealing>
std::unique_ptr<Sealing> sealing_with(const std::vector<Secret>& keys, telemetry::Log& log) {
  auto parsed = auth::TokenKeys::parse(keys);
  if (!parsed) {
    log.error(parsed.error().context);
    return nullptr;
  }
  return std::make_unique<Sealing>(*std::move(parsed));
}

std::unique_ptr<auth::JwtIssuers> open_issuers(const config::Config& config, const Clock& clock,
                                               telemetry::Log& log) {
  auto issuers = auth::JwtIssuers::make(config.auth.jwt, clock, log);
  if (issuers) return *std::move(issuers);
  log.error(issuers.error().context);
  return nullptr;
}

std::unique_ptr<Buckets> open_buckets_of(const config::Config& config, const Clock& clock,
                                         telemetry::Log& log) {
  auto buckets = open_buckets(config, clock, log);
  if (buckets) return *std::move(buckets);
  log.error(buckets.error().context);
  return nullptr;
}

}  // namespace

std::optional<Opened> open_all(const config::Config& config, const Clock& clock,
                               telemetry::Log& log) {
  Opened opened;
  opened.store = open_store(config, log);
  if (!opened.store) return std::nullopt;
  opened.index = open_index(config.cache.directory, log);
  if (!opened.index) return std::nullopt;
  const auto keys = open_keys(config, log);
  if (!keys) return std::nullopt;
  opened.sealed = sealing_with<auth::SealedTokens>(*keys, log);
  if (!opened.sealed) return std::nullopt;
  opened.uploads = sealing_with<auth::UploadSessions>(*keys, log);
  if (!opened.uploads) return std::nullopt;
  opened.issuers = open_issuers(config, clock, log);
  if (!opened.issuers) return std::nullopt;
  opened.buckets = open_buckets_of(config, clock, log);
  if (!opened.buckets) return std::nullopt;
  return opened;
}

}  // namespace fairlead::app
