// SPDX-License-Identifier: Apache-2.0
// explain(): what would become of an operation on an image: which route, which rule and which
// registry decide. Asks nobody; pure but for the configuration it is given.
#pragma once

#include <cstddef>
#include <expected>
#include <string>
#include <string_view>

#include "auth/caller.h"
#include "auth/policy.h"
#include "config/config.h"
#include "oci/operation.h"

namespace fairlead::control {

struct ExplainQuestion {
  std::string host;        // that the client asks; empty: any
  std::string name_space;  // ?ns=; empty: none
  std::string repository;
  std::string reference;  // tag or digest
  oci::Action action = oci::Action::Pull;
  auth::Caller caller;
};

// Fills in repository and reference, and the host where `image` begins with one: with a
// port, or as public_url or a route's host has it. The error says why it is no image.
std::expected<ExplainQuestion, std::string> parse_image(const config::Config& config,
                                                        std::string_view image);

struct Explanation {
  bool is_allowed = false;
  std::string name;            // qualified: what rules mean
  std::string route;           // `match "team/" to "zot/"`; empty: none
  std::size_t route_line = 0;  // in the configuration file; 0: built in
  bool is_capability = false;
  std::string registry;
  std::string url;  // of the registry
  std::string remote_repository;
  std::string decided_by;  // a sentence
  std::size_t rule_line = 0;
  std::string answer;          // what the client gets: "200", "401 UNAUTHORIZED", ...
  std::string shown_upstream;  // credentials: a sentence
  std::string delivered;       // how the bytes travel: a sentence
};

Explanation explain(const config::Config& config, const ExplainQuestion& question);

// A line for each thing, and as JSON.
std::string to_text(const ExplainQuestion& question, const Explanation& explanation);
std::string to_json(const ExplainQuestion& question, const Explanation& explanation);

}  // namespace fairlead::control
