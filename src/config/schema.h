// SPDX-License-Identifier: Apache-2.0
// The schema: one function a section of the file. Each names its keys, what they may be and where
// they go; keys that are planned are named as such. A new section is a new function here and one
// line in load.cc.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "auth/options.h"
#include "cache/options.h"
#include "config/section.h"
#include "http/options.h"
#include "routing/route.h"
#include "telemetry/log.h"
#include "upstream/options.h"

namespace fairlead::config {

// `is_open`: nobody has said who may; others who reach it may then pull everything.
void read_server(Section& server, bool is_open, http::ServerOptions& out);
// Its options and its bucket; only warns of what does not fit to the registries.
void read_cache(Section& cache, Config& out);
void read_log(Section& log, telemetry::LogOptions& out);
void read_auth(Section& auth, auth::AuthOptions& out);

// The words of a list of actions. Nullopt: a problem was told; of other words with `hint` behind
// it.
std::optional<auth::Actions> read_actions(const Value& list,
                                          std::string_view hint = "; [] is for nothing");
// The patterns of a list of repositories. What is none is a problem.
std::vector<std::string> read_globs(const Value& list);

// Changes and adds to the registries that `out` holds already, with their buckets and deliveries.
void read_registries(Section& registries, Config& out);

// Replaces what `out` holds. What a route means, and whether they fit together, is the Router's
// to say.
void read_routes(const Value& routes, std::vector<routing::RouteOptions>& out);

}  // namespace fairlead::config
