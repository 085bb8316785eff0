// SPDX-License-Identifier: Apache-2.0
#include "cache/eviction_plan.h"

#include <algorithm>
#include <compare>
#include <tuple>
#include <utility>

namespace fairlead::cache {
namespace {

enum class Level : std::uint8_t { Index, Manifest, Blob };

Level level_of(const index::ContentInfo& info) {
  if (info.media_type.empty()) return Level::Blob;
  const bool is_index =
      info.media_type.contains(".image.index.") || info.media_type.contains(".manifest.list.");
  return is_index ? Level::Index : Level::Manifest;
}

// Where content stands in the order, and its size: 16 bytes.
struct Place {
  static constexpr unsigned kLevelBits = 2;

  explicit Place(const index::ContentInfo& info)
      : last_use(info.last_use.time_since_epoch().count()),
        level(static_cast<std::uint64_t>(level_of(info))),
        size(info.size & (~std::uint64_t{0} >> kLevelBits)) {}

  std::int64_t last_use;
  std::uint64_t level : kLevelBits;
  std::uint64_t size : 64 - kLevelBits;
};
static_assert(sizeof(Place) == 16);

std::strong_ordering order(const Place& a, const Place& b) {
  if (const auto by_time = a.last_use <=> b.last_use; by_time != 0) return by_time;
  return std::uint64_t{a.level} <=> std::uint64_t{b.level};
}

bool is_before(const Place& a, const Place& b) { return order(a, b) < 0; }

template <class Visit>
void for_each_candidate(const index::Index& index, const EvictionGoal& goal, Visit visit) {
  index.for_each_stored([&](const oci::Digest& digest, const index::ContentInfo& info) {
    if (info.last_use > goal.not_used_after || goal.spares(digest)) return;
    visit(digest, info);
  });
}

// The last place that has to go, and how many go that stand exactly there.
struct Reach {
  Place last;
  std::size_t ties = 0;
};

std::optional<Reach> find_reach(const index::Index& index, const EvictionGoal& goal) {
  std::vector<Place> places;
  places.reserve(index.totals().contents);
  for_each_candidate(index, goal, [&](const oci::Digest&, const index::ContentInfo& info) {
    places.emplace_back(info);
  });
  if (places.empty() || goal.max_victims == 0) return std::nullopt;
  std::ranges::sort(places, is_before);
  std::uint64_t bytes = 0;
  std::size_t count = 0;
  while (count < std::min(places.size(), goal.max_victims) && bytes < goal.bytes) {
    bytes += places[count++].size;
  }
  if (count == 0) return std::nullopt;
  const Place last = places[count - 1];
  const auto first_tie = std::ranges::lower_bound(places, last, is_before);
  return Reach{.last = last, .ties = count - static_cast<std::size_t>(first_tie - places.begin())};
}

}  // namespace

std::vector<Victim> plan_eviction(const index::Index& index, const EvictionGoal& goal) {
  auto reach = find_reach(index, goal);
  if (!reach) return {};
  std::vector<std::pair<Place, Victim>> found;
  for_each_candidate(index, goal, [&](const oci::Digest& digest, const index::ContentInfo& info) {
    const Place place(info);
    const auto where = order(place, reach->last);
    if (where > 0 || (where == 0 && reach->ties == 0)) return;
    if (where == 0) --reach->ties;
    found.emplace_back(place, Victim{digest, info.last_use, info.size});
  });
  std::ranges::sort(found, is_before, &std::pair<Place, Victim>::first);
  std::vector<Victim> victims;
  victims.reserve(found.size());
  for (auto& [place, victim] : found) victims.push_back(std::move(victim));
  return victims;
}

}  // namespace fairlead::cache
