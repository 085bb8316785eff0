// SPDX-License-Identifier: Apache-2.0
// What goes wrong, as a client is told: status and code. Pure.
#pragma once

#include "base/error.h"
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

}  // namespace fairlead::gateway
