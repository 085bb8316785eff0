// SPDX-License-Identifier: Apache-2.0
#include "app/cache_command.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <boost/json.hpp>
#include <cstdio>
#include <memory>
#include <optional>
#include <utility>

#include "app/cache_access.h"
#include "base/clock.h"
#include "cache/inventory.h"
#include "cache/purge.h"
#include "cache/verification.h"

namespace fairlead::app {
namespace {

namespace json = boost::json;

// "1.5 GiB", for people.
std::string size_text(std::uint64_t bytes) {
  constexpr std::array kUnits{"bytes", "KiB", "MiB", "GiB", "TiB"};
  auto amount = static_cast<double>(bytes);
  std::size_t unit = 0;
  while (amount >= 1024 && unit + 1 < kUnits.size()) {
    amount /= 1024;
    ++unit;
  }
  return unit == 0 ? fmt::format("{} bytes", bytes)
                   : fmt::format("{:.1f} {}", amount, kUnits[unit]);
}

void print(const std::string& text) { std::fputs((text + "\n").c_str(), stdout); }

int fail(const std::string& reason) {
  std::fprintf(stderr, "fairlead: %s\n", reason.c_str());
  return 1;
}

// That the directory cannot be looked into.
int fail_to_open(const std::string& directory, const Error& error) {
  if (error.code != Code::Corrupt) return fail(error.context);
  return fail(error.context +
              "\nThe index of the cache is damaged. What is kept is not lost: the gateway sets the "
              "index aside when it starts\nand makes a new one from the files. To find what is on "
              "disk without a gateway: fairlead cache verify --cache-directory " +
              directory);
}

// `max_size` of the configuration; 0: no limit.
int stats(CacheAccess& cache, std::uint64_t max_size, bool is_json) {
  const auto found = cache::take_inventory(cache.index());
  if (is_json) {
    print(json::serialize(json::object{{"directory", cache.directory()},
                                       {"contents", found.contents},
                                       {"bytes", found.bytes},
                                       {"manifests", found.manifests},
                                       {"tags", found.tags},
                                       {"repositories", found.repositories}}));
    return 0;
  }
  print("directory     " + cache.directory());
  print(fmt::format("contents      {} ({} of them manifests)", found.contents, found.manifests));
  std::string limit;
  if (max_size > 0) {
    const double share = 100.0 * static_cast<double>(found.bytes) / static_cast<double>(max_size);
    limit = fmt::format(", {:.1f} % of max_size, {}", share, size_text(max_size));
  }
  print("size          " + size_text(found.bytes) + limit);
  print(fmt::format("tags          {}", found.tags));
  print(fmt::format("repositories  {}", found.repositories));
  return 0;
}

int list(CacheAccess& cache, const std::optional<cache::ImagePattern>& pattern, bool is_json) {
  const auto images = cache::list_images(cache.index(), pattern);
  if (is_json) {
    json::array out;
    for (const auto& image : images) {
      out.push_back(json::object{{"registry", image.registry},
                                 {"repository", image.repository},
                                 {"tag", image.tag},
                                 {"digest", image.digest.str()},
                                 {"size", image.size},
                                 {"last_use", utc_text(image.last_use)}});
    }
    print(json::serialize(out));
    return 0;
  }
  if (::isatty(STDOUT_FILENO) == 1) {
    print(fmt::format("{:<20}  {:>10}  {}", "LAST USE", "SIZE", "IMAGE"));
  }
  for (const auto& image : images) {
    const std::string reference = image.tag.empty() ? "@" + image.digest.str() : ":" + image.tag;
    print(fmt::format("{}  {:>10}  {}/{}{}", utc_text(image.last_use), size_text(image.size),
                      image.registry, image.repository, reference));
  }
  return 0;
}

int purge(CacheAccess& cache, const std::vector<std::string>& texts,
          const std::vector<cache::ImagePattern>& patterns, bool is_json) {
  // Asked before: afterwards nothing matches.
  std::vector<std::string> unmatched;
  for (std::size_t i = 0; i < texts.size(); ++i) {
    if (!cache::matches_any_image(cache.index(), patterns[i])) unmatched.push_back(texts[i]);
  }
  const auto purged = cache.purge(texts);
  if (!purged) return fail(purged.error().context);
  if (is_json) {
    print(json::serialize(json::object{
        {"removed", purged->removed}, {"bytes", purged->bytes}, {"in_use", purged->in_use}}));
    return 0;
  }
  for (const std::string& text : unmatched) {
    std::fprintf(stderr, "no image matches %s\n", text.c_str());
  }
  print(fmt::format("removed {} contents, {}", purged->removed, size_text(purged->bytes)));
  if (purged->in_use > 0) {
    print(fmt::format("{} are being read; nobody gets them any more, eviction removes them",
                      purged->in_use));
  }
  return 0;
}

// One line that is written over, on a terminal only.
class Progress {
 public:
  explicit Progress(std::uint64_t bytes) : bytes_(bytes), is_shown_(::isatty(STDERR_FILENO) == 1) {}
  ~Progress() {
    if (is_shown_) std::fputs("\r\x1b[K", stderr);
  }
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  void show(const cache::ScrubCounts& counts) const {
    if (!is_shown_) return;
    std::fprintf(stderr, "\r\x1b[K%llu checked, %s of %s",
                 static_cast<unsigned long long>(counts.contents), size_text(counts.bytes).c_str(),
                 size_text(bytes_).c_str());
  }

 private:
  std::uint64_t bytes_;
  bool is_shown_;
};

int verify(CacheAccess& cache, bool is_json) {
  std::vector<std::string> damaged;
  const auto remove = [&](const cache::ContentCheck& check) -> Result<void> {
    damaged.push_back(check.digest().str());
    if (!is_json) print("damaged " + check.digest().str() + ": " + check.why());
    return cache.remove_damaged(check);
  };
  Result<cache::ScrubCounts> counts;
  {
    const Progress progress(cache.index().totals().bytes);
    counts = cache::verify_all(cache.index(), cache.store(), remove, cache.log(),
                               [&](const cache::ScrubCounts& now) { progress.show(now); });
  }
  if (!counts) return fail(counts.error().context);
  if (is_json) {
    json::array names(damaged.begin(), damaged.end());
    print(json::serialize(json::object{{"checked", counts->contents},
                                       {"bytes", counts->bytes},
                                       {"damaged", std::move(names)},
                                       {"failed", counts->failed}}));
  } else {
    print(fmt::format("checked {} contents, {}: {} damaged and removed", counts->contents,
                      size_text(counts->bytes), counts->damaged));
    if (counts->failed > 0)
      print(fmt::format("{} could not be checked or removed", counts->failed));
  }
  return damaged.empty() && counts->failed == 0 ? 0 : 1;
}

}  // namespace

int run_cache_command(const config::Config& config, const CacheCommand& command) {
  std::vector<cache::ImagePattern> patterns;
  for (const std::string& text : command.patterns) {
    auto pattern = cache::ImagePattern::parse(text);
    if (!pattern) return fail("\"" + text + "\" " + pattern.error());
    patterns.push_back(*std::move(pattern));
  }
  const bool changes = command.verb == CacheVerb::Purge || command.verb == CacheVerb::Verify;
  auto cache = CacheAccess::open(config.cache.directory, changes);
  if (!cache) return fail_to_open(config.cache.directory, cache.error());
  switch (command.verb) {
    case CacheVerb::Stats:
      return stats(**cache, config.cache.max_size, command.is_json);
    case CacheVerb::List:
      return list(**cache, patterns.empty() ? std::nullopt : std::optional(patterns.front()),
                  command.is_json);
    case CacheVerb::Purge:
      return purge(**cache, command.patterns, patterns, command.is_json);
    case CacheVerb::Verify:
      return verify(**cache, command.is_json);
  }
  return 1;
}

}  // namespace fairlead::app
