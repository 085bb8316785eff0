// SPDX-License-Identifier: Apache-2.0
// Reads `cache`.
#include <algorithm>
#include <string_view>
#include <vector>

#include "cache/image_pattern.h"
#include "config/bucket_section.h"
#include "config/nearest.h"
#include "config/schema.h"
#include "oci/glob.h"

namespace fairlead::config {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t kMaxSize = std::size_t{1} << 50;
constexpr std::size_t kMaxPatterns = 1000;
constexpr std::chrono::hours kMaxDuration{24 * 3650};

using Registries = std::vector<upstream::RegistryOptions>;

// A pattern of images that no configured registry could have keeps nothing.
void warn_of_unknown_registry(const Value& item, const cache::ImagePattern& pattern,
                              const Registries& registries) {
  const auto is_of = [&](const upstream::RegistryOptions& registry) {
    return oci::globs_overlap(pattern.repository, registry.name + "/**");
  };
  if (std::ranges::any_of(registries, is_of)) return;
  const std::string_view name =
      std::string_view(pattern.repository).substr(0, pattern.repository.find('/'));
  std::vector<std::string_view> names;
  names.reserve(registries.size());
  for (const auto& registry : registries) names.push_back(registry.name);
  const auto nearest = nearest_of(names, name);
  item.warning("keeps nothing: no registry has the name " + in_quotes(name) +
               (nearest.empty() ? "" : "; did you mean " + std::string(nearest) + "?"));
}

void read_keep(const Value& keep, const Registries& registries,
               std::vector<cache::ImagePattern>& out) {
  out.clear();
  for (const Value& item : keep.items(kMaxPatterns)) {
    const auto text = item.text();
    if (!text) continue;
    auto pattern = cache::ImagePattern::parse(*text);
    if (pattern) {
      warn_of_unknown_registry(item, *pattern, registries);
      out.push_back(*std::move(pattern));
    } else {
      item.problem(in_quotes(*text) + " " + pattern.error());
    }
  }
}

void read_index(const Value& index) {
  const auto text = index.text();
  if (!text || *text == "sqlite") return;
  index.problem(text->starts_with("redis") ? "redis " + std::string(kNotBuilt)
                                           : in_quotes(*text) + " is not sqlite");
}

}  // namespace

void read_cache(Section& cache, Config& config) {
  cache::CacheOptions& out = config.cache;
  cache.text("directory", out.directory);
  if (out.directory.starts_with('~')) {
    cache.find("directory")->problem("~ has no meaning here: write the whole path");
  }
  cache.size("max_size", out.max_size, 0, kMaxSize);
  cache.duration("max_age", out.max_age, 0ms, kMaxDuration);
  cache.duration("fresh_for", out.freshness.fresh_for, 0ms, kMaxDuration);
  cache.duration("stale_if_error", out.freshness.stale_if_error, 0ms, kMaxDuration);
  cache.duration("not_found_for", out.freshness.not_found_for, 0ms, 1h);
  cache.duration("scrub", out.scrub, 0ms, kMaxDuration);
  if (const auto kept = cache.find("write_through")) {
    out.write_through = kept->boolean().value_or(out.write_through);
  }
  if (const auto keep = cache.find("keep")) read_keep(*keep, config.registries, out.keep);
  if (const auto index = cache.find("index")) read_index(*index);
  cache.section("s3",
                [&](Section& bucket) { read_cache_bucket(bucket, config.cache_bucket.emplace()); });
}

}  // namespace fairlead::config
