// SPDX-License-Identifier: Apache-2.0
// CatalogPage: what one caller sees of the repositories of registries, under the names by which
// they would pull them. Pure.
//
// It may be one of a hundred thousand names, so nothing is copied or sorted: the names of a
// registry are sorted, and so are the clients' that a way makes of them. Of each way only those
// stretches are walked where the caller may pull something, from `last` on, until the page is full.
// The attack: who may pull little or nothing asks again and again.
#pragma once

#include <cstddef>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "auth/caller.h"
#include "auth/policy.h"
#include "routing/router.h"

namespace fairlead::gateway {

// By registry: the names that it told, sorted, none of them twice.
using ToldNames =
    std::map<std::string, std::shared_ptr<const std::vector<std::string>>, std::less<>>;

// Who looks, and from where; `place.repository` is not looked at.
struct CatalogView {
  const routing::Router& router;
  const auth::Policy& policy;
  const auth::Caller& caller;
  routing::RouteQuery place;
};

// A way on which they may see something, if the registry has it.
struct CatalogWay {
  routing::Reach reach;
  std::vector<std::string> prefixes;  // of the client's names; sorted, none begins with another
};

// All of them. None: they see nothing, whatever registries tell.
std::vector<CatalogWay> catalog_ways(const CatalogView& view);

struct CatalogPage {
  std::vector<std::string> names;  // sorted
  bool has_more = false;           // behind them
  std::size_t decisions = 0;       // how many names it took: each was routed, and authorized
};

// The names behind `last`, `n` of them. A name is on it only if a pull by that name would go to
// that repository, and they may pull it. The attack: to learn by the catalog what cannot be pulled.
CatalogPage catalog_page(const CatalogView& view, const std::vector<CatalogWay>& ways,
                         const ToldNames& told, std::string_view last, std::size_t n);

}  // namespace fairlead::gateway
