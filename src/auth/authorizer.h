// SPDX-License-Identifier: Apache-2.0
// authorize(): may this caller do this? Asked of every operation before anything is looked up,
// so that whether something is cached tells nobody anything.
//
// Every route is read-only and open to all for now: the grant is to pull.
#pragma once

#include "base/error.h"
#include "oci/operation.h"

namespace fairlead::auth {

// The proof that an operation was authorized. Only authorize() makes one, and what hands out
// content asks for it.
class Grant {
 private:
  friend Result<Grant> authorize(const oci::Operation& operation);
  Grant() = default;
};

// Denied for anything that writes.
[[nodiscard]] Result<Grant> authorize(const oci::Operation& operation);

}  // namespace fairlead::auth
