// SPDX-License-Identifier: Apache-2.0
// Reads `cache`.
#include "cache/image_pattern.h"
#include "config/schema.h"

namespace fairlead::config {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t kMaxSize = std::size_t{1} << 50;
constexpr std::size_t kMaxPatterns = 1000;
constexpr std::chrono::hours kMaxDuration{24 * 3650};

void read_keep(const Value& keep, std::vector<cache::ImagePattern>& out) {
  out.clear();
  for (const Value& item : keep.items(kMaxPatterns)) {
    const auto text = item.text();
    if (!text) continue;
    auto pattern = cache::ImagePattern::parse(*text);
    if (pattern) {
      out.push_back(*std::move(pattern));
    } else {
      item.problem(in_quotes(*text) + " " + pattern.error());
    }
  }
}

void read_index(const Value& index) {
  const auto text = index.text();
  if (!text || *text == "sqlite") return;
  index.problem(text->starts_with("redis:") ? "redis " + std::string(kNotBuilt)
                                            : in_quotes(*text) + " is not sqlite");
}

}  // namespace

void read_cache(Section& cache, cache::CacheOptions& out) {
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
  if (const auto keep = cache.find("keep")) read_keep(*keep, out.keep);
  if (const auto index = cache.find("index")) read_index(*index);
  cache.not_built({"s3"});
}

}  // namespace fairlead::config
