// SPDX-License-Identifier: Apache-2.0
// Config: everything a user can set, as the modules' own plain structs.
//
// Flags go before the environment (FAIRLEAD_...), that before the file, that before the defaults.
// All of it is read and validated at once: the answer is a Config that fits together, or every
// problem that was found. Nothing here throws, whatever the file holds. Call from any thread;
// the only outside world is the one passed as Surroundings.
#pragma once

#include <cstddef>
#include <expected>
#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "auth/options.h"
#include "base/error.h"
#include "cache/options.h"
#include "config/buckets.h"
#include "config/problem.h"
#include "http/options.h"
#include "routing/delivery.h"
#include "routing/route.h"
#include "routing/router.h"
#include "telemetry/log.h"
#include "upstream/options.h"

namespace fairlead::config {

struct Config {
  http::ServerOptions server;
  std::vector<upstream::RegistryOptions> registries;  // built in and the file's; names are unique
  // By the registries' names: the buckets that they keep their data in, and how it is delivered.
  std::map<std::string, RegistryBucket, std::less<>> buckets;
  std::map<std::string, routing::Delivery, std::less<>> deliveries;
  std::vector<routing::RouteOptions> routes;  // Router::build accepts them
  cache::CacheOptions cache;
  std::optional<CacheBucketOptions> cache_bucket;
  auth::AuthOptions auth;
  telemetry::LogOptions log;
  std::vector<std::string> warnings;  // for the log, once, at start
};

// The routes of a configuration that was loaded.
routing::Router make_router(const Config& config);

// What the command line said, as it was typed: it is checked with all the rest.
struct Overrides {
  std::vector<std::string> listen;             // --listen, may be given several times
  std::optional<std::string> workers;          // --workers
  std::optional<std::string> cache_directory;  // --cache-directory
  std::optional<std::string> log_level;        // --log-level
  std::optional<std::string> log_format;       // --log-format
};

// The world outside the configuration's text. Tests bring their own.
struct Surroundings {
  std::map<std::string, std::string, std::less<>> environment;

  // The whole file; TooLarge when it holds more than `max_bytes`. The error's context is the
  // reason alone, without the path.
  std::function<Result<std::string>(const std::filesystem::path& path, std::size_t max_bytes)>
      read_file;

  bool is_superuser = false;

  // What only serving needs is not read: secrets and certificates. They stay empty.
  bool is_only_cache = false;
};

// Of this process.
Surroundings process_surroundings();

inline constexpr std::size_t kMaxFileBytes = 1024 * 1024;

using Loaded = std::expected<Config, std::vector<Problem>>;

// No `file`: the one FAIRLEAD_CONFIG names, else none, which is a working configuration.
Loaded load(const std::optional<std::filesystem::path>& file, const Overrides& overrides,
            const Surroundings& surroundings);

// The same from the file's text. `file_name` is only shown.
Loaded parse(std::string_view text, std::string_view file_name, const Overrides& overrides,
             const Surroundings& surroundings);

}  // namespace fairlead::config
