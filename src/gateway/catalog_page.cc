// SPDX-License-Identifier: Apache-2.0
#include "gateway/catalog_page.h"

#include <algorithm>
#include <utility>

#include "auth/authorizer.h"
#include "oci/name.h"

namespace fairlead::gateway {
namespace {

// What may be a client's name of a repository: the router has the last word.
struct Candidate {
  std::string name;
  std::string_view registry;
  std::string_view repository;
};

std::vector<Candidate> candidates_of(const std::vector<routing::Reach>& reaches,
                                     const ToldNames& told) {
  std::vector<Candidate> candidates;
  for (const routing::Reach& reach : reaches) {
    const auto of_registry = told.find(reach.registry);
    if (of_registry == told.end()) continue;
    for (const std::string& repository : *of_registry->second) {
      if (auto name = reach.name_of(repository)) {
        candidates.push_back({*std::move(name), of_registry->first, repository});
      }
    }
  }
  std::ranges::sort(candidates, {}, &Candidate::name);
  return candidates;
}

bool is_visible(const CatalogView& view, const Candidate& candidate) {
  if (!oci::is_repository_name(candidate.name)) return false;
  routing::RouteQuery query = view.place;
  query.repository = candidate.name;
  const auto target = view.router.route(query);
  if (!target || target->registry != candidate.registry ||
      target->remote_repository != candidate.repository) {
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

CatalogPage catalog_page(const CatalogView& view, const ToldNames& told, std::string_view last,
                         std::size_t n) {
  const auto candidates = candidates_of(view.router.reaches(view.place), told);
  const auto sees = [&](const Candidate& candidate) { return is_visible(view, candidate); };
  CatalogPage page;
  for (auto at = std::ranges::upper_bound(candidates, last, {}, &Candidate::name);
       n > 0 && at != candidates.end() && !page.has_more; ++at) {
    // Two ways may lead to one repository by the same name.
    const bool is_listed = !page.names.empty() && page.names.back() == at->name;
    if (is_listed || !sees(*at)) continue;
    page.has_more = page.names.size() == n;
    if (!page.has_more) page.names.push_back(at->name);
  }
  page.is_all_hidden = page.names.empty() && std::ranges::none_of(candidates, sees);
  return page;
}

}  // namespace fairlead::gateway
