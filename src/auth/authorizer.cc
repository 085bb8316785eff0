// SPDX-License-Identifier: Apache-2.0
#include "auth/authorizer.h"

#include <string>

namespace fairlead::auth {

Result<Grant> authorize(const oci::Operation& operation) {
  if (operation.action != oci::Action::Pull) {
    return client_error(Code::Denied, "this gateway is read-only: " +
                                          std::string(oci::to_string(operation.action)) +
                                          " is not allowed; do it at the registry itself");
  }
  return Grant{};
}

}  // namespace fairlead::auth
