// SPDX-License-Identifier: Apache-2.0
// What goes wrong, as a client is told: status, code and words in its own names.
#pragma once

#include <string>
#include <string_view>

#include "base/error.h"
#include "gateway/exchange.h"
#include "oci/operation.h"
#include "upstream/change.h"

namespace fairlead::gateway {

struct Meaning {
  int status;
  oci::ErrorCode code;
};

// An error of any layer.
[[nodiscard]] Meaning meaning_of(const Error& error, oci::Kind kind);

// What a registry refused, in its own words where it has any that we know.
[[nodiscard]] Meaning meaning_of(const upstream::ChangeAnswer& refusal, oci::Kind kind);

// A text that may hold the registry's name of the repository. A capability has none to be shown.
[[nodiscard]] std::string shown_to_client(const Exchange& exchange, std::string_view text);

}  // namespace fairlead::gateway
