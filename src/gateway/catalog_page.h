// SPDX-License-Identifier: Apache-2.0
// CatalogPage: what one caller sees of the repositories of registries, under the names by which
// they would pull them. Pure.
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

// By registry: the names that it told, none of them twice.
using ToldNames =
    std::map<std::string, std::shared_ptr<const std::vector<std::string>>, std::less<>>;

// Who looks, and from where; `place.repository` is not looked at.
struct CatalogView {
  const routing::Router& router;
  const auth::Policy& policy;
  const auth::Caller& caller;
  routing::RouteQuery place;
};

struct CatalogPage {
  std::vector<std::string> names;  // sorted
  bool has_more = false;           // behind them
  bool is_all_hidden = false;      // there is no name at all, on any page, that they may see
};

// The names behind `last`, `n` of them. A name is on it only if a pull by that name would go to
// that repository, and they may pull it. The attack: to learn by the catalog what cannot be pulled.
CatalogPage catalog_page(const CatalogView& view, const ToldNames& told, std::string_view last,
                         std::size_t n);

}  // namespace fairlead::gateway
