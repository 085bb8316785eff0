// SPDX-License-Identifier: Apache-2.0
#include "gateway/catalog_page.h"

#include <algorithm>
#include <functional>
#include <optional>
#include <utility>

#include "auth/authorizer.h"
#include "oci/name.h"
#include "oci/name_prefix.h"

namespace fairlead::gateway {
namespace {

using Names = std::vector<std::string>;

// A part of what a registry told, and the way that leads to it. Stands on one name, which may be
// the client's of a repository: the router has the last word.
class Stretch {
 public:
  Stretch(const routing::Reach& reach, Names::const_iterator begin, Names::const_iterator end,
          std::string_view last)
      : reach_(&reach), end_(end) {
    at_ = std::partition_point(begin, end, [&](const std::string& repository) {
      return reach.name_of(repository).value_or("") <= last;
    });
    take_name();
  }

  [[nodiscard]] bool is_over() const { return at_ == end_; }
  [[nodiscard]] const std::string& name() const { return name_; }
  [[nodiscard]] const std::string& registry() const { return reach_->registry; }
  [[nodiscard]] const std::string& repository() const { return *at_; }

  void move_on() {
    ++at_;
    take_name();
  }

 private:
  void take_name() {
    if (!is_over()) name_ = reach_->name_of(*at_).value_or("");
  }

  const routing::Reach* reach_;
  Names::const_iterator at_;
  Names::const_iterator end_;
  std::string name_;  // the client's
};

// The names of all stretches in order, those of several more than once.
class Walk {
 public:
  void add(Stretch stretch) {
    if (stretch.is_over()) return;
    stretches_.push_back(std::move(stretch));
    std::ranges::push_heap(stretches_, std::greater(), &Stretch::name);
  }

  // nullptr: at the end.
  [[nodiscard]] const Stretch* front() const {
    return stretches_.empty() ? nullptr : &stretches_.front();
  }

  void move_on() {
    std::ranges::pop_heap(stretches_, std::greater(), &Stretch::name);
    stretches_.back().move_on();
    if (stretches_.back().is_over()) {
      stretches_.pop_back();
    } else {
      std::ranges::push_heap(stretches_, std::greater(), &Stretch::name);
    }
  }

 private:
  std::vector<Stretch> stretches_;  // a heap
};

// With what the repositories begin that a route serves.
Names served_prefixes(const routing::RoutePolicy& policy) {
  if (policy.repositories.empty()) return {""};
  Names prefixes;
  for (const std::string& glob : policy.repositories) {
    prefixes.emplace_back(oci::literal_prefix(glob));
  }
  return oci::outermost(std::move(prefixes));
}

void add_all(const routing::Reach& reach, std::string_view prefix, const Names& names,
             std::string_view last, Walk& walk) {
  const auto begin = std::ranges::lower_bound(names, prefix);
  const auto end = std::partition_point(
      begin, names.end(), [&](const std::string& name) { return name.starts_with(prefix); });
  walk.add(Stretch(reach, begin, end, last));
}

void add_one(const routing::Reach& reach, const std::string& repository, const Names& names,
             std::string_view last, Walk& walk) {
  const auto found = std::ranges::equal_range(names, repository);
  walk.add(Stretch(reach, found.begin(), found.end(), last));
}

Walk walk_of(const std::vector<CatalogWay>& ways, const ToldNames& told, std::string_view last) {
  Walk walk;
  for (const auto& [reach, prefixes] : ways) {
    const auto of_registry = told.find(reach.registry);
    if (of_registry == told.end()) continue;
    const Names& names = *of_registry->second;
    if (!reach.is_prefix()) {
      add_one(reach, reach.remote, names, last, walk);
      add_one(reach, "library/" + reach.remote, names, last, walk);
      continue;
    }
    const Names served = served_prefixes(*reach.policy);
    for (const std::string& prefix : prefixes) {
      const std::string remote = reach.remote + prefix.substr(reach.match.size());
      for (const std::string& one : served) {
        if (const auto both = oci::narrower(remote, one)) add_all(reach, *both, names, last, walk);
      }
    }
  }
  return walk;
}

bool is_visible(const CatalogView& view, const Stretch& at) {
  if (!oci::is_repository_name(at.name())) return false;
  routing::RouteQuery query = view.place;
  query.repository = at.name();
  const auto target = view.router.route(query);
  if (!target || target->registry != at.registry() ||
      target->remote_repository != at.repository()) {
    return false;
  }
  const routing::RoutePolicy& policy = *target->policy;
  if (policy.is_capability || !policy.admits(target->remote_repository)) return false;
  return auth::authorize(view.policy, view.caller,
                         {.repository = target->name,
                          .route_allows = policy.allow,
                          .route_anonymous = policy.anonymous})
      .has_value();
}

}  // namespace

std::vector<CatalogWay> catalog_ways(const CatalogView& view) {
  static const Names kAnywhere{""};
  const auth::Prospect prospect = view.policy.prospect_of(view.caller);
  std::vector<CatalogWay> ways;
  for (routing::Reach& reach : view.router.reaches(view.place)) {
    if (!reach.policy->allow.has(oci::Action::Pull)) continue;
    const std::string all = reach.qualifier + reach.match;
    Names prefixes;
    const bool is_open = prospect.is_open(reach.policy->anonymous);
    for (const std::string& one : is_open ? kAnywhere : prospect.prefixes) {
      const auto both = oci::narrower(all, one);
      const bool is_on_way = both && (reach.is_prefix() || *both == all);
      if (is_on_way) prefixes.push_back(both->substr(reach.qualifier.size()));
    }
    if (!prefixes.empty()) ways.push_back({std::move(reach), std::move(prefixes)});
  }
  return ways;
}

CatalogPage catalog_page(const CatalogView& view, const std::vector<CatalogWay>& ways,
                         const ToldNames& told, std::string_view last, std::size_t n) {
  CatalogPage page;
  if (n == 0) return page;
  Walk walk = walk_of(ways, told, last);
  for (const Stretch* at = walk.front(); at != nullptr && !page.has_more; at = walk.front()) {
    // Two ways may lead to one repository by the same name.
    const bool is_listed = !page.names.empty() && page.names.back() == at->name();
    if (!is_listed) ++page.decisions;
    if (!is_listed && is_visible(view, *at)) {
      page.has_more = page.names.size() == n;
      if (!page.has_more) page.names.push_back(at->name());
    }
    walk.move_on();
  }
  return page;
}

}  // namespace fairlead::gateway
